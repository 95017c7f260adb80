"""What all strategies share: how large tiles are."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import common
from convcli.convspec import ConvSpec


@pytest.mark.parametrize("rows", [3, 31, 61, 101, 151, 201, 301, 401])
def test_a_tile_is_half_as_high_as_its_windows(rows: int) -> None:
    """Unless its lines would become short: else each input row would be gathered again and again."""
    geometry = ConvSpec(padding="same-upper").resolve((6000, 12000), (rows, 1))
    job = direct(np.ones((1, 1, rows, 1)), None, geometry, 1, np.dtype(np.uint8), interleaved=False)
    height, width = common.tile(job, 4)
    assert height >= max(common.ENOUGH_ROWS, rows // 2) or width < 1024
    assert (width + 1) * 4 * (height + rows) <= 2 * common.CACHE_BYTES
