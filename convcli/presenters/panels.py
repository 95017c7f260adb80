"""The windows of an explanation as text: window × kernel = products."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from convcli import report
from convcli.explanation import phrases
from convcli.explanation.phrases import text
from convcli.explanation.subject import Subject
from convcli.explanation.trace import BETWEEN, COPY, OUTSIDE, Term, Window
from convcli.records import NamedTuple

_MOST_ROWS, _MOST_TERMS, _MOST_SUMS = 16, 12, 64
"""How much is shown: rows of a matrix below others, terms, and sums. --json has everything."""


class _Matrix(NamedTuple):
    """A matrix with a title, and with or without labels."""

    title: str
    cells: list[list[report.Piece]]
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()

    def lines(self) -> list[list[report.Piece]]:
        """The title, the labels of the columns, and the rows. All lines have the same width."""
        bracketed = any(cell.endswith(")") for line in self.cells for cell, _ in line)

        def aligned(cell: str) -> str:  # digits below digits
            return f"{cell} " if bracketed and not cell.endswith(")") else cell

        columns, rows = self.columns or [""] * len(self.cells[0]), self.rows or [""] * len(self.cells)
        wide = max(*(len(aligned(cell)) for line in self.cells for cell, _ in line), *map(len, columns), 0)
        edge = max(map(len, rows))
        out = [[(self.title, "strong")]]
        out.append([(" " * (edge + 1), ""), *((f" {label:>{wide}}", "name") for label in columns), ("  ", "")])
        for label, line in zip(rows, self.cells, strict=True):
            cells = [(f" {aligned(cell):>{wide}}", style) for cell, style in line]
            out.append([(f"{label:>{edge}}", "name"), ("│", "faint"), *cells, (" │", "faint")])
        full = max(sum(len(part) for part, _ in line) for line in out)
        return [[*line, (" " * (full - sum(len(part) for part, _ in line)), "")] for line in out]


def blocks(subject: Subject, window: Window, width: int) -> list[report.Block]:
    """Window × kernel = products, side by side, below each other, or shortened."""
    trace, transpose = window.trace, subject.geometry.transpose
    values, kernel, products = (phrases.texts(matrix) for matrix in window.matrices)
    beside, above = ([phrases.label(one, transpose) for one in readings] for readings in (trace.rows, trace.columns))
    panels = [
        _Matrix(subject.input_name(window.channel), _filled(values, trace.marks, _cell), beside, above),
        _Matrix(f"× {subject.filter_name(trace.filter)}", [[(weight, "") for weight in line] for line in kernel]),
        _Matrix(f"= {text(window.total, 6)}", _filled(products, trace.marks, _product)),
    ]
    drawn = [panel.lines() for panel in panels]
    widths = [sum(len(part) for part, _ in lines[0]) for lines in drawn]
    if sum(widths) + 2 * 3 <= width:
        gap = ("  ", "")
        return [[*([gap, *first, gap, *second, gap, *third] for first, second, third in zip(*drawn, strict=True)), []]]
    if max(widths) + 2 <= width and len(values) <= _MOST_ROWS:
        return [
            [*([("  ", ""), *line] for lines in drawn for line in lines if any(part.strip() for part, _ in line)), []]
        ]
    return _short(subject, window, width)


def _filled(
    numbers: list[list[str]], marks: list[list[str]], cell: Callable[[str, str], report.Piece]
) -> list[list[report.Piece]]:
    return [list(map(cell, line, row)) for line, row in zip(numbers, marks, strict=True)]


def _cell(number: str, mark: str) -> report.Piece:
    if mark == BETWEEN:
        return "·", "faint"
    return (f"({number})", "faint") if mark in (COPY, OUTSIDE) else (number, "")


def _product(number: str, mark: str) -> report.Piece:
    return ("·", "faint") if mark == BETWEEN else (number, "faint" if mark == OUTSIDE else "")


def _short(subject: Subject, window: Window, width: int) -> list[report.Block]:
    """A window that is too large to show: its largest terms and the sums of its rows."""
    trace, products = window.trace, window.matrices[2]
    name, kernel = subject.input_name(window.channel), subject.filter_name(trace.filter)
    head = [
        [(f"  {name} × {kernel} = {text(window.total, 6)}", "strong")],
        [(f"  {report.shape(products.shape)} is too large to show here: --json and -o have all of it", "faint")],
        [],
    ]
    terms = largest(term for term in trace.terms if term.channel == window.channel)
    sums = [
        (phrases.label(row, subject.geometry.transpose), float(line.sum()))
        for row, line in zip(trace.rows, products, strict=True)
        if row.source is not None
    ]
    shown: list[report.Block] = [head]
    if terms:
        shown.append(contributions("the largest terms", terms))
    if 0 < len(sums) <= _MOST_SUMS:
        shown.append(wrapped("the sums of its rows", sums, width))
    return shown


def largest(terms: Iterable[Term]) -> list[Term]:
    """The terms, the largest products first."""
    return sorted(terms, key=lambda term: -np.nan_to_num(abs(term.product)))


def contributions(title: str, terms: Sequence[Term]) -> report.Table:
    """The largest terms, and the sum of the others."""
    shown = terms[:_MOST_TERMS]
    products = phrases.texts(np.array([[one.product for one in shown]]))[0]
    rows = [
        (f"{one.channel}", "{},{}".format(*one.pixel), "{},{}".format(*one.tap), *map(text, one[3:]), product)
        for one, product in zip(shown, products, strict=True)
    ]
    if len(terms) > _MOST_TERMS:
        rest = sum(one.product for one in terms[_MOST_TERMS:])
        rows.append((f"{len(terms) - _MOST_TERMS} more", "", "", "", "", text(rest)))
    header = ("channel", "pixel", "tap", "value", "weight", "product")
    return report.Table(title, rows, header, right=frozenset(range(1, 6)))


def wrapped(title: str, sums: Sequence[tuple[str, float]], width: int) -> report.Lines:
    """Numbers with labels, in as many columns as fit."""
    edge = max(len(label) for label, _ in sums)
    wide = max(len(text(number)) for _, number in sums)
    each = max(1, (width - 2) // (edge + wide + 4))
    lines = [[(title, "strong")]]
    for start in range(0, len(sums), each):
        line = [("  ", "")]
        for label, number in sums[start : start + each]:
            line += [(f"{label:>{edge}} ", "name"), (f"{text(number):>{wide}}   ", "")]
        lines.append(line)
    return [*lines, []]
