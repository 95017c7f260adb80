"""Animations: the steps are the convolution's, everything on the page can be read, and films are what their frames are."""

import io
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from convcli.animation import captions, stage
from convcli.animation.stage import Look
from convcli.animation.timeline import Kind, Timeline, Values, timeline_of
from convcli.convspec import ConvSpec
from convcli.drawing import reel as reels
from convcli.drawing.colors import PALETTES, channels
from convcli.drawing.reel import Reel
from convcli.drawing.scene import Rect, Scene, Shape, Text, text_width
from convcli.errors import ConvError, GeometryError, ImageError
from convcli.geometry import Geometry, Pads, Pair
from convcli.images.figures import movie, raster
from convcli.presenters.animated import document

SVG = "{http://www.w3.org/2000/svg}"


def geometry(draw: st.DrawFn, transposed: bool, modes: tuple[str, ...] = ("zeros",)) -> tuple[Geometry, str]:
    small = st.integers(1, 3)
    pair = lambda: Pair(draw(small), draw(small))
    stride, dilation, kernel = pair(), pair(), pair()
    pads = Pads(*(draw(st.integers(0, 4)) for _ in range(4)))
    extra = Pair(*(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)))
    op = draw(st.sampled_from(["corr", "conv"]))
    spec = ConvSpec(
        op, transposed, stride, pads, draw(st.sampled_from(modes)), dilation,
        output_padding=extra if transposed else Pair(0, 0),
    )  # fmt: skip
    try:
        return spec.resolve((draw(st.integers(1, 5)), draw(st.integers(1, 5))), kernel), op
    except GeometryError:
        assume(False)
        raise


@st.composite
def direct(draw: st.DrawFn) -> tuple[Geometry, str]:
    return geometry(draw, False, ("zeros", "reflect", "replicate", "circular", "symmetric"))


@st.composite
def transposed(draw: st.DrawFn) -> tuple[Geometry, str]:
    return geometry(draw, True)


def random(shape: tuple[int, int]) -> NDArray[np.int64]:
    return np.random.default_rng(sum(shape)).integers(-9, 10, shape)


def summed(timeline: Timeline, image: NDArray[np.int64], kernel: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the taps of every step add up to."""
    values = Values(image.tolist(), kernel.tolist())
    out = np.full(timeline.geometry.output, np.nan)
    for step in timeline.steps:
        out[step.output] = sum((timeline.value(tap, values) or 0) * kernel[tap.kernel] for tap in step.taps)
    return out


@given(direct())
@settings(deadline=None)
def test_the_steps_of_a_direct_convolution_are_its_definition(case: tuple[Geometry, str]) -> None:
    shape, op = case
    image, kernel = random(shape.input), random(shape.kernel)
    names = {"zeros": "constant", "replicate": "edge", "circular": "wrap"}
    top, bottom, left, right = shape.pads
    padded = np.pad(image, ((top, bottom), (left, right)), names.get(shape.padding_mode, shape.padding_mode))  # type: ignore[call-overload]
    turned = kernel[::-1, ::-1] if op == "conv" else kernel
    (s, t), (d, e) = shape.stride, shape.dilation
    expected = [
        [
            sum(turned[i, j] * padded[s * y + d * i, t * x + e * j] for i, j in np.ndindex(kernel.shape))
            for x in range(shape.output.width)
        ]
        for y in range(shape.output.height)
    ]
    np.testing.assert_array_equal(summed(timeline_of(shape, op), image, kernel), expected)


@given(transposed())
@settings(deadline=None)
def test_the_steps_of_a_transposed_convolution_are_its_definition(case: tuple[Geometry, str]) -> None:
    """Every input pixel adds the kernel to the outputs, which padding crops."""
    shape, op = case
    image, kernel = random(shape.input), random(shape.kernel)
    turned = kernel[::-1, ::-1] if op == "conv" else kernel
    (s, t), (d, e), (top, _, left, _) = shape.stride, shape.dilation, shape.pads
    expected = np.zeros(shape.output)
    for y, x in np.ndindex(image.shape):
        for i, j in np.ndindex(kernel.shape):
            row, column = s * y + d * i - top, t * x + e * j - left
            if 0 <= row < shape.output.height and 0 <= column < shape.output.width:
                expected[row, column] += image[y, x] * turned[i, j]
    np.testing.assert_array_equal(summed(timeline_of(shape, op), image, kernel), expected)


@given(st.one_of(direct(), transposed()))
@settings(deadline=None)
def test_every_step_has_its_window_on_the_grid(case: tuple[Geometry, str]) -> None:
    timeline = timeline_of(*case)
    height, width = timeline.geometry.extent
    assert [step.output for step in timeline.steps] == [*np.ndindex(*timeline.geometry.output)]
    inputs = [field.source for row in timeline.grid for field in row if field.kind is Kind.INPUT]
    assert inputs == [*np.ndindex(*timeline.geometry.input)]
    for step in timeline.steps:
        assert 0 <= step.top <= timeline.size.height - height
        assert 0 <= step.left <= timeline.size.width - width
        rows = {tap.row for tap in step.taps}
        assert (min(rows), max(rows)) == (step.top, step.top + height - 1)
        assert (
            len(step.taps)
            == len({tap.kernel for tap in step.taps})
            == timeline.geometry.kernel[0] * timeline.geometry.kernel[1]
        )


def rows_of(timeline: Timeline) -> list[str]:
    """The grid in letters: input, 0 inserted, padding, output padding."""
    signs = {Kind.INPUT: "i", Kind.INSERTED: "0", Kind.PADDING: "p", Kind.OUTPUT_PADDING: "o"}
    return ["".join(signs[field.kind] for field in row) for row in timeline.grid]


def test_the_papers_transposed_example() -> None:
    """Dumoulin and Visin, figure 4.7: i' = 3, k = 3, s = 2, p = 1, a = 1: one row and column more at the bottom and right."""
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), padding=Pads(1, 1, 1, 1), output_padding=Pair(1, 1))
    timeline = timeline_of(spec.resolve((3, 3), (3, 3)))
    assert rows_of(timeline) == [
        "pppppppo",
        "pi0i0ipo",
        "p00000po",
        "pi0i0ipo",
        "p00000po",
        "pi0i0ipo",
        "pppppppo",
        "oooooooo",
    ]
    assert timeline.flipped
    assert len(timeline.steps) == 36


def test_cropping_more_than_the_kernel_reaches() -> None:
    """p' = d(k-1) - p = 1 - 2: the first window stands inside of the zero-stuffed input."""
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), padding=Pads(2, 2, 0, 0))
    timeline = timeline_of(spec.resolve((3, 1), (2, 1)))
    assert rows_of(timeline) == ["i", "0", "i", "0", "i"]
    assert [step.top for step in timeline.steps] == [1, 2]
    assert "padding d(k−1) − p = −1,−1,0,0 (below 0: cropped)" in " ".join(captions.facts(timeline, None))


@pytest.mark.parametrize(
    ("output_padding", "more"),
    [
        (Pair(0, 0), ""),
        (Pair(1, 1), " and 1 more at the bottom and right (output_padding)"),
        (Pair(1, 0), " and 1 more at the bottom (output_padding)"),
        (Pair(1, 2), " and 1 more at the bottom and 2 more at the right (output_padding)"),
    ],
)
def test_the_direct_convolution_has_the_output_padding(output_padding: Pair, more: str) -> None:
    """Or else it would not give the same size: 3 pixels, 2 zeros between, 1 around make 7, not 7 + output_padding."""
    spec = ConvSpec(transpose=True, stride=Pair(3, 3), padding=Pads(1, 1, 1, 1), output_padding=output_padding)
    timeline = timeline_of(spec.resolve((3, 3), (3, 3)))
    [line] = [line for line in captions.facts(timeline, None) if line.startswith("= direct")]
    assert line == (
        f"= direct convolution with stride 1, 2 zeros between pixels, padding d(k−1) − p = 1{more}, kernel flipped"
    )
    grid = document(timeline, Values())["grid"]
    assert grid["padding"] == {"top": 1, "bottom": 1, "left": 1, "right": 1}
    assert grid["output_padding"] == list(output_padding)
    across = 2 * 3 + 1 + grid["padding"]["top"] + grid["padding"]["bottom"] + grid["output_padding"][0]
    assert grid["height"] == across == timeline.geometry.output.height + 3 - 1


@pytest.mark.parametrize(
    ("size", "kernel", "padding", "says"),
    [
        ((40, 40), (3, 3), 0, "an output of 38×38 takes 1444 frames: an animation has at most 1024"),
        ((1, 1), (65, 65), 32, "65×65 cells: an animation shows at most 4096"),
        ((60, 60), (59, 59), 0, None),
        ((32, 32), (9, 9), 4, "82944 taps: an animation shows at most 65536"),
        ((10**9, 10**9), (10**9, 10**9), 0, "cells"),
    ],
)
def test_what_is_too_large_is_refused(
    size: tuple[int, int], kernel: tuple[int, int], padding: int, says: str | None
) -> None:
    shape = ConvSpec(padding=Pads(padding, padding, padding, padding)).resolve(size, kernel)
    if says is None:
        assert len(timeline_of(shape).steps) == 4
        return
    with pytest.raises(GeometryError, match=says):
        timeline_of(shape)


def test_what_a_stride_leaves_over_is_said() -> None:
    """(6 + 2 - 3) mod 2 = 1 row; (7 + 2 - 3) mod 2 = 0; with stride 4, 3 columns of 10."""
    timeline = timeline_of(ConvSpec(stride=Pair(2, 2), padding=Pads(1, 1, 1, 1)).resolve((6, 7), (3, 3)))
    assert "never read: 1 row (bottom)" in captions.facts(timeline, None)
    timeline = timeline_of(ConvSpec(stride=Pair(1, 4)).resolve((3, 10), (3, 3)))
    assert "never read: 3 columns (right)" in captions.facts(timeline, None)
    timeline = timeline_of(ConvSpec().resolve((6, 7), (3, 3)))
    assert "never read" not in " ".join(captions.facts(timeline, None))


# The page


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
    with pytest.raises(ConvError, match=r"^cell 10 is too small for '×−12\.5' to be read: use cell 26 or more"):
        stage.film(timeline, values, Look(10))
    stage.film(timeline, values, Look(26))
    stage.film(timeline, Values(), Look(4))


def test_what_a_frame_shows() -> None:
    """Σ by hand: 1·0 + 2·(-1) + 4·2 + 5·3 under a 2×2 kernel on 1…9."""
    timeline = timeline_of(ConvSpec().resolve((3, 3), (2, 2)))
    values = Values([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], [[0.0, -1], [2, 3]], [[21.0, 25], [33, 37]])
    whole = stage.film(timeline, values, Look())
    texts = {text.text for text in readable(whole.still(0).shapes)}
    assert "(0,0): Σ = 21 = 2·(−1) + 4·2 + 5·3" in texts
    assert {"×0", "×−1", "×2", "×3", "21"} <= texts
    assert "25" not in texts
    assert {"21", "25", "33"} <= {text.text for text in readable(whole.still(2).shapes)}


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


# Films


def small(title: str | None = None, theme: str = "light") -> Reel:
    timeline = timeline_of(ConvSpec(padding=Pads(1, 0, 0, 1)).resolve((3, 3), (2, 2)))
    return stage.film(timeline, Values(), Look(20, theme, title, 4))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("container", ["GIF", "PNG", "WEBP"])
def test_films_have_the_frames_of_the_page(container: str, theme: str) -> None:
    whole = small(theme=theme)
    stream = io.BytesIO()
    movie.write(whole, stream, container, 1.5)
    with Image.open(stream) as image:
        assert image.n_frames == 9  # type: ignore[attr-defined]
        assert image.info["loop"] == 0
        durations = []
        for number in range(9):
            image.seek(number)
            shown = np.asarray(image.convert("RGB")).astype(int)
            durations.append(image.info["duration"])
            painted = raster.paint(whole.still(number), 1.5)
            assert shown.shape == painted.shape
            assert np.abs(shown - painted).mean() < 0.5
            fill = [shape for shape in whole.frames[number].moving if isinstance(shape, Rect) and shape.fill]
            for shape in fill:
                y, x = int((shape.y + 3) * 1.5), int((shape.x + 3) * 1.5)
                assert tuple(shown[y, x]) == channels(str(shape.fill))
        assert tuple(shown[0, 0]) == channels(whole.base.background)
    assert durations == [250] * 8 + [1750]


def test_gifs_are_small() -> None:
    stream = io.BytesIO()
    movie.write(small(), stream, "GIF")
    assert len(stream.getvalue()) < 40_000
    with Image.open(stream) as image:
        assert len(image.getcolors() or []) <= movie.COLORS


def test_films_without_end_are_refused() -> None:
    with pytest.raises(ImageError, match=r"use a smaller scale or cell, or write \.svg"):
        movie.write(small(), io.BytesIO(), "GIF", 100)


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


def test_one_frame_is_a_film_too() -> None:
    timeline = timeline_of(ConvSpec().resolve((2, 2), (2, 2)))
    whole = stage.film(timeline, Values(), Look())
    root = ElementTree.fromstring(reels.render(whole))
    assert not root.findall(f".//{SVG}animate")
    stream = io.BytesIO()
    movie.write(whole, stream, "GIF")
    with Image.open(stream) as image:
        assert getattr(image, "n_frames", 1) == 1


def test_the_document_is_the_film() -> None:
    timeline = timeline_of(ConvSpec(stride=Pair(2, 2), padding=Pads(1, 1, 1, 1)).resolve((3, 3), (3, 3)))
    values = Values([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], [[1.0] * 3] * 3, [[12.0, 16], [24, 28]])
    one = document(timeline, values)
    assert one["grid"]["cells"][0] == ["padding"] * 5
    assert one["grid"]["cells"][1] == ["padding", *["input"] * 3, "padding"]
    assert len(one["frames"]) == 4
    frame = document(timeline, values, frame=3)["frames"][0]
    assert frame["frame"] == 3
    assert frame["output"] == (1, 1)
    assert frame["value"] == 28
    assert frame["window"] == {"top": 2, "left": 2, "height": 3, "width": 3}
    assert sum(tap["product"] for tap in frame["taps"]) == 28
    assert frame["taps"][0] == {
        "at": [2, 2], "kind": "input", "input": (1, 1), "kernel": (0, 0), "value": 5.0, "weight": 1.0, "product": 5.0,
    }  # fmt: skip
    assert frame["taps"][8]["input"] is None
