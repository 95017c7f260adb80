"""TIFF files of any depth, page after page: strips deflated on all cores.

Pillow, which writes neither 16-bit nor real colours, makes the directories. Not tifffile: it leaves out EXIF's and GPS'
directories, and has to go back in the file, which a pipe does not allow.

Adobe, "TIFF Revision 6.0", and its Technical Notes: horizontal differencing (predictor 2), Deflate (compression 8).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from PIL.TiffTags import FLOAT, LONG, SHORT, UNDEFINED

from convcli.errors import ImageError
from convcli.images.metadata import ICC, PHOTOMETRIC, SMAX, XMP, described
from convcli.images.picture import COLOURS
from convcli.images.writing import Frame, Job, png
from convcli.system.parallel import run_all, workers

STRIP_BYTES = 1 << 20
"""What one thread deflates at a time."""

MAX_BYTES = 0xFFFF_FFFF
"""Offsets have 32 bits."""


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write the pages."""
    job.write(_file(frames, job.count, job.settings.compression, job.threads))


def _file(pages: Iterable[Frame], count: int, level: int | None = None, threads: int | None = None) -> Iterator[bytes]:
    """The bytes of a TIFF file of `count` pages, piece by piece.

    Raises
    ------
    ImageError
        It would be larger than 4 GiB.
    """
    yield struct.pack("<2sHI", b"II", 42, 8)
    place = 8
    for number, page in enumerate(pages, 1):
        strips, rows, predictor = _strips(page.pixels, level, workers(threads))
        tags = _directory(page, strips, rows, predictor)
        head = bytearray(tags.tobytes(place))
        head += bytes(len(head) % 2)
        size = len(head) + sum(map(len, strips))
        padding = bytes(size % 2)
        if place + size > MAX_BYTES:
            rule = "would be larger than 4 GiB, which its offsets cannot reach"
            raise ImageError("the TIFF", rule, "write png or .npy")
        if number < count:
            entries = struct.unpack_from("<H", head)[0]
            struct.pack_into("<I", head, 2 + 12 * entries, place + size + len(padding))
        place += size + len(padding)
        yield bytes(head)
        yield from strips
        yield padding


def _strips(pixels: NDArray[Any], level: int | None, threads: int) -> tuple[list[bytes], int, int]:
    """The deflated strips, the rows of each, and the predictor."""
    height = len(pixels)
    rows = max(1, min(height, STRIP_BYTES // max(1, pixels[0].nbytes)))
    starts = [*range(0, height, rows)]
    predictor = 1 if pixels.dtype.kind == "f" else 2
    strategy = zlib.Z_DEFAULT_STRATEGY
    if level is None:
        strategy = png.choose(pixels)[1] if predictor == 2 else zlib.Z_DEFAULT_STRATEGY
        level = 1 if strategy == zlib.Z_RLE or predictor == 1 else png.LEVEL
    done: dict[int, bytes] = {}

    def work(start: int) -> None:
        part = np.ascontiguousarray(pixels[start : start + rows])
        if predictor == 2:
            differences = part.copy()
            np.subtract(part[:, 1:], part[:, :-1], out=differences[:, 1:])
            part = differences
        coder = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
        little = part.astype(part.dtype.newbyteorder("<"), copy=False)
        done[start] = coder.compress(little.data.cast("B")) + coder.flush()

    run_all(work, starts, threads)
    return [done[start] for start in starts], rows, predictor


def _directory(page: Frame, strips: list[bytes], rows: int, predictor: int) -> ImageFileDirectory_v2:
    """The tags of a page; Pillow adds the directory's own length to the offsets of the strips."""
    height, width, channels = page.pixels.shape
    metadata = page.metadata
    tags = described(metadata.exif)
    bits = 8 * page.pixels.itemsize

    def put(tag: int, kind: int, value: Any) -> None:
        tags.tagtype[tag] = kind
        tags[tag] = value

    put(256, LONG, width)
    put(257, LONG, height)
    put(258, SHORT, (bits,) * channels)
    put(259, SHORT, 8)
    put(262, SHORT, PHOTOMETRIC[page.storage.space])
    offsets = np.cumsum([0, *map(len, strips)])[:-1]
    put(273, LONG, tuple(map(int, offsets)))
    put(277, SHORT, channels)
    put(278, LONG, rows)
    put(279, LONG, tuple(map(len, strips)))
    if metadata.dpi is not None:
        tags[282], tags[283] = metadata.dpi
        put(296, SHORT, 2)
    put(284, SHORT, 1)
    put(317, SHORT, predictor)
    extra = channels - COLOURS[page.storage.space]
    if extra:
        put(338, SHORT, (2,) * extra)
    put(339, SHORT, (3 if page.pixels.dtype.kind == "f" else 1,) * channels)
    if page.storage.dtype == "float32":  # whose white nothing else says
        put(SMAX, FLOAT, (page.storage.full_scale,) * channels)
    if metadata.xmp:
        put(XMP, 1, metadata.xmp)
    if metadata.icc_profile:
        put(ICC, UNDEFINED, metadata.icc_profile)
    return tags
