"""Pictures for the tests: planes of noise, files written from their specifications, and how other readers see them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from convcli.images import directories
from convcli.images.directories import Directory
from support.cli import done


def write(path: Path, planes: np.ndarray, mode: str | None = None, **options: Any) -> Path:
    """Save planes `(C, H, W)` as an image, with Pillow alone."""
    planes = np.asarray(planes)
    pixels = planes[0] if len(planes) == 1 else np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    size = (planes.shape[2], planes.shape[1])
    image = Image.fromarray(pixels) if mode is None else Image.frombytes(mode, size, pixels.tobytes())
    image.save(path, **options)
    return path


def read(path: Path) -> np.ndarray:
    """The planes `(C, H, W)` of an image, with Pillow alone."""
    with Image.open(path) as image:
        pixels = np.array(image)
    return pixels[np.newaxis] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


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


RGB = GENERATOR.integers(0, 256, (3, H, W), dtype=np.uint8)
GRAY = RGB[:1]
ALPHA = GENERATOR.integers(1, 256, (1, H, W), dtype=np.uint8)
DEEP = GENERATOR.integers(0, 65536, (1, H, W), dtype=np.uint16)
REAL = GENERATOR.normal(0.5, 2, (1, H, W)).astype(np.float32)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def identity(source: Path, target: Path, *options: str) -> Image.Image:
    """The picture after the identity kernel."""
    done("apply", source, "-k", "identity", *options, "-o", target)
    return opened(target)


def tiff(path: Path, *pages: np.ndarray, **options: Any) -> Path:
    """A TIFF by tifffile, a page for each array ``(H, W)``, ``(H, W, C)``; ``(C, H, W)`` where planes are separate."""
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(
        path, **{key: options.pop(key) for key in ("bigtiff", "byteorder") if key in options}
    ) as to:
        for page in pages:
            separate = page.ndim == 3 and page.shape[0] == 3
            kind = "rgb" if page.ndim == 3 else "minisblack"
            to.write(
                page,
                **{"photometric": kind, "planarconfig": "separate" if separate else None, "metadata": None, **options},
            )
    return path


def tags_of(path: Path) -> Directory:
    """The tags of a TIFF's first page, or EXIF's of another picture, as bytes."""
    data = path.read_bytes()
    if data[:2] in (b"II", b"MM"):
        order = "<" if data[:2] == b"II" else ">"
        big = data[2:4] in (b"+\0", b"\0+")
        (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        return directories.read(io.BytesIO(data), place, order, big)
    with Image.open(path) as image:
        return directories.parse(image.info["exif"])


def tensor(path: Path, *more: object) -> np.ndarray:
    """What convcli reads in a file."""
    done("apply", path, "-k", "identity", *more, "-o", path.with_suffix(".npy"))
    return np.load(path.with_suffix(".npy"))
