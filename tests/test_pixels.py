"""Pillow's pixels as an array: what `numpy.asarray` says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convcli.images.pixels import array_of

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "I;16", "F")


@given(mode=st.sampled_from(MODES), width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 99))
def test_any_image(mode: str, width: int, height: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    image = Image.fromarray(values).convert("L" if mode == "I;16" else mode)
    image = image.convert("I").convert("I;16") if mode == "I;16" else image
    found = array_of(image)
    np.testing.assert_array_equal(found, np.asarray(image))
    assert found.dtype == np.asarray(image).dtype


def test_a_large_one() -> None:
    values = np.random.default_rng(1).integers(0, 255, (700, 900, 3), np.uint8)
    np.testing.assert_array_equal(array_of(Image.fromarray(values)), values)


def test_a_header_in_one_piece_with_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).integers(0, 255, (7, 9, 3), np.uint8)

    def save(image: Image.Image, stream: object, name: str) -> None:
        data = b"P6\n9 7\n255\n" + image.tobytes()
        for start in range(0, len(data), 20):
            stream.write(data[start : start + 20])  # type: ignore[attr-defined]

    image = Image.fromarray(values)
    monkeypatch.setitem(Image.SAVE, "PPM", save)
    np.testing.assert_array_equal(array_of(image), values)


def test_another_header_than_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should Pillow come to write more before the pixels, they are listed as before."""
    values = np.random.default_rng(1).integers(0, 255, (7, 9, 3), np.uint8)
    image = Image.fromarray(values)
    right = Image.SAVE["PPM"]

    def save(image: Image.Image, stream: object, name: str) -> None:
        stream.write(b"# a remark")  # type: ignore[attr-defined]
        right(image, stream, name)

    monkeypatch.setitem(Image.SAVE, "PPM", save)
    np.testing.assert_array_equal(array_of(image), values)
