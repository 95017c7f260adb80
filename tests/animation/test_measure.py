"""The texts in the cells of an animation."""

import pytest

from convcli.animation import measure
from convcli.animation.timeline import Values, timeline_of
from convcli.convspec import ConvSpec
from convcli.geometry import Pads, Pair


@pytest.mark.parametrize(
    ("mode", "even", "odd"),
    [("reflect", "1,1 1,0 1,1 1,2", "0,1 0,0 0,1 0,2"), ("circular", "1,2 1,0 1,1 1,2", "0,2 0,0 0,1 0,2")],
)
def test_borders_that_copy_have_the_places_that_they_copy(mode: str, even: str, odd: str) -> None:
    """Two rows of three pixels; a row of padding above and below, a column on the left."""
    timeline = timeline_of(ConvSpec(padding=Pads(1, 1, 1, 0), padding_mode=mode).resolve((2, 3), (2, 2)))
    assert measure.labels(timeline, Values()) == [even.split(), odd.split()] * 2


def test_borders_of_zeros_have_no_places() -> None:
    timeline = timeline_of(ConvSpec(padding=Pads(1, 1, 1, 0)).resolve((2, 3), (2, 2)))
    assert measure.labels(timeline, Values()) == [[""] * 4] * 4


def test_borders_that_copy_have_the_values_that_they_copy() -> None:
    timeline = timeline_of(ConvSpec(padding=Pads(0, 0, 1, 0), padding_mode="circular").resolve((2, 3), (2, 2)))
    assert measure.labels(timeline, Values(input=((1, 2, 3), (4, 5, 6)))) == [
        ["3", "1", "2", "3"],
        ["6", "4", "5", "6"],
    ]


def test_zeros_between_pixels_are_zeros() -> None:
    timeline = timeline_of(ConvSpec(transpose=True, stride=Pair(1, 2)).resolve((1, 2), (1, 2)))
    assert measure.labels(timeline, Values()) == [["", "", "0", "", ""]]
    assert measure.labels(timeline, Values(input=((7, 8),))) == [["0", "7", "0", "8", "0"]]
