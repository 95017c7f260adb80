"""Figures as pixels and as files."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convcli.drawing.scene import Scene, Text, fitting_size, text_width
from convcli.errors import ImageError
from convcli.images.figures import raster
from support.figures import SCENE


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
