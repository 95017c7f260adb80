"""TIFFs as they are written: the layout of the input file is not the output's; real numbers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from convcli.images.writing import tiff
from support.cli import done, run
from support.pictures import ALPHA, GENERATOR, GRAY, RGB, H, W, identity, integers, opened, write


@pytest.mark.parametrize("channels", [1, 3])
def test_real_tiff_out(channels: int, tmp_path: Path) -> None:
    """--range raw writes 32-bit real numbers, in colour too, as OpenCV reads them."""
    planes = GENERATOR.normal(0, 1, (channels, H, W)).astype(np.float32)
    np.save(tmp_path / "in.npy", planes)
    done("apply", tmp_path / "in.npy", "-k", "identity", "--range", "raw", "-o", tmp_path / "out.tif")
    found = cv2.imread(str(tmp_path / "out.tif"), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.float32
    found = found[..., ::-1] if channels == 3 else found[..., np.newaxis]
    np.testing.assert_array_equal(np.moveaxis(found, -1, 0), planes)


def test_real_tiff_with_alpha(tmp_path: Path) -> None:
    planes = integers(4, "uint8")
    write(tmp_path / "in.png", planes)
    done("apply", tmp_path / "in.png", "-k", "0.5", "--alpha", "keep", "--range", "raw", "-o", tmp_path / "out.tif")
    found = cv2.imread(str(tmp_path / "out.tif"), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
    np.testing.assert_array_equal(found[..., :3], np.moveaxis(planes[:3] / 2, 0, -1))
    np.testing.assert_array_equal(found[..., 3], planes[3])


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        ("RGBA", ["--alpha", "drop"], "RGB"),
        ("RGB", ["--channels", "gray"], "L"),
        ("RGB", ["--channels", "sum"], "L"),
        ("L", ["-k", "identity", "-k", "identity", "-k", "identity"], "RGB"),
    ],
)
def test_tiff_to_tiff_of_other_channels(mode: str, options: list[str], expected: str, tmp_path: Path) -> None:
    planes = {"RGBA": np.concatenate([RGB, ALPHA]), "RGB": RGB, "L": GRAY}[mode]
    source = write(tmp_path / "in.tif", planes, mode)
    kernel = [] if "-k" in options else ["-k", "identity"]
    done("apply", source, *kernel, *options, "-o", tmp_path / "out.tif")
    image = opened(tmp_path / "out.tif")
    assert image.mode == expected
    assert image.size == (W, H)
    done("apply", source, *kernel, *options, "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(np.array(image), np.array(opened(tmp_path / "out.png")))


@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate", "packbits", "group4", "jpeg"])
def test_tiff_compressions(compression: str, tmp_path: Path) -> None:
    image = Image.fromarray(GRAY[0] > 99) if compression == "group4" else Image.fromarray(np.moveaxis(RGB, 0, -1))
    image.save(tmp_path / "in.tif", compression=compression)
    before = np.array(opened(tmp_path / "in.tif").convert("RGB"))
    after = identity(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(np.array(after.convert("RGB")), before)
    after = identity(tmp_path / "in.tif", tmp_path / "small.tif", "-s", "2")
    np.testing.assert_array_equal(np.array(after.convert("RGB")), before[::2, ::2])


def test_tiff_orientation(tmp_path: Path) -> None:
    write(tmp_path / "in.tif", RGB, tiffinfo={274: 6})
    image = identity(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(np.array(image), np.rot90(np.moveaxis(RGB, 0, -1), -1))
    assert image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("target", ["out.png", "out.jpg"])
def test_tiff_layout_is_no_metadata(target: str, tmp_path: Path) -> None:
    """The strips, compression and size of the TIFF say nothing of the PNG; what it says of the picture stays."""
    write(tmp_path / "in.tif", RGB, tiffinfo={271: "Maker"})
    exif = identity(tmp_path / "in.tif", tmp_path / target, "-s", "2").getexif()
    assert exif.get(271) == "Maker"
    layout = {256: "width", 257: "height", 259: "compression", 273: "strips", 279: "strip lengths"}
    assert not {name for tag, name in layout.items() if tag in exif}


def test_what_offsets_do_not_reach_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in.png", np.random.default_rng(0).integers(0, 256, (1, 20, 30), np.uint8))
    command = ("apply", "in.png", "-k", "identity", "--compression", 0, "-o", "out.tif")
    done(*command, cwd=tmp_path)
    size = (tmp_path / "out.tif").stat().st_size
    (tmp_path / "out.tif").unlink()
    monkeypatch.setattr(tiff, "MAX_BYTES", size - 2)
    result = run(*command, cwd=tmp_path)
    assert result.code == 2
    assert "the TIFF would be larger than 4 GiB" in result.err
    assert not (tmp_path / "out.tif").exists()
    monkeypatch.setattr(tiff, "MAX_BYTES", size)
    done(*command, cwd=tmp_path)
