"""A scene as SVG."""

from xml.etree import ElementTree

import pytest

from convcli.drawing import svg
from convcli.drawing.scene import text_width
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
