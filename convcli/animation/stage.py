"""The layout of an animation: from a `Timeline` to a `Reel`. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convcli.animation import captions, measure
from convcli.animation.timeline import Field, Kind, Step, Timeline, Values
from convcli.drawing.colors import PALETTES, Palette, mix, readable_on
from convcli.drawing.grid import number
from convcli.drawing.reel import Frame, Reel
from convcli.drawing.scene import ADVANCE, Line, Rect, Scene, Shape, Text, text_width, wrap

MARGIN, GAP = 16.0, 32.0
SIZE, LEADING = 12.0, 18.0
"""The font size of all texts outside the grids, and the height of a line."""

NARROWEST = 400.0
"""The least width of a page: captions need room."""

SWATCH = 12.0


@dataclass(frozen=True, slots=True)
class Look:
    """How it is drawn: the side of a cell in pixels (None: by its text), light or dark, the title (None: the operation)."""

    cell: int | None = None
    theme: str = "light"
    title: str | None = None
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class _Panel:
    """A grid on the page: the corner of its first cell, its rows and columns, and the lines above it."""

    heading: tuple[str, ...]
    rows: int
    columns: int
    x: float = 0.0
    y: float = 0.0


def film(timeline: Timeline, values: Values, look: Look, rule: str | None = None) -> Reel:
    """The whole animation. `rule` is the padding rule that the geometry was resolved by, if any.

    Raises
    ------
    ConvError
        The cells are too small for their numbers.
    """
    stage = _Stage(timeline, values, look, rule)
    fps = look.fps or max(2.0, min(25.0, len(timeline.steps) / 30))
    return Reel(stage.base(), tuple(map(stage.frame, timeline.steps)), fps)


class _Stage:
    """The layout of one animation, computed once, and the frames that it draws."""

    def __init__(self, timeline: Timeline, values: Values, look: Look, rule: str | None) -> None:
        self.timeline, self.values = timeline, values
        self.colors: Palette = PALETTES[look.theme]
        self.labels = measure.labels(timeline, values)
        self.cell = measure.side(timeline, self.labels, values, look.cell)
        self.size = measure.fitting(measure.numbers(self.labels, values), self.cell)
        self.weight_size = min(self.size, measure.fitting(measure.weights(values), self.cell, measure.WEIGHT))
        panels = [_Panel(captions.grid_heading(timeline), *timeline.size)]
        if values.kernel is not None:
            heading = (f"kernel {timeline.geometry.kernel}", *(["flipped"] if timeline.flipped else []))
            panels.append(_Panel(heading, *timeline.geometry.kernel))
        panels.append(_Panel((f"output {timeline.geometry.output}",), *timeline.geometry.output))
        widths = [max(p.columns * self.cell, *(text_width(line, SIZE) for line in p.heading)) for p in panels]
        across = sum(widths) + GAP * (len(panels) - 1)
        self.width = max(NARROWEST, across + 2 * MARGIN)
        self.room = int((self.width - 2 * MARGIN) / (ADVANCE * SIZE))
        self.title = captions.title(timeline) if look.title is None else look.title
        head = wrap(self.title, self.room)
        self.panels, self.texts = self._place(panels, widths, across, MARGIN + LEADING * len(head))
        self.texts += self._lines(head, MARGIN, bold=True)
        bottom = max(p.y + p.rows * self.cell for p in self.panels) + MARGIN
        self.legend, bottom = self._legend(bottom)
        facts = [line for fact in captions.facts(timeline, rule) for line in wrap(fact, self.room)]
        self.texts += self._lines(facts, bottom)
        self.status_top = bottom + LEADING * len(facts) + 4
        self.statuses = {step.output: captions.status(timeline, step, values, self.room) for step in timeline.steps}
        self.height = self.status_top + LEADING * max(map(len, self.statuses.values())) + MARGIN / 2

    def _place(
        self, panels: Sequence[_Panel], widths: Sequence[float], across: float, top: float
    ) -> tuple[list[_Panel], list[Text]]:
        """The panels side by side, each with its heading in the middle of its column; and the headings."""
        tallest = max(p.rows * self.cell + LEADING * len(p.heading) for p in panels)
        placed, texts = [], []
        left = (self.width - across) / 2
        for panel, width in zip(panels, widths, strict=True):
            above = LEADING * len(panel.heading)
            y = top + LEADING / 2 + (tallest - panel.rows * self.cell - above) / 2
            x = round(left + (width - panel.columns * self.cell) / 2)
            placed.append(_Panel(panel.heading, panel.rows, panel.columns, x, round(y + above)))
            for line, text in enumerate(panel.heading):
                color = self.colors.faint if line else self.colors.ink
                place = round(y + above) - LEADING * (len(panel.heading) - line - 0.5)
                texts.append(Text(left + width / 2, place - 2, text, SIZE, color, "middle"))
            left += width + GAP
        return placed, texts

    def _lines(self, lines: Sequence[str], top: float, bold: bool = False) -> list[Text]:
        return [
            Text(MARGIN, top + LEADING * (row + 0.5), line, SIZE, self.colors.ink, bold=bold)
            for row, line in enumerate(lines)
        ]

    def _legend(self, top: float) -> tuple[list[Shape], float]:
        """Colours and their meanings, as many on a line as fit; and where they end."""
        shapes: list[Shape] = []
        x, y = MARGIN, top + LEADING / 2
        kinds = [kind for kind in Kind if any(field.kind is kind for row in self.timeline.grid for field in row)]
        items: list[tuple[str, str, Kind | None]] = [
            (captions.kind_name(kind, self.timeline.geometry), self._fill(kind), kind) for kind in kinds
        ]
        items.append(("under the kernel", self.colors.window, None))
        items += [("output", self.colors.output, None), ("current output", self.colors.current, None)]
        for name, fill, kind in items:
            width = SWATCH + 6 + text_width(name, SIZE)
            if x > MARGIN and x + width > self.width - MARGIN:
                x, y = MARGIN, y + LEADING
            dash = SWATCH / 5 if kind in (Kind.PADDING, Kind.OUTPUT_PADDING) else 0.0
            shapes.append(Rect(x, y - SWATCH / 2, SWATCH, SWATCH, fill, self._stroke(kind), dash=dash))
            shapes.append(Text(x + SWATCH + 6, y, name, SIZE, self.colors.faint))
            x += width + 18
        return shapes, y + LEADING / 2 + 4

    def base(self) -> Scene:
        """What all frames have in common: the grids, the kernel, the texts."""
        grid, output = self.panels[0], self.panels[-1]
        shapes: list[Shape] = []
        for row, fields in enumerate(self.timeline.grid):
            for column, field in enumerate(fields):
                if (fill := self._fill(field.kind)) != self.colors.background:
                    shapes.append(self._square(grid, row, column, fill))
        kinds = [[field.kind for field in row] for row in self.timeline.grid]
        for kind in (Kind.PADDING, Kind.OUTPUT_PADDING, Kind.INPUT):
            own = (Kind.INPUT, Kind.INSERTED) if kind is Kind.INPUT else (kind,)
            shapes += self._edges(grid, [[k in own for k in row] for row in kinds], kind)
        for row, texts in enumerate(self.labels):
            for column, text in enumerate(texts):
                fill = self._fill(kinds[row][column])
                color = self.colors.ink if kinds[row][column] is Kind.INPUT else self._quiet(fill)
                shapes += self._label(grid, row, column, text, color)
        if self.values.kernel is not None:
            shapes += self._kernel(self.panels[1], self.values.kernel)
        late = [[self._late(y, x) for x in range(output.columns)] for y in range(output.rows)]
        shapes += self._edges(output, late, Kind.OUTPUT_PADDING)
        shapes += self._edges(output, [[not one for one in row] for row in late], None)
        page = Scene(self.width, self.height, self.colors.background, tuple(shapes), self.title)
        return page.plus(self.legend).plus(self.texts)

    def _late(self, y: int, x: int) -> bool:
        """Whether an output is there only because of `output_padding`."""
        (height, width), (rows, columns) = self.timeline.geometry.output, self.timeline.geometry.output_padding
        return y >= height - rows or x >= width - columns

    def frame(self, step: Step) -> Frame:
        """The window over the grid, its numbers, its output, and the line that describes it."""
        grid, output = self.panels[0], self.panels[-1]
        y, x = step.output
        shapes: list[Shape] = []
        for tap in step.taps:
            fill = self._tapped(self.timeline.grid[tap.row][tap.column])
            ink = readable_on(fill)
            shapes.append(self._square(grid, tap.row, tap.column, fill, ink))
            shapes += self._label(grid, tap.row, tap.column, self.labels[tap.row][tap.column], ink)
            if self.values.kernel is not None:
                weight = number(self.values.kernel[tap.kernel[0]][tap.kernel[1]])
                right, low = grid.x + (tap.column + 0.94) * self.cell, grid.y + (tap.row + 0.8) * self.cell
                shapes.append(Text(right, low, f"×{weight}", self.weight_size, ink, "end"))
        height, width = (self.cell * side for side in self.timeline.geometry.extent)
        corner = grid.x + step.left * self.cell, grid.y + step.top * self.cell
        shapes.append(Rect(*corner, width, height, stroke=self.colors.ink, stroke_width=2.5))
        shapes.append(self._square(output, y, x, self.colors.current, self.colors.ink, 2.5))
        shapes += self._result(output, step, self.colors.current)
        shapes += self._lines(self.statuses[step.output], self.status_top, bold=True)
        late = self._late(y, x)
        fill = mix(self.colors.output, self.colors.negative, 0.25) if late else self.colors.output
        done = self._square(output, y, x, fill, self.colors.negative if late else self.colors.ink)
        return Frame((done, *self._result(output, step, fill)), tuple(shapes))

    def _result(self, output: _Panel, step: Step, fill: str) -> Iterator[Shape]:
        if self.values.output is not None:
            y, x = step.output
            yield self._text(output, y, x, number(self.values.output[y][x]), readable_on(fill))

    def _kernel(self, panel: _Panel, rows: Sequence[Sequence[float]]) -> Iterator[Shape]:
        """The kernel as it lies on the grid."""
        turned = [row[::-1] for row in rows[::-1]] if self.timeline.flipped else rows
        for i, row in enumerate(turned):
            for j, weight in enumerate(row):
                yield self._square(panel, i, j, self.colors.kernel)
                yield self._text(panel, i, j, number(weight), readable_on(self.colors.kernel))
        yield from self._edges(panel, [[True] * panel.columns] * panel.rows, None)

    def _label(self, grid: _Panel, row: int, column: int, text: str, color: str) -> Iterator[Shape]:
        """The text of a cell of the grid, above the weight if there is one."""
        if text:
            yield self._text(grid, row, column, text, color, 0.5 if self.values.kernel is None else 0.38)

    def _text(self, panel: _Panel, row: int, column: int, text: str, color: str, high: float = 0.5) -> Text:
        middle = panel.x + (column + 0.5) * self.cell, panel.y + (row + high) * self.cell
        return Text(*middle, text, self.size, color, "middle")

    def _square(
        self, panel: _Panel, row: int, column: int, fill: str, stroke: str | None = None, width: float = 1.0
    ) -> Rect:
        corner = panel.x + column * self.cell, panel.y + row * self.cell
        return Rect(*corner, self.cell, self.cell, fill, stroke, width)

    def _edges(self, panel: _Panel, inside: Sequence[Sequence[bool]], kind: Kind | None) -> Iterator[Line]:
        """The sides of the marked cells, each drawn once. Neighbours are one line."""
        dash = 0.0
        if kind in (Kind.PADDING, Kind.OUTPUT_PADDING):
            dash = self.cell / (2 * max(1, round(self.cell / 10)) + 1)
        upright = list(zip(*inside, strict=True))
        for turned, lines in ((False, inside), (True, upright)):
            for place in range(len(lines) + 1):
                around = [lines[side] for side in (place - 1, place) if 0 <= side < len(lines)]
                for start, end in _runs([any(pair) for pair in zip(*around, strict=True)]):
                    ends = [(at, place) if turned else (place, at) for at in (start, end)]
                    points = tuple((panel.x + c * self.cell, panel.y + r * self.cell) for r, c in ends)
                    yield Line(points, self._stroke(kind), 1.0, dash)

    def _fill(self, kind: Kind) -> str:
        colors = self.colors
        if kind is Kind.INSERTED:
            return mix(colors.background, colors.input, 0.3)
        if kind is Kind.OUTPUT_PADDING:
            return mix(colors.background, colors.negative, 0.25)
        return colors.input if kind is Kind.INPUT else colors.padding

    def _tapped(self, field: Field) -> str:
        """The colour of a cell under the kernel: paler if it is not input."""
        return self.colors.window if field.kind is Kind.INPUT else mix(self._fill(field.kind), self.colors.window, 0.5)

    def _stroke(self, kind: Kind | None) -> str:
        return self.colors.negative if kind is Kind.OUTPUT_PADDING else self.colors.faint

    def _quiet(self, fill: str) -> str:
        """A faint colour of text that is still readable on `fill`."""
        return mix(readable_on(fill), fill, 0.25)


def _runs(marks: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The first index and the index after the last, of each run of marks."""
    start = None
    for place, mark in enumerate([*marks, False]):
        if mark and start is None:
            start = place
        elif not mark and start is not None:
            yield start, place
            start = None
