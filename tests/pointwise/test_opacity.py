"""Colours weighted by their opacity."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convcli.pointwise.lift import Restore
from support.cli import done
from support.pictures import read, write


def test_a_colour_is_divided_by_the_opacity_that_is_left() -> None:
    """Half of opaque 200 and half of nothing: still 200, half opaque; and where nothing is seen, the bias alone."""
    values = np.array([[100.0, 3.0], [127.5, 0.0]])[:, np.newaxis]
    found = Restore(255.0, opacity=True, gain=1.0, bias=(7.0,)).apply(values)
    np.testing.assert_allclose(found[:, 0], [[207, 7], [127.5, 0]])


def test_gray_blur_weighs_by_opacity(tmp_path: Path) -> None:
    """White beside transparent black stays white."""
    planes = np.zeros((4, 9, 20), np.uint8)
    planes[:, :, :10] = 255
    write(tmp_path / "in.png", planes)
    options = ("-k", "gaussian:3", "--channels", "gray", "-p", "same", "--padding-mode", "replicate")
    done("apply", "in.png", *options, "-o", "out.png", cwd=tmp_path)
    gray, opacity = read(tmp_path / "out.png")
    assert (gray[opacity > 0] == 255).all()
    assert 0 < opacity[4, 10] < 255
