"""The answers as text: tables, and matrices side by side where they fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convcli import report
from convcli.explanation import phrases
from convcli.explanation.phrases import text
from convcli.explanation.pixel import Pixel
from convcli.explanation.touched import Touched
from convcli.explanation.trace import BETWEEN, COPY, OUTSIDE, PIXEL, Trace

Block = report.Table | report.Lines

_SPACE = report.Lines([[]])
_MOST_WINDOWS, _MOST_ROWS, _MOST_TERMS, _MOST_SUMS, _MOST_WAYS = 4, 16, 12, 64, 40
"""What is shown before the rest is left to --json: windows, rows of a matrix that stands alone, terms, sums, outputs."""


def blocks(answer: Pixel | Touched, width: int) -> list[Block]:
    """What is shown on `width` columns."""
    return _touched(answer) if isinstance(answer, Touched) else _pixel(answer, width)


def _pixel(answer: Pixel, width: int) -> list[Block]:
    windows, shown = answer.windows, answer.telling(_MOST_WINDOWS)
    blocks: list[Block] = [_facts(answer), _SPACE]
    for one, place in shown:
        blocks += _window(answer, one, place, width)
    if len(windows) > len(shown):
        blocks.append(_sums(answer, len(windows) - len(shown), width))
    legend = phrases.marks(answer.subject, answer.traces)
    if legend:
        blocks.append(report.Lines([*([(f"  {line}", "faint")] for line in legend), []]))
    if answer.subject.geometry.transpose:
        blocks.append(_reached(answer))
    blocks.append(_result(answer))
    return blocks


def _sums(answer: Pixel, more: int, width: int) -> Block:
    """The sum of every window, when not all are shown."""
    kernels, channels = len(answer.traces) > 1, any(len(one.channels) > 1 for one in answer.traces)
    of = " and ".join(["kernel"] * kernels + ["input channel"] * (channels or not kernels))

    def name(one: Trace, place: int) -> str:
        kernel = answer.subject.filter_name(one.filter)
        return (f"{kernel} {one.channels[place]}" if channels else kernel) if kernels else f"{one.channels[place]}"

    sums = [(name(one, place), float(one.products[place].sum())) for one, place in answer.windows]
    return _wrapped(f"{phrases.further(more, answer)}; the sum of products of each {of}", sums, width)


def _facts(answer: Pixel) -> report.Table:
    subject, first = answer.subject, answer.traces[0]
    geometry, spec = subject.geometry, subject.operation.spec
    rows = [
        ("input", f"{subject.source}  {report.shape(subject.image.shape)}"),
        ("output", f"{report.shape((len(subject.outputs), *geometry.output))}"),
        ("operation", phrases.flip(subject)),
        ("kernel", f"{subject.kernel_name}, {geometry.kernel}"),
        ("stride, dilation", f"{report.pair(geometry.stride)}, {report.pair(geometry.dilation)}"),
        ("padding", report.pair((*geometry.pads,)) + ("" if spec.transpose else f", {geometry.padding_mode}")),
    ]
    if len(set(geometry.pads)) > 1:
        rows[-1] = ("padding", f"{rows[-1][1]} (top, bottom, left, right)")
    if spec.transpose:
        rows.append(("output_padding", report.pair(geometry.output_padding)))
    if spec.groups > 1:
        rows.append(("groups", str(spec.groups)))
    rows += phrases.preparation(subject)
    if not spec.transpose:
        rows.append(("reads", phrases.reads(first)))
    where = f"{answer.at[0]},{answer.at[1]} of {subject.output_name(answer.channel)}"
    return report.Table(f"convcli explain: output {where}", rows)


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """A matrix with a title; labels of rows and columns, or none."""

    title: str
    cells: list[list[tuple[str, str]]]
    rows: list[str] | None = None
    columns: list[str] | None = None

    def lines(self) -> list[list[report.Piece]]:
        """The title, the labels of the columns, the rows: all of one width."""
        bracketed = any(cell.endswith(")") for line in self.cells for cell, _ in line)

        def aligned(cell: str) -> str:  # digits below digits
            return f"{cell} " if bracketed and not cell.endswith(")") else cell

        wide = max(len(aligned(cell)) for line in self.cells for cell, _ in line)
        wide = max(wide, *(len(label) for label in self.columns or [""]))
        edge = max(len(label) for label in self.rows) if self.rows else 0
        out: list[list[report.Piece]] = [[(self.title, "strong")]]
        labels = self.columns or [""] * len(self.cells[0])
        out.append([(" " * (edge + 1), ""), *((f" {label:>{wide}}", "name") for label in labels), ("  ", "")])
        for number, line in enumerate(self.cells):
            label = f"{self.rows[number]:>{edge}}" if self.rows else ""
            cells = [(f" {aligned(cell):>{wide}}", style) for cell, style in line]
            out.append([(label, "name"), ("│", "faint"), *cells, (" │", "faint")])
        full = max(sum(len(part) for part, _ in line) for line in out)
        return [[*line, (" " * (full - sum(len(part) for part, _ in line)), "")] for line in out]


def _window(answer: Pixel, one: Trace, place: int, width: int) -> list[Block]:
    """Window × kernel = products, side by side, or one below the other, or in short."""
    name = answer.subject.filter_name(one.filter)
    values, kernel, products = one.values[place], one.kernel[place], one.products[place]
    cells = [[one.mark(i, j) for j in range(values.shape[1])] for i in range(values.shape[0])]

    def rows(numbers: NDArray[np.float64], cell: Callable[[str, str], tuple[str, str]]) -> list[list[tuple[str, str]]]:
        return [
            [cell(number, mark) for number, mark in zip(line, marks, strict=True)]
            for line, marks in zip(phrases.texts(numbers), cells, strict=True)
        ]

    transpose = answer.subject.geometry.transpose
    beside, above = ([phrases.label(one, transpose) for one in readings] for readings in (one.rows, one.columns))
    panels = [
        _Panel(answer.subject.input_name(one.channels[place]), rows(values, _cell), beside, above),
        _Panel(f"× {name}", rows(kernel, lambda weight, _: (weight, ""))),
        _Panel(f"= {text(float(products.sum()), 6)}", rows(products, _product)),
    ]
    drawn = [panel.lines() for panel in panels]
    widths = [sum(len(part) for part, _ in lines[0]) for lines in drawn]
    if sum(widths) + 2 * 3 <= width:
        side = [
            [("  ", ""), *parts[0], ("  ", ""), *parts[1], ("  ", ""), *parts[2]] for parts in zip(*drawn, strict=True)
        ]
        return [report.Lines([*side, []])]
    if max(widths) + 2 <= width and len(cells) <= _MOST_ROWS:
        return [report.Lines([*([("  ", ""), *line] for lines in drawn for line in lines if _said(line)), []])]
    return _short(answer, one, place, width)


def _said(line: Sequence[report.Piece]) -> bool:
    return any(part.strip() for part, _ in line)


def _cell(number: str, mark: str) -> tuple[str, str]:
    if mark == BETWEEN:
        return "·", "faint"
    return (f"({number})", "faint") if mark in (COPY, OUTSIDE) else (number, "")


def _product(number: str, mark: str) -> tuple[str, str]:
    return ("·", "faint") if mark == BETWEEN else (number, "faint" if mark == OUTSIDE else "")


def _short(answer: Pixel, one: Trace, place: int, width: int) -> list[Block]:
    """A window that is too large to show: its largest terms, and the sums of its rows."""
    products = one.products[place]
    name, kernel = answer.subject.input_name(one.channels[place]), answer.subject.filter_name(one.filter)
    head = report.Lines(
        [
            [(f"  {name} × {kernel} = {text(float(products.sum()), 6)}", "strong")],
            [(f"  {report.shape(products.shape)} is too large to show here: --json and -o have all of it", "faint")],
            [],
        ]
    )
    terms = _terms(one, [(place, i, j) for i, j in one.reached])
    transpose = answer.subject.geometry.transpose
    sums = [
        (phrases.label(row, transpose), float(line.sum()))
        for row, line in zip(one.rows, products, strict=True)
        if row.source is not None
    ]
    blocks: list[Block] = [head]
    if terms:
        blocks.append(_contributions("the largest terms", terms))
    if 0 < len(sums) <= _MOST_SUMS:
        blocks.append(_wrapped("the sums of its rows", sums, width))
    return blocks


_Term = tuple[int, tuple[int, int], tuple[int, int], float, float]


def _terms(one: Trace, cells: Sequence[tuple[int, int, int]]) -> list[_Term]:
    """Input channel, pixel, tap, value and weight of cells of the windows, the largest products first."""
    products = one.products
    sizes = np.array([abs(products[cell]) for cell in cells])
    ordered = [cells[number] for number in np.argsort(-np.nan_to_num(sizes), kind="stable")]
    out: list[_Term] = []
    for place, i, j in ordered:
        source = one.source(i, j)
        assert source is not None
        tap = one.rows[i].tap, one.columns[j].tap
        values = float(one.values[place, i, j]), float(one.kernel[place, i, j])
        out.append((one.channels[place], source, tap, *values))
    return out


def _contributions(title: str, terms: Sequence[_Term]) -> report.Table:
    rows = [
        (str(channel), f"{y},{x}", f"{i},{j}", text(value), text(weight), text(value * weight))
        for channel, (y, x), (i, j), value, weight in terms[:_MOST_TERMS]
    ]
    if len(terms) > _MOST_TERMS:
        rest = sum(value * weight for *_, value, weight in terms[_MOST_TERMS:])
        rows.append((f"{len(terms) - _MOST_TERMS} more", "", "", "", "", text(rest)))
    header = ("channel", "pixel", "tap", "value", "weight", "product")
    return report.Table(title, rows, header, right=frozenset(range(1, 6)))


def _wrapped(title: str, sums: Sequence[tuple[str, float]], width: int) -> report.Lines:
    """Labelled numbers in as many columns as fit."""
    edge = max(len(label) for label, _ in sums)
    wide = max(len(text(number)) for _, number in sums)
    each = max(1, (width - 2) // (edge + wide + 4))
    lines: list[list[report.Piece]] = [[(title, "strong")]]
    for start in range(0, len(sums), each):
        line: list[report.Piece] = [("  ", "")]
        for label, number in sums[start : start + each]:
            line += [(f"{label:>{edge}} ", "name"), (f"{text(number):>{wide}}   ", "")]
        lines.append(line)
    return report.Lines([*lines, []])


def _reached(answer: Pixel) -> Block:
    """Which input pixels reach an output of the transposed operation, through which taps."""
    if not answer.traces[0].reached:
        lines = phrases.unreached(answer.subject, answer.at)
        return report.Lines([*([(f"  {line}", "strong")] for line in lines), []])
    cells = [
        (one, (place, i, j)) for one in answer.traces for place in range(len(one.channels)) for i, j in one.reached
    ]
    terms = [term for one in answer.traces for term in _terms(one, [cell for other, cell in cells if other is one])]
    return _contributions("reached by these input pixels, through these taps of the kernel", terms)


def _result(answer: Pixel) -> report.Table:
    rows = []
    several = len(answer.traces) > 1
    for one in answer.traces:
        products = text(float(one.products.sum()), 6)
        name = answer.subject.filter_name(one.filter) if several else "sum"
        rows.append((name, f"{products} {phrases.plus(one.bias)} (bias) = {text(one.sum, 6)}"))
    if answer.output.rule != "none":
        rows.append(
            (answer.output.rule, phrases.joined(answer.output.rule, [one.sum for one in answer.traces], answer.joined))
        )
    rows += [(words_, text(value, 6)) for words_, value in answer.steps]
    rows.append(("value", text(answer.value, 7)))
    rows.append(("written", f"{text(answer.written.value, 7)}  ({answer.written.words})"))
    return report.Table("", rows, strong=len(rows) - 2)


def _touched(answer: Touched) -> list[Block]:
    subject = answer.subject
    ways = answer.ways
    several = len({way.filter for _, way in ways}) > 1
    rows = [
        (
            f"{way.at[0]},{way.at[1]}", str(channel), *((subject.filter_name(way.filter),) if several else ()),
            f"{way.tap[0]},{way.tap[1]}", text(way.weight), "itself" if way.mark == PIXEL else "a copy in the padding",
        )
        for channel, way in ways[:_MOST_WAYS]
    ]  # fmt: skip
    outputs = len({(channel, way.at) for channel, way in ways})
    does = f"touches {outputs} output{'' if outputs == 1 else 's'} in {len(ways)} way{'' if len(ways) == 1 else 's'}"
    if not ways:
        does = "touches no output: no tap of the kernel falls on it"
    where = f"{subject.input_name(answer.channel)} at {answer.at[0]},{answer.at[1]}"
    said = [phrases.flip(subject), f"it holds {text(answer.value, 6)} and {does}"]
    head = [[(f"convcli explain: {where}", "strong")], *([(f"  {line}", "")] for line in said)]
    if not ways:
        return [report.Lines(head)]
    header = ("output", "channel", *(("kernel",) if several else ()), "tap", "weight", "read as")
    right = frozenset({0, 1, len(header) - 3, len(header) - 2})
    blocks: list[Block] = [report.Lines([*head, []]), report.Table("", rows, header, right=right)]
    if len(ways) > _MOST_WAYS:
        line = f"  and {len(ways) - _MOST_WAYS} more ways: --json has all of them"
        blocks.append(report.Lines([[(line, "faint")]]))
    return blocks
