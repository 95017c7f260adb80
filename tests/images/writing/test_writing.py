"""Coding: qualities, compression, and what is taken over from the input."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from support.cli import SAMPLES, done
from support.pictures import GENERATOR, H, W, identity, integers, opened, read, write


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_keeps_its_quality(quality: int, subsampling: int, tmp_path: Path) -> None:
    from PIL import JpegImagePlugin

    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    image.save(tmp_path / "in.jpg", quality=quality, subsampling=subsampling, progressive=subsampling == 1)
    done("apply", tmp_path / "in.jpg", "-k", "identity", "-o", tmp_path / "out.jpg")
    before, after = opened(tmp_path / "in.jpg"), opened(tmp_path / "out.jpg")
    assert after.quantization == before.quantization
    assert JpegImagePlugin.get_sampling(after) == subsampling
    assert after.info.get("progressive") == before.info.get("progressive")
    done("apply", tmp_path / "in.jpg", "-k", "identity", "--quality", "50", "-o", tmp_path / "set.jpg")
    image.save(tmp_path / "expected.jpg", quality=50)
    assert opened(tmp_path / "set.jpg").quantization == opened(tmp_path / "expected.jpg").quantization


def test_gray_of_a_colour_jpeg(tmp_path: Path) -> None:
    Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1)).save(tmp_path / "in.jpg", quality=60)
    done("apply", tmp_path / "in.jpg", "-k", "identity", "--channels", "gray", "-o", tmp_path / "out.jpg")
    assert opened(tmp_path / "out.jpg").mode == "L"
    assert opened(tmp_path / "out.jpg").quantization[0] == opened(tmp_path / "in.jpg").quantization[0]


def test_webp_is_as_lossless_as_its_input(tmp_path: Path) -> None:
    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    image.save(tmp_path / "lossless.webp", lossless=True)
    image.save(tmp_path / "lossy.webp", quality=50)
    image.save(tmp_path / "lossy.jpg", quality=50)
    image.save(tmp_path / "lossless.png")
    for name in ("lossless.webp", "lossless.png", "lossy.webp", "lossy.jpg"):
        done("apply", tmp_path / name, "-k", "identity", "-o", tmp_path / "out.webp")
        assert (b"VP8L" in (tmp_path / "out.webp").read_bytes()) == name.startswith("lossless")
    done("apply", tmp_path / "lossless.png", "-k", "identity", "--quality", "40", "-o", tmp_path / "out.webp")
    assert b"VP8L" not in (tmp_path / "out.webp").read_bytes()
    done("apply", tmp_path / "lossy.jpg", "-k", "identity", "--quality", "100", "-o", tmp_path / "out.webp")
    np.testing.assert_array_equal(np.array(opened(tmp_path / "out.webp")), np.array(opened(tmp_path / "lossy.jpg")))


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_compression_levels(extension: str, tmp_path: Path) -> None:
    y, x = np.mgrid[:64, :64]
    source = write(tmp_path / "in.png", np.stack([y * x % 7, y + x, y * 3]).astype(np.uint8))
    sizes = []
    for level in (0, 1, 9):
        target = tmp_path / f"out{level}.{extension}"
        done("apply", source, "-k", "identity", "--compression", level, "-o", target)
        np.testing.assert_array_equal(np.array(opened(target)), np.array(opened(source)))
        sizes.append(target.stat().st_size)
    assert sizes[0] > 64 * 64 * 3 > sizes[1] > sizes[2]


def test_jpeg_is_of_good_quality(tmp_path: Path) -> None:
    identity(SAMPLES / "small.png", tmp_path / "out.jpg")
    error = read(tmp_path / "out.jpg").astype(float) - read(SAMPLES / "small.png")
    assert np.sqrt((error**2).mean()) < 6


COLOURS = GENERATOR.integers(0, 256, (H, W, 3), np.uint8)


def mpo(folder: Path, profile: bytes) -> bytes:
    """A telephone's photograph: a JPEG of quality 98, colours as fine as the pixels, and a smaller picture behind it."""
    image = Image.fromarray(COLOURS)
    image.save(
        folder / "in.mpo", save_all=True, append_images=[image.resize((W // 2, H // 2))], quality=98, subsampling=0,
        icc_profile=profile,
    )  # fmt: skip
    return (folder / "in.mpo").read_bytes()


@pytest.mark.parametrize("piped", [True, False])
def test_a_telephones_photograph_keeps_its_quality(piped: bool, tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = mpo(tmp_path, profile)
    target = "-" if piped else tmp_path / "out.mpo"
    result = done("apply", "-" if piped else tmp_path / "in.mpo", "-k", "identity", "-o", target, input=data)
    with Image.open(io.BytesIO(result.out) if piped else target) as image, Image.open(io.BytesIO(data)) as before:
        assert image.format == "JPEG"
        assert image.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(image) == 0
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("factor", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411])
def test_subsampling_that_pillow_does_not_write_is_not_made_coarser(factor: int, tmp_path: Path) -> None:
    smooth = cv2.resize(COLOURS, (64, 64), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(
        str(tmp_path / "in.jpg"), smooth, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, cv2.IMWRITE_JPEG_QUALITY, 95]
    )
    assert JpegImagePlugin.get_sampling(opened(tmp_path / "in.jpg")) == -1
    done("apply", tmp_path / "in.jpg", "-k", "identity", "-o", tmp_path / "out.jpg")
    after = opened(tmp_path / "out.jpg")
    assert JpegImagePlugin.get_sampling(after) == 0
    assert np.abs(np.array(after).astype(int) - np.array(opened(tmp_path / "in.jpg"))).max() < 12
