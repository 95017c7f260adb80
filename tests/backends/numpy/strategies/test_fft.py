"""The plan fft: the memory that the transforms of kernels may take."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.backends.numpy.job import direct
from convcli.backends.numpy.strategies import fft
from convcli.convspec import ConvSpec


def test_transforms_that_take_too_much_are_only_held_if_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = np.random.default_rng(0).random((4, 1, 25, 25))
    geometry = ConvSpec().resolve((300, 400), (25, 25))
    job = direct(kernels, None, geometry, 1, np.dtype(np.uint8), interleaved=False)
    held = fft.spectra_bytes(job, "float32", 4)
    for limit, count in ((held, 1), (held - 1, 0)):
        monkeypatch.setattr(fft, "SPECTRA_BYTES", limit)
        assert len([*fft.estimates([job], "float32")]) == count
        assert len([*fft.estimates([job], "float32", wanted=True)]) == 1
