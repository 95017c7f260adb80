"""The PNG encoder: Pillow and OpenCV read back what it wrote."""

from __future__ import annotations

import io
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from convcli.images.picture import Metadata
from convcli.images.writing import png


def encoded(pixels: np.ndarray, **options: object) -> bytes:
    return b"".join(png.encode([pixels], **options))  # type: ignore[arg-type]


def decoded(data: bytes) -> np.ndarray:
    """``(H, W, C)`` as OpenCV reads it, in the order of the file."""
    array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array.ndim == 2:
        return array[..., np.newaxis]
    return array[..., [2, 1, 0, 3][: array.shape[2]]]


def picture(height: int, width: int, channels: int, dtype: str, seed: int, smooth: bool) -> np.ndarray:
    generator = np.random.default_rng(seed)
    white = np.iinfo(dtype).max
    if not smooth:
        return generator.integers(0, white, (height, width, channels), dtype, endpoint=True)
    y, x = np.mgrid[:height, :width]
    ramp = (y * 3 + x * 5)[..., np.newaxis] * (1 + np.arange(channels)) * (white // 255)
    return ((ramp + generator.integers(0, 4, (height, width, channels))) % white).astype(dtype)


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.sampled_from((1, 2, 3, 4)),
    dtype=st.sampled_from(("uint8", "uint16")),
    seed=st.integers(0, 2**32 - 1),
    smooth=st.booleans(),
    threads=st.sampled_from((1, 2)),
)
def test_any_image_is_read_back(
    size: tuple[int, int], channels: int, dtype: str, seed: int, smooth: bool, threads: int
) -> None:
    pixels = picture(*size, channels, dtype, seed, smooth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png, "STRIP_BYTES", 300)
        data = encoded(pixels, threads=threads)
    if channels == 2:  # OpenCV makes four channels of gray and alpha
        with Image.open(io.BytesIO(data)) as image:
            assert image.mode in ("LA", "RGBA")
            found = np.asarray(image.convert("LA")) if dtype == "uint8" else None
        if found is not None:
            np.testing.assert_array_equal(found, pixels)
        found = decoded(data)
        np.testing.assert_array_equal(found[..., [0, 3]], pixels)
    else:
        np.testing.assert_array_equal(decoded(data), pixels)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_every_filter(kind: int, channels: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "choose", lambda *_: (kind, zlib.Z_RLE))
    monkeypatch.setattr(png, "STRIP_BYTES", 500)
    for smooth in (False, True):
        pixels = picture(37, 29, channels, dtype, 5, smooth)
        data = encoded(pixels)
        np.testing.assert_array_equal(decoded(data), pixels)
        if dtype == "uint8":
            with Image.open(io.BytesIO(data)) as image:
                np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_paeths_filter_for_all_bytes() -> None:
    """As the specification has it (third edition, 9.4), with integers that hold the sums."""
    left, up = (grid.astype(np.uint8) for grid in np.meshgrid(np.arange(256), np.arange(256)))
    for value in (*range(0, 256, 17), 1, 127, 128, 254):
        corner = np.full_like(left, value)
        a, b, c = (one.astype(int) for one in (left, up, corner))
        far = [abs(a + b - c - one) for one in (a, b, c)]
        wanted = np.choose(np.argmin(far, 0), [a, b, c])  # argmin takes the first of equal ones
        np.testing.assert_array_equal(png._paeth(left, up, corner), wanted)


def test_metadata() -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "a description"
    pixels = picture(4, 5, 3, "uint8", 1, True)
    metadata = Metadata(icc_profile=icc, exif=exif.tobytes(), dpi=(300, 72))
    with Image.open(io.BytesIO(encoded(pixels, metadata=metadata))) as image:
        image.load()
        assert image.info["icc_profile"] == icc
        assert image.getexif()[0x010E] == "a description"
        assert image.info["dpi"] == pytest.approx((300, 72), abs=0.02)


def test_photographs_are_coded_by_runs_and_drawings_are_not() -> None:
    generator = np.random.default_rng(1)
    y, x = np.mgrid[:200, :300]
    photo = (100 + 50 * np.sin(x / 40) + 40 * np.cos(y / 30))[..., np.newaxis] + generator.normal(0, 3, (200, 300, 3))
    assert png.choose(photo.astype(np.uint8))[1] == zlib.Z_RLE
    tile = generator.integers(0, 255, (10, 10, 3), np.uint8)
    drawing = np.tile(tile, (20, 30, 1))
    assert png.choose(drawing)[1] == zlib.Z_DEFAULT_STRATEGY
    buffer = io.BytesIO()
    Image.fromarray(drawing).save(buffer, "PNG")
    assert len(encoded(drawing)) < 1.5 * len(buffer.getvalue())


def test_small_images_are_coded_by_several_threads_if_nothing_is_lost() -> None:
    """The same bytes with any number of threads."""
    photo = np.random.default_rng(0).integers(0, 64, (512, 512, 3), np.uint8)
    assert encoded(photo).count(b"IDAT") == 2 + 7  # zlib's header and checksum have chunks of their own
    assert encoded(photo, threads=1) == encoded(photo, threads=5)
    np.testing.assert_array_equal(decoded(encoded(photo)), photo)
    drawing = np.tile(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8), (64, 64, 1))
    assert encoded(drawing).count(b"IDAT") == encoded(photo, level=6).count(b"IDAT") == 2 + 1


@pytest.mark.parametrize("smooth", [True, False])
def test_what_is_chosen_does_not_depend_on_threads(smooth: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    run_all = png.run_all
    monkeypatch.setattr(png, "run_all", lambda work, jobs, count: (counts.append(count), run_all(work, jobs, count))[1])
    pixels = picture(900, 700, 3, "uint8", 5, smooth)
    assert png.choose(pixels, 1) == png.choose(pixels, 4)
    assert counts == [1, 1, 4, 4]
    png.choose(pixels[:20, :20], 4)
    assert counts[4:] == [1, 1]  # a small picture


def test_strips_are_whole_rows_however_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "STRIP_BYTES", 10)
    pixels = picture(3, 500, 3, "uint8", 2, True)
    np.testing.assert_array_equal(decoded(encoded(pixels)), pixels)


@given(first=st.binary(), second=st.binary(max_size=70_000))
def test_checksums_of_parts_are_joined(first: bytes, second: bytes) -> None:
    assert png.joined_check(zlib.adler32(first), zlib.adler32(second), len(second)) == zlib.adler32(first + second)


def test_checksums_of_long_parts_are_joined() -> None:
    first, second = bytes(range(256)) * 999, b"\xff" * 1_000_001
    assert png.joined_check(zlib.adler32(first), zlib.adler32(second), len(second)) == zlib.adler32(first + second)
