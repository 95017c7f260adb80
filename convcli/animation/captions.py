"""The texts around an animation. Standard library only."""

from __future__ import annotations

from convcli.animation.timeline import Kind, Timeline, Values, WindowStep, equivalent_pads
from convcli.arithmetic import sizes
from convcli.drawing.grid import number
from convcli.drawing.scene import wrap
from convcli.geometry import Geometry
from convcli.report import padding, pair


def title(timeline: Timeline, values: Values) -> str:
    """The operation and its sizes. Without a kernel's numbers, nobody can see whether it is flipped: it is a convolution."""
    geometry = timeline.geometry
    correlates = values.kernel is not None and not timeline.flipped
    name = "transposed convolution" if geometry.transpose else "correlation" if correlates else "convolution"
    return f"{name} {geometry.input} → {geometry.output}"


def grid_heading(timeline: Timeline) -> tuple[str, ...]:
    """The heading of the grid that the kernel moves over."""
    geometry = timeline.geometry
    how = "with zeros" if geometry.transpose else "padded"
    return f"input {geometry.input}", *([f"{how}: {timeline.size}"] if timeline.size != geometry.input else [])


def kind_name(kind: Kind, geometry: Geometry) -> str:
    """The name of a kind of cell, for the legend."""
    if kind is Kind.PADDING:
        return f"padding ({geometry.padding_mode})" if geometry.padding_mode != "zeros" else "padding"
    return {Kind.INPUT: "input", Kind.INSERTED: "inserted zeros"}.get(kind, "output_padding")


def facts(timeline: Timeline, rule: str | None) -> list[str]:
    """The parameters, the size formula with its numbers, and for a transposed operation the direct one that is equal."""
    geometry = timeline.geometry
    parts = [f"kernel {geometry.kernel}", f"stride {pair(geometry.stride)}", f"padding {padding(geometry.pads, rule)}"]
    parts.append(f"dilation {pair(geometry.dilation)}")
    if geometry.transpose:
        parts.append(f"output_padding {pair(geometry.output_padding)}")
    lines = [", ".join(parts)]
    formulas = [sizes.axis(geometry, axis, rule).formula.replace(" - ", " − ") for axis in (0, 1)]
    lines += formulas[:1] if formulas[0][1:] == formulas[1][1:] else formulas
    if unread := _unread(timeline):
        lines.append(f"never read: {unread}")
    if geometry.transpose:
        between = pair([s - 1 for s in geometry.stride])
        zeros = "zero" if between == "1" else "zeros"
        around = pair([*equivalent_pads(geometry, 0), *equivalent_pads(geometry, 1)])
        crop = " (below 0: cropped)" if "-" in around else ""
        turned = "flipped" if timeline.flipped else "as given"
        steps = f"stride 1, {between} {zeros} between pixels"
        equal = f"= direct convolution with {steps}, padding d(k−1) − p = {around}{crop}"
        mode = "" if geometry.padding_mode == "zeros" else f" of mode {geometry.padding_mode}"
        lines.append(f"{equal.replace('-', '−')}{_more(geometry)}{mode}, kernel {turned}")
    return lines


def _more(geometry: Geometry) -> str:
    """What output_padding adds to the padding of the direct convolution."""
    down, right = geometry.output_padding
    if down == right:
        where = f"{down} more at the bottom and right" if down else ""
    else:
        where = " and ".join(f"{n} more at the {end}" for n, end in ((down, "bottom"), (right, "right")) if n)
    return f" and {where} (output_padding)" if where else ""


def _unread(timeline: Timeline) -> str:
    """Rows and columns at the end of the grid that no window reads."""
    height, width = timeline.geometry.extent
    last = timeline.steps[-1]
    rest = timeline.size.height - last.top - height, timeline.size.width - last.left - width
    parts = zip(rest, ("row", "column"), ("bottom", "right"), strict=True)
    return ", ".join(f"{count} {name}{'s' * (count > 1)} ({where})" for count, name, where in parts if count)


def status(timeline: Timeline, step: WindowStep, values: Values, room: int) -> list[str]:
    """What happens in one step: the sum if there are values, else how much of the input is under the kernel."""
    y, x = step.output
    if values.input is None or values.kernel is None or values.output is None:
        count = sum(timeline.grid[tap.row][tap.column].kind is Kind.INPUT for tap in step.taps)
        return wrap(f"output ({y},{x}): {count} of {len(step.taps)} taps are on the input", room)
    result = number(values.output[y][x], 6)
    terms = []
    for tap in step.taps:
        value, weight = timeline.value(tap, values), values.kernel[tap.kernel[0]][tap.kernel[1]]
        if value and weight:
            terms.append(f"{_factor(value)}·{_factor(weight)}")
    if zeros := len(step.taps) - len(terms):
        terms.append(f"{zeros} product{'s' * (zeros > 1)} of 0")
    whole = wrap(f"({y},{x}): {' + '.join(terms)} = {result}", room)
    return whole if len(whole) <= 2 else [f"({y},{x}): Σ = {result}"]


def _factor(value: float) -> str:
    text = number(value, 6)
    return f"({text})" if value < 0 else text
