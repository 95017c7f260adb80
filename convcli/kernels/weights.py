"""The weights of a layer in a file: found by their key, computed if the file has only their parts, in PyTorch's order."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import nan, prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError, param
from convcli.kernels import containers, layouts
from convcli.kernels.containers.tensors import Tensor, listing, source_of
from convcli.kernels.named import safe_label
from convcli.kernels.parametrized import Computed, completed
from convcli.records import NamedTuple
from convcli.system.files import reason

ROWS = "(C_out, C_in/groups, kh, kw), transposed (C_in, C_out/groups, kh, kw)"

PLAIN = (".npy", ".npz", ".safetensors", ".pt", ".pth")
"""Files that a short script can read."""


class Weights(NamedTuple):
    """The arrays of a layer."""

    # 4-D and finite, in its own float dtype (float64 for integers), in PyTorch's order
    weight: NDArray[np.floating]
    label: str  # the key, or the file's name without its suffix, for file names
    # 1-D and finite. It has the key ``NAME.bias`` if the weight has the key ``NAME.weight``, as in PyTorch's layers, or
    # ``NAME/bias`` for ``NAME/kernel``, as in Keras's and Flax's; or the one that a model of ONNX says.
    bias: NDArray[np.floating] | None
    bias_name: str  # the key of the bias; empty if there can be none
    groups: int | None = None  # the number of groups, if the layout says it: of a depthwise layer of Keras
    notes: tuple[str, ...] = ()  # what was done to the weights, and what may not be meant
    plain: bool = True  # whether a short script reads the same array from the file
    files: tuple[str, ...] = ()  # the paths that were read


def load(spec: str, transpose: bool = False, layout: str | None = None, groups: int = 1) -> Weights:
    """Read ``FILE[:KEY]`` for a direct or a transposed operation.

    `layout` is that of the file, one of `convcli.vocabulary.LAYOUTS`; None: what the file says, else PyTorch's.

    Raises `KernelError` if there is no such file or key, no 4-D tensor, or several and no key, or if the file has pickled
    objects, or values that are not finite.
    """
    path, key = split(spec)
    with _opened(path, key, transpose) as (found, computed):
        name = _chosen(found, path, key)
        tensor, weight, beside = found[name], _values(found, path, name), _bias_of(name, found)
        bias = _values(found, path, beside) if beside in found and len(found[beside].shape) == 1 else None
    source, notes = source_of(path, name), []
    if name in computed:
        notes.append(f"weights {source} are computed from {' and '.join(computed[name].parts)}: {computed[name].how}")
    order = layout or tensor.layout or layouts.own(transpose)
    if layout is None and tensor.layout:
        notes.append(f"weights {source} are taken as {order}, as Keras saves them; see {param('layout')}")
    if weight.ndim == 3:
        flat, weight = weight.shape, layouts.with_rows(weight, order)
        notes.append(
            f"weights {source} of shape {flat}, as a Conv1d has them, are taken as {weight.shape}, with one row"
        )
    elif layout is None and not tensor.layout and (suspicion := layouts.suspected(weight.shape)):
        notes.append(suspicion)
    given = weight
    weight, depthwise = layouts.arranged(weight, order, transpose, groups, source)
    plain = weight is given or (weight.shape == tensor.shape and order == layouts.own(transpose))
    plain = plain and name not in computed and path.suffix.lower() in PLAIN
    label = safe_label(key or path.stem)
    return Weights(weight, label, bias, beside, depthwise, tuple(notes), plain, (str(path),))


@contextmanager
def _opened(
    path: Path, key: str | None = None, transpose: bool = False
) -> Iterator[tuple[Mapping[str, Tensor], Mapping[str, Computed]]]:
    """The tensors in a file by name, at least the ones that belong to a key; and how some are computed from others.

    Their values can be read in the block. Raises `KernelError` if the file cannot be read, also for errors of the operating
    system in the block.
    """
    try:
        yield completed(containers.read(path, key), transpose, str(path))
    except OSError as error:
        raise KernelError(f"weights '{path}'", "cannot be read", **reason(error)._asdict()) from None


_NAMES = (
    (re.compile(r"(.*?)weight"), r"\1bias"),
    (re.compile(r"((?:.*[./])?)(?:depthwise_|pointwise_)?kernel(:0)?"), r"\1bias\2"),
)
"""The names of weights, and those of their biases."""


def _bias_of(name: str, found: Mapping[str, Tensor]) -> str:
    """The key of the bias that belongs to a weight: ``conv1.bias`` for ``conv1.weight``. Empty if there can be none."""
    if found[name].bias:
        return found[name].bias
    if numbered := re.fullmatch(r"(.*vars/)(\d+)", name):  # the variables of a layer of Keras 3, in their order
        return f"{numbered[1]}{int(numbered[2]) + 1}"
    for pattern, bias in _NAMES:
        if made := pattern.fullmatch(name):
            return made.expand(bias)
    return ""


def split(spec: str) -> tuple[Path, str | None]:
    """The path and the key of ``FILE[:KEY]``. If there is a file with the whole text as its name, there is no key.

    Raises `KernelError` if the text is empty, or ends in a colon.
    """
    if not spec:
        raise KernelError("weights ''", "are empty", f"name a file that ends in {', '.join(containers.SUFFIXES)}")
    if os.path.exists(spec):
        return Path(spec), None
    colons = [place for place, sign in enumerate(spec) if sign == ":"]
    there = [place for place in reversed(colons) if os.path.isfile(spec[:place])]  # a key may have colons, too
    likely = [place for place in colons if Path(spec[:place]).suffix.lower() in containers.KINDS]
    for place in (*there, *likely):
        if place == len(spec) - 1:
            raise KernelError(f"weights '{spec}'", "end in a colon without a key", "write FILE or FILE:KEY")
        return Path(spec[:place]), spec[place + 1 :]
    return Path(spec), None


def _chosen(found: Mapping[str, Tensor], path: Path, key: str | None) -> str:
    """The name of the wanted tensor: 4-D, or 3-D as in a Conv1d if there is no other."""
    if key is not None and key not in found:
        near = _near(key, list(found))
        remedy = f"did you mean {' or '.join(near)}?" if near else f"the keys are {listing(list(found))}"
        raise KernelError(f"weights '{path}'", f"have no key '{key}'", remedy)
    names = [*found] if key is None else [key]
    fitting = next((some for axes in (4, 3) if (some := [one for one in names if len(found[one].shape) == axes])), [])
    if len(fitting) > 1:
        remedy = f"name one as {path}:KEY of {listing(fitting)}"
        raise KernelError(f"weights '{path}'", f"hold {len(fitting)} {len(found[fitting[0]].shape)}-D arrays", remedy)
    if not fitting:
        shapes = [str(tensor.shape) for tensor in found.values()] if key is None else [str(found[key].shape)]
        remedy = f"save {ROWS}; a 2-D kernel goes with {param('kernel')}"
        raise KernelError(f"weights {source_of(path, key)}", f"are not 4-D but {listing(shapes) or 'empty'}", remedy)
    return fitting[0]


def _near(key: str, names: list[str]) -> list[str]:
    """Up to three names that may be meant."""
    from difflib import get_close_matches

    parts = re.compile(rf"(?:^|[./]){re.escape(key)}(?:[./:]|$)")
    return list(dict.fromkeys([*filter(parts.search, names), *get_close_matches(key, names, 3)]))[:3]


def _values(found: Mapping[str, Tensor], path: Path, name: str) -> NDArray[np.floating]:
    """The values of a tensor, in a float dtype and native byte order."""
    tensor, source = found[name], source_of(path, name)
    if 0 in tensor.shape:
        raise KernelError(f"weights {source}", f"are empty, of shape {tensor.shape}", "every axis must be at least 1")
    array = tensor.values()
    floating = array if array.dtype.kind == "f" else array.astype(np.float64)
    native: NDArray[np.floating] = floating.astype(floating.dtype.newbyteorder("="))
    if not np.isfinite(native).all():
        raise KernelError(f"weights {source}", "contain NaN or infinity", "every value must be finite")
    return native


class Stored(NamedTuple):
    """A tensor in a file that can be a layer's weights: 4-D, or 3-D in a file without 4-D ones."""

    name: str  # its key; empty for the array of a .npy file
    shape: tuple[int, ...]  # in the file
    dtype: str  # in the file
    # least, greatest and mean value; NaN if one of the values is NaN
    low: float
    high: float
    mean: float
    bias: str | None  # the key of the bias that belongs to it

    @property
    def parameters(self) -> int:
        """How many numbers it has, without the bias."""
        return prod(self.shape)


def stored(path: Path, key: str | None = None) -> list[Stored]:
    """The tensors in a file that can be weights, in the order of the file, or only the one with this `key`.

    Raises `KernelError` if the file cannot be read or has none, or if the values of a single one cannot be read.
    """
    with _opened(path, key) as (held, _):
        fitting = next((some for axes in (4, 3) if (some := _of(held, axes))), [])
        names = [name for name in fitting if key in (None, name)]
        if not names and key is not None:
            names = [_chosen(held, path, key)]  # or the error that says why
            _values(held, path, names[0])
        if not names:
            what = (
                ", ".join(f"{name or 'array'} {tensor.shape}" for name, tensor in list(held.items())[:6]) or "nothing"
            )
            more = f" and {len(held) - 6} more" if len(held) > 6 else ""
            remedy = f"save {ROWS}; a 2-D kernel is a SPEC"
            raise KernelError(f"weights '{path}'", f"have no 4-D tensor, only {what}{more}", remedy)
        biases = {name: beside for name in names if (beside := _bias_of(name, held)) in held and _is_bias(held[beside])}
        tensors = {name: held[name] for name in names}
        return [
            Stored(name, one.shape, one.dtype, *_spread(one, len(names) == 1), biases.get(name))
            for name, one in tensors.items()
        ]


def _of(held: Mapping[str, Tensor], axes: int) -> list[str]:
    """The names of the tensors with so many axes, none of which is empty."""
    return [name for name, one in held.items() if len(one.shape) == axes and 0 not in one.shape]


def _is_bias(tensor: Tensor) -> bool:
    return len(tensor.shape) == 1


def _spread(tensor: Tensor, alone: bool) -> tuple[float, float, float]:
    """The smallest value, the largest and the mean. NaN if the values cannot be read; an error if the tensor is the only one."""
    try:
        array = tensor.values()
    except KernelError:
        if alone:
            raise
        return nan, nan, nan
    return float(array.min()), float(array.max()), float(array.mean(dtype=np.float64))
