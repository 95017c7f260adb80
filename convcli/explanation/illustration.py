"""Figures of explanations: window × kernel = products for each window, and the sum; or an input pixel and its outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np

from convcli.drawing.colors import Palette, diverging, gray, mix, readable_on
from convcli.drawing.grid import Cell
from convcli.drawing.scene import Scene, Shape, Text, text_width
from convcli.errors import as_options
from convcli.explanation import matrices, phrases
from convcli.explanation.matrices import BODY, GAP, MARGIN, NUMBERED, Grid, cell_side, drawn_row
from convcli.explanation.pixel import Pixel
from convcli.explanation.subject import Subject
from convcli.explanation.touched import Touched
from convcli.explanation.trace import BETWEEN, COPY, OUTSIDE, PIXEL, Trace

_LINE, _TITLE = 20.0, 17.0
_MOST_WINDOWS = 3
_SIGNS = {BETWEEN: "finely dashed", OUTSIDE: "dashed", COPY: "dashed"}


def draw(answer: Pixel | Touched, palette: Palette) -> Scene:
    """The figure of an explanation."""
    return _touched(answer, palette) if isinstance(answer, Touched) else _pixel(answer, palette)


class _Page:
    """A figure that grows downwards: a title, what is explained below it, and what is added. `y` is where that ends."""

    def __init__(self, title: str, subject: Subject, palette: Palette) -> None:
        self.title, self.palette = title, palette
        under = f"{subject.kernel_name}, {subject.geometry.kernel}; {phrases.flip(subject)}"
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

    def scene(self) -> Scene:
        """The figure."""
        size = self.right + MARGIN, self.y + MARGIN
        return Scene(*size, self.palette.background, tuple(self.shapes), self.title)


def _pixel(answer: Pixel, palette: Palette) -> Scene:
    windows, shown = answer.windows, answer.telling(_MOST_WINDOWS)
    bands = [_band(answer, one, place, palette) for one, place in shown]
    side = cell_side([grid for band in bands for grid in band])
    subject = answer.subject
    page = _Page(f"Output {answer.at[0]},{answer.at[1]} of {subject.output_name(answer.channel)}", subject, palette)
    edges = [max(band[place].width(side) for band in bands) for place in range(3)]
    beside = max(band[0].labels(side) for band in bands)
    for band in bands:
        drawn, edge, page.y = drawn_row(band, side, beside, edges, page.y, palette)
        page.shapes += drawn
        page.right = max(page.right, edge)
    lines = [f"{name}: {what.removeprefix(f'{name}: ')}" for name, what in phrases.preparation(subject)]
    if (step := matrices.thinning(answer.traces[0].kernel.shape[1:])) > 1:
        lines.append(f"of each window one in {step} rows and columns is drawn; the sums are of all")
    if side <= NUMBERED and not subject.geometry.transpose:
        lines.append(f"the window: {phrases.reads(answer.traces[0])}")
    lines += phrases.marks(subject, answer.traces, _SIGNS if side > NUMBERED else dict.fromkeys(_SIGNS, "tinted"))
    if len(windows) > len(shown):
        lines.append(f"not drawn: {phrases.further(len(windows) - len(shown), answer)}")
    page.add(lines, palette.faint)
    page.add(map(_minus, _sums(answer)), palette.ink)
    return page.scene()


def _minus(line: str) -> str:
    """The line with minus signs in place of hyphens before numbers, as in the cells."""
    return re.sub(r"(?<![\w-])-(?=[ (]?[\d.])|(?<=\de)-(?=\d)", "−", line)


def _sums(answer: Pixel) -> list[str]:
    """Lines for the sums, how they are combined, the value and what is written."""
    out = []
    for one in answer.traces:
        name = f"{answer.subject.filter_name(one.filter)}: " if len(answer.traces) > 1 else ""
        products = phrases.text(float(one.products.sum()), 6)
        out.append(f"{name}Σ products {products} {phrases.plus(one.bias)} (bias) = {phrases.text(one.sum, 6)}")
    if not answer.traces[0].reached:
        out.append("; ".join(phrases.unreached(answer.subject, answer.at)))
    if answer.output.rule != "none":
        out.append(phrases.joined(answer.output.rule, [one.sum for one in answer.traces], answer.joined))
    out += [f"{step}: {phrases.text(value, 6)}" for step, value in answer.steps]
    how = as_options(answer.written.words)
    out.append(f"value {phrases.text(answer.value, 7)}, written {phrases.text(answer.written.value, 7)} ({how})")
    return out


def _band(answer: Pixel, one: Trace, place: int, palette: Palette) -> list[Grid]:
    """The three grids of a window."""
    subject = answer.subject
    values, kernel, products = one.values[place], one.kernel[place], one.products[place]
    plain = max(values.shape) > matrices.MOST_NUMBERED
    step, digits = matrices.thinning(values.shape), matrices.digits((values, kernel, products))
    faintest = [matrices.dust(matrix) for matrix in (values, kernel, products)]
    total = float(products.sum())
    values, kernel, products = (matrix[::step, ::step] for matrix in (values, kernel, products))
    white = subject.ready.picture.full_scale
    low, high = float(np.nanmin(values, initial=0.0)), float(np.nanmax(values, initial=white))

    def pixel(value: float, mark: str) -> Cell | None:
        if plain:
            shade = gray((value - low) / (high - low) if high > low and np.isfinite(value) else 0.0)
            tint = {BETWEEN: 1.0, OUTSIDE: 1.0, COPY: 0.45}.get(mark, 0.0)
            return Cell(mix(shade, palette.input, tint))
        text = matrices.cell_text(value, digits, faintest[0])
        if mark == BETWEEN:
            return Cell(None, text, palette.faint, 0.5, 2, palette.faint)
        if mark == OUTSIDE:
            return Cell(palette.padding, text, palette.faint, 1, 5, palette.faint)
        if mark == COPY:
            return Cell(mix(palette.padding, palette.input, 0.45), text, palette.ink, 1.25, 4)
        return Cell(palette.input, text, palette.faint, 1)

    def signed(largest: float, least: float) -> Callable[[float, str], Cell]:
        def cell(value: float, mark: str) -> Cell:
            share = 0.75 * value / largest if largest and np.isfinite(value) else 0.0
            fill = diverging(share, palette)
            if plain:
                return Cell(fill)
            ink = palette.faint if mark in (BETWEEN, OUTSIDE) else readable_on(fill)
            return Cell(fill, matrices.cell_text(value, digits, least), palette.faint, 1, 0, ink)

        return cell

    weights, terms = signed(_largest(kernel), faintest[1]), signed(_largest(products), faintest[2])
    places = [range(0, count * step, step) for count in values.shape]
    marks = [[one.mark(i, j) for j in places[1]] for i in places[0]]
    kernel_cells = [[weights(float(value), PIXEL) for value in line] for line in kernel]
    return [
        Grid(subject.input_name(one.channels[place]), _filled(values, marks, pixel),
              *([phrases.label(part, subject.geometry.transpose, "") for part in parts] for parts in (one.rows, one.columns))),
        Grid(subject.filter_name(one.filter), kernel_cells),  # type: ignore[arg-type]
        Grid(_minus(f"Σ = {phrases.text(total, 6)}"), _filled(products, marks, terms)),
    ]  # fmt: skip


def _filled(
    matrix: np.ndarray, marks: list[list[str]], cell: Callable[[float, str], Cell | None]
) -> list[list[Cell | None]]:
    return [[cell(float(n), mark) for n, mark in zip(*pair, strict=True)] for pair in zip(matrix, marks, strict=True)]


def _largest(matrix: np.ndarray) -> float:
    return float(np.abs(matrix[np.isfinite(matrix)]).max(initial=0.0))


def _touched(answer: Touched, palette: Palette) -> Scene:
    """The outputs that an input pixel touches, with its weight in each."""
    subject = answer.subject
    title = f"{subject.input_name(answer.channel).capitalize()} at {answer.at[0]},{answer.at[1]}"
    page = _Page(title, subject, palette)
    filters = sorted({way.filter for _, way in answer.ways})
    if not filters:
        said = "touches no output: no tap of the kernel falls on it"
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
    page.add(_legend(answer, len(filters) - len(grids), side > NUMBERED), palette.faint)
    return page.scene()


def _spans(places: Iterable[tuple[int, int]]) -> tuple[range, range]:
    """The rows and the columns from the first to the last of some pixels."""
    ys, xs = zip(*places, strict=True)
    return range(min(ys), max(ys) + 1), range(min(xs), max(xs) + 1)


def _legend(answer: Touched, more: int, numbered: bool) -> list[str]:
    lines = ["each cell is an output pixel, and in it the weight of this input: the sum of all its ways there"]
    high, wide = _spans(way.at for _, way in answer.ways)
    if not numbered:
        lines.append(f"rows {high[0]} to {high[-1]} and columns {wide[0]} to {wide[-1]} of the output")
    elif any(way.mark == COPY for _, way in answer.ways):
        where = "beyond the border" if answer.subject.geometry.transpose else "in the padding"
        lines.append(f"dashed: reached through a copy {where} as well, or only so")
    if more:
        lines.append(f"{more} more filter{' is' if more == 1 else 's are'} touched and not drawn")
    if (step := matrices.thinning((len(high), len(wide)))) > 1:
        lines.append(f"one in {step} rows and columns is drawn")
    return lines


def _weights(answer: Touched, filter_: int, palette: Palette) -> Grid:
    """The part of the output that one filter makes from the pixel, with the pixel's weight in each cell."""
    ways = [way for _, way in answer.ways if way.filter == filter_]
    high, wide = _spans(way.at for way in ways)
    total, copied = np.zeros((len(high), len(wide))), np.zeros((len(high), len(wide)), bool)
    touched = copied.copy()
    for way in ways:
        place = way.at[0] - high.start, way.at[1] - wide.start
        total[place] += way.weight
        touched[place] = True
        copied[place] |= way.mark == COPY
    largest, plain = _largest(total), max(total.shape) > matrices.MOST_NUMBERED
    digits, least = matrices.digits([total]), matrices.dust(total)
    rows: list[list[Cell | None]] = []
    step = matrices.thinning(total.shape)
    for i in range(0, len(high), step):
        line: list[Cell | None] = []
        for j in range(0, len(wide), step):
            fill = diverging(0.75 * float(total[i, j]) / largest, palette) if largest else palette.background
            text = matrices.cell_text(float(total[i, j]), digits, least) if touched[i, j] and not plain else ""
            dash = 4.0 if copied[i, j] else 0.0
            stroke = None if plain else palette.ink if copied[i, j] else palette.faint
            line.append(Cell(fill, text, stroke, 1.5 if copied[i, j] else 1.0, dash))
        rows.append(line)
    channel = next(channel for channel, way in answer.ways if way.filter == filter_)
    title = f"{answer.subject.output_name(channel)}, {answer.subject.filter_name(filter_)}"
    return Grid(title, rows, [str(n) for n in high], [str(n) for n in wide])
