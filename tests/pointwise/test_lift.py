"""Gray of colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convcli.pointwise.lift import LUMA, Lift, Restore
from support.cli import done
from support.pictures import read, write


def test_gray_of_one_pixel() -> None:
    image = np.array([100, 50, 200], np.uint8).reshape(3, 1, 1)
    np.testing.assert_allclose(Lift("float64", 255.0, gray=LUMA).whole(image), [[[29.9 + 29.35 + 22.8]]])


def test_linear_light_in_float64(tmp_path: Path) -> None:
    """Colour 128 of 255, decoded by IEC 61966-2-1, to more digits than float32 has."""
    write(tmp_path / "in.png", np.full((3, 3, 3), 128, np.uint8))
    command = ("apply", "in.png", "-k", "1", "--linear", "--dtype", "float64", "-o", "out.npy")
    done(*command, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), 128, rtol=1e-12)


def test_gray_of_linear_light_is_luminance(tmp_path: Path) -> None:
    write(tmp_path / "green.png", np.stack([np.full((3, 3), value, np.uint8) for value in (0, 255, 0)]))
    command = ("apply", "green.png", "-k", "1", "--channels", "gray", "-o", "out.png")
    done(*command, cwd=tmp_path)
    assert (read(tmp_path / "out.png") == round(0.587 * 255)).all()
    done(*command, "--linear", cwd=tmp_path)
    assert (read(tmp_path / "out.png") == round((1.055 * 0.7152 ** (1 / 2.4) - 0.055) * 255)).all()


def test_a_colour_is_divided_by_the_opacity_that_is_left() -> None:
    """Half of opaque 200 and half of nothing: still 200, half opaque; and where nothing is seen, the bias alone."""
    values = np.array([[100.0, 3.0], [127.5, 0.0]])[:, np.newaxis]
    found = Restore(255.0, alpha=True, gain=1.0, bias=(7.0,)).apply(values)
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
