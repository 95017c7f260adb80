"""What a kernel does: sums, symmetries, its centre."""

from pathlib import Path

import numpy as np
import pytest

from convcli.kernels import Kernel
from convcli.kernels.analysis import analyse
from support.cli import done
from support.kernels import found


def test_sums_and_range() -> None:
    one = found("1,-2,3.5;0,-0.25,0")
    assert (one.sum, one.abs_sum, one.low, one.high) == (2.25, 6.75, -2.25, 4.5)
    assert not one.zero_sum
    assert found("log:1.4").zero_sum
    assert found("farid-x").zero_sum
    assert not found("gaussian").zero_sum


@pytest.mark.parametrize(
    ("spec", "symmetric", "antisymmetric", "left_right", "top_bottom"),
    [
        ("gaussian", True, False, True, True),
        ("sobel-x", False, True, False, True),
        ("roberts-x", False, True, False, False),
        ("1,2;3,4", False, False, False, False),
        ("1,2;2,1", True, False, False, False),
        ("1,2,1;3,4,3", False, False, True, False),
    ],
)
def test_symmetries(spec: str, symmetric: bool, antisymmetric: bool, left_right: bool, top_bottom: bool) -> None:
    one = found(spec)
    assert (one.symmetric, one.antisymmetric, one.left_right, one.top_bottom) == (
        symmetric, antisymmetric, left_right, top_bottom,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("size", "centre", "offset"), [((3, 5), (1, 2), (0, 0)), ((2, 4), (0, 1), (0.5, 0.5)), ((1, 6), (0, 2), (0, 0.5))]
)
def test_the_centre_is_where_same_padding_puts_it(
    size: tuple[int, int], centre: tuple[int, int], offset: tuple[float, float], tmp_path: Path
) -> None:
    """A kernel that is 1 at its centre, and 0 elsewhere, leaves an image as it is."""
    one = analyse(Kernel("k", np.ones(size)))
    assert (one.centre, one.offset) == (centre, offset)
    values = np.zeros(size)
    values[centre] = 1
    np.save(tmp_path / "k.npy", values)
    image = np.random.default_rng(1).random((7, 8))
    np.save(tmp_path / "in.npy", image)
    done("apply", "in.npy", "-k", "k.npy", "-p", "same", "-o", "out.npy", "-q", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy") == pytest.approx(image)
