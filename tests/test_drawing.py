"""Figures: shapes as SVG and as pixels."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convcli.drawing import colors, svg
from convcli.drawing import half_blocks as blocks
from convcli.drawing.grid import Cell, cells, number
from convcli.drawing.scene import Line, Pixels, Rect, Scene, Text, fitting_size, text_width
from convcli.errors import ImageError
from convcli.images.figures import raster

SVG = "{http://www.w3.org/2000/svg}"
SCENE = Scene(
    100,
    60,
    "#ffffff",
    (
        Rect(10, 10, 20, 20, fill="#ff0000"),
        Rect(40, 10, 20, 20, stroke="#0000ff", stroke_width=2, dash=3),
        Line(((70, 10), (90, 30)), "#00ff00", 2, arrow=True),
        Text(50, 45, "a < b & Σ", 10, "#000000", "middle"),
        Pixels(5, 40, 10, 10, (("#123456", "#123456"), ("#abcdef", "#000000"))),
    ),
    "shapes",
)


def test_svg_is_well_formed_and_holds_every_shape() -> None:
    root = ElementTree.fromstring(svg.render(SCENE))
    assert root.attrib["viewBox"] == "0 0 100 60"
    text = root.find(f"{SVG}text")
    assert text is not None
    assert text.text == "a < b & Σ"
    assert float(text.attrib["x"]) == pytest.approx(50 - text_width("a < b & Σ", 10) / 2, abs=0.01)
    assert root.find(f"{SVG}title").text == "shapes"  # type: ignore[union-attr]
    assert len(root.findall(f"{SVG}g/{SVG}rect")) == 3  # a run of two pixels is one rectangle


@pytest.mark.parametrize("scale", [1, 2, 3.5])
def test_pixels_are_where_the_scene_has_them(scale: float) -> None:
    image = raster.paint(SCENE, scale)
    assert image.shape == (round(60 * scale), round(100 * scale), 3)
    at = lambda x, y: tuple(image[int(y * scale), int(x * scale)])
    assert at(20, 20) == (255, 0, 0)
    assert at(50, 20) == (255, 255, 255)
    assert at(7, 42) == at(12, 42) == (0x12, 0x34, 0x56)
    assert at(7, 47) == (0xAB, 0xCD, 0xEF)
    assert at(95, 55) == (255, 255, 255)


def test_the_font_has_every_sign_that_is_drawn() -> None:
    drawn = lambda sign: raster.paint(Scene(30, 30, "#ffffff", (Text(2, 15, sign, 20, "#000000"),)))
    for sign in "0123456789−.eΣ×·→←↑↓⌊⌋⌈⌉σπΩ²½±≤≥≠≈…│▀█▁✓°µ":
        assert not np.array_equal(drawn(sign), drawn("\uffff")), sign


def test_the_width_of_texts_is_the_fonts() -> None:
    text = "Σ x·w = −12.5"
    assert raster._font(100).getlength(text) == pytest.approx(text_width(text, 100), rel=0.01)
    assert text_width(text, fitting_size(text, 50, 99)) == pytest.approx(50)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_fill_has_readable_text(theme: str) -> None:
    """WCAG 2 asks for a contrast of 4.5 between text and what lies behind it."""

    def luminance(color: str) -> float:
        values = [c / 255 for c in colors.channels(color)]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    theirs = colors.PALETTES[theme]
    pairs = [(theirs.ink, theirs.background), (theirs.faint, theirs.background)]
    fills = (theirs.input, theirs.window, theirs.kernel, theirs.output, theirs.current, theirs.negative)
    pairs += [(colors.readable_on(fill), fill) for fill in fills]
    for ink, behind in pairs:
        high, low = sorted((luminance(ink), luminance(behind)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, behind)


def test_texts_of_a_grid_fit_their_cells() -> None:
    rows = [[Cell("#ffffff", "-123.456", "#000000"), None], [Cell(), Cell(text="7")]]
    shapes = [*cells(0, 0, 40, rows, "#000000")]
    texts = [shape for shape in shapes if isinstance(shape, Text)]
    assert {text.text for text in texts} == {"-123.456", "7"}
    assert len({text.size for text in texts}) == 1
    assert all(text.left >= 0 and text_width(text.text, text.size) <= 40 for text in texts)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-3.0, "−3"), (255, "255"), (0.125, ".125"), (-0.5, "−.5"), (1 / 3, ".333"), (1e-7, "1e−7"),
        (1000.5, "1000.5"), (2298.7, "2298.7"), (-999999.4, "−999999.4"), (12.04, "12.0"), (2.001, "2.0"), (99.96, "100.0"),
        (3.0000000000000004, "3"), (0.0005, ".0005"), (-0.0, "0"), (1234567.0, "1.23e6"),
        (1e9, "1e9"), (float("nan"), "nan"), (float("-inf"), "−inf"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


def test_pictures_of_characters() -> None:
    lines = blocks.half_blocks([["#ff0000", "#00ff00"], ["#0000ff", "#ffffff"], ["#010203", "#040506"]])
    assert len(lines) == 2
    assert lines[0].count("▀") == 2
    assert lines[0].startswith("\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀")
    assert all(line.endswith(blocks.RESET) for line in lines)
    assert blocks.sparkline([0, 1, 2, 1, 0]) == "▁▅█▅▁"
    assert blocks.sparkline([3, 3]) == "▁▁"


@pytest.mark.parametrize("name", ["figure.svg", "figure.PNG"])
def test_figures_are_files(name: str, tmp_path: Path) -> None:
    raster.save(SCENE, str(tmp_path / name), scale=2)
    if name.endswith("svg"):
        ElementTree.parse(tmp_path / name)
    else:
        assert Image.open(tmp_path / name).size == (200, 120)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"\.svg, \.png"):
        raster.save(SCENE, str(tmp_path / "figure.pdf"))
    assert not [*tmp_path.iterdir()]
