"""Numbers and operations in short texts, for tables and figures alike. The minus is ASCII, so that numbers can be pasted."""

from __future__ import annotations

from convcli.explain.subject import Subject
from convcli.explain.trace import BETWEEN, COPY, OUTSIDE, Trace


def text(value: float, digits: int = 4) -> str:
    """A number: integers whole, others with `digits` significant digits."""
    if abs(value) < 1e7 and value == int(value):
        return str(int(value))
    return f"{value:.{digits}g}"


def plus(value: float, digits: int = 6) -> str:
    """``+ 3`` or ``- 3``."""
    return f"- {text(-value, digits)}" if value < 0 else f"+ {text(value, digits)}"


def flip(subject: Subject) -> str:
    """How the kernel is laid on the image."""
    flipped = subject.operation.spec.op == "conv"
    if not subject.geometry.transpose:
        return "conv: the kernel flipped in both axes" if flipped else "corr: the kernel as it is, not flipped"
    given = "flipped" if flipped else "as it is"
    seen = "as it is" if flipped else "turned by 180°"
    return f"transpose: every input pixel lays down the kernel {given}; an output sees it {seen}"


def marks(subject: Subject, traces: tuple[Trace, ...]) -> list[str]:
    """What the marks in these windows mean; nothing where there are none."""
    first = traces[0]
    found = {reading.mark for reading in (*first.rows, *first.columns)}
    out = []
    if BETWEEN in found:
        out.append("· is a zero between two input pixels, which the stride puts there")
    if OUTSIDE in found:
        out.append("(0) lies beyond the border" + ("" if subject.geometry.transpose else ": padding, zeros"))
    if COPY in found:
        copies = [
            f"{what} {reading.position} is {reading.source}"
            for what, readings in (("row", first.rows), ("column", first.columns))
            for reading in readings
            if reading.mark == COPY
        ]
        shown = ", ".join(copies[:4]) + (", …" if len(copies) > 4 else "")
        out.append(f"(…) lies beyond the border: padding, {subject.geometry.padding_mode}: {shown}")
    return out


def unreached(subject: Subject, at: tuple[int, int]) -> str:
    """Why no input pixel reaches an output of the transposed operation."""
    geometry = subject.geometry
    parts = []
    for axis, what in enumerate(("row", "column")):
        last = (geometry.input[axis] - 1) * geometry.stride[axis] + geometry.extent[axis] - 1 - geometry.pads[2 * axis]
        if at[axis] > last:
            parts.append(f"{what} {at[axis]} is output_padding, the kernel ends at {what} {last}")
    return "no input pixel reaches it: " + ("; ".join(parts) or "it lies between the taps of their kernels")


def joined(rule: str, sums: list[float], result: float) -> str:
    """How several sums become one: ``√(3² + (-4)²) = 5``."""
    terms = [f"({text(one, 6)})" if one < 0 else text(one, 6) for one in sums]
    if rule == "magnitude":
        body = "√(" + " + ".join(f"{one}²" for one in terms) + ")"
    elif rule == "sum":
        body = " + ".join(terms)
    else:
        body = f"max({', '.join(text(one, 6) for one in sums)})"
    return f"{body} = {text(result, 6)}"
