"""Short texts about numbers and operations, for tables and figures. The minus is ASCII, so that numbers can be copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import floor, log10
from typing import TYPE_CHECKING

import numpy as np

from convcli.explanation.subject import Subject
from convcli.explanation.trace import BETWEEN, COPY, OUTSIDE, Matrix, Point, Reading, Trace

if TYPE_CHECKING:
    from convcli.explanation.pixel import Pixel


def text(value: float, digits: int = 4) -> str:
    """A number. Integers are written in full, others with `digits` significant digits."""
    if abs(value) < 1e7 and value == int(value):
        return str(int(value))
    return f"{value:.{digits}g}"


def texts(numbers: Matrix) -> list[list[str]]:
    """The numbers of a matrix with the same number of decimals. ``~0`` is a number that would show as 0 but is not."""
    decimals = decimals_of(np.abs(numbers[np.isfinite(numbers)]))
    if decimals is None:
        return [[text(float(number)) for number in line] for line in numbers]
    return [[_fixed(float(number), decimals) for number in line] for line in numbers]


def decimals_of(finite: Matrix) -> int | None:
    """How many decimals the numbers of a matrix have; None if they are whole, or need exponents."""
    largest = float(finite.max(initial=0.0))
    if not 1e-4 <= largest < 1e7 or (finite == np.rint(finite)).all():
        return None
    return max(1, 3 - floor(log10(largest)))


def _fixed(number: float, decimals: int) -> str:
    shown = f"{number:.{decimals}f}"
    if number == 0:
        return "0"
    return shown if float(shown) else "~0"


MOST_SUMMED = 4
"""The most windows whose sums are written out."""


def summed(one: Trace) -> str:
    """``3 + 1 (bias) = 4``: the sums of the windows, the bias if it is not 0, and their sum."""
    totals = [float(products.sum()) for products in one.products]
    parts = [(total, "") for total in (totals if len(totals) <= MOST_SUMMED else [float(one.products.sum())])]
    parts += [(one.bias, " (bias)")] * (one.bias != 0)
    said = "".join(f" {'-' if part < 0 else '+'} {text(abs(part), 6)}{what}" for part, what in parts[1:])
    return text(parts[0][0], 6) + said + (f" = {text(one.sum, 6)}" if said else "")


def rounding(traces: tuple[Trace, ...]) -> list[str]:
    """A line if the products in cells are rounded: they may not add up to the sum."""
    matrices = [one.products[np.isfinite(one.products)] for one in traces]
    digits = [(matrix, decimals_of(np.abs(matrix))) for matrix in matrices]
    if any(decimals is not None and (matrix != matrix.round(decimals)).any() for matrix, decimals in digits):
        return ["the numbers in the cells are rounded, the sums are not"]
    return []


def flip(subject: Subject) -> str:
    """How the kernel is applied to the image: flipped, or as it is."""
    flipped = subject.operation.spec.op == "conv"
    if not subject.geometry.transpose:
        return "conv: the kernel flipped in both axes" if flipped else "corr: the kernel as it is, not flipped"
    given = "flipped" if flipped else "as it is"
    seen = "as it is" if flipped else "turned by 180°"
    return f"transpose: every input pixel adds the kernel {given}; an output sees it {seen}"


def reads(trace: Trace) -> str:
    """``rows 0 to 4 in steps of 2, columns 1 to 3``: the positions of the taps of a direct operation."""
    return f"{_span('row', trace.rows)}, {_span('column', trace.columns)}"


def _span(what: str, readings: Sequence[Reading]) -> str:
    positions = [reading.position for reading in readings]
    if len(positions) == 1:
        return f"{what} {positions[0]}"
    step = positions[1] - positions[0]
    return f"{what}s {positions[0]} to {positions[-1]}" + (f" in steps of {step}" if step > 1 else "")


SIGNS = {BETWEEN: "·", OUTSIDE: "(0)", COPY: "(…)"}
"""How a text marks the cells of a window that are not pixels."""


def marks(subject: Subject, traces: tuple[Trace, ...], signs: Mapping[str, str] = SIGNS) -> list[str]:
    """The meanings of the marks in these windows. The list is empty if there are none."""
    first = traces[0]
    found = {reading.mark for reading in (*first.rows, *first.columns)}
    out = []
    if BETWEEN in found:
        out.append(f"{signs[BETWEEN]}: a zero between two input pixels, which the stride puts there")
    if OUTSIDE in found:
        what = "zero" if subject.geometry.transpose else "padding of zeros"
        out.append(f"{signs[OUTSIDE]}: beyond the border, {what}")
    if COPY in found:
        copies = [*_copies("row", first.rows), *_copies("column", first.columns)]
        mode = subject.geometry.padding_mode
        what = "the input extended by" if subject.geometry.transpose else "padding of"
        out.append(f"{signs[COPY]}: beyond the border, {what} mode {mode}: {'; '.join(copies)}")
    return out


def _copies(what: str, readings: Sequence[Reading]) -> list[str]:
    """What is copied beyond the border, a text for each run of rows or columns: ``rows -3 to -1 are 3 to 1``."""
    runs: list[list[Reading]] = []
    for reading in readings:
        if reading.mark != COPY:
            continue
        if runs and _is_run([*runs[-1], reading]):
            runs[-1].append(reading)
        else:
            runs.append([reading])
    out = []
    for run in runs:
        first, last, several = run[0], run[-1], len(run) > 1
        where = f"{what}s {first.position} to {last.position} are" if several else f"{what} {first.position} is"
        out.append(f"{where} {first.source}" + (f" to {last.source}" if first.source != last.source else ""))
    return out if len(out) <= 2 else [*out[:2], "…"]


def _is_run(run: Sequence[Reading]) -> bool:
    """Whether these rows or columns are on one side of the image, in the same steps as their sources."""
    sides = {one.position < 0 for one in run}
    steps = {(b.position - a.position, (b.source or 0) - (a.source or 0)) for a, b in pairwise(run)}
    return len(sides) == len(steps) == 1


def label(reading: Reading, transpose: bool, arrow: str = "→") -> str:
    """The label of a row of a window: the row of the image and, beyond the border, the row that it copies.

    For a transposed operation it is the row of the input, if there is one. With an empty `arrow` the copied row is left out.
    """
    if reading.mark == COPY:
        return f"{reading.position}{arrow}{reading.source}" if arrow else str(reading.position)
    if reading.source is not None:
        return str(reading.source)
    return "·" if reading.mark == BETWEEN else "–" if transpose else str(reading.position)


def coding(subject: Subject) -> str:
    """How the values of a picture code light."""
    gamma = 0.0 if subject.ready.lift is None else subject.ready.lift.gamma
    return f"gamma {gamma:.4g}" if gamma else "sRGB"


def preparation(subject: Subject) -> list[tuple[str, str]]:
    """What is done to the picture before the kernel reads it, as names and texts."""
    out = []
    if subject.operation.linear:
        out.append(("linear", f"the values are linear light, decoded from {coding(subject)}"))
    if subject.operation.channels == "gray" and subject.picture.colour.shape[-3] > 1:
        out.append(("channels", "gray: the colours become one channel first"))
    if subject.picture.alpha is not None:
        does = {
            "premultiply": "premultiply: the colours are multiplied by alpha, which is a channel of its own",
            "filter": "filter: alpha is a channel like the colours",
            "keep": "keep: alpha is copied, not computed",
            "drop": "drop",
        }
        out.append(("alpha", does[subject.ready.alpha]))
    return out


def unreached(subject: Subject, at: Point) -> list[str]:
    """Why no input pixel reaches an output of the transposed operation."""
    geometry = subject.geometry
    parts = []
    for axis, what in enumerate(("row", "column")):
        last = (geometry.input[axis] - 1) * geometry.stride[axis] + geometry.extent[axis] - 1 - geometry.pads[2 * axis]
        if at[axis] > last and geometry.padding_mode == "zeros":
            parts.append(f"{what} {at[axis]} is output_padding: the kernels end at {what} {last}")
    return ["no input pixel reaches it", *(parts or ["it is between the taps of their kernels"])]


def further(count: int, answer: Pixel) -> str:
    """How many windows are not shown, and what they are part of: ``2 more windows of the sum``.

    For a maximum, each kernel is a candidate, with a window for each input channel that it reads.
    """
    rule = answer.output.rule
    if rule == "max" and len(answer.windows) == len(answer.traces):
        return f"{count} more candidate{'s' * (count != 1)} of the maximum"
    whole = {"none": "the sum", "max": "the maximum's candidates"}.get(rule, f"the {rule}")
    return f"{count} more window{'s' * (count != 1)} of {whole}"


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
