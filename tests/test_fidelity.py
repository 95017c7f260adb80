"""What a file says goes through: depth, metadata, coding. The identity kernel changes nothing."""

import io
import itertools
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from cli import binary, done, environment, run, write
from PIL import Image, PngImagePlugin

H, W = 11, 13
GENERATOR = np.random.default_rng(5)


def integers(channels: int, dtype: str) -> np.ndarray:
    return GENERATOR.integers(0, np.iinfo(dtype).max, (channels, H, W), dtype, endpoint=True)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def png16(path: Path, planes: np.ndarray, interlaced: bool = False, more: bytes = b"") -> Path:
    """A 16-bit PNG of any colour type, plain or in Adam7's seven passes, written from the specification."""
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[len(planes)]
    pixels = np.moveaxis(planes, 0, -1).astype(">u2")
    starts = (
        [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        if interlaced
        else [(0, 0, 1, 1)]
    )
    passes = [pixels[y::down, x::right] for y, x, down, right in starts]
    data = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", planes.shape[2], planes.shape[1], 16, colour_type, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def tiff16(
    path: Path,
    planes: np.ndarray,
    order: str = "<",
    alpha: int = 2,
    photometric: int | None = None,
    orientation: int = 1,
) -> Path:
    """An uncompressed TIFF of 16 bits, written from the specification: header, samples, one directory."""
    channels, height, width = planes.shape
    samples = np.moveaxis(planes, 0, -1).astype(f"{order}u2").tobytes()
    if photometric is None:
        photometric = 1 if channels < 3 else 2
    tags = [
        (256, width), (257, height), (258, None), (259, 1), (262, photometric), (273, 8), (274, orientation), (277, channels),
        (278, height), (279, len(samples)), (284, 1),
    ]  # fmt: skip
    if channels == 2 or (channels == 4 and photometric == 2):
        tags.append((338, alpha))
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    body = b""
    for tag, value in tags:
        if value is None and len(bits) <= 4:
            body += struct.pack(f"{order}HHI4s", tag, 3, channels, bits)
        elif value is None:
            body += struct.pack(f"{order}HHII", tag, 3, channels, 8 + len(samples))
        elif tag in (273, 279):
            body += struct.pack(f"{order}HHII", tag, 4, 1, value)
        else:
            body += struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(samples) + len(bits))
    path.write_bytes(head + samples + bits + struct.pack(f"{order}H", len(tags)) + body + bytes(4))
    return path


def read16(path: Path, channels: int) -> np.ndarray:
    """Planes as OpenCV reads them."""
    array = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert array is not None
    if array.ndim == 2:
        return array[np.newaxis]
    planes = np.moveaxis(array[..., [2, 1, 0, 3][: array.shape[2]]], -1, 0)
    return planes[[0, 3]] if channels == 2 else planes


# 16 bits


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


@pytest.mark.parametrize("largest", [65535, 1023])
def test_16_bit_ppm(largest: int, tmp_path: Path) -> None:
    values = GENERATOR.integers(0, largest + 1, (H, W, 3)).astype(np.uint16)
    (tmp_path / "in.ppm").write_bytes(b"P6 %d %d %d\n" % (W, H, largest) + values.astype(">u2").tobytes())
    result = done("apply", tmp_path / "in.ppm", "-k", "identity", "-o", tmp_path / "out.ppm")
    assert result.err == ""
    expected = np.rint(values * (65535 / largest))
    found = cv2.imread(str(tmp_path / "out.ppm"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found[..., ::-1], expected)


def test_a_blur_of_16_bits(tmp_path: Path) -> None:
    """Not only the identity: the mean of two, rounded half to even."""
    planes = integers(3, "uint16")
    source = png16(tmp_path / "in.png", planes)
    done("apply", source, "-k", "0.5,0.5", "-o", tmp_path / "out.png")
    mean = (planes[..., :-1].astype(float) + planes[..., 1:]) / 2
    np.testing.assert_array_equal(read16(tmp_path / "out.png", 3), np.rint(mean))


# Real numbers


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


def test_real_colour_tiff_in(tmp_path: Path) -> None:
    """Pillow does not read it: tifffile does."""
    planes = GENERATOR.normal(0, 1, (H, W, 3)).astype(np.float32)
    cv2.imwrite(str(tmp_path / "in.tif"), planes, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    done("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "out.tif")
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "out.tif"), cv2.IMREAD_UNCHANGED), planes)


# Every mode through every lossless format

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
    lines = [line for line in result.err.splitlines() if "white is taken" not in line]
    assert lines == []
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


# Metadata


def test_texts_and_gamma_of_png(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a picture")
    info.add_itxt("Comment", "größer als 1 → ∞")
    info.add(b"gAMA", struct.pack(">I", 45455))
    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    image.save(tmp_path / "in.png", pnginfo=info)
    done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.png")
    found = opened(tmp_path / "out.png")
    assert found.text == {"Title": "a picture", "Comment": "größer als 1 → ∞"}
    assert found.info["gamma"] == 0.45455


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="t"/></x:xmpmeta>'


@pytest.mark.parametrize(("source", "target"), [*itertools.product(("jpg", "png", "webp", "tif"), repeat=2)])
def test_xmp_is_kept_and_says_upright(source: str, target: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    if source == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(tmp_path / "in.png", pnginfo=info, exif=exif)
    elif source == "tif":
        image.save(tmp_path / "in.tif", tiffinfo={700: XMP, 274: 6})
    else:
        image.save(tmp_path / f"in.{source}", xmp=XMP, exif=exif)
    done("apply", tmp_path / f"in.{source}", "-k", "identity", "-o", tmp_path / f"out.{target}")
    found = opened(tmp_path / f"out.{target}")
    packet = found.info.get("xmp") or found.info.get("XML:com.adobe.xmp", "").encode()
    upright = XMP.replace(b'tiff:Orientation="6"', b'tiff:Orientation="1"')
    assert packet == upright
    assert found.size == (H, W)
    assert found.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif"])
def test_a_size_of_metadata_is_not_kept(target: str, tmp_path: Path) -> None:
    """The picture has another one now."""
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif[0x8769] = {0xA002: 30, 0xA003: 20, 0x9003: "2026:01:02 03:04:05"}
    xmp = XMP.replace(b' dc:title="t"', b' exif:PixelXDimension="30" tiff:ImageLength=\'20\' dc:title="t"').replace(
        b"</rdf:", b"<exif:PixelYDimension>20</exif:PixelYDimension></rdf:"
    )
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "in.jpg", exif=exif, xmp=xmp)
    done("transpose", "in.jpg", "-k", "bilinear:2", "-s", 2, "-o", f"out.{target}", cwd=tmp_path)
    with Image.open(tmp_path / f"out.{target}") as image:
        found, kept = image.getexif(), image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        detail = found.get_ifd(0x8769)
    assert found[0x010F] == "maker"
    assert detail[0x9003] == "2026:01:02 03:04:05"
    assert 0xA002 not in detail
    assert 0xA003 not in detail
    assert b'dc:title="t"' in (kept if isinstance(kept, bytes) else kept.encode())
    assert b"Dimension" not in (kept if isinstance(kept, bytes) else kept.encode())
    assert b"ImageLength" not in (kept if isinstance(kept, bytes) else kept.encode())


def test_comment_and_iptc_of_jpeg(tmp_path: Path) -> None:
    segment = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x05\0\x05title"
    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    app13 = b"\xff\xed" + struct.pack(">H", 2 + len(segment)) + segment
    image.save(tmp_path / "in.jpg", comment=b"by hand", extra=app13)
    done("apply", tmp_path / "in.jpg", "-k", "identity", "-o", tmp_path / "out.jpg")
    found = opened(tmp_path / "out.jpg")
    assert found.info["comment"] == b"by hand"
    assert found.applist[-2:][0][1] == segment or ("APP13", segment) in found.applist


# JPEG, WebP, PNG: coding


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


# GIF


def test_gif_of_256_colours_is_exact_and_of_more_says_so(tmp_path: Path) -> None:
    colours = GENERATOR.integers(0, 256, (256, 3), np.uint8)
    write(tmp_path / "in.png", np.moveaxis(colours[np.arange(256).reshape(16, 16)], -1, 0))
    result = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif")
    assert result.err == ""
    np.testing.assert_array_equal(
        np.array(opened(tmp_path / "out.gif").convert("RGB")), np.array(opened(tmp_path / "in.png"))
    )
    write(tmp_path / "in.png", GENERATOR.integers(0, 256, (3, 20, 20), np.uint8))
    assert "256 colours" in done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif").err


# Limits


def test_the_limit_counts_all_frames_and_tensors(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1)) for _ in range(3)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "in.tif", save_all=True, append_images=frames[1:])
    np.save(tmp_path / "in.npy", np.ones((3, 5, H, W), np.float32))
    for name in ("in.gif", "in.tif", "in.npy"):
        pixels = 3 * H * W
        result = run("apply", tmp_path / name, "-k", "identity", "--max-pixels", pixels - 1, "-o", tmp_path / "out.npy")
        assert result.code == 2
        assert f"{pixels} pixels" in result.err
        assert f"--max-pixels {pixels}" in result.err
        done("apply", tmp_path / name, "-k", "identity", "--max-pixels", pixels, "-o", tmp_path / "out.npy")


def test_the_limit_of_the_environment(tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", integers(3, "uint8"))
    result = binary("apply", source, "-k", "identity", "-o", tmp_path / "out.png", CONVCLI_MAX_PIXELS="0.1k")
    assert result.code == 2
    result = binary("apply", source, "-k", "identity", "-o", tmp_path / "out.png", CONVCLI_MAX_PIXELS="100")
    assert f"{H * W} pixels" in result.err
    assert binary("apply", source, "-k", "identity", "-o", tmp_path / "out.png", CONVCLI_MAX_PIXELS="1k").code == 0


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    """A header that promises 10 gigapixels in a file of 100 bytes; beyond memory, with the limit lifted."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    body = header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "in.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    result = run("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.png")
    assert "10000000000 pixels" in result.err
    result = run("apply", tmp_path / "in.png", "-k", "identity", "--max-pixels", "900G", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert "GiB" in result.err or "truncated" in result.err


def test_deep_formats_are_read_from_a_pipe(tmp_path: Path) -> None:
    planes = integers(3, "uint16")
    data = png16(tmp_path / "in.png", planes).read_bytes()
    out = done("apply", "-", "-k", "identity", "-o", "-", "--format", "tif", input=data).out
    again = done("apply", "-", "-k", "identity", "-o", "-", "--format", "npy", input=out).out
    np.testing.assert_array_equal(np.load(io.BytesIO(again)), planes)


# Memory


@pytest.mark.parametrize(
    ("line", "megabytes"),
    [
        # 1000 × 1000 pixels: RGB 3 MB as bytes, 12 MB as real numbers
        ("apply in.png -k identity -o out.png", 7),  # to decode it, four bytes of Pillow's and three of ours
        ("apply in.png -k identity -k box -k box -o out.npy", 36 + 36),
        ("transpose in.png -k bilinear:2 -s 4 --backend numpy -o out.png", 3 + 48),
        ("apply in.png -k box --backend torch -o out.png", 3 + 12 + 12 + 3),
        ("transpose in.png -k bilinear:2 -s 4 --linear --range minmax --backend numpy -o out.png", 3 + 48),
        ("transpose alpha.png -k bilinear:2 -s 4 --backend numpy -o out.png", 4 + 64),
        ("transpose alpha.png -k bilinear:2 -s 4 --alpha keep -o out.png", 64 + 64),
        ("apply in.png -k box --linear --backend torch -o out.png", 3 + 12 + 12 + 12 + 3),
        ("apply in.png -k identity -o out.webp", 3 + 41),
        ("apply in.png -k identity -o out.gif", 3 + 31),
    ],
)
def test_the_need_is_known_before_anything_is_computed(
    line: str, megabytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth less memory than it takes is refused, a tenth more is enough."""
    from convcli.system import memory

    write(tmp_path / "in.png", np.zeros((3, 1000, 1000), np.uint8))
    write(tmp_path / "alpha.png", np.zeros((4, 1000, 1000), np.uint8))
    monkeypatch.setattr(memory, "total_bytes", lambda: 0.9 * megabytes * 1e6)
    result = run(*line.split(), cwd=tmp_path)
    assert result.code == 2
    assert "GiB" in result.err
    assert len(result.err.splitlines()) == 1
    assert not list(tmp_path.glob("out.*"))
    monkeypatch.setattr(memory, "total_bytes", lambda: 1.1 * megabytes * 1e6)
    done(*line.split(), cwd=tmp_path)


def test_a_limit_of_the_container_counts() -> None:
    from convcli.system import memory

    assert 0 < memory.total_bytes() <= memory._allowed()


def peak(*args: object, cwd: Path) -> int:
    """The bytes that the real program held at once."""
    command = [sys.executable, "-m", "convcli", *map(str, args), "-q"]
    code = (
        f"import os, resource, subprocess, sys; subprocess.run({command}, check=True, stdout=subprocess.DEVNULL); "
        + ("print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment(), capture_output=True, timeout=120, check=True
    )
    return int(ended.stdout) * (1 if sys.platform == "darwin" else 1024)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 20 megapixels, in colour, gray and with opacity, and a few pixels."""
    folder = tmp_path_factory.mktemp("large")
    for name, channels in (("in.ppm", 3), ("in.pgm", 1)):
        (folder / name).write_bytes(f"P{5 + (channels == 3)}\n5000 4000\n255\n".encode() + bytes(20_000_000 * channels))
    Image.new("RGBA", (5000, 4000)).save(folder / "in.tif")
    (folder / "few.ppm").write_bytes(b"P6\n2 1\n255\n" + bytes(6))
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="has no resource module")
@pytest.mark.parametrize(
    ("line", "channels"),
    [
        ("in.ppm -k identity -o out.ppm", 3 + 3),
        ("in.pgm -k identity -o out.pgm", 1 + 1),
        ("in.ppm -k identity --range minmax -o out.ppm", 3 + 3),
        ("in.ppm -k gaussian:2 --linear -o out.ppm", 3 + 3),
        ("in.ppm -k gaussian:2 --channels gray --range minmax -o out.pgm", 3 + 1),
        ("in.tif -k gaussian:2 -o out.png", 4 + 4),
        ("in.tif -k gaussian:2 --linear -o out.tif", 4 + 4),
        ("in.tif -k sobel --alpha keep -o out.png", 4 + 4),
        ("in.tif -k sharpen --alpha filter -o out.png", 4 + 4),
    ],
)
def test_a_large_image_takes_little_more_than_itself(line: str, channels: int, large: Path) -> None:
    """1.5 times its bytes as decoded and those of the result, and what the program takes for a few pixels."""
    least = peak("apply", "few.ppm", "-k", "identity", "-o", "few-out.ppm", cwd=large)
    assert peak("apply", *line.split(), "--threads", 2, cwd=large) < least + 1.5 * channels * 20e6
    (large / line.split()[-1]).unlink()


def test_gray_takes_less_than_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from convcli.system import memory

    write(tmp_path / "gray.png", np.zeros((1, 1000, 1000), np.uint8))
    monkeypatch.setattr(memory, "total_bytes", lambda: 3e6)
    done("apply", "gray.png", "-k", "identity", "-o", "out.png", cwd=tmp_path)


@pytest.mark.parametrize("command", ["compare in.png -k box --repeats 1", "explain in.png -k box --at 0,0"])
def test_the_limit_on_pixels_elsewhere(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in.png", np.zeros((1, 9, 9), np.uint8))
    done(*command.split(), "--max-pixels", 81, cwd=tmp_path)
    assert "use --max-pixels 81" in run(*command.split(), "--max-pixels", 80, cwd=tmp_path).err
    monkeypatch.setenv("CONVCLI_MAX_PIXELS", "80")
    assert run(*command.split(), cwd=tmp_path).code == 2


@pytest.mark.parametrize("ending", ["pfm", "pbm"])
def test_names_that_promise_what_is_not_written(ending: str, tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((1, 5, 5), np.uint8))
    result = run("apply", "in.png", "-k", "box:3", "-o", f"out.{ending}", cwd=tmp_path)
    assert result.code == 2
    assert f"ends in '.{ending}', which cannot be written" in result.err
    assert not (tmp_path / f"out.{ending}").exists()


def test_colours_under_a_name_for_gray(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((3, 5, 5), np.uint8))
    assert "holds colours" in done("apply", "in.png", "-k", "box:3", "-o", "out.pgm", cwd=tmp_path).err
    more = ("--channels", "gray", "--overwrite")
    assert "holds colours" not in done("apply", "in.png", "-k", "box:3", "-o", "out.pgm", *more, cwd=tmp_path).err
