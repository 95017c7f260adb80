"""Everything on the page of an animation can be read."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcli.animation import stage
from convcli.animation.stage import Look
from convcli.animation.timeline import Timeline, Values, timeline_of
from convcli.convspec import ConvSpec
from convcli.drawing.colors import PALETTES, channels
from convcli.drawing.scene import Rect, Scene, Shape, Text, text_width
from convcli.errors import ConvError
from convcli.geometry import Geometry, Pads, Pair
from convcli.images.figures import raster
from support.animations import direct, random, summed, transposed


def box(text: Text) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of a text, with room for parentheses and commas."""
    return (
        text.left, text.y - 0.5 * text.size, text.left + text_width(text.text, text.size), text.y + 0.55 * text.size,
    )  # fmt: skip


def readable(shapes: Iterator[Shape] | tuple[Shape, ...]) -> list[Text]:
    """The texts that no later fill covers."""
    seen: list[Text] = []
    for shape in shapes:
        if isinstance(shape, Text):
            seen.append(shape)
        elif isinstance(shape, Rect) and shape.fill is not None:
            corner = shape.x + shape.width, shape.y + shape.height
            hidden = lambda b: shape.x <= b[0] and shape.y <= b[1] and b[2] <= corner[0] and b[3] <= corner[1]  # noqa: B023
            seen = [text for text in seen if not hidden(box(text))]
    return seen


def assert_legible(page: Scene) -> None:
    texts = readable(page.shapes)
    boxes = np.array([box(text) for text in texts])
    assert (boxes[:, :2] >= 4).all()
    assert (boxes[:, 2] <= page.width - 4).all()
    assert (boxes[:, 3] <= page.height - 4).all()
    assert min(text.size for text in texts) >= 5.99
    apart = (
        (boxes[:, None, 2] <= boxes[None, :, 0] + 0.01) | (boxes[:, None, 0] >= boxes[None, :, 2] - 0.01)
        | (boxes[:, None, 3] <= boxes[None, :, 1] + 0.01) | (boxes[:, None, 1] >= boxes[None, :, 3] - 0.01)
    )  # fmt: skip
    np.fill_diagonal(apart, True)
    one, other = np.argwhere(~apart)[0] if not apart.all() else (0, 0)
    assert apart.all(), (texts[one], texts[other])


def with_numbers(timeline: Timeline, factor: float) -> Values:
    image, kernel = random(timeline.geometry.input), random(timeline.geometry.kernel)
    out = summed(timeline, image, kernel)
    return Values((image * factor).tolist(), (kernel * factor).tolist(), (out * factor * factor).tolist())


@given(
    st.one_of(direct(), transposed()), st.sampled_from([None, 1, -12.345, 1e-9, 255]), st.sampled_from(["light", "dark"]),
    st.sampled_from([None, "", "A title that is so long that it takes more than one line " * 2, "x" * 300]),
    st.sampled_from([None, 60, 150]),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_no_text_is_cut_or_covered(
    case: tuple[Geometry, str], factor: float | None, theme: str, title: str | None, cell: int | None
) -> None:
    timeline = timeline_of(*case)
    values = Values() if factor is None else with_numbers(timeline, factor)
    whole = stage.film(timeline, values, Look(cell, theme, title))
    for number in {0, len(timeline.steps) // 2, len(timeline.steps) - 1}:
        assert_legible(whole.still(number))


@pytest.mark.parametrize("side", [1, 2, 20, 31])
def test_small_and_large_grids_are_legible(side: int) -> None:
    timeline = timeline_of(ConvSpec(padding=Pads(1, 1, 1, 1), padding_mode="reflect").resolve((side, side), (3, 3)))
    for values in (Values(), with_numbers(timeline, 12.3)):
        page = stage.film(timeline, values, Look()).still(0)
        assert_legible(page)
        edge = np.array(channels(page.background))
        pixels = raster.paint(page, 1)
        for border in (pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]):
            assert (border == edge).all()


def test_cells_too_small_for_their_numbers_are_refused() -> None:
    timeline = timeline_of(ConvSpec().resolve((3, 3), (1, 1)))
    values = Values([[0.0, 1.0, 2.0]] * 3, [[-12.5]], [[0.0, -12.5, -25.0]] * 3)
    with pytest.raises(ConvError, match=r"cell 10 is too small for '×−12\.5' to be read: use cell 26 or more"):
        stage.film(timeline, values, Look(10))
    stage.film(timeline, values, Look(26))
    stage.film(timeline, Values(), Look(4))


def test_what_a_frame_shows() -> None:
    """Σ by hand: 1·0 + 2·(-1) + 4·2 + 5·3 under a 2×2 kernel on 1…9."""
    timeline = timeline_of(ConvSpec().resolve((3, 3), (2, 2)))
    values = Values([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], [[0.0, -1], [2, 3]], [[21.0, 25], [33, 37]])
    whole = stage.film(timeline, values, Look())
    texts = {text.text for text in readable(whole.still(0).shapes)}
    assert "(0,0): 2·(−1) + 4·2 + 5·3 + 1 product of 0 = 21" in texts
    assert {"×0", "×−1", "×2", "×3", "21"} <= texts
    assert "25" not in texts
    assert {"21", "25", "33"} <= {text.text for text in readable(whole.still(2).shapes)}


def test_numbers_are_in_the_middle_unless_a_weight_is_below() -> None:
    timeline = timeline_of(ConvSpec().resolve((3, 3), (2, 2)))
    values = Values([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], [[0.5, -1], [2, 3]], [[21.0, 25], [33, 37]])
    page = stage.film(timeline, values, Look(40)).still(0)
    corner = next(shape for shape in page.shapes if isinstance(shape, Rect) and shape.width == 40)
    heights = {text.text: (text.y - corner.y) / 40 for text in readable(page.shapes) if text.size < 40}
    assert heights["7"] == pytest.approx(2.5)  # not under the kernel
    assert heights["4"] == pytest.approx(1.38)


def test_the_legend_says_every_colour() -> None:
    """A kernel on padding is paler; what output_padding adds, and what is still to come, look different, too."""
    plain = stage.film(timeline_of(ConvSpec().resolve((3, 3), (2, 2))), Values(), Look())
    names = {text.text for text in readable(plain.still(0).shapes)}
    assert {"input", "under the kernel", "output", "current output", "output to come"} <= names
    assert not {name for name in names if name.startswith("kernel on")}
    padded = stage.film(timeline_of(ConvSpec(padding=Pads(1, 1, 1, 1)).resolve((3, 3), (2, 2))), Values(), Look(20))
    page = padded.still(0)
    words = next(text for text in readable(page.shapes) if text.text == "kernel on padding")
    swatch = next(
        shape for shape in page.shapes if isinstance(shape, Rect) and abs(shape.y + shape.height / 2 - words.y) < 1
        and 0 < words.x - shape.x < 20
    )  # fmt: skip
    seen = [shape.fill for shape in page.shapes if isinstance(shape, Rect) and shape.width == 20]
    assert seen.count(swatch.fill) == 3
    transposed = ConvSpec(transpose=True, stride=Pair(2, 2), output_padding=Pair(1, 1)).resolve((2, 2), (2, 2))
    names = {text.text for text in readable(stage.film(timeline_of(transposed), Values(), Look()).still(0).shapes)}
    assert {"kernel on zeros", "output of output_padding"} <= names


def test_fills_of_a_frame() -> None:
    """Taps of a dilated kernel are apart; what was computed stays."""
    timeline = timeline_of(ConvSpec(dilation=Pair(2, 2)).resolve((4, 4), (2, 2)))
    page = stage.film(timeline, Values(), Look(20)).still(1)
    colors = PALETTES["light"]
    filled = [
        shape for shape in page.shapes if isinstance(shape, Rect) and shape.fill == colors.window and shape.width == 20
    ]
    corner = min(
        shape.x for shape in page.shapes if isinstance(shape, Rect) and shape.fill == colors.input and shape.width == 20
    )
    top = min(
        shape.y for shape in page.shapes if isinstance(shape, Rect) and shape.fill == colors.input and shape.width == 20
    )
    places = sorted(((shape.y - top) / 20, (shape.x - corner) / 20) for shape in filled)
    assert places == [(0, 1), (0, 3), (2, 1), (2, 3)]
    sizes = [shape.fill for shape in page.shapes if isinstance(shape, Rect) and shape.width == 20]
    assert sizes.count(colors.current) == 1
    assert sizes.count(colors.output) == 2  # one of them below the current
