"""A scene as SVG."""

from base64 import b64decode
from io import BytesIO
from xml.etree import ElementTree

import pytest
from PIL import Image

from convcli.drawing import svg
from convcli.drawing.scene import Pixels, Scene, text_width
from support.figures import SCENE, SVG


def test_svg_is_well_formed_and_holds_every_shape() -> None:
    root = ElementTree.fromstring(svg.render(SCENE))
    assert root.attrib["viewBox"] == "0 0 100 60"
    text = root.find(f"{SVG}text")
    assert text is not None
    assert text.text == "a < b & Σ"
    assert float(text.attrib["x"]) == pytest.approx(50 - text_width("a < b & Σ", 10) / 2, abs=0.01)
    assert root.find(f"{SVG}title").text == "shapes"  # type: ignore[union-attr]
    assert len(root.findall(f"{SVG}g/{SVG}rect")) == 3  # a run of two pixels is one rectangle


def test_a_photograph_is_one_image() -> None:
    """As rectangles, each of its pixels would take 60 bytes."""
    rows = tuple(tuple(f"#{y:02x}{x:02x}80" for x in range(100)) for y in range(60))
    root = ElementTree.fromstring(svg.render(Scene(200, 120, "#ffffff", (Pixels(10, 20, 50, 30, rows),))))
    image = root.find(f"{SVG}image")
    assert image is not None
    assert [image.attrib[name] for name in ("x", "y", "width", "height")] == ["10", "20", "50", "30"]
    head, _, data = image.attrib["{http://www.w3.org/1999/xlink}href"].partition(",")
    assert head == "data:image/png;base64"
    with Image.open(BytesIO(b64decode(data))) as picture:
        assert picture.size == (100, 60)
        assert picture.getpixel((99, 1)) == (1, 99, 0x80)
