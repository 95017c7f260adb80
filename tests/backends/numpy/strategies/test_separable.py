"""The plan separable, where a tile is folded in several goes."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.backends.numpy.strategies import separable
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair
from convcli.kernels import parse
from support.operations import convolve


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 3])
def test_lines_that_are_folded_some_rows_at_a_time(stride: int, dilation: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tile is done in several goes, the last of them lower."""
    monkeypatch.setattr(separable, "FOLD_BYTES", 1)
    image = np.random.default_rng(0).integers(0, 256, (31, 1500, 3), np.uint8).transpose(2, 0, 1)
    weight = np.broadcast_to(parse("gaussian:1").kernels[0].values, (3, 1, 7, 7)).copy()
    spec = ConvSpec(groups=3, stride=Pair(stride, 1), dilation=Pair(dilation, dilation), padding=Pads(5, 6, 3, 2))
    truth = convolve(image, weight, spec, Compute("reference")).array
    found = convolve(image, weight, spec, Compute("numpy", plan="separable")).array
    np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-3)
