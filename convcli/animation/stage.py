"""The layout of an animation: from a `Timeline` to a `Reel`. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from convcli.animation import captions, measure
from convcli.animation.timeline import Kind, Timeline, Values, WindowStep
from convcli.drawing.colors import PALETTES, Palette, mix, readable_on
from convcli.drawing.grid import number
from convcli.drawing.reel import FrameShapes, Reel
from convcli.drawing.scene import ADVANCE, Line, Rect, Scene, Shape, Text, text_width, wrap
from convcli.records import NamedTuple

MARGIN, GAP = 16.0, 32.0
SIZE, LEADING = 12.0, 18.0
"""The font size of all texts outside the grids, and the height of a line."""

NARROWEST = 400.0
"""The least width of a page: captions need room."""

SWATCH = 12.0


class Look(NamedTuple):
    """How it is drawn: the side of a cell in pixels (None: by its text), light or dark, the title (None: the operation)."""

    cell: int | None = None
    theme: str = "light"
    title: str | None = None
    fps: float | None = None


class _GridPanel(NamedTuple):
    """A grid on the page: the lines above it, its rows and columns, how it is drawn, and the corner of its first cell."""

    heading: tuple[str, ...]
    rows: int
    columns: int
    side: float  # of a cell
    size: float  # of the font in its cells
    colors: Palette
    x: float = 0.0
    y: float = 0.0

    def corner(self, row: float, column: float) -> tuple[float, float]:
        """Where a cell begins."""
        return self.x + column * self.side, self.y + row * self.side

    def square(self, row: int, column: int, fill: str, stroke: str | None = None, width: float = 1.0) -> Rect:
        """A cell."""
        return Rect(*self.corner(row, column), self.side, self.side, fill, stroke, width)

    def text(self, row: int, column: int, text: str, color: str, high: float = 0.5) -> Text:
        """The text of a cell."""
        return Text(*self.corner(row + high, column + 0.5), text, self.size, color, "middle")

    def edges(self, inside: Sequence[Sequence[bool]], kind: Kind | None = None) -> Iterator[Line]:
        """The sides of the marked cells, each drawn once. Neighbours are one line."""
        dash = 0.0 if kind in (Kind.INPUT, None) else self.side / (2 * max(1, round(self.side / 10)) + 1)
        upright = list(zip(*inside, strict=True))
        for turned, lines in ((False, inside), (True, upright)):
            for place in range(len(lines) + 1):
                around = [lines[side] for side in (place - 1, place) if 0 <= side < len(lines)]
                marks = [any(pair) for pair in zip(*around, strict=True)]
                for start, end in _runs(marks):
                    ends = ((at, place) if turned else (place, at) for at in (start, end))
                    yield Line(tuple(self.corner(*at) for at in ends), _stroke(kind, self.colors), 1.0, dash)


def _stroke(kind: Kind | None, colors: Palette) -> str:
    """The colour of the lines around cells of a kind."""
    return colors.negative if kind is Kind.OUTPUT_PADDING else colors.faint


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
        self.timeline, self.values, geometry = timeline, values, timeline.geometry
        self.colors: Palette = PALETTES[look.theme]
        self.labels = measure.labels(timeline, values)
        side = measure.side(timeline, self.labels, values, look.cell)
        size = measure.fitting(measure.numbers(self.labels, values), side)
        self.weight_size = min(size, measure.fitting(measure.weights(values), side, measure.WEIGHT))
        grids = [(captions.grid_heading(timeline), timeline.size), ((f"output {geometry.output}",), geometry.output)]
        if values.kernel is not None:
            turned = ("flipped",) * timeline.flipped
            grids.insert(1, ((f"kernel {geometry.kernel}", *turned), geometry.kernel))
        panels = [_GridPanel(heading, *cells, side, size, self.colors) for heading, cells in grids]
        widths = [max(p.columns * side, *(text_width(line, SIZE) for line in p.heading)) for p in panels]
        across = sum(widths) + GAP * (len(panels) - 1)
        self.width = max(NARROWEST, across + 2 * MARGIN)
        self.room = int((self.width - 2 * MARGIN) / (ADVANCE * SIZE))
        self.title = captions.title(timeline, values) if look.title is None else look.title
        head = wrap(self.title, self.room)
        self.panels, self.texts = self._place(panels, widths, across, MARGIN + LEADING * len(head))
        self.texts += self._lines(head, MARGIN, bold=True)
        bottom = max(p.y + p.rows * side for p in self.panels) + MARGIN
        self.legend, bottom = self._legend(bottom)
        facts = [line for fact in captions.facts(timeline, rule) for line in wrap(fact, self.room)]
        self.texts += self._lines(facts, bottom)
        self.status_top = bottom + LEADING * len(facts) + 4
        self.statuses = {step.output: captions.status(timeline, step, values, self.room) for step in timeline.steps}
        self.height = self.status_top + LEADING * max(map(len, self.statuses.values())) + MARGIN / 2

    def _place(
        self, panels: Sequence[_GridPanel], widths: Sequence[float], across: float, top: float
    ) -> tuple[list[_GridPanel], list[Text]]:
        """The panels side by side, each with its heading in the middle of its column; and the headings."""
        tallest = max(p.rows * p.side + LEADING * len(p.heading) for p in panels)
        placed, texts = [], []
        left = (self.width - across) / 2
        for panel, width in zip(panels, widths, strict=True):
            above = LEADING * len(panel.heading)
            x = round(left + (width - panel.columns * panel.side) / 2)
            y = round(top + LEADING / 2 + (tallest - panel.rows * panel.side - above) / 2 + above)
            placed.append(panel._replace(x=x, y=y))
            for line, text in enumerate(panel.heading):
                color = self.colors.faint if line else self.colors.ink
                place = y - LEADING * (len(panel.heading) - line - 0.5)
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
        there = {cell.kind for row in self.timeline.grid for cell in row}
        items: list[tuple[str, str, Kind | None]] = [
            (captions.kind_name(kind, self.timeline.geometry), self._fill(kind), kind) for kind in Kind if kind in there
        ]
        items.append(("under the kernel", self.colors.window, None))
        if others := [kind for kind in Kind if kind in there - {Kind.INPUT}]:  # under the kernel they look nearly alike
            where = "zeros" if self.timeline.geometry.transpose else "padding"
            items.append((f"kernel on {where}", self._covered(others[0]), None))
        items += [("output", self.colors.output, None), ("current output", self.colors.current, None)]
        if any(self.timeline.geometry.output_padding):
            items.append(("output of output_padding", self._done(True), Kind.OUTPUT_PADDING))
        items.append(("output to come", self.colors.background, None))
        for name, fill, kind in items:
            width = SWATCH + 6 + text_width(name, SIZE)
            if x > MARGIN and x + width > self.width - MARGIN:
                x, y = MARGIN, y + LEADING
            dash = SWATCH / 5 if kind in (Kind.PADDING, Kind.OUTPUT_PADDING) else 0.0
            shapes.append(Rect(x, y - SWATCH / 2, SWATCH, SWATCH, fill, _stroke(kind, self.colors), dash=dash))
            shapes.append(Text(x + SWATCH + 6, y, name, SIZE, self.colors.faint))
            x += width + 18
        return shapes, y + LEADING / 2 + 4

    def base(self) -> Scene:
        """What all frames have in common: the grids, the kernel, the texts."""
        page = Scene(self.width, self.height, self.colors.background, (), self.title)
        return page.plus(self._empty()).plus(self.legend).plus(self.texts)

    def _empty(self) -> Iterator[Shape]:
        """The grid and the output before the first frame, and the kernel."""
        grid, output = self.panels[0], self.panels[-1]
        cells = [
            (row, column, cell.kind) for row, line in enumerate(self.timeline.grid) for column, cell in enumerate(line)
        ]
        for row, column, kind in cells:
            if (fill := self._fill(kind)) != self.colors.background:
                yield grid.square(row, column, fill)
        for kind in (Kind.PADDING, Kind.OUTPUT_PADDING, Kind.INPUT):
            own = (Kind.INPUT, Kind.INSERTED) if kind is Kind.INPUT else (kind,)
            yield from grid.edges([[cell.kind in own for cell in line] for line in self.timeline.grid], kind)
        for row, column, kind in cells:
            fill = self._fill(kind)
            quiet = mix(readable_on(fill), fill, 0.25)  # faint, but still readable
            yield from self._label(row, column, self.colors.ink if kind is Kind.INPUT else quiet, 0.5)
        if self.values.kernel is not None:  # as it is on the grid
            step, panel = -1 if self.timeline.flipped else 1, self.panels[1]
            for i, line in enumerate(self.values.kernel[::step]):
                for j, weight in enumerate(line[::step]):
                    yield panel.square(i, j, self.colors.kernel)
                    yield panel.text(i, j, number(weight), readable_on(self.colors.kernel))
            yield from panel.edges([[True] * panel.columns] * panel.rows)
        late = [[self._late(y, x) for x in range(output.columns)] for y in range(output.rows)]
        yield from output.edges(late, Kind.OUTPUT_PADDING)
        yield from output.edges([[not one for one in row] for row in late])

    def _late(self, y: int, x: int) -> bool:
        """Whether an output is there only because of `output_padding`."""
        (height, width), (rows, columns) = self.timeline.geometry.output, self.timeline.geometry.output_padding
        return y >= height - rows or x >= width - columns

    def frame(self, step: WindowStep) -> FrameShapes:
        """The window over the grid, its numbers, its output, and the line that describes it."""
        (y, x), output, colors = step.output, self.panels[-1], self.colors
        late = self._late(y, x)
        fill = self._done(late)
        done = output.square(y, x, fill, colors.negative if late else colors.ink)
        return FrameShapes((done, *self._result(step, fill)), tuple(self._window(step)))

    def _window(self, step: WindowStep) -> Iterator[Shape]:
        grid, output, colors = self.panels[0], self.panels[-1], self.colors
        for tap in step.taps:
            kind = self.timeline.grid[tap.row][tap.column].kind
            fill = self._covered(kind)
            ink = readable_on(fill)
            yield grid.square(tap.row, tap.column, fill, ink)
            yield from self._label(tap.row, tap.column, ink, 0.5 if self.values.kernel is None else 0.38)
            if self.values.kernel is not None:
                weight = number(self.values.kernel[tap.kernel[0]][tap.kernel[1]])
                yield Text(*grid.corner(tap.row + 0.8, tap.column + 0.94), f"×{weight}", self.weight_size, ink, "end")
        height, width = (grid.side * side for side in self.timeline.geometry.extent)
        yield Rect(*grid.corner(step.top, step.left), width, height, stroke=colors.ink, stroke_width=2.5)
        yield output.square(*step.output, colors.current, colors.ink, 2.5)
        yield from self._result(step, colors.current)
        yield from self._lines(self.statuses[step.output], self.status_top, bold=True)

    def _result(self, step: WindowStep, fill: str) -> Iterator[Shape]:
        if self.values.output is not None:
            y, x = step.output
            yield self.panels[-1].text(y, x, number(self.values.output[y][x]), readable_on(fill))

    def _label(self, row: int, column: int, color: str, high: float) -> Iterator[Shape]:
        """The text of a cell of the grid. Under the kernel it is above the weight."""
        if text := self.labels[row][column]:
            yield self.panels[0].text(row, column, text, color, high)

    def _done(self, late: bool) -> str:
        """The colour of an output that is computed."""
        return mix(self.colors.output, self.colors.negative, 0.25) if late else self.colors.output

    def _covered(self, kind: Kind) -> str:
        """The colour of a cell under the kernel. It is paler where there is no pixel."""
        return self.colors.window if kind is Kind.INPUT else mix(self._fill(kind), self.colors.window, 0.5)

    def _fill(self, kind: Kind) -> str:
        colors = self.colors
        if kind is Kind.INSERTED:
            return mix(colors.background, colors.input, 0.3)
        if kind is Kind.OUTPUT_PADDING:
            return mix(colors.background, colors.negative, 0.25)
        return colors.input if kind is Kind.INPUT else colors.padding


def _runs(marks: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The first index and the index after the last, of each run of marks."""
    start = 0
    for mark, run in groupby(marks):
        end = start + len([*run])
        if mark:
            yield start, end
        start = end
