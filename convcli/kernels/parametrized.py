"""Weights that a module computes from others: weight norm, spectral norm, pruning, and integers with a scale.

As `torch.nn.utils.weight_norm`, `.spectral_norm` and `.prune` have them, with hooks or as parametrizations, in a module that is not
trained. T. Salimans and D. P. Kingma, "Weight Normalization", 2016; T. Miyato et al., "Spectral Normalization for Generative
Adversarial Networks", 2018.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError
from convcli.kernels.containers.onnx_file import dequantized
from convcli.kernels.containers.tensors import Tensor
from convcli.records import NamedTuple

Array = NDArray[Any]


class Computed(NamedTuple):
    """A weight that is computed: from which tensors, and how."""

    parts: tuple[str, ...]  # their names
    how: str  # in words
    shape: tuple[int, ...]
    values: Callable[[], Array]


def completed(found: Mapping[str, Tensor], transpose: bool, path: str) -> tuple[dict[str, Tensor], dict[str, Computed]]:
    """The tensors with the computed ones in place of their parts, and how each of these is computed."""
    made: dict[str, Computed] = {}
    for name in found:
        for rule in (_norm, _parametrized, _hooked, _scaled):
            if (each := rule(found, name, transpose, path)) is not None:
                made[each[0]] = each[1]
                break
    if not made:
        return dict(found), made
    parts = {part for one in made.values() for part in one.parts}
    rest = {name: tensor for name, tensor in found.items() if name not in parts or name in made}
    for name, one in made.items():
        first = found[one.parts[0]]
        rest[name] = first._replace(shape=one.shape, dtype=f"{first.dtype}, {one.how}", values=one.values)
    return rest, made


Made = tuple[str, Computed] | None


def _norm(found: Mapping[str, Tensor], name: str, transpose: bool, path: str) -> Made:
    """Weight norm: ``g · v / |v|``, with the norm over all axes but that of g."""
    for direction, size, whole in (
        ("weight_v", "weight_g", "weight"),
        ("parametrizations.weight.original1", "parametrizations.weight.original0", "weight"),
    ):
        start = name.removesuffix(direction)
        if start == name or start + size not in found:
            continue
        v, g = found[name], found[start + size]

        def values(v: Tensor = v, g: Tensor = g) -> Array:
            vector, length = v.values().astype(np.float64), g.values().astype(np.float64)
            axes = tuple(at for at in range(vector.ndim) if length.ndim == 0 or length.shape[at] == 1)
            return _as(vector * (length / np.sqrt((vector**2).sum(axis=axes, keepdims=True))), v)

        if len(g.shape) in (0, len(v.shape)):
            return start + whole, Computed((name, start + size), "weight norm", v.shape, values)
    return None


def _parametrized(found: Mapping[str, Tensor], name: str, transpose: bool, path: str) -> Made:
    """A parametrization of one tensor: spectral norm, or one that is unknown."""
    start = name.removesuffix("parametrizations.weight.original")
    if start == name:
        return None
    others = [one for one in found if one.startswith(f"{start}parametrizations.weight.") and one != name]
    u, v = (f"{start}parametrizations.weight.0.{part}" for part in ("_u", "_v"))
    if set(others) == {u, v}:
        return start + "weight", _spectral(found, (name, u, v), transpose)

    def refuse() -> Array:
        rule = "are computed by a parametrization that is not known here"
        remedy = "save them after torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"
        raise KernelError(f"weights '{path}' key '{start}weight'", rule, remedy)

    return start + "weight", Computed((name, *others), "parametrized", found[name].shape, refuse)


def _hooked(found: Mapping[str, Tensor], name: str, transpose: bool, path: str) -> Made:
    """Spectral norm or pruning by hooks: ``weight_orig`` with ``weight_u`` and ``weight_v``, or with ``weight_mask``."""
    start = name.removesuffix("_orig")
    if start == name or not start.endswith(("weight", "bias")):
        return None
    whole, mask, u, v = start, *(f"{start}_{part}" for part in ("mask", "u", "v"))
    if mask in found:
        original, kept = found[name], found[mask]

        def values() -> Array:
            whole = original.values()
            return np.asarray(whole * kept.values().astype(whole.dtype))

        return whole, Computed((name, mask), "pruned", original.shape, values)
    if u in found and v in found:
        return whole, _spectral(found, (name, u, v), transpose)

    def refuse() -> Array:
        rule = f"are not what the layer uses, and what it computes '{whole.rpartition('.')[2]}' from is missing"
        remedy = "save them after torch.nn.utils.remove_spectral_norm, or whatever takes them apart"
        raise KernelError(f"weights '{path}' key '{name}'", rule, remedy)

    beside = tuple(one for one in (u, v) if one in found)
    return whole, Computed((name, *beside), "parametrized", found[name].shape, refuse)


def _spectral(found: Mapping[str, Tensor], parts: tuple[str, str, str], transpose: bool) -> Computed:
    """Spectral norm: the weight over ``u · W v``, with W the matrix of its outputs and all else."""
    original, left, right = (found[part] for part in parts)

    def values() -> Array:
        weight, u, v = (one.values().astype(np.float64) for one in (original, left, right))
        fits = [
            at for at in (0, 1) if weight.ndim > at and u.size == weight.shape[at] and v.size * u.size == weight.size
        ]
        if not fits:
            raise KernelError(
                f"weights '{parts[0]}'", "do not fit the vectors of their spectral norm", "save them again"
            )
        axis = 1 if transpose and 1 in fits else fits[0]
        matrix = np.moveaxis(weight, axis, 0).reshape(u.size, -1)
        return _as(weight / (u.ravel() @ (matrix @ v.ravel())), original)

    return Computed(parts, "spectral norm", original.shape, values)


def _scaled(found: Mapping[str, Tensor], name: str, transpose: bool, path: str) -> Made:
    """Integers, or floats of 8 bits, beside their scale."""
    tensor, start = found[name], name.removesuffix("weight")
    if start == name or not tensor.dtype.startswith(("int8", "uint8", "float8")):
        return None
    scale, zero = f"{start}weight_scale", f"{start}weight_zero_point"
    other = next(
        (one for one in (f"{start}weight_scale_inv", f"{start}SCB", f"{start}weight_absmax") if one in found), ""
    )
    if scale not in found and not other:
        return None

    def values() -> Array:
        if other:
            rule = f"are quantized, with '{other}', in a way that is not known here"
            raise KernelError(f"weights '{path}' key '{name}'", rule, "save float32 weights")
        offset = found[zero].values if zero in found else None
        return dequantized(tensor.values, found[scale].values, offset, 0, f"'{path}' key '{name}'")

    parts = tuple(part for part in (name, scale, zero, other) if part in found)
    return name, Computed(parts, "dequantized", tensor.shape, values)


def _as(values: NDArray[np.float64], stored: Tensor) -> Array:
    """Values in the float dtype of the tensor that they are computed from; at least float32."""
    return values if stored.dtype == "float64" else values.astype(np.float32)
