"""The windows of an explanation as text: window × kernel = products, side by side, below each other, or shortened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convcli import report
from convcli.explanation import phrases
from convcli.explanation.phrases import text
from convcli.explanation.pixel import Pixel
from convcli.explanation.trace import BETWEEN, COPY, OUTSIDE, Trace

_MOST_ROWS, _MOST_TERMS, _MOST_SUMS = 16, 12, 64
"""The most that is shown: rows of a matrix that stands alone, terms, and sums. --json has everything."""


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """A matrix with a title, and with or without labels."""

    title: str
    cells: list[list[tuple[str, str]]]
    rows: list[str] | None = None
    columns: list[str] | None = None

    def lines(self) -> list[list[report.Piece]]:
        """The title, the labels of the columns, and the rows. All lines have the same width."""
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


def window(answer: Pixel, one: Trace, place: int, width: int) -> list[report.Block]:
    """Window × kernel = products, side by side, below each other, or shortened."""
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
        gap = ("  ", "")
        return [[*([gap, *first, gap, *second, gap, *third] for first, second, third in zip(*drawn, strict=True)), []]]
    if max(widths) + 2 <= width and len(cells) <= _MOST_ROWS:
        return [
            [*([("  ", ""), *line] for lines in drawn for line in lines if any(part.strip() for part, _ in line)), []]
        ]
    return _short(answer, one, place, width)


def _cell(number: str, mark: str) -> tuple[str, str]:
    if mark == BETWEEN:
        return "·", "faint"
    return (f"({number})", "faint") if mark in (COPY, OUTSIDE) else (number, "")


def _product(number: str, mark: str) -> tuple[str, str]:
    return ("·", "faint") if mark == BETWEEN else (number, "faint" if mark == OUTSIDE else "")


def _short(answer: Pixel, one: Trace, place: int, width: int) -> list[report.Block]:
    """A window that is too large to show: its largest terms and the sums of its rows."""
    products = one.products[place]
    name, kernel = answer.subject.input_name(one.channels[place]), answer.subject.filter_name(one.filter)
    head = [
        [(f"  {name} × {kernel} = {text(float(products.sum()), 6)}", "strong")],
        [(f"  {report.shape(products.shape)} is too large to show here: --json and -o have all of it", "faint")],
        [],
    ]
    terms = terms_of(one, [(place, i, j) for i, j in one.reached])
    transpose = answer.subject.geometry.transpose
    sums = [
        (phrases.label(row, transpose), float(line.sum()))
        for row, line in zip(one.rows, products, strict=True)
        if row.source is not None
    ]
    blocks: list[report.Block] = [head]
    if terms:
        blocks.append(contributions("the largest terms", terms))
    if 0 < len(sums) <= _MOST_SUMS:
        blocks.append(wrapped("the sums of its rows", sums, width))
    return blocks


Term = tuple[int, tuple[int, int], tuple[int, int], float, float]


def terms_of(one: Trace, cells: Sequence[tuple[int, int, int]]) -> list[Term]:
    """The terms of some cells of the windows, the largest products first."""
    products = one.products
    sizes = np.array([abs(products[cell]) for cell in cells])
    ordered = [cells[number] for number in np.argsort(-np.nan_to_num(sizes), kind="stable")]
    out: list[Term] = []
    for place, i, j in ordered:
        source = one.source(i, j)
        assert source is not None
        tap = one.rows[i].tap, one.columns[j].tap
        values = float(one.values[place, i, j]), float(one.kernel[place, i, j])
        out.append((one.channels[place], source, tap, *values))
    return out


def contributions(title: str, terms: Sequence[Term]) -> report.Table:
    """The largest terms, and the sum of the others."""
    rows = [
        (str(channel), f"{y},{x}", f"{i},{j}", text(value), text(weight), text(value * weight))
        for channel, (y, x), (i, j), value, weight in terms[:_MOST_TERMS]
    ]
    if len(terms) > _MOST_TERMS:
        rest = sum(value * weight for *_, value, weight in terms[_MOST_TERMS:])
        rows.append((f"{len(terms) - _MOST_TERMS} more", "", "", "", "", text(rest)))
    header = ("channel", "pixel", "tap", "value", "weight", "product")
    return report.Table(title, rows, header, right=frozenset(range(1, 6)))


def wrapped(title: str, sums: Sequence[tuple[str, float]], width: int) -> report.Lines:
    """Numbers with labels, in as many columns as fit."""
    edge = max(len(label) for label, _ in sums)
    wide = max(len(text(number)) for _, number in sums)
    each = max(1, (width - 2) // (edge + wide + 4))
    lines: list[list[report.Piece]] = [[(title, "strong")]]
    for start in range(0, len(sums), each):
        line: list[report.Piece] = [("  ", "")]
        for label, number in sums[start : start + each]:
            line += [(f"{label:>{edge}} ", "name"), (f"{text(number):>{wide}}   ", "")]
        lines.append(line)
    return [*lines, []]
