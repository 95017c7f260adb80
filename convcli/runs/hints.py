"""Hints about operations that are allowed but probably not meant. No picture is needed for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from convcli.convspec import ConvSpec
from convcli.errors import GeometryError, param

if TYPE_CHECKING:
    from convcli.kernels.bank import Bank, Filter

FAR = 1 << 20
"""The side of an image that is larger than any kernel, so that what is read beyond the border does not depend on it."""


def hints(spec: ConvSpec, kernel: tuple[int, ...], bank: Bank | None = None) -> tuple[str, ...]:
    """All hints about an operation with a kernel of this size. `bank` has the kernels if they were named."""
    made_for = () if bank is None else tuple(_made_for_another(one, spec) for one in bank.filters)
    unscaled = () if bank is None else tuple(map(_unscaled, bank.filters))
    found = (border(spec, kernel), *made_for, *unscaled, _surrounded(bank, spec), _shifted(spec, kernel))
    return tuple(dict.fromkeys(filter(None, found)))


def border(spec: ConvSpec, kernel: tuple[int, ...]) -> str:
    """A hint that the padding mode has no effect, because nothing beyond the border is read; else empty."""
    if spec.padding_mode == "zeros" or spec.output_size is not None:
        return ""
    try:
        geometry = spec.resolve((FAR, FAR), (kernel[-2], kernel[-1]))
    except GeometryError:
        return ""
    if any(geometry.reach):
        return ""
    mode = param("padding_mode", spec.padding_mode)
    if spec.transpose:
        return f"{mode} changes nothing: nothing beyond the border gets into the output"
    return f"{mode} changes nothing without {param('padding')}: nothing beyond the border is read"


def _unscaled(one: Filter) -> str:
    """A hint that a kernel from an image changes the brightness, as it has the values of pixels; else empty."""
    total = float(one.kernels[0].values.sum())
    if not one.image or abs(total - 1) < 1e-3:
        return ""
    return f"kernel '{one.spec}' sums to {total:.6g}: {param('normalize')} divides it by that"


def _surrounded(bank: Bank | None, spec: ConvSpec) -> str:
    """A hint that a bank's small kernels make results as small as its largest one does; else empty."""
    kernels = [] if bank is None or spec.transpose or spec.padding not in ("valid", (0, 0, 0, 0)) else bank.kernels
    if len({one.values.shape for one in kernels}) < 2:
        return ""
    largest = max(kernels, key=lambda one: one.values.size)
    rows, columns = largest.values.shape
    return f"all results are as small as that of '{largest.name}', {rows}×{columns}: {param('padding', 'same')} keeps the size"


def _shifted(spec: ConvSpec, kernel: tuple[int, ...]) -> str:
    """A hint that an even size moves the result; else empty."""
    if spec.transpose or spec.stride != (1, 1) or spec.rule not in ("same", "same-upper", "same-lower"):
        return ""
    top, bottom, left, right = spec.resolve((FAR, FAR), (kernel[-2], kernel[-1])).pads
    if (top, left) == (bottom, right):
        return ""
    return f"a kernel of {kernel[-2]}×{kernel[-1]} has no middle: the result moves by half a pixel; use an odd size"


def _made_for_another(one: Filter, spec: ConvSpec) -> str:
    """A hint that a kernel is made for another operation, stride or padding; else empty."""
    factor, side = one.factor, one.kernels[0].values.shape[0]
    if factor == 1:
        return ""
    crop = (side - factor) // 2
    if spec.transpose and spec.stride == (factor, factor) and spec.dilation == (1, 1):
        pads = replace(spec, output_size=None).resolve((FAR, FAR), (side, side)).pads
        if pads == (crop,) * 4:
            return ""
    wanted = f"{param('stride', factor)} and {param('padding', crop)}"
    if not spec.transpose:
        return f"kernel '{one.spec}' is made for the transposed operation with {wanted}, which enlarges by {factor}"
    enlarges = f"kernel '{one.spec}' enlarges by {factor} with {wanted}"
    if spec.dilation == (1, 1) and spec.stride == (factor, factor):
        return f"{enlarges}; with another padding the output is not {factor} times the input"
    steps = spec.stride.rows
    if steps == 1 or spec.stride.columns != steps or spec.dilation != (1, 1):
        return f"{enlarges}; here it leaves a pattern"
    name = param("kernel", f"{one.spec.partition(':')[0]}:{steps}")
    borders = f"{param('padding', 'same-upper')} and {param('padding_mode', 'replicate')}"
    return f"{enlarges}; with {param('stride', steps)} it leaves a pattern: use {name}, {borders}"
