"""Tiles of the plan toeplitz."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import toeplitz
from convcli.convspec import ConvSpec


@pytest.mark.parametrize(("width", "distinct"), [(3000, 2), (3000, 3), (4095, 3), (4096, 3), (9000, 3), (50, 1)])
def test_tiles_are_of_whole_blocks(width: int, distinct: int) -> None:
    kernel = np.array([[1.0, 2, 1], [3, 4, 3], [5, 7, 5]]) if distinct == 2 else np.arange(9.0).reshape(3, 3) + 1
    kernel = kernel[:, :1] if distinct == 1 else kernel
    geometry = ConvSpec(padding="same-upper").resolve((4000, width), kernel.shape)
    job = direct(kernel[np.newaxis, np.newaxis], None, geometry, 1, np.dtype(np.uint8), interleaved=False)
    size = toeplitz.tile(job, 4)
    line = job.reads(range(size.width)).shape[1]
    assert size.height % toeplitz.rows_of(job, line) == 0


@pytest.mark.parametrize("height", range(9, 21))
def test_lines_are_as_long_as_those_that_are_read(height: int) -> None:
    """4095 outputs in a line read 4097 values: from 4096 on, blocks have two rows."""
    kernel = np.arange(9.0).reshape(3, 3) + 1
    geometry = ConvSpec(padding="same-upper").resolve((height, 4095), kernel.shape)
    job = direct(kernel[np.newaxis, np.newaxis], None, geometry, 1, np.dtype(np.uint8), interleaved=False)
    size = toeplitz.tile(job, 4)
    assert toeplitz.rows_of(job, job.reads(range(size.width)).shape[1]) == 2
    assert size == (height // 2 * 2, 4095)
