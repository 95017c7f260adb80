"""Where pixels lie: metadata that says it follows the geometry of an operation, and what cannot follow is left out.

OGC 19-008r4, "GeoTIFF Standard" 1.1: tags of the raster space, whose origin is the corner of the first pixel or, where pixels are
points, its centre. "RPCs in GeoTIFF": lines and samples, counted from the centre of the first pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from convcli.geometry import Geometry
from convcli.images import descriptions, directories
from convcli.images.directories import DOUBLE, EXIF, RATIONAL, TEXT, Directory, Entry, entry
from convcli.images.metadata import RESOLUTION, sound
from convcli.images.picture import Metadata
from convcli.records import NamedTuple

_DESCRIPTION = 270
_SCALE, _TIES, _MATRIX, _KEYS, _RPC = 33550, 33922, 34264, 34735, 50844
_GEO = {_SCALE, _TIES, _MATRIX, _RPC}
_RASTER_TYPE, _POINT = 1025, 2
_FOCAL_PLANE = 0xA20E, 0xA20F
"""EXIF's pixels per unit of the sensor, across and down."""
_SUBJECTS = 0x9214, 0xA214
"""EXIF's tags of where the subject is: a place in pixels, and a diameter, or a width and a height."""


class Axis(NamedTuple):
    """Where the pixels of a result lie along one axis: the centre of pixel i is at ``first + i·step`` in pixels of the input."""

    step: Fraction
    first: Fraction

    @classmethod
    def of(cls, geometry: Geometry, axis: int) -> Axis:
        """The rows (axis 0) or the columns (1) of a result: a kernel lies with its middle on the pixels of the direct operation's
        output, and of the transposed operation's input.
        """
        at = geometry.along(axis)
        middle = Fraction(at.d * (at.k - 1), 2) - at.before
        return cls(Fraction(1, at.s), -middle / at.s) if geometry.transpose else cls(Fraction(at.s), middle)

    def place(self, point: float) -> float:
        """Where a point of the input, counted from the centre of the first pixel, lies in the output."""
        return float((Fraction(point) - self.first) / self.step)

    def origin(self, points: bool) -> float:
        """Where the origin of the output's raster space lies in the input's: the centre of a pixel, or its corner."""
        return float(self.first if points else self.first + (1 - self.step) / 2)


def placed(
    metadata: Metadata, geometry: Geometry, channels: tuple[int, int], dtype: str
) -> tuple[Metadata, tuple[str, ...]]:
    """The metadata of a result, and remarks on what is left out.

    Parameters
    ----------
    metadata : Metadata
        Of the input.
    geometry : Geometry
        What the result was computed with.
    channels : (int, int)
        How many the input has, and the result, with alpha.
    dtype : str
        Of the samples that are written.
    """
    rows, columns = Axis.of(geometry, 0), Axis.of(geometry, 1)
    metadata = metadata._replace(
        dpi=metadata.dpi and (metadata.dpi[0] / float(columns.step), metadata.dpi[1] / float(rows.step)),
        resolution=metadata.resolution and _resolution(metadata.resolution, rows, columns),
    )
    tags = sound(directories.parse, metadata.exif) if metadata.exif else None
    if not tags:
        return metadata, ()
    kept, notes = dict(tags), []
    if metadata.turned and not _GEO.isdisjoint(kept):
        notes.append("its place on the map is left out: it is that of the picture before it was turned")
        kept = {tag: value for tag, value in kept.items() if tag not in _GEO}
    moved = geometry.input != geometry.output or any(axis != Axis(Fraction(1), Fraction(0)) for axis in (rows, columns))
    if moved:
        for tag, value in kept.copy().items():
            follow = _FOLLOWS.get(tag)
            if follow is None or not isinstance(value, Entry):
                continue
            found = sound(follow, value, kept, rows, columns)
            if found is None:
                del kept[tag]
                notes.append(f"its tag {tag}, which says where pixels lie, is damaged and left out")
            else:
                kept[tag] = found
        if isinstance(exif := kept.get(EXIF), dict):
            kept[EXIF] = _exif(exif, rows, columns, metadata.turned)
    text = kept.get(_DESCRIPTION)
    if isinstance(text, Entry) and text.kind == TEXT:
        change = descriptions.Change(geometry.input, geometry.output, rows.step, columns.step, *channels, dtype, moved)
        said, remarks = descriptions.followed(text.data, change, rows.origin(False), columns.origin(False))
        notes += remarks
        kept[_DESCRIPTION] = Entry(TEXT, said)
        if not said:
            del kept[_DESCRIPTION]
    if kept != tags:
        metadata = metadata._replace(exif=directories.exif_of(kept) or None)
    return metadata, tuple(notes)


def _resolution(tags: Directory, rows: Axis, columns: Axis) -> Directory:
    """TIFF's tags of pixels per unit."""
    steps = dict(zip(RESOLUTION, (columns.step, rows.step), strict=False))
    return {
        tag: directories.divided(value, steps[tag]) if tag in steps and isinstance(value, Entry) else value
        for tag, value in tags.items()
    }


def _scale(value: Entry, _: Directory, rows: Axis, columns: Axis) -> Entry:
    """ModelPixelScale: units of the map for each pixel across and down."""
    across, down, *more = value.numbers
    return entry(DOUBLE, across * float(columns.step), down * float(rows.step), *more)


def _ties(value: Entry, tags: Directory, rows: Axis, columns: Axis) -> Entry:
    """ModelTiepoint: pairs of a place in the raster and one on the map. With a scale, the map's moves, else the raster's."""
    points, scale, numbers = _are_points(tags), tags.get(_SCALE), value.numbers
    if len(numbers) % 6:
        raise ValueError("a pair that is not whole")
    ties = [list(numbers[start : start + 6]) for start in range(0, len(numbers), 6)]
    x, y = columns.origin(points), rows.origin(points)
    for tie in ties:
        column, row, *_ = tie
        if isinstance(scale, Entry):  # already the output's
            across, down = (size / float(axis.step) for size, axis in zip(scale.numbers, (columns, rows), strict=False))
            tie[3] += (x + column * float(columns.step) - column) * across
            tie[4] -= (y + row * float(rows.step) - row) * down
        else:
            tie[0], tie[1] = (column - x) / float(columns.step), (row - y) / float(rows.step)
    return entry(DOUBLE, *(number for tie in ties for number in tie))


def _matrix(value: Entry, tags: Directory, rows: Axis, columns: Axis) -> Entry:
    """ModelTransformation, 4×4, of the raster to the map."""
    points, numbers = _are_points(tags), list(value.numbers)
    if len(numbers) != 16:
        raise ValueError("a matrix of other sides")
    for start in range(0, 16, 4):
        a, b, _, d = numbers[start : start + 4]
        numbers[start : start + 4 : 3] = (
            a * float(columns.step),
            d + a * columns.origin(points) + b * rows.origin(points),
        )
        numbers[start + 1] = b * float(rows.step)
    return entry(DOUBLE, *numbers)


def _rpc(value: Entry, _: Directory, rows: Axis, columns: Axis) -> Entry:
    """RPCCoefficient: the third and fourth number are the line and the sample in the middle, the eighth and ninth their scale."""
    numbers = list(value.numbers)
    for place, axis in ((2, rows), (3, columns)):
        numbers[place], numbers[place + 5] = axis.place(numbers[place]), numbers[place + 5] / float(axis.step)
    return entry(DOUBLE, *numbers)


_FOLLOWS: dict[int, Callable[[Entry, Directory, Axis, Axis], Entry]] = {
    _SCALE: _scale, _TIES: _ties, _MATRIX: _matrix, _RPC: _rpc,
}  # fmt: skip


def _are_points(tags: Directory) -> bool:
    """Whether the pixels of a GeoTIFF are points: the raster type among its keys, each of four numbers, the last its value."""
    keys = tags.get(_KEYS)
    numbers = keys.numbers if isinstance(keys, Entry) else ()
    found = {numbers[start]: numbers[start + 3] for start in range(4, len(numbers) - 3, 4)}
    return found.get(_RASTER_TYPE) == _POINT


def _exif(exif: Directory, rows: Axis, columns: Axis, turned: bool) -> Directory:
    """EXIF's own directory. Where its subject is, in a picture that was turned, is that of the picture as it was."""
    kept = dict(exif)
    for tag, axis in zip(_FOCAL_PLANE, (columns, rows), strict=True):
        if isinstance(value := exif.get(tag), Entry) and value.kind == RATIONAL and value.length == 1:
            kept[tag] = directories.divided(value, axis.step)
    for tag in _SUBJECTS:
        if isinstance(value := exif.get(tag), Entry):
            del kept[tag]
            if not turned and (found := sound(_subject, value, rows, columns)) is not None:
                kept[tag] = found
    return kept


def _subject(value: Entry, rows: Axis, columns: Axis) -> Entry:
    x, y, *sides = value.numbers
    axes = (columns, rows) if len(sides) == 2 else (columns,)
    sides = [side / float(axis.step) for side, axis in zip(sides, axes, strict=True)]
    return entry(value.kind, *(max(0, round(number)) for number in (columns.place(x), rows.place(y), *sides)))
