"""Every mode goes through every lossless format: the identity kernel changes nothing."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.cli import done
from support.pictures import GENERATOR, H, W, integers, opened, png16, tiff16, write

MODES = ("1", "L", "LA", "P", "P+", "RGB", "RGBA", "I;16", "I;16B", "I", "F", "CMYK", "LA16", "RGB16", "RGBA16")
TARGETS = ("png", "tif", "bmp", "ppm", "tga", "webp", "gif", "npy")
ALPHA = {"LA", "P+", "RGBA", "LA16", "RGBA16"}
DEEP = {"I;16", "I;16B", "LA16", "RGB16", "RGBA16"}
KINDS = {"png": 16, "tif": 32, "ppm": 16, "npy": 32}


def made(mode: str, folder: Path) -> tuple[Path, np.ndarray]:
    """A file of a mode, and its colours with alpha, `(C, H, W)`."""
    if mode.endswith("16") and mode != "I;16":
        planes = integers({"LA16": 2, "RGB16": 3, "RGBA16": 4}[mode], "uint16")
        return png16(folder / "in.png", planes), planes
    if mode == "F":
        planes = GENERATOR.normal(0, 1, (1, H, W)).astype(np.float32)
        return write(folder / "in.tif", planes), planes
    if mode == "I":
        planes = GENERATOR.integers(0, 1 << 20, (1, H, W)).astype(np.int32)
        return write(folder / "in.tif", planes), planes
    if mode.startswith("I;16"):
        planes = integers(1, "uint16")
        if mode == "I;16B":
            return tiff16(folder / "in.tif", planes, ">"), planes
        return write(folder / "in.tif", planes), planes
    if mode == "1":
        bits = GENERATOR.integers(0, 2, (H, W)).astype(bool)
        Image.fromarray(bits).save(folder / "in.png")
        return folder / "in.png", bits[np.newaxis] * 255
    if mode.startswith("P"):
        image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1)).quantize(32)
        image.save(folder / "in.png", **({"transparency": 3} if mode == "P+" else {}))
        return folder / "in.png", np.moveaxis(
            np.array(opened(folder / "in.png").convert("RGBA" if mode == "P+" else "RGB")), -1, 0
        )
    planes = integers(len(Image.getmodebands(mode) * " "), "uint8")
    if mode in ("LA", "RGBA"):
        planes[-1] = np.where(planes[-1] > 99, 255, 0)  # which a GIF can hold
    return write(folder / ("in.tif" if mode == "CMYK" else "in.png"), planes, mode), planes


def fits(mode: str, target: str) -> bool:
    """Whether a format holds a mode as it is."""
    if target == "npy":
        return True
    if mode in ALPHA and target in ("bmp", "ppm"):
        return False
    if mode == "CMYK" and target != "tif":
        return False
    if mode in ("F", "I"):
        return target == "tif"
    return mode not in DEEP or KINDS.get(target, 8) >= 16


@pytest.mark.parametrize(("mode", "target"), [pair for pair in itertools.product(MODES, TARGETS) if fits(*pair)])
def test_identity_is_lossless(mode: str, target: str, tmp_path: Path) -> None:
    source, planes = made(mode, tmp_path)
    first, second = tmp_path / f"out.{target}", tmp_path / "again.npy"
    result = done("apply", source, "-k", "identity", "-o", first)
    said = "int32 samples are written as float32" if (mode, target) == ("I", "tif") else ""
    assert said in result.err
    assert bool(said) == bool(result.err)
    done("apply", first, "-k", "identity", "-o", second)
    found = np.load(second)
    if mode not in ALPHA and len(found) in (2, 4) and mode != "CMYK":
        assert (found[-1] == 255).all()
        found = found[:-1]
    colours = planes
    if len(found) == 3 and len(planes) == 1:  # GIF and WebP hold no gray as such
        colours = np.repeat(planes, 3, axis=0)
    if len(found) == 4 and len(planes) == 2:
        colours = planes[[0, 0, 0, 1]]
    if mode in ALPHA and target == "gif":  # hidden colours are one colour there
        visible = colours[-1] > 0
        np.testing.assert_array_equal(found[-1], colours[-1])
        found, colours = found[:, visible], colours[:, visible]
    np.testing.assert_array_equal(found, colours)
