"""Where the tiles or strips of a TIFF lie: how its first page is cut, held against the tables of its directory, and their bytes."""

from __future__ import annotations

from math import ceil

from convcli.geometry import Size
from convcli.images.reading.windows.directory import STRIPS, TILES, Directory, Table
from convcli.images.reading.windows.ndpi import MOST_HEADER_BYTES, STARTS, STARTS_HIGH, Intervals, intervals_of
from convcli.images.reading.windows.refusals import convert
from convcli.system.ranges import Ranges

MOST_BYTES = 1 << 30
"""A tile or a strip has no more bytes when it is decoded."""

_ROWS_BYTES = 1 << 19
"""Strips that are not compressed are read in parts of about this size."""


class Places:
    """The tiles or strips of the first page, each of all planes, by row and column.

    Parameters
    ----------
    ranges : Ranges
        The file.
    directory : Directory
        Of the page.
    source : str
        The name of the file, for messages.

    Raises
    ------
    ValueError
        The directory is damaged. The message is a reason.
    ImageError
        The page cannot be read in parts.
    """

    def __init__(self, ranges: Ranges, directory: Directory, source: str) -> None:
        self._ranges, self._source, self._tables, number = ranges, source, directory.tables, directory.number
        self.size = size = Size(number(257, 0), number(256, 0))
        if min(size) < 1:
            raise ValueError("it has no width or no height")
        self.samples = number(277, 1)
        self.planes = self.samples if number(284, 1) == 2 else 1
        depths = directory.numbers(258, self.samples) or [1]
        bits = max(1, sum(depths) if len(depths) == self.samples else depths[0] * self.samples)  # of a pixel
        self._row_bytes = ceil(size.width * ceil(bits / self.planes) / 8)
        self.plain = number(259, 1) == 1
        self.tiled = TILES[0] in self._tables
        self._intervals: Intervals | None = None  # of an NDPI
        self._strip = 0  # rows of a strip of the file, if it is read in parts
        self.chunk = self._cut(number(278, size.height), Size(number(323, 0), number(322, 0)), number(262, 1) != 6)
        self.most = max(1, self.chunk.height * ceil(self.chunk.width * bits / 8))  # bytes of a chunk, decoded
        if self.most > MOST_BYTES:
            kind = "tiles" if self.tiled else "strips"
            raise convert(source, f"has {kind} of {self.most / 2**30:.1f} GiB, more than 1")
        self._across = ceil(size.width / self.chunk.width)
        self._cells = ceil(size.height / self.chunk.height) * self._across  # of a plane
        self._strips = ceil(size.height / self._strip) if self._strip else self._cells
        self._check()

    @property
    def count(self) -> int:
        """How many there are, of all planes."""
        return self._cells * self.planes

    @property
    def changes(self) -> dict[int, int]:
        """What the directory has to say other than in the file, for a reader that knows only whole strips."""
        return {278: self.chunk.height} if self._strip or self._intervals is not None else {}

    def rows(self, row: int) -> int:
        """How many rows a chunk has that lie in the picture."""
        return min(self.chunk.height, self.size.height - row * self.chunk.height)

    def columns(self, column: int) -> int:
        """How many columns a chunk has that lie in the picture."""
        return min(self.chunk.width, self.size.width - column * self.chunk.width)

    def alone(self, row: int) -> dict[int, int]:
        """What the directory of a file has to say that has only this chunk."""
        height, width = self.chunk
        if self.tiled:
            return {256: width, 257: height}
        rows = height if self._intervals is not None else self.rows(row)
        return {256: width, 257: rows, 278: rows}

    def indices(self, row: int, column: int) -> range:
        """The numbers of a chunk, one for each plane."""
        return range(row * self._across + column, self.count, self._cells)

    def is_missing(self, row: int, column: int) -> bool:
        """Whether the file has nothing of a chunk."""
        return all(not (place and length) for place, length in map(self._where, self.indices(row, column)))

    def read(self, index: int) -> bytes | None:
        """The bytes of a chunk in a plane; None if the file does not have it. Raises `ValueError`."""
        place, length = self._where(index)
        if not (place and length):
            return None
        if length > MOST_BYTES:
            raise ValueError(f"it has {length} bytes")
        if place + length > self._ranges.size and self._counts is not None:
            raise ValueError("it lies beyond the end of the file")
        data = self._ranges.read(place, length)
        return data if self._intervals is None else self._intervals.picture(data)

    def is_followed(self, count: int) -> bool:
        """Whether the pixels are not compressed and lie in a row, with room for as many such pictures as `count` behind them."""
        stored, row = self._strips * self.planes, self._row_bytes
        if not self.plain or self.tiled or self._counts is None or stored > 1 << 16:
            return False
        starts = [self._places[number] for number in range(stored)]
        lengths = [self._counts[number] for number in range(stored)]
        whole = self.size.height * row * self.planes
        ends = [start + length for start, length in zip(starts, lengths, strict=True)]
        return starts[1:] == ends[:-1] and sum(lengths) == whole and starts[0] + count * whole <= self._ranges.size

    def _cut(self, rows: int, tile: Size, whole_bytes: bool) -> Size:
        """Rows and columns that are read together."""
        tables, (height, width) = self._tables, self.size
        if STARTS in tables and STRIPS[0] in tables:
            first = min(tables[STARTS][0], MOST_HEADER_BYTES)
            self._intervals = intervals_of(self._ranges.read(tables[STRIPS[0]][0], first))
            if width % self._intervals.tile.width:
                raise convert(self._source, "has restart intervals that are not parts of a row")
            return self._intervals.tile
        if self.tiled:
            if min(tile) < 1:
                raise ValueError("its tiles have no width or no height")
            return tile
        rows = min(rows or height, height)
        if self.plain and whole_bytes and rows * self._row_bytes > _ROWS_BYTES:
            self._strip = rows
            rows = _part(rows, max(1, _ROWS_BYTES // self._row_bytes), rows >= height)
        return Size(rows, width)

    def _check(self) -> None:
        """Hold the number of chunks against the tables, before any of them is read."""
        tables, (places, counts) = self._tables, TILES if self.tiled else STRIPS
        if places not in tables:
            raise ValueError("it does not say where its pixels are")
        self._places, self._counts = tables[places], tables.get(counts)
        if self._intervals is not None:
            if tables[STARTS].count < self._cells:
                raise ValueError(f"{tables[STARTS].count} of {self._cells} restart intervals are there")
            return
        wanted = self._strips * self.planes
        for table in filter(None, (self._places, self._counts)):
            if table.count < wanted:
                raise ValueError(f"{table.count} of {wanted} strips or tiles are there")
        if self._counts is None and wanted > 1 and not self.plain:
            raise ValueError("it does not say how long its strips or tiles are")

    def _where(self, index: int) -> tuple[int, int]:
        """The place and the length of a chunk in a plane."""
        if self._intervals is not None:
            end = _start(self._tables, index + 1) if index + 1 < self._cells else self._tables[STRIPS[1]][0]
            begin = _start(self._tables, index)
            return self._places[0] + begin, max(0, end - begin)
        ahead, stored = 0, index
        if self._strip:
            plane, part = divmod(index, self._cells)
            strip, row = divmod(part * self.chunk.height, self._strip)
            ahead, stored = row * self._row_bytes, plane * self._strips + strip
        place = self._places[stored]
        length = self._ranges.size - place if self._counts is None else self._counts[stored]
        if not (self._strip and place and length):
            return place, length
        return place + ahead, min(max(0, length - ahead), self.chunk.height * self._row_bytes)


def _start(tables: dict[int, Table], index: int) -> int:
    """The place of a restart interval in its JPEG."""
    high = tables.get(STARTS_HIGH)
    return tables[STARTS][index] + ((high[index] << 32) if high is not None else 0)


def _part(rows: int, wanted: int, alone: bool) -> int:
    """How many rows of a strip are read at a time: those of a strip must be a multiple of them, unless it is `alone`."""
    wanted = min(rows, wanted)
    return wanted if alone else next(part for part in range(wanted, 0, -1) if rows % part == 0)
