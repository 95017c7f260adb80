"""The inverse question: which outputs an input pixel touches, through which taps and with what weight."""

from __future__ import annotations

from dataclasses import dataclass

from convcli.explanation.subject import Subject, index
from convcli.explanation.trace import Touch, touches


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """One input pixel and the ways from it to the outputs.

    Attributes
    ----------
    at : (int, int)
        Row and column of the input.
    channel : int
        Of the input.
    value : float
        Of the pixel.
    ways : tuple of (int, Touch)
        The channel of the result and the way to it, in the order of the outputs.
    """

    subject: Subject
    at: tuple[int, int]
    channel: int
    value: float
    ways: tuple[tuple[int, Touch], ...]


def touched(subject: Subject, at: tuple[int, int], channel: int = 0) -> Touched:
    """Find the outputs of one input pixel. Negative `at` and `channel` count from the end.

    Raises
    ------
    GeometryError
        There is no such pixel or channel, or there are too many ways to list.
    """
    geometry, image = subject.geometry, subject.image
    where = f"the input of {geometry.input}"
    at = index(at[0], geometry.input.height, "row", where), index(at[1], geometry.input.width, "column", where)
    count = image.shape[0]
    channel = index(channel, count, "channel", f"the input of {count} channel{'' if count == 1 else 's'}")
    place = {number: out for out, output in enumerate(subject.outputs) for number in output.filters}
    ways = touches(subject.weight, geometry, subject.groups, count, channel, at)
    value = float(image[(channel, *at)])
    return Touched(subject, at, channel, value, tuple((place[way.filter], way) for way in ways))
