"""Figures of explanations: window × kernel = products for each window, and the sum; or an input pixel and its outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from convcli.drawing.colors import Palette, diverging, gray, mix, readable_on
from convcli.drawing.grid import Cell
from convcli.drawing.scene import Scene, Shape, Text, text_width
from convcli.errors import as_options
from convcli.explanation import matrices, phrases
from convcli.explanation.inset import inset
from convcli.explanation.matrices import BODY, GAP, MARGIN, NUMBERED, Grid, cell_side, drawn_row
from convcli.explanation.pixel import Pixel
from convcli.explanation.subject import Subject
from convcli.explanation.touched import Touched
from convcli.explanation.trace import BETWEEN, COPY, OUTSIDE, PIXEL, Point, Window
from convcli.system.names import STDIO, name_of

_LINE, _TITLE = 20.0, 17.0
_MOST_WINDOWS = 3
_SIGNS = {BETWEEN: "finely dashed", OUTSIDE: "dashed", COPY: "dashed"}


def draw(answer: Pixel | Touched, palette: Palette, spell: Callable[[str], str] = as_options) -> Scene:
    """The figure of an explanation. `spell` writes parameters: as options, or as arguments."""
    return _touched(answer, palette) if isinstance(answer, Touched) else _pixel(answer, palette, spell)


class _Page:
    """A figure that grows downwards: a title, what is explained, and what is added below. `y` is where it ends."""

    def __init__(self, title: str, subject: Subject, palette: Palette) -> None:
        self.title, self.palette = title, palette
        source = "" if subject.source == STDIO else f"{name_of(subject.source)}; "
        under = f"{source}{subject.operation.written}, {subject.geometry.kernel}; {phrases.flip(subject)}"
        self.shapes: list[Shape] = [
            Text(MARGIN, MARGIN + 8, title, _TITLE, palette.ink, bold=True),
            Text(MARGIN, MARGIN + 32, under, BODY, palette.faint),
        ]
        self.y, self.right = MARGIN + 62, max(text_width(title, _TITLE), text_width(under, BODY)) + MARGIN

    def add(self, lines: Iterable[str], ink: str) -> None:
        """Add lines of text."""
        for line in lines:
            self.shapes.append(Text(MARGIN, self.y + _LINE / 2, line, BODY, ink))
            self.right = max(self.right, MARGIN + text_width(line, BODY))
            self.y += _LINE

    def beside(self, answer: Pixel | Touched, x: float, y: float) -> None:
        """Add where in the picture it is, at the right of what was drawn."""
        drawn, right, bottom = inset(answer, x + GAP, y, self.palette)
        if drawn:
            self.shapes += drawn
            self.right, self.y = max(self.right, right), max(self.y, bottom + 26)

    def scene(self) -> Scene:
        """The figure."""
        size = self.right + MARGIN, self.y + MARGIN
        return Scene(*size, self.palette.background, tuple(self.shapes), self.title)


def _pixel(answer: Pixel, palette: Palette, spell: Callable[[str], str]) -> Scene:
    windows, shown, subject = answer.windows, answer.telling(_MOST_WINDOWS), answer.subject
    bands = [_band(subject, window, palette) for window in shown]
    side = cell_side([grid for band in bands for grid in band])
    page = _Page(f"Output {answer.at[0]},{answer.at[1]} of {subject.output_name(answer.channel)}", subject, palette)
    edges = [max(band[place].width(side) for band in bands) for place in range(3)]
    beside = max(band[0].labels(side) for band in bands)
    top = page.y
    for band in bands:
        drawn, edge, page.y = drawn_row(band, side, beside, edges, page.y, palette)
        page.shapes += drawn
        page.right = max(page.right, edge)
    page.beside(answer, edge, top)
    lines = [f"{name}: {what.removeprefix(f'{name}: ')}" for name, what in phrases.preparation(subject)]
    if (step := matrices.thinning(answer.traces[0].kernel.shape[1:])) > 1:
        lines.append(f"of each window one in {step} rows and columns is drawn; the sums are of all")
    if side <= NUMBERED and not subject.geometry.transpose:
        lines.append(f"the window: {phrases.reads(answer.traces[0])}")
    lines += phrases.marks(subject, answer.traces, _SIGNS if side > NUMBERED else dict.fromkeys(_SIGNS, "tinted"))
    lines += phrases.rounding(answer.traces) if side > NUMBERED else []
    if len(windows) > len(shown):
        lines.append(f"not drawn: {phrases.further(len(windows) - len(shown), answer)}")
    page.add(lines, palette.faint)
    page.add(map(_minus, _sums(answer, spell)), palette.ink)
    return page.scene()


def _minus(line: str) -> str:
    """The line with minus signs instead of hyphens before numbers, as in the cells."""
    return re.sub(r"(?<![\w-])-(?=[ (]?[\d.])|(?<=\de)-(?=\d)", "−", line)


def _sums(answer: Pixel, spell: Callable[[str], str]) -> list[str]:
    """Lines for the sums, how they are combined, the value, and what is written."""
    several, name = len(answer.traces) > 1, answer.subject.filter_name
    out = [f"{f'{name(one.filter)}: ' if several else ''}Σ products {phrases.summed(one)}" for one in answer.traces]
    if not answer.traces[0].terms:
        out.append("; ".join(phrases.unreached(answer.subject, answer.at)))
    if answer.output.rule != "none":
        out.append(phrases.joined(answer.output.rule, [one.sum for one in answer.traces], answer.joined))
    out += [f"{step}: {phrases.text(value, 6)}" for step, value in answer.steps]
    how = spell(answer.written.words)
    out.append(f"value {phrases.text(answer.value, 7)}, stored {phrases.text(answer.written.value, 7)} ({how})")
    return out


def _band(subject: Subject, window: Window, palette: Palette) -> list[Grid]:
    """The three grids of a window."""
    trace, transpose = window.trace, subject.geometry.transpose
    values, kernel, products = window.matrices
    plain = max(values.shape) > matrices.MOST_NUMBERED
    step, digits = matrices.thinning(values.shape), matrices.digits(window.matrices)
    marks = [line[::step] for line in trace.marks[::step]]
    white = subject.ready.full_scale
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=white))
    mixed, faint = mix(palette.padding, palette.input, 0.45), palette.faint
    looks = {
        PIXEL: partial(Cell, palette.input, stroke=faint),
        BETWEEN: partial(Cell, None, stroke=faint, stroke_width=0.5, dash=2, ink=faint),
        OUTSIDE: partial(Cell, palette.padding, stroke=faint, dash=5, ink=faint),
        COPY: partial(Cell, mixed, stroke=palette.ink, stroke_width=1.25, dash=4),
    }

    def pixel(value: float, mark: str) -> Cell:
        if plain:
            shade = gray((value - low) / (high - low) if high > low and np.isfinite(value) else 0.0)
            return Cell(mix(shade, palette.input, {BETWEEN: 1.0, OUTSIDE: 1.0, COPY: 0.45}.get(mark, 0.0)))
        return looks[mark](text=matrices.cell_text(value, digits, matrices.dust(values)))

    def signed(matrix: np.ndarray) -> Callable[[float, str], Cell]:
        largest, least = _largest(matrix[::step, ::step]), matrices.dust(matrix)

        def cell(value: float, mark: str) -> Cell:
            fill = diverging(0.75 * value / largest if largest and np.isfinite(value) else 0.0, palette)
            if plain:
                return Cell(fill)
            ink = faint if mark in (BETWEEN, OUTSIDE) else readable_on(fill)
            return Cell(fill, matrices.cell_text(value, digits, least), faint, ink=ink)

        return cell

    def filled(matrix: np.ndarray, cell: Callable[[float, str], Cell], marks: list[list[str]]) -> list[list[Cell]]:
        return [list(map(cell, line.tolist(), row)) for line, row in zip(matrix[::step, ::step], marks, strict=True)]

    beside, above = ([phrases.label(part, transpose, "") for part in parts] for parts in (trace.rows, trace.columns))
    plainly = [[PIXEL] * len(line) for line in marks]
    return [
        Grid(subject.input_name(window.channel), filled(values, pixel, marks), beside, above),
        Grid(subject.filter_name(trace.filter), filled(kernel, signed(kernel), plainly)),
        Grid(_minus(f"Σ = {phrases.text(window.total, 6)}"), filled(products, signed(products), marks)),
    ]


def _largest(matrix: np.ndarray) -> float:
    return float(np.abs(matrix[np.isfinite(matrix)]).max(initial=0.0))


def _touched(answer: Touched, palette: Palette) -> Scene:
    """The outputs that an input pixel reaches, with its weight in each."""
    subject = answer.subject
    title = f"{subject.input_name(answer.channel).capitalize()} at {answer.at[0]},{answer.at[1]}"
    page = _Page(title, subject, palette)
    filters = sorted({way.filter for way in answer.ways})
    if not filters:
        said = "reaches no output: no tap of the kernel falls on it"
        page.shapes.append(Text(MARGIN, page.y, said, BODY, palette.ink))
        return page.scene()
    grids = [_weights(answer, filter_, palette) for filter_ in filters[:_MOST_WINDOWS]]
    side = cell_side(grids)
    x, y = MARGIN, page.y
    for grid in grids:
        x += grid.labels(side)
        drawn, _, below = grid.drawn(x, y, side, palette)
        page.shapes += drawn
        x += grid.width(side) + GAP
        page.y = max(page.y, below + 20)
    page.right = max(page.right, x - GAP)
    page.beside(answer, x - GAP, y)
    page.add(_legend(answer, len(filters) - len(grids), side > NUMBERED), palette.faint)
    return page.scene()


def _spans(places: Iterable[Point]) -> tuple[range, range]:
    """The rows and the columns from the first to the last of some pixels."""
    ys, xs = zip(*places, strict=True)
    return range(min(ys), max(ys) + 1), range(min(xs), max(xs) + 1)


def _legend(answer: Touched, more: int, numbered: bool) -> list[str]:
    lines = ["each cell is an output pixel with the weight of this input: the sum of all its ways there"]
    high, wide = _spans(way.at for way in answer.ways)
    if not numbered:
        lines.append(f"rows {high[0]} to {high[-1]} and columns {wide[0]} to {wide[-1]} of the output")
    elif any(way.mark == COPY for way in answer.ways):
        where = "beyond the border" if answer.subject.geometry.transpose else "in the padding"
        lines.append(f"dashed: reached through a copy {where}, with or without the pixel itself")
    if more:
        lines.append(f"{more} more filter{' is' if more == 1 else 's are'} reached and not drawn")
    if (step := matrices.thinning((len(high), len(wide)))) > 1:
        lines.append(f"one in {step} rows and columns is drawn")
    return lines


def _weights(answer: Touched, filter_: int, palette: Palette) -> Grid:
    """The part of the output that one filter makes from the pixel, with the pixel's weight in each cell."""
    ways = [way for way in answer.ways if way.filter == filter_]
    high, wide = _spans(way.at for way in ways)
    total = np.full((len(high), len(wide)), np.nan)  # NaN where the pixel reaches nothing
    copied = {way.at for way in ways if way.mark == COPY}
    for way in ways:
        place = way.at[0] - high.start, way.at[1] - wide.start
        total[place] = np.nan_to_num(total[place]) + way.weight
    weights = np.nan_to_num(total)
    largest, plain = _largest(weights), max(total.shape) > matrices.MOST_NUMBERED
    digits, least = matrices.digits([weights]), matrices.dust(weights)
    step = matrices.thinning(total.shape)

    def cell(y: int, x: int) -> Cell:
        weight, dashed = float(total[y - high.start, x - wide.start]), (y, x) in copied
        fill = diverging(0.75 * np.nan_to_num(weight) / largest, palette) if largest else palette.background
        text = "" if plain or np.isnan(weight) else matrices.cell_text(weight, digits, least)
        stroke = None if plain else palette.ink if dashed else palette.faint
        return Cell(fill, text, stroke, 1.5 if dashed else 1.0, 4.0 * dashed)

    title = f"{answer.subject.output_name(ways[0].channel)}, {answer.subject.filter_name(filter_)}"
    rows = [[cell(y, x) for x in wide[::step]] for y in high[::step]]
    return Grid(title, rows, list(map(str, high)), list(map(str, wide)))
