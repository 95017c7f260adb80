"""Sources of pixels: how those in memory lie there, and what is read of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from convcli.windows import WHOLE, Held, is_interleaved, whole


def pictures(shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Pictures ``(N, C, H, W)`` whose channels lie side by side."""
    n, channels, height, width = shape
    pixels = np.arange(np.prod(shape), dtype=np.uint16).reshape(n, height, width, channels)
    return np.moveaxis(pixels, -1, 1)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pictures((1, 3, 4, 5)), True),
        (pictures((2, 2, 4, 5)), True),
        (pictures((1, 3, 1, 5)), True),
        (pictures((1, 3, 4, 1)), True),
        (pictures((1, 3, 1, 1)), True),
        (pictures((1, 1, 4, 5)), False),  # there is nothing beside it
        (pictures((1, 3, 4, 5)).copy(), False),  # plane by plane
        (pictures((1, 3, 4, 6))[..., :5], False),  # a gap behind each row
        (pictures((1, 3, 4, 6))[..., ::2], False),  # behind each pixel
        (pictures((1, 4, 4, 5))[:, :3], False),  # an opacity that is left out
        (pictures((1, 3, 8, 5))[:, :, ::2], False),  # every second row
        (pictures((1, 3, 4, 5))[:, :, ::-1], False),
        (pictures((1, 3, 4, 5))[:, ::-1], False),
        (pictures((1, 3, 8, 1))[:, :, ::2], False),
        (pictures((1, 3, 1, 6))[..., ::2], False),
        (pictures((1, 3, 1, 6))[..., :1], True),  # the strides of axes of length 1 do not matter
        (pictures((1, 3, 8, 5))[:, :, :1], True),
        (pictures((1, 3, 1, 6))[..., ::2][..., :1], True),
    ],
)
def test_which_pixels_lie_side_by_side(array: NDArray[np.uint16], expected: bool) -> None:
    assert is_interleaved(array) == expected
    assert Held(array).interleaved == expected


def test_what_is_read_of_pixels_in_memory() -> None:
    array = pictures((2, 3, 4, 5))
    held = Held(array)
    assert (held.shape, held.dtype, held.nbytes) == ((2, 3, 4, 5), np.uint16, 240)
    np.testing.assert_array_equal(held.read(1), array[1])
    np.testing.assert_array_equal(held.read(1, slice(1, 3), slice(2, 5)), array[1, :, 1:3, 2:5])
    assert np.shares_memory(held.read(0), array)
    assert whole(held) is array


def test_a_source_that_is_not_in_memory_is_read_picture_by_picture() -> None:
    array = pictures((2, 3, 4, 5))

    class Other:
        shape = array.shape

        def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> NDArray[np.uint16]:
            return array[image, :, rows, columns].copy()

    np.testing.assert_array_equal(whole(Other()), array)  # type: ignore[arg-type]
