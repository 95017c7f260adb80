"""What a decoded picture is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.images.picture import joined
from support.cli import done


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "gray"), ("LA", "gray-alpha"), ("RGB", "rgb"), ("RGBA", "rgba"), ("CMYK", "cmyk")]
)
def test_the_table_names_the_mode(mode: str, name: str, tmp_path: Path) -> None:
    Image.new(mode, (9, 7)).save(tmp_path / "in.tif")
    table = done("apply", tmp_path / "in.tif", "-k", "box", "-o", tmp_path / "out.tif").table
    assert table["input"].split()[-1] == name


def test_opacity_beside_the_colours_is_no_copy() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    planes = np.moveaxis(pixels, -1, 0)
    whole = joined(planes[:-1], planes[-1])
    assert np.shares_memory(whole, pixels)
    np.testing.assert_array_equal(whole, planes)


@pytest.mark.parametrize("apart", ["other array", "other order", "other type"])
def test_opacity_that_lies_elsewhere_is_copied(apart: str) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    planes = np.moveaxis(pixels, -1, 0)
    colour, alpha = planes[:-1], planes[-1]
    if apart == "other array":
        alpha = alpha.copy()
    elif apart == "other order":
        colour, alpha = planes[1:], planes[0]
    else:
        alpha = alpha.astype(np.uint16)
    whole = joined(colour, alpha)
    assert not np.shares_memory(whole, pixels)
    np.testing.assert_array_equal(whole, [*colour, alpha])
