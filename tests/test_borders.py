"""The border index map: as a list, for one position, and in NumPy; and paddings far beyond what is read of them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.borders import PaddedAxis, sources
from convcli.geometry import ZERO, border_indices, source_at
from convcli.vocabulary import PADDING_MODES
from support.cli import SAMPLES, done, run

NUMPY = {"reflect": "reflect", "replicate": "edge", "circular": "wrap", "symmetric": "symmetric"}


@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 40), st.sampled_from(PADDING_MODES))
def test_every_form_says_what_numpy_pads(size: int, before: int, after: int, mode: str) -> None:
    positions = np.arange(-before, size + after)
    if mode == "zeros":
        expected = np.pad(np.arange(size), (before, after), constant_values=ZERO)
    else:
        expected = np.pad(np.arange(size), (before, after), mode=NUMPY[mode])  # type: ignore[call-overload]
    assert border_indices(size, before, after, mode) == expected.tolist()
    assert [source_at(int(position), size, mode) for position in positions] == expected.tolist()
    np.testing.assert_array_equal(sources(positions, size, mode), expected)
    axis = PaddedAxis(size, before, before + size + after, mode)
    np.testing.assert_array_equal(axis[:], expected)
    np.testing.assert_array_equal(axis[before : before + 3], expected[before : before + 3])
    assert len(axis) == len(expected)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_padding_of_which_little_is_read(mode: str, tmp_path: Path) -> None:
    """Two thousand million padded pixels, three by three outputs: nothing is written down for each of them."""
    far = 10**9
    tiny = SAMPLES / "tiny.png"
    options = ("-k", "1,2,3;4,5,6;7,8,9", "-p", far, "-s", far, "--padding-mode", mode)
    done("apply", tiny, *options, "--range", "raw", "-o", tmp_path / "out.npy")
    result = np.load(tmp_path / "out.npy")
    assert result.shape == (3, 3, 3)
    explained = done("explain", tiny, *options, "--at", "2,1", "--channel", 1, "-q").text
    assert float(explained) == result[1, 2, 1]


def test_what_apply_refuses_is_not_explained() -> None:
    result = run("explain", SAMPLES / "coffee.jpg", "-k", "sobel", "-p", 10**8, "--at", "0,0")
    assert result.code == 2
    assert "GiB" in result.err
