"""An operation of the caller's arguments, fitted once to images of a kind and kept for the next call like it."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from convcli.convspec import Bias, ConvSpec
from convcli.engine import Compute
from convcli.errors import ConvError, GeometryError, ImageError, param
from convcli.layer import Layer
from convcli.library import arguments, banks
from convcli.library.banks import Given, Kept
from convcli.library.pictures import Form, result_dtype, white_of
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift, weights_for
from convcli.pointwise.ranges import extremes
from convcli.records import NamedTuple
from convcli.system.context import current
from convcli.vocabulary import BACKENDS, CHANNELS, COMBINES, DTYPES, LAYOUTS, PLANS, RANGES
from convcli.windows import Array, Source

STORED = ("uint8", "uint16")
"""Integers that results can become."""


class Asked(NamedTuple):
    """An operation as the caller asks for it, in values that can be compared."""

    spec: ConvSpec
    bias: Bias | None
    layout: str | None
    channels: str | None
    combine: str | None
    divisor: float | str | None
    compute: Compute
    range: Range | None
    full_scale: float | None
    stored: str | None = None  # the integers that results become, if `dtype` says so


class Range(NamedTuple):
    """A range policy, or two numbers that become black and white."""

    policy: str
    span: tuple[float, float] | None = None

    @property
    def word(self) -> str:
        """The policy as the command line writes it: ``LO,HI`` for two numbers."""
        return self.policy if self.span is None else f"{self.span[0]!r},{self.span[1]!r}"


class Fitted(NamedTuple):
    """An operation fitted to images of so many channels, of one dtype."""

    layer: Layer
    spec: ConvSpec
    compute: Compute
    finish: Finish
    lift: Lift | None
    dtype: str  # of the result
    white: float  # of the image


class _Operations(Kept):
    """Fitted operations."""


def asked(
    spec: ConvSpec, bias: Any, layout: Any, channels: Any, combine: Any, divisor: Any, backend: Any, device: Any,
    dtype: Any, threads: Any, plan: Any, range: Any, full_scale: Any,
) -> Asked:  # fmt: skip
    """The caller's arguments, checked as far as it is possible without an image."""
    threads = arguments.whole("threads", threads, 1)
    for name, value, words in (
        ("backend", backend, ("auto", *BACKENDS)), ("layout", layout, LAYOUTS), ("channels", channels, CHANNELS),
        ("combine", combine, COMBINES), ("plan", plan, PLANS),
    ):  # fmt: skip
        if value is not None:
            arguments.word(name, value, words)
    kind, stored = arguments.dtype_name(dtype), None
    if kind in STORED:
        kind, stored = None, kind
    if kind is not None and kind not in DTYPES["torch"]:
        known = ", ".join((*DTYPES["torch"], *STORED))
        raise ConvError(f"{param('dtype')} {dtype!r}", "is no dtype of results", f"use one of {known}")
    white = None if full_scale is None else arguments.number("full_scale", full_scale)
    if white is not None and white <= 0:
        raise ConvError(param("full_scale", full_scale), "is not above 0", "use the value of white")
    compute = Compute(backend or "auto", _device(device), kind, threads, plan)
    by = arguments.divisor(divisor)
    return Asked(spec, arguments.bias(bias), layout, channels, combine, by, compute, _range(range), white, stored)


def _device(device: Any) -> str:
    """``cpu``, ``cuda`` or ``cuda:N``; a torch.device, too. Empty: not given."""
    if device is None:
        return ""
    name = str(device)
    if name != "cpu" and name.partition(":")[0] != "cuda":
        raise ConvError(f"{param('device')} {name!r}", "is not known", "use cpu, cuda or cuda:N")
    return name


def _range(value: Any) -> Range | None:
    """A policy, or a pair of numbers."""
    if value is None:
        return None
    if isinstance(value, str) and value.count(",") == 1:
        with suppress(ValueError):
            value = tuple(map(float, value.split(",")))
    if not arguments.is_sequence(value):
        return Range(arguments.word("range", value, RANGES))
    if len(value) != 2:
        raise ConvError(
            f"{param('range')} {value!r}", "is not a pair", f"use (low, high), or one of {', '.join(RANGES)}"
        )
    low, high = (arguments.number("range", one) for one in value)
    if low >= high:
        raise ConvError(f"{param('range')} {value!r}", "has its ends in the wrong order", "use (low, high)")
    return Range("minmax", (low, high))


def fitted(kernel: Given, wanted: Asked, source: Source, form: Form, out: np.dtype[Any] | None = None) -> Fitted:
    """The operation for such images, with results for an `out` of integers if that is given. A kept one, if there is one."""
    if wanted.stored is not None:
        if out is not None and out != wanted.stored:
            rule = f"is not that of {param('out')}, {out}"
            raise ConvError(f"{param('dtype')} '{wanted.stored}'", rule, f"leave {param('dtype')} out")
        out = np.dtype(wanted.stored)
    channels, dtype = source.shape[1], source.dtype
    key: Hashable | None = None
    if kernel.key is not None:
        key = (
            kernel.key,
            wanted,
            channels,
            dtype.str,
            form.dtype,
            form.gray,
            str(form.device),
            None if out is None else out.str,
        )
    found = current().kept(_Operations, _Operations)
    return found.get(key, lambda: _fitted(kernel, wanted, channels, dtype, form, out), _size)


def _size(made: Fitted) -> int:
    """The bytes of the weights."""
    return made.layer.weight.nbytes


def _fitted(
    kernel: Given, wanted: Asked, channels: int, dtype: np.dtype[Any], form: Form, out: np.dtype[Any] | None
) -> Fitted:
    spec, compute = wanted.spec, wanted.compute
    if channels < 1:
        raise ImageError("an image of 0 channels", "cannot be convolved", "give at least one")
    given = banks.weights_of(
        kernel, spec.transpose, spec.groups, wanted.channels, wanted.combine, wanted.divisor, wanted.layout
    )  # fmt: skip
    gray = wanted.channels == "gray"
    if gray and not form.gray:
        raise ImageError(param("channels", "gray"), "is for gray and RGB images", "use image.convert('RGB') first")
    read = 1 if gray else channels
    parts: tuple[tuple[int, str], ...] = ()
    if given.bank is None:
        assert given.weight is not None
        weight = given.weight
        spec = spec if given.groups is None else replace(spec, groups=given.groups)
    else:
        weight, groups = given.bank.weight(read, wanted.channels or "each", spec.groups, spec.transpose)
        spec, parts = replace(spec, groups=groups), given.bank.parts
    layer = Layer.of(weight, spec)
    try:
        layer.check(read)
    except GeometryError as error:
        raise _with_layout(error, given.weight) from None
    white = white_of(dtype) if wanted.full_scale is None else wanted.full_scale
    if wanted.bias is not None:
        layer = replace(layer, bias=np.array(wanted.bias.of(layer.outputs, white)))
    own = compute.dtype or result_dtype(form, dtype)
    if out == np.uint16 and compute.dtype is None:
        own = "float64"
    device = compute.device or (str(form.device) if str(form.device).startswith("cuda") else "cpu")
    inner = None if compute.backend == "reference" and compute.dtype is None else own
    compute = compute._replace(dtype=inner, device=device)
    lift = None
    if gray and channels > 1:
        lift = Lift("float64" if own == "float64" else "float32", white, gray=weights_for(channels, False))
    finish = Finish(parts)
    if out is not None and out.kind in "iub":
        finish = _storing(finish, wanted, out, white, own, layer)
    return Fitted(layer, spec, compute, finish, lift, finish.dtype or own, white)


def _with_layout(error: GeometryError, weight: Array | None) -> GeometryError:
    """The error of weights that do not fit; if their axes may be in another order, it says so."""
    if weight is None:
        return error
    from convcli.kernels.layouts import suspected

    said = suspected(tuple(weight.shape))
    return GeometryError(error.value, error.rule, said) if said else error


def _storing(finish: Finish, wanted: Asked, out: np.dtype[Any], white: float, real: str, layer: Layer) -> Finish:
    """The same finish with results as integers of `out`."""
    if wanted.range is None:
        raise ConvError(f"a result of {out}", "needs a range policy", f"add {param('range', 'clip')}, or use a float")
    if out.name not in STORED:
        raise ConvError(f"a result of {out}", "cannot be made", "use uint8, uint16 or a float")
    if wanted.range.policy == "raw":
        raise ConvError(param("range", "raw"), f"does not fit into {out}", f"use {param('range', 'clip')}, or a float")
    full = float(np.iinfo(out).max)
    scale = full / white
    ends = wanted.range.span
    span = None if ends is None else (ends[0] * scale, ends[1] * scale)
    together = max((count for count, rule in finish.parts if rule != "none"), default=1)
    noise = 2 * float(np.finfo(np.float32).eps) * layer.largest_sum * together * full
    return finish._replace(
        dtype=out.name, full_scale=full, policy=wanted.range.policy, scale=scale, count=True,
        real="float64" if real == "float64" else "float32", span=span, noise=noise if span is None else 0.0,
    )  # fmt: skip


def ranged(array: Array, policy: Range | None, white: float) -> Array:
    """Real results after a range policy. They stay real; only ``clip`` limits them."""
    if policy is None or policy.policy == "raw":
        return array
    from convcli.pointwise.ranges import apply_policy

    if array.dtype == np.float16:
        array = array.astype(np.float32)
    span = policy.span
    if span is None and policy.policy == "minmax":
        span = extremes(array)
    made = apply_policy(array, white, policy.policy, span=span)
    return np.clip(made, 0, white) if policy.policy == "clip" or policy.span is not None else made
