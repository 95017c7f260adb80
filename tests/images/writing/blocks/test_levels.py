"""Levels by their definition, whole and of blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from convcli.geometry import Size
from convcli.images.writing.blocks.levels import halved, held, sizes
from support.blocks import halves

DTYPES = "uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 2)),
            elements=st.floats(-1000, 1000, width=32) if dtype.startswith("float") else None,
        )
    )
)
def test_means_of_2x2(pixels: np.ndarray) -> None:
    found = halved(pixels)
    assert found.dtype == pixels.dtype
    expected = [*halves(pixels, max(1, max(pixels.shape[:2]) - 1))]
    if len(expected) == 1:  # a single pixel
        np.testing.assert_array_equal(found, pixels)
    else:
        small = 1e-12 if pixels.dtype == np.float64 else 0
        np.testing.assert_allclose(found, expected[1], rtol=small, atol=small)


def test_rounding_by_hand() -> None:
    sums = np.arange(12)  # of four pixels: three nothings and a sum
    pixels = np.zeros((2, 24, 1), np.uint8)
    pixels[0, ::2, 0] = sums
    assert halved(pixels).ravel().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3]
    assert halved(np.full((2, 2, 1), 255, np.uint8)).tolist() == [[[255]]]
    assert halved(np.full((2, 2, 1), 65535, np.uint16)).tolist() == [[[65535]]]


def test_what_is_no_number_stays_so_without_a_warning() -> None:
    pixels = np.array([[np.nan, 1, np.inf, -np.inf, 3e38, 3e38], [1, 1, 1, 1, 3e38, 3e38]], np.float32)[..., np.newaxis]
    assert halved(pixels).ravel() == pytest.approx([np.nan, np.nan, 3e38], nan_ok=True)


def test_sizes_down_to_512() -> None:
    assert sizes(Size(512, 512)) == [(512, 512)]
    assert sizes(Size(513, 3)) == [(513, 3), (257, 2)]
    assert sizes(Size(5000, 1001)) == [(5000, 1001), (2500, 501), (1250, 251), (625, 126), (313, 63)]
    assert sizes(Size(5000, 1001), False) == [(5000, 1001)]


@pytest.mark.parametrize(
    ("rows", "columns", "count"),
    [
        ((0, 4096), (4096, 8192), 3),
        ((4096, 5000), (8192, 9000), 3),  # the picture's corner
        ((0, 512), (0, 4096), 0),
        ((1024, 2048), (0, 4096), 1),
        ((1024, 3072), (0, 4096), 1),  # begins at no more
        ((0, 5000), (0, 9000), 5),
    ],
)
def test_what_a_block_holds(rows: tuple[int, int], columns: tuple[int, int], count: int) -> None:
    assert held(range(*rows), range(*columns), Size(5000, 9000), 512, 5) == count
    assert held(range(*rows), range(*columns), Size(5000, 9000), 512, 2) == min(2, count)
