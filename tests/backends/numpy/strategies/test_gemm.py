"""The plan gemm: which rows of the image the rows of a kernel read."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import gemm
from convcli.convspec import ConvSpec
from convcli.geometry import Pair


@pytest.mark.parametrize(
    ("stride", "dilation", "sets", "reach"),
    [
        (1, 1, [(0, [(0, 0), (1, 1), (2, 2), (3, 3)])], 3),
        (2, 1, [(0, [(0, 0), (2, 1)]), (1, [(1, 0), (3, 1)])], 1),
        (3, 1, [(0, [(0, 0), (3, 1)]), (1, [(1, 0)]), (2, [(2, 0)])], 1),
        (1, 2, [(0, [(0, 0), (1, 2), (2, 4), (3, 6)])], 6),
        (3, 2, [(0, [(0, 0), (3, 2)]), (2, [(1, 0)]), (1, [(2, 1)])], 2),
    ],
)
def test_rows_of_a_kernel_that_share_what_is_gathered(
    stride: int, dilation: int, sets: list[tuple[int, list[tuple[int, int]]]], reach: int
) -> None:
    """Four rows: row i of the kernel reads row d·i, the first of its set and so many further on."""
    geometry = ConvSpec(stride=Pair(stride, 1), dilation=Pair(dilation, 1)).resolve((30, 8), (4, 1))
    job = direct(np.ones((1, 1, 4, 1)), None, geometry, 1, np.dtype(np.float32), interleaved=False)
    assert gemm.row_sets(job) == sets
    assert gemm.reach(job) == reach
