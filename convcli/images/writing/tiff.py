"""TIFF files of any depth, page after page, with strips deflated on all cores.

Pillow cannot write 16-bit and real colours. tifffile leaves out the directories of EXIF and GPS, and has to seek back in the file,
which is not possible in a pipe.

Adobe, "TIFF Revision 6.0", and its Technical Notes: horizontal differencing (predictor 2), Deflate (compression 8).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

import numpy as np

from convcli.errors import ImageError
from convcli.images.directories import (
    BYTE,
    FLOAT,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Directory,
    Entry,
    composed,
    entry,
    parse,
)
from convcli.images.metadata import ICC, PHOTOMETRIC, RESOLUTION, SMAX, XMP
from convcli.images.picture import COLOURS, Bands, Metadata
from convcli.images.writing import Frame, Job, png
from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.system.parallel import run_all, workers

STRIP_BYTES = 1 << 20
"""How much one thread deflates at a time."""

MAX_BYTES = 0xFFFF_FFFF
"""Offsets have 32 bits."""


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write the pages."""
    job.write(_file(frames, job))


def _file(pages: Iterable[Frame], job: Job) -> Iterator[bytes]:
    """The bytes of a TIFF file, piece by piece. Raises `ImageError` if it would be larger than 4 GiB."""
    yield struct.pack("<2sHI", b"II", 42, 8)
    place = 8
    for number, page in enumerate(pages, 1):
        level, threads = job.settings.compression, workers(job.threads)
        bands = bands_of(page.pixels.shape[2], page.storage.space, page.metadata)
        planes = np.split(page.pixels, page.pixels.shape[2], axis=2) if bands.separate else [page.pixels]
        coded = [_strips(plane, level, threads) for plane in planes]
        strips, rows = [strip for some, _ in coded for strip in some], coded[0][1]
        head = bytearray(_head(page, bands, strips, rows, place))
        size = len(head) + sum(map(len, strips))
        padding = bytes(size % 2)
        place += size + len(padding)
        if place > MAX_BYTES:
            rule = "would be larger than 4 GiB, beyond its 32-bit offsets"
            raise ImageError("the TIFF", rule, "write png or .npy")
        if number < job.count:
            (entries,) = struct.unpack_from("<H", head)
            struct.pack_into("<I", head, 2 + 12 * entries, place)
        yield bytes(head)
        yield from strips
        yield padding


class Coding(NamedTuple):
    """How samples are deflated."""

    predictor: int  # TIFF's: 2 for the differences of neighbours, 1 for none
    level: int
    strategy: int  # of zlib


def coding_of(pixels: Array, level: int | None) -> Coding:
    """The coding for pixels ``(H, W, C)``: at the level that the user wants, or as it is best for them."""
    predictor, strategy = predictor_of(pixels.dtype), zlib.Z_DEFAULT_STRATEGY
    if level is None and predictor == 2:
        _, strategy = png.choose(pixels)
        level = 1 if strategy == zlib.Z_RLE else png.LEVEL
    return Coding(predictor, 1 if level is None else level, strategy)


def predictor_of(dtype: np.dtype[Any]) -> int:
    """The predictor for samples of a type: differences of real ones are no shorter."""
    return 1 if dtype.kind == "f" else 2


def deflated(pixels: Array, coding: Coding) -> bytes:
    """Pixels ``(H, W, C)``, deflated."""
    part = np.ascontiguousarray(pixels)
    if coding.predictor == 2:
        differences = part.copy()
        np.subtract(part[:, 1:], part[:, :-1], out=differences[:, 1:])
        part = differences
    coder = zlib.compressobj(coding.level, zlib.DEFLATED, zlib.MAX_WBITS, 9, coding.strategy)
    little = part.astype(part.dtype.newbyteorder("<"), copy=False)
    return coder.compress(little.data.cast("B")) + coder.flush()


def _strips(pixels: Array, level: int | None, threads: int) -> tuple[list[bytes], int]:
    """The deflated strips, and the number of rows in each."""
    rows = max(1, min(len(pixels), STRIP_BYTES // max(1, pixels[0].nbytes)))
    starts = [*range(0, len(pixels), rows)]
    coding = coding_of(pixels, level)
    done: dict[int, bytes] = {}

    def work(start: int) -> None:
        done[start] = deflated(pixels[start : start + rows], coding)

    run_all(work, starts, threads)
    return [done[start] for start in starts], rows


def bands_of(channels: int, space: str, metadata: Metadata) -> Bands:
    """What samples are: colours of their space with alpha or, of a tensor, what they were or nothing in particular."""
    bands = metadata.bands
    if space == "tensor":
        return bands if bands is not None and bands.channels == channels else Bands(1, (0,) * (channels - 1), False)
    return Bands(PHOTOMETRIC[space], (2,) * (channels - COLOURS[space]), False)


def layout_of(shape: tuple[int, ...], dtype: np.dtype[Any], bands: Bands) -> Directory:
    """The tags of how pixels ``(H, W, C)`` are laid out, without those of strips or tiles."""
    height, width, channels = shape
    numbers = {
        256: (LONG, width), 257: (LONG, height), 258: (SHORT, *(8 * dtype.itemsize,) * channels), 259: (SHORT, 8),
        262: (SHORT, bands.photometric), 277: (SHORT, channels), 284: (SHORT, 1 + bands.separate),
        317: (SHORT, predictor_of(dtype)), 338: (SHORT, *bands.extra),
        339: (SHORT, *(3 if dtype.kind == "f" else 1,) * channels),
    }  # fmt: skip
    return {tag: entry(kind, *values) for tag, (kind, *values) in numbers.items() if values}


def described(metadata: Metadata, channels: int, white: float | None) -> Directory:
    """The tags that say what a picture is: its metadata and, of real values, white."""
    directory = parse(metadata.exif) if metadata.exif else {}
    if metadata.resolution is not None:
        directory |= metadata.resolution
    elif metadata.dpi is not None:
        across, down, unit = RESOLUTION
        directory |= {across: entry(RATIONAL, metadata.dpi[0]), down: entry(RATIONAL, metadata.dpi[1])}
        directory[unit] = entry(SHORT, 2)
    if white is not None:  # no other tag says it
        directory[SMAX] = entry(FLOAT, *(white,) * channels)
    blocks = (XMP, BYTE, metadata.xmp), (ICC, UNDEFINED, metadata.icc_profile)
    return directory | {tag: Entry(kind, block) for tag, kind, block in blocks if block}


def _head(page: Frame, bands: Bands, strips: list[bytes], rows: int, place: int) -> bytes:
    """The directory of a page at a place of the file, which the strips follow."""
    lengths = [*map(len, strips)]
    starts = [*accumulate(lengths[:-1], initial=0)]
    white = page.storage.full_scale if page.storage.dtype == "float32" else None
    directory = described(page.metadata, page.pixels.shape[2], white)
    directory |= layout_of(page.pixels.shape, page.pixels.dtype, bands)
    numbers = {273: (LONG, *starts), 278: (LONG, rows), 279: (LONG, *lengths)}
    directory |= {tag: entry(kind, *values) for tag, (kind, *values) in numbers.items()}
    first = place + len(composed(directory, place))
    directory[273] = entry(LONG, *(first + start for start in starts))
    return composed(directory, place)
