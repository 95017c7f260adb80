"""The texts around an animation. Standard library only."""

from __future__ import annotations

from convcli.animation.timeline import Kind, Step, Timeline, Values, equivalent_pads
from convcli.arithmetic import sizes
from convcli.drawing.grid import number
from convcli.drawing.scene import wrap
from convcli.geometry import Geometry


def title(timeline: Timeline) -> str:
    """The operation and its sizes."""
    geometry = timeline.geometry
    name = "transposed convolution" if geometry.transpose else "convolution"
    return f"{name} {geometry.input} → {geometry.output}"


def grid_heading(timeline: Timeline) -> tuple[str, ...]:
    """The heading of the grid that the kernel moves over."""
    geometry = timeline.geometry
    if timeline.size == geometry.input:
        return (f"input {geometry.input}",)
    how = "with zeros" if geometry.transpose else "padded"
    return (f"input {geometry.input}", f"{how}: {timeline.size}")


def kernel_heading(timeline: Timeline) -> tuple[str, ...]:
    """The heading of the kernel, with whether it is flipped."""
    return (f"kernel {timeline.geometry.kernel}", *(["flipped"] if timeline.flipped else []))


def output_heading(timeline: Timeline) -> tuple[str, ...]:
    """The heading of the output."""
    return (f"output {timeline.geometry.output}",)


def kind_name(kind: Kind, geometry: Geometry) -> str:
    """The name of a kind of cell, for the legend."""
    if kind is Kind.PADDING:
        return f"padding ({geometry.padding_mode})" if geometry.padding_mode != "zeros" else "padding"
    return {Kind.INPUT: "input", Kind.INSERTED: "inserted zeros"}.get(kind, "output_padding")


def facts(timeline: Timeline, rule: str | None) -> list[str]:
    """The parameters, the size formula with its numbers, and for a transposed operation the direct one that is equal."""
    geometry = timeline.geometry
    pads = _pair(geometry.pads)
    padding = (f"{rule} = {pads}" if rule else pads) + (" (top, bottom, left, right)" if "," in pads else "")
    parts = [f"kernel {geometry.kernel}", f"stride {_pair(geometry.stride)}", f"padding {padding}"]
    parts.append(f"dilation {_pair(geometry.dilation)}")
    if geometry.transpose:
        parts.append(f"output_padding {_pair(geometry.output_padding)}")
    lines = [", ".join(parts)]
    formulas = [sizes.axis(geometry, axis, rule).formula.replace(" - ", " − ") for axis in (0, 1)]
    lines += formulas[:1] if formulas[0][1:] == formulas[1][1:] else formulas
    if unread := _unread(timeline):
        lines.append(f"never read: {unread}")
    if geometry.transpose:
        between = _pair([s - 1 for s in geometry.stride])
        zeros = "zero" if between == "1" else "zeros"
        around = _pair([*equivalent_pads(geometry, 0), *equivalent_pads(geometry, 1)])
        crop = " (below 0: cropped)" if "-" in around else ""
        turned = "flipped" if timeline.flipped else "as given"
        equal = (
            f"= direct convolution with stride 1, {between} {zeros} between pixels, padding d(k−1) − p = {around}{crop}"
            f"{_more(geometry)}{'' if geometry.padding_mode == 'zeros' else f' of mode {geometry.padding_mode}'}"
        )
        lines.append(f"{equal.replace('-', '−')}, kernel {turned}")
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
    names = ("row", "bottom"), ("column", "right")
    parts = [
        f"{count} {name}{'s' * (count > 1)} ({where})"
        for count, (name, where) in zip(rest, names, strict=True)
        if count
    ]
    return ", ".join(parts)


def status(timeline: Timeline, step: Step, values: Values, room: int) -> list[str]:
    """What happens in one step: the sum if there are values, else how much of the input lies under the kernel."""
    y, x = step.output
    if values.input is None or values.kernel is None or values.output is None:
        count = sum(timeline.grid[tap.row][tap.column].kind is Kind.INPUT for tap in step.taps)
        return wrap(f"output ({y},{x}): {count} of {len(step.taps)} taps lie on the input", room)
    result = f"({y},{x}): Σ = {number(values.output[y][x], 6)}"
    terms = []
    for tap in step.taps:
        value, weight = timeline.value(tap, values), values.kernel[tap.kernel[0]][tap.kernel[1]]
        if value and weight:
            terms.append(f"{_factor(value)}·{_factor(weight)}")
    whole = wrap(f"{result} = {' + '.join(terms)}", room) if terms else [result]
    return whole if len(whole) <= 2 else [result]


def _factor(value: float) -> str:
    text = number(value, 6)
    return f"({text})" if value < 0 else text


def _pair(values: tuple[int, ...] | list[int]) -> str:
    """One number if all are the same."""
    return str(values[0]) if len(set(values)) == 1 else ",".join(map(str, values))
