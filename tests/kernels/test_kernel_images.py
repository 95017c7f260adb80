"""Kernels in image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from astropy.io import fits
from PIL import Image

from convcli.errors import ConvError
from convcli.kernels import kernel_images, parse
from support.cli import done, run
from support.kernels import message, values

PSF = np.array([[1, 2, 1], [3, 40, 5], [1, 2, 0]], np.uint16) * 100


@pytest.mark.parametrize("name", ["psf.tif", "psf.png", "psf.fits", "psf.pgm", "float.tif", "rgb.png", "opaque.png"])
def test_one_channel_is_the_kernel(name: str, tmp_path: Path) -> None:
    path, small = tmp_path / name, (PSF // 100).astype(np.uint8)
    expected = PSF.astype(float)
    if name == "psf.fits":
        fits.writeto(path, PSF)
    elif name == "float.tif":
        expected = PSF / 7
        tifffile.imwrite(path, expected)
    elif name in ("rgb.png", "opaque.png"):
        expected = small.astype(float)
        full = [np.full_like(small, 255)] if name == "opaque.png" else []
        Image.fromarray(np.stack([small, small, small, *full], -1)).save(path)
    elif name == "psf.tif":
        tifffile.imwrite(path, PSF)
    else:
        Image.fromarray(PSF).save(path)
    if name == "psf.fits":
        assert sorted(values(str(path)).ravel()) == sorted(expected.ravel())
    else:
        np.testing.assert_array_equal(values(str(path)), expected)
    command = ("apply", "samples/tiny.png", "-k", path, "-p", "same", "-o", tmp_path / "out.png", "-q")
    said = done(*command).err
    total = f"{expected.sum():.6g}"
    assert f"sums to {total}: --normalize divides it by that" in said
    assert "sums to" not in done(*command, "--normalize").err


def test_what_is_not_a_kernel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (3, 3, 3)).astype(np.uint8)
    Image.fromarray(colours).save(tmp_path / "c.png")
    assert "has 3 channels, and a kernel is one: save it in gray" in message(lambda: parse(f"{tmp_path}/c.png"))
    gray = np.dstack([colours[..., :1]] * 3 + [colours[..., 1:2]])
    Image.fromarray(gray).save(tmp_path / "t.png")
    assert "has transparent pixels" in message(lambda: parse(f"{tmp_path}/t.png"))
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((2, 3, 3), np.uint8), photometric="minisblack", metadata=None)
    assert "has 2 frames" in message(lambda: parse(f"{tmp_path}/s.tif"))
    tifffile.imwrite(tmp_path / "n.tif", np.full((3, 3), np.nan, np.float32))
    assert "contains nan" in message(lambda: parse(f"{tmp_path}/n.tif"))
    monkeypatch.setattr(kernel_images, "MOST_VALUES", 8)
    Image.fromarray(PSF).save(tmp_path / "p.png")
    assert "is an image of 3×3, which is too large" in message(lambda: parse(f"{tmp_path}/p.png"))
    assert "there is no such file" in message(lambda: parse(f"{tmp_path}/absent.png"), ConvError)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_our_own_figures_are_recognised(theme: str, tmp_path: Path) -> None:
    done("kernel", "box:3", "-o", tmp_path / "k.png", "--theme", theme)
    refused = run("apply", "samples/tiny.png", "-k", tmp_path / "k.png", "-o", tmp_path / "o.png")
    assert refused.code == 2
    assert "is a figure of ours, and no kernel: write the kernel as .npy, .csv or .json" in refused.err
