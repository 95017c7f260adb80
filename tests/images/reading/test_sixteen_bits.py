"""16 bits: PNG, TIFF and PPM of every kind keep them."""

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.cli import done
from support.pictures import integers, opened, png16, read16, tiff16


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bit_png(channels: int, interlaced: bool, tmp_path: Path) -> None:
    planes = integers(channels, "uint16")
    source = png16(tmp_path / "in.png", planes, interlaced)
    result = done("apply", source, "-k", "identity", "--alpha", "keep", "-o", tmp_path / "out.png")
    assert result.err == ""
    np.testing.assert_array_equal(read16(tmp_path / "out.png", channels), planes)


@pytest.mark.parametrize("filter_", range(5))
def test_16_bit_png_of_every_filter(filter_: int, tmp_path: Path) -> None:
    planes = integers(3, "uint16")
    bgr = np.ascontiguousarray(np.moveaxis(planes, 0, -1)[..., ::-1])
    flag = [
        cv2.IMWRITE_PNG_FILTER_NONE, cv2.IMWRITE_PNG_FILTER_SUB, cv2.IMWRITE_PNG_FILTER_UP,
        cv2.IMWRITE_PNG_FILTER_AVG, cv2.IMWRITE_PNG_FILTER_PAETH,
    ][filter_]  # fmt: skip
    cv2.imwrite(str(tmp_path / "in.png"), bgr, [cv2.IMWRITE_PNG_FILTER, flag])
    done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), planes)


@pytest.mark.parametrize("channels", [2, 3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_both_orders(channels: int, order: str, tmp_path: Path) -> None:
    planes = integers(channels, "uint16")
    source = tiff16(tmp_path / "in.tif", planes, order)
    result = done("apply", source, "-k", "identity", "--alpha", "keep", "-o", tmp_path / "out.png")
    assert result.err == ""
    np.testing.assert_array_equal(read16(tmp_path / "out.png", channels), planes)


@pytest.mark.parametrize("compression", [1, 5, 8, 32946])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_tiff_of_other_writers(channels: int, compression: int, tmp_path: Path) -> None:
    """OpenCV's, raw, LZW and deflated."""
    planes = integers(channels, "uint16")
    bgr = np.ascontiguousarray(np.moveaxis(planes, 0, -1)[..., [2, 1, 0, 3][:channels]])
    cv2.imwrite(str(tmp_path / "in.tif"), bgr, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    done("apply", tmp_path / "in.tif", "-k", "identity", "--alpha", "keep", "-o", tmp_path / "out.tif")
    np.testing.assert_array_equal(read16(tmp_path / "out.tif", channels), planes)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_16_bit_tiff(orientation: int, tmp_path: Path) -> None:
    planes = integers(3, "uint16")
    source = tiff16(tmp_path / "in.tif", planes, orientation=orientation)
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.npy")
    turns = {1: 0, 3: 2, 6: -1, 8: 1}[orientation]
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.rot90(planes, turns, (1, 2)))


def test_16_bit_cmyk(tmp_path: Path) -> None:
    planes = integers(4, "uint16")
    source = tiff16(tmp_path / "in.tif", planes, photometric=5)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "same.tif", "--json")
    assert result.json["notes"] == []
    done("apply", tmp_path / "same.tif", "-k", "identity", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), planes)
    assert opened(tmp_path / "same.tif").mode == "CMYK"


def test_associated_alpha_is_divided_out(tmp_path: Path) -> None:
    """TIFF's ExtraSamples 1: colours are stored weighted by opacity."""
    planes = np.array([[[10000, 0]], [[20000, 0]], [[32768, 0]], [[32768, 0]]], np.uint16)
    source = tiff16(tmp_path / "in.tif", planes, alpha=1)
    done("apply", source, "-k", "identity", "--alpha", "keep", "-o", tmp_path / "out.npy")
    found = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(found[3], [[32768, 0]])
    np.testing.assert_array_equal(found[:3, 0, 0], np.rint(np.array([10000, 20000, 32768]) * 65535 / 32768))


def test_a_blur_of_16_bits(tmp_path: Path) -> None:
    """Not only the identity: the mean of two, rounded half to even."""
    planes = integers(3, "uint16")
    source = png16(tmp_path / "in.png", planes)
    done("apply", source, "-k", "0.5,0.5", "-o", tmp_path / "out.png")
    mean = (planes[..., :-1].astype(float) + planes[..., 1:]) / 2
    np.testing.assert_array_equal(read16(tmp_path / "out.png", 3), np.rint(mean))


def test_deep_formats_are_read_from_a_pipe(tmp_path: Path) -> None:
    planes = integers(3, "uint16")
    data = png16(tmp_path / "in.png", planes).read_bytes()
    out = done("apply", "-", "-k", "identity", "-o", "-", "--format", "tif", input=data).out
    again = done("apply", "-", "-k", "identity", "-o", "-", "--format", "npy", input=out).out
    np.testing.assert_array_equal(np.load(io.BytesIO(again)), planes)


def test_a_transparent_16_bit_value_becomes_alpha(tmp_path: Path) -> None:
    """PNG's tRNS: all 16 bits are compared."""
    for channels in (1, 3):
        planes = np.random.default_rng(0).integers(0, 65536, (channels, 7, 9), dtype=np.uint16)
        path = png16(tmp_path / "in.png", planes)
        data, body = path.read_bytes(), planes[:, 0, 0].astype(">u2").tobytes()
        chunk = struct.pack(">I", len(body)) + b"tRNS" + body + struct.pack(">I", zlib.crc32(b"tRNS" + body))
        start = data.index(b"IDAT") - 4
        path.write_bytes(data[:start] + chunk + data[start:])
        result = done("apply", path, "-k", "identity", "-o", tmp_path / "out.png")
        assert result.err == ""
        found = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)  # of gray with alpha it makes four channels
        expected = np.full((7, 9), 65535)
        expected[0, 0] = 0
        np.testing.assert_array_equal(found[..., 3], expected)
        visible = expected > 0
        np.testing.assert_array_equal(found[visible][:, 2::-1][:, :channels], np.moveaxis(planes, 0, -1)[visible])
