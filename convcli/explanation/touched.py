"""The inverse question: which outputs an input pixel reaches, through which taps and with what weight."""

from convcli.errors import GeometryError, param
from convcli.explanation.subject import Subject, index
from convcli.explanation.trace import COPY, PIXEL, Point
from convcli.geometry import Geometry, border_indices
from convcli.layer import Layer
from convcli.records import NamedTuple

MOST_TOUCHES = 1_000_000
"""The most ways that are listed. Only an extreme padding gives more."""

MOST_PLACES = 10**6
"""The most padded positions of an axis that are searched for copies of a pixel."""


class Touch(NamedTuple):
    """One way from an input pixel to an output: the output's pixel, filter and channel, the tap and its weight.

    `mark` is `PIXEL` if the pixel itself is read, `COPY` if a copy of it beyond the border is.
    """

    at: Point
    filter: int
    tap: Point
    weight: float
    mark: str
    channel: int = -1


class Touched(NamedTuple):
    """A pixel of the input, its value, and the ways from it, in the order of the outputs."""

    subject: Subject
    at: Point
    channel: int
    value: float
    ways: tuple[Touch, ...]


def touched(subject: Subject, at: Point, channel: int = 0) -> Touched:
    """Find the outputs of one input pixel. Negative `at` and `channel` count from the end.

    Raises
    ------
    GeometryError
        The pixel or the channel does not exist, or there are too many ways to list.
    """
    geometry, count = subject.geometry, subject.layer.inputs
    where = f"the input of {geometry.input}"
    at = index(at[0], geometry.input.height, "row", where), index(at[1], geometry.input.width, "column", where)
    channel = index(channel, count, "channel", f"the input of {count} channel{'' if count == 1 else 's'}")
    place = {number: out for out, output in enumerate(subject.outputs) for number in output.filters}
    ways = touches(subject.layer, geometry, channel, at)
    ways = [way._replace(channel=place[way.filter]) for way in ways]
    return Touched(subject, at, channel, float(subject.image[(channel, *at)]), tuple(ways))


def touches(layer: Layer, geometry: Geometry, channel: int, at: Point) -> list[Touch]:
    """Every way from one input pixel to the outputs, in the order of the outputs. More than `MOST_TOUCHES` are a GeometryError."""
    rows, columns = (_hits(geometry, axis, at[axis]) for axis in (0, 1))
    filters = layer.outputs // layer.groups
    count = len(rows) * len(columns) * filters
    if count > MOST_TOUCHES:
        raise GeometryError(f"input pixel {at[0]},{at[1]}", f"reaches the output in {count} ways", "use less padding")
    group, place = divmod(channel, layer.inputs // layer.groups)
    out = []
    for number in range(filters):
        filter_ = group * filters + number
        kernel = layer.weight[channel, number] if layer.transpose else layer.weight[filter_, place]
        out += [
            Touch((y, x), filter_, (i, j), float(kernel[i, j]), COPY if COPY in (above, beside) else PIXEL)
            for y, i, above in rows
            for x, j, beside in columns
        ]
    return sorted(out)


def _hits(geometry: Geometry, axis: int, source: int) -> list[tuple[int, int, str]]:
    """The outputs along an axis that an input reaches, each with the tap and the mark."""
    s, d, before = geometry.stride[axis], geometry.dilation[axis], geometry.pads[2 * axis]
    out = []
    for position in _positions(geometry, axis, source):
        for tap in range(geometry.kernel[axis]):
            if geometry.transpose:
                output, rest = s * position + d * tap - before, 0
            else:
                output, rest = divmod(position + before - d * tap, s)
            if rest == 0 and 0 <= output < geometry.output[axis]:
                out.append((output, tap, PIXEL if position == source else COPY))
    return out


def _positions(geometry: Geometry, axis: int, source: int) -> list[int]:
    """Where the pixel `source` is read: at its own position, and at the positions of its copies beyond the border."""
    size, before, after = geometry.input[axis], *geometry.reach[2 * axis : 2 * axis + 2]
    if geometry.padding_mode == "zeros":
        return [source]
    if before + size + after > MOST_PLACES:
        what = "rows" if axis == 0 else "columns"
        remedy = f"use at most {MOST_PLACES} padded {what}, or {param('padding_mode', 'zeros')}"
        raise GeometryError(f"padding {before}+{after}", "makes too many copies of a pixel to list them", remedy)
    indices = border_indices(size, before, after, geometry.padding_mode)
    return [place - before for place, index in enumerate(indices) if index == source]
