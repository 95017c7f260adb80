"""4-D arrays of weights in files: .npy, .npz, .safetensors and .pt (tensors only, never code)."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from math import nan, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from convcli import extras
from convcli.errors import KernelError, param
from convcli.kernels.named import safe_label
from convcli.kernels.tensors import Tensor, from_torch, invalid, name_of, of_array, source_of
from convcli.system import memory, npy
from convcli.system.context import without_warnings
from convcli.system.files import reason

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

ROWS = "(C_out, C_in/groups, kh, kw), transposed (C_in, C_out/groups, kh, kw)"


class Weights(NamedTuple):
    """The arrays of a layer."""

    weight: NDArray[np.floating]  # 4-D and finite, in its own float dtype (float64 for integers)
    label: str  # the key, or the file's name without its suffix, for file names
    # 1-D and finite. It has the key ``NAME.bias`` if the weight has the key ``NAME.weight``, as in PyTorch's layers.
    bias: NDArray[np.floating] | None
    bias_name: str  # the key of the bias; empty if there can be none


def load(spec: str) -> Weights:
    """Read ``FILE[:KEY]``.

    Raises `KernelError` if there is no such file or key, no 4-D tensor, or several and no key, or if the file has pickled
    objects, or values that are not finite.
    """
    path, key = split(spec)
    with _opened(path, key) as found:
        name = _chosen(found, path, key)
        weight, beside = _values(found, path, name), _bias_of(name)
        bias = _values(found, path, beside) if beside in found and len(found[beside].shape) == 1 else None
    return Weights(weight, safe_label(key or path.stem), bias, beside)


@contextmanager
def _opened(path: Path, key: str | None = None) -> Iterator[Mapping[str, Tensor]]:
    """The tensors in a file by name, at least the ones that belong to a key. Their values can be read in the block.

    Raises `KernelError` if the file cannot be read, also for errors of the operating system in the block.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise KernelError(
            f"weights '{path}'", f"end in none of {', '.join(SUFFIXES)}", "save them in one of these formats"
        )
    try:
        with path.open("rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                rule = "are not in a file but in a device or a pipe"
                raise KernelError(f"weights '{path}'", rule, "save them to a file first")
        yield reader(path, key)
    except OSError as error:
        raise KernelError(f"weights '{path}'", "cannot be read", **reason(error)._asdict()) from None


def _bias_of(name: str | None) -> str:
    """The key of the bias that belongs to a weight: ``conv1.bias`` for ``conv1.weight``. Empty if there can be none."""
    return f"{name.removesuffix('weight')}bias" if name is not None and name.endswith("weight") else ""


def split(spec: str) -> tuple[Path, str | None]:
    """The path and the key of ``FILE[:KEY]``. If there is a file with the whole text as its name, there is no key.

    Raises `KernelError` if the text is empty, or ends in a colon.
    """
    if not spec:
        raise KernelError("weights ''", "are empty", f"name a file that ends in {', '.join(SUFFIXES)}")
    head, colon, tail = spec.rpartition(":")
    if os.path.exists(spec) or not colon or Path(head).suffix.lower() not in SUFFIXES:
        return Path(spec), None
    if not tail:
        raise KernelError(f"weights '{spec}'", "end in a colon without a key", "write FILE or FILE:KEY")
    return Path(head), tail


def _chosen(found: Mapping[str, Tensor], path: Path, key: str | None) -> str:
    """The name of the wanted 4-D tensor."""
    if key is not None and key not in found:
        raise KernelError(f"weights '{path}'", f"have no key '{key}'", f"the keys are {_listing(list(found))}")
    fitting = [name for name in (found if key is None else [key]) if len(found[name].shape) == 4]
    if len(fitting) > 1:
        remedy = f"name one as {path}:KEY of {_listing(fitting)}"
        raise KernelError(f"weights '{path}'", f"hold {len(fitting)} 4-D arrays", remedy)
    if not fitting:
        shapes = [str(tensor.shape) for tensor in found.values()] if key is None else [str(found[key].shape)]
        remedy = f"save {ROWS}; a 2-D kernel goes with {param('kernel')}"
        raise KernelError(f"weights {source_of(path, key)}", f"are not 4-D but {_listing(shapes) or 'empty'}", remedy)
    return fitting[0]


def _listing(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


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


def _read_npy(path: Path, key: str | None) -> Mapping[str, Tensor]:
    if key is not None:
        raise KernelError(f"weights '{path}'", f"are one array and have no key '{key}'", f"write {path}")
    try:
        with path.open("rb") as stream:
            return {"": of_array(npy.read(stream, stream.seek(0, 2)))}
    except npy.NpyError as error:
        raise KernelError(f"weights '{path}': the file", *error.args) from None


def _read_npz(path: Path, key: str | None) -> Mapping[str, Tensor]:
    with _archive(path) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
        found: dict[str, Tensor] = {}
        for name, member in members.items():
            if key in (None, name) or key not in members or name == _bias_of(key):
                with archive.open(member) as stream:
                    header = npy.header(cast("BinaryIO", stream))
                dtype = header.dtype.newbyteorder("=") if header.dtype.itemsize <= 8 else np.dtype(np.float64)
                found[name] = Tensor(header.shape, str(dtype), partial(_member, path, member))
        return found


def _member(path: Path, member: str) -> NDArray[Any]:
    """The array of a member of a .npz file."""
    with _archive(path) as archive, archive.open(member) as stream:
        _check_inflation(path, [archive.getinfo(member)])
        return npy.read(cast("BinaryIO", stream), archive.getinfo(member).file_size)


@contextmanager
def _archive(path: Path) -> Iterator[ZipFile]:
    """A .npz file. What is wrong with it, or with an array in it, becomes a `KernelError`."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except npy.NpyError as error:
        raise KernelError(f"weights '{path}': the file", *error.args) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        raise invalid(path, ".npz") from None


def _read_safetensors(path: Path, key: str | None) -> Mapping[str, Tensor]:
    from convcli.kernels import safetensors_file

    return safetensors_file.read(path)


def _read_pt(path: Path, key: str | None) -> Mapping[str, Tensor]:
    if not extras.is_installed("torch"):
        remedy = f"{extras.how_to_get('torch')}, or save them as .safetensors"
        raise KernelError(f"weights '{path}'", "need torch, which is not installed", remedy)
    import torch

    _check_archive(path)
    try:
        with without_warnings():  # about files that are refused below
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # UnpicklingError, RuntimeError, EOFError, …: it depends on the damage
        said = str(error).lower()
        if "torchscript" in said:
            remedy = "save the tensors alone, torch.save(model.state_dict(), …)"
            raise KernelError(f"weights '{path}'", "are a TorchScript program", remedy) from None
        if "nested" in said:
            raise _nested(path) from None
        unsafe = "unsupported global" in said or "unsupported class" in said
        with path.open("rb") as stream:
            if not unsafe or stream.read(2) not in _ARCHIVES:
                raise invalid(path, ".pt") from None
        remedy = "save a plain array or a state_dict of tensors"
        raise KernelError(f"weights '{path}'", "hold pickled objects, which can run code", remedy) from None
    values = {"": loaded} if isinstance(loaded, torch.Tensor) else loaded
    if isinstance(values, dict) and isinstance(values.get("state_dict"), dict):
        values = values["state_dict"]
    if not isinstance(values, dict):
        remedy = "save a tensor or a state_dict of tensors"
        raise KernelError(f"weights '{path}'", f"hold a {type(loaded).__name__}", remedy)
    values = _flat(values)
    found = {name: tensor for name, tensor in values.items() if isinstance(tensor, torch.Tensor)}
    if values and not found:
        raise KernelError(f"weights '{path}'", f"hold no tensors, only {_listing(list(values))}", "save a state_dict")
    whole = {name: tensor for name, tensor in found.items() if not tensor.is_nested}
    if found and not whole:
        raise _nested(path)
    return {
        name: Tensor(tuple(one.shape), name_of(one), partial(from_torch, one, source_of(path, name)))
        for name, one in whole.items()
    }


MOST_INFLATED, MOST_TIMES = 256 << 20, 100
"""Weights that become larger than this are not inflated if they are so many times smaller in their file: no numbers are."""


def _check_archive(path: Path) -> None:
    """Refuse a file of torch that is an archive, as `_check_inflation`."""
    import zipfile

    with suppress(zipfile.BadZipFile, NotImplementedError, ValueError), zipfile.ZipFile(path) as archive:
        _check_inflation(path, archive.infolist())


def _check_inflation(path: Path, members: Sequence[ZipInfo]) -> None:
    """Refuse members of an archive that would become more than the memory holds, or that may be a decompression bomb."""
    need, held = (sum(getattr(info, size) for info in members) for size in ("file_size", "compress_size"))
    if memory.refuses(need):
        rule = f"hold {need / 2**30:.1f} GiB of values, {memory.share()}"
        raise KernelError(f"weights '{path}'", rule, "save the layer that is wanted alone")
    if need > max(MOST_INFLATED, MOST_TIMES * held):
        rule = f"inflate from {held / 2**20:.1f} to {need >> 20} MiB, and may be a decompression bomb"
        raise KernelError(f"weights '{path}'", rule, "if not, save them without compression")


def _nested(path: Path) -> KernelError:
    rule = "hold nested tensors, whose parts differ in size"
    return KernelError(f"weights '{path}'", rule, "save each part as a tensor")


def _flat(tensors: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested state_dicts in one dictionary, with keys such as ``model.conv1.weight``."""
    flat: dict[str, Any] = {}
    for name, value in tensors.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


_ARCHIVES = b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"
"""The first bytes of torch's files: a zip archive, or a pickle of protocol 2 or later."""

_READERS: dict[str, Callable[[Path, str | None], Mapping[str, Tensor]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".pt": _read_pt,
    ".pth": _read_pt,
}
SUFFIXES = (*_READERS,)


class Stored(NamedTuple):
    """A 4-D tensor in a file."""

    name: str  # its key; empty for the array of a .npy file
    shape: tuple[int, ...]  # ``(C_out, C_in/groups, kh, kw)``; of a transposed layer ``(C_in, C_out/groups, kh, kw)``
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
    """The 4-D tensors in a file, in the order of the file, or only the one with this `key`.

    Raises `KernelError` if the file cannot be read or has none, or if the values of a single one cannot be read.
    """
    with _opened(path, key) as held:
        fitting = [name for name, one in held.items() if len(one.shape) == 4 and 0 not in one.shape]
        names = [name for name in fitting if key in (None, name)]
        if not names and key is not None:
            _values(held, path, _chosen(held, path, key))  # raises the error that says why
        if not names:
            what = (
                ", ".join(f"{name or 'array'} {tensor.shape}" for name, tensor in list(held.items())[:6]) or "nothing"
            )
            more = f" and {len(held) - 6} more" if len(held) > 6 else ""
            remedy = f"save {ROWS}; a 2-D kernel is a SPEC"
            raise KernelError(f"weights '{path}'", f"have no 4-D tensor, only {what}{more}", remedy)
        biases = {name: _bias_of(name) for name in names if _bias_of(name) in held}
        tensors = {name: held[name] for name in names}
        return [
            Stored(name, one.shape, one.dtype, *_spread(one, len(names) == 1), biases.get(name))
            for name, one in tensors.items()
        ]


def _spread(tensor: Tensor, alone: bool) -> tuple[float, float, float]:
    """The smallest value, the largest and the mean. NaN if the values cannot be read; an error if the tensor is the only one."""
    try:
        array = tensor.values()
    except KernelError:
        if alone:
            raise
        return nan, nan, nan
    return float(array.min()), float(array.max()), float(array.mean(dtype=np.float64))
