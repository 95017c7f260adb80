"""The cache of decoded chunks, and windows put together from them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.geometry import Size
from convcli.images.reading.windows.chunks import Cache, Grid


def array(count: int) -> np.ndarray:
    return np.zeros((1, 1, count), np.uint8)


def test_what_was_used_last_stays() -> None:
    cache, made = Cache(100), []

    def get(key: str, size: int = 40) -> None:
        cache.get(key, lambda: made.append(key) or array(size))  # type: ignore[func-returns-value]

    for key in "abacb":  # c takes the place of b, which was used longer ago than a
        get(key)
    assert made == ["a", "b", "c", "b"]
    assert cache.nbytes == 80
    cache.clear()
    assert cache.nbytes == 0


def test_a_part_counts_as_the_whole_that_it_keeps_in_memory() -> None:
    cache = Cache(100)
    cache.get("a", lambda: array(60)[..., :3])
    assert cache.nbytes == 60


def test_the_last_one_stays_even_if_it_is_larger() -> None:
    """A picture of one strip is not decoded again for every window."""
    cache, made = Cache(10), []
    for key in ("a", "a", "b", "b", "a"):
        cache.get(key, lambda key=key: made.append(key) or array(40))  # type: ignore[misc]
    assert made == ["a", "b", "a"]
    assert cache.nbytes == 40


def test_one_pixel_again_and_again_is_not_kept() -> None:
    cache = Cache(1 << 30)
    found = cache.get("a", lambda: np.broadcast_to(np.zeros((3, 1, 1)), (3, 512, 512)))
    assert (found.shape, cache.nbytes) == ((3, 512, 512), 0)


def test_threads_wait_for_the_one_that_decodes() -> None:
    cache, made, begin = Cache(1000), [], threading.Barrier(8)

    def make() -> np.ndarray:
        made.append(1)
        time.sleep(0.02)
        return array(5)

    def get(_: int) -> np.ndarray:
        begin.wait()
        return cache.get("a", make)

    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(get, range(8))]
    assert len(made) == 1
    assert all(one is found[0] for one in found)


def test_an_error_is_raised_and_not_kept() -> None:
    cache, tries = Cache(1000), []

    def make() -> np.ndarray:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("damaged")
        return array(5)

    with pytest.raises(ValueError, match="damaged"):
        cache.get("a", make)
    assert cache.get("a", make).nbytes == 5


@given(
    st.integers(1, 30), st.integers(1, 30), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.booleans(),
    st.tuples(*[st.integers(0, 30)] * 4), st.integers(0, 200),
)  # fmt: skip
def test_any_window_of_any_grid(
    height: int, width: int, down: int, across: int, channels: int, interleaved: bool,
    bounds: tuple[int, int, int, int], most: int,
) -> None:  # fmt: skip
    pixels = np.arange(channels * height * width, dtype=np.int32).reshape(channels, height, width)

    def decoded(row: int, column: int) -> np.ndarray:
        return pixels[:, row * down : (row + 1) * down, column * across : (column + 1) * across].copy()

    grid = Grid(Size(height, width), Size(down, across), channels, pixels.dtype, decoded, Cache(most), interleaved)
    assert grid.count == (-(-height // down), -(-width // across))
    rows, columns = slice(*sorted(bounds[:2])), slice(*sorted(bounds[2:]))
    found = grid.read(rows, columns)
    np.testing.assert_array_equal(found, pixels[:, rows, columns])
    assert (np.moveaxis(found, 0, -1) if interleaved else found).flags.c_contiguous
