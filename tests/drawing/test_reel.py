"""Moving figures as SVG."""

from xml.etree import ElementTree

import pytest

from convcli.drawing import reel as reels
from support.animations import small
from support.figures import SVG


def visible(group: ElementTree.Element, share: float) -> bool:
    """Whether SMIL shows a group at a share of the loop (discrete animation: the last value whose time has come)."""
    animation = group.find(f"{SVG}animate")
    if animation is None:
        return group.attrib.get("visibility") != "hidden"
    assert animation.attrib["calcMode"] == "discrete"
    assert animation.attrib["repeatCount"] == "indefinite"
    times = [float(time) for time in animation.attrib["keyTimes"].split(";")]
    states = animation.attrib["values"].split(";")
    assert times[0] == 0
    assert times == sorted(times)
    assert len(times) == len(states)
    return [state for time, state in zip(times, states, strict=True) if time <= share][-1] == "visible"


def test_an_svg_plays_every_frame_in_turn() -> None:
    whole = small("a < b & c")
    root = ElementTree.fromstring(reels.render(whole))
    assert root.find(f"{SVG}title").text == "a < b & c"  # type: ignore[union-attr]
    groups = root.findall(f"{SVG}g")
    lasting, moving = groups[:9], groups[9:]
    assert len(moving) == 9
    for number in range(9):
        share = (number + 0.5) / 4 / whole.seconds
        assert [visible(group, share) for group in lasting] == [other <= number for other in range(9)]
        assert [visible(group, share) for group in moving] == [other == number for other in range(9)]
    assert [visible(group, 0.999) for group in moving] == [False] * 8 + [True]
    still = [group.attrib.get("visibility") != "hidden" for group in groups]
    assert still == [True] * 9 + [False] * 8 + [True]  # where nothing plays: the last frame
    assert whole.seconds == pytest.approx(9 / 4 + 1.5)
