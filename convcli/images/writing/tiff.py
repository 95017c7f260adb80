"""TIFF files of any depth, page after page, with strips deflated on all cores.

Pillow cannot write 16-bit and real colours. tifffile leaves out the directories of EXIF and GPS, and has to seek back in the file,
which is not possible in a pipe.

Adobe, "TIFF Revision 6.0", and its Technical Notes: horizontal differencing (predictor 2), Deflate (compression 8).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import accumulate

import numpy as np

from convcli.errors import ImageError
from convcli.images.directories import BYTE, FLOAT, LONG, RATIONAL, SHORT, UNDEFINED, Entry, composed, entry, parse
from convcli.images.metadata import ICC, PHOTOMETRIC, RESOLUTION, SMAX, XMP
from convcli.images.picture import COLOURS, Bands
from convcli.images.writing import Frame, Job, png
from convcli.pointwise import Array
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
        bands, level, threads = _bands(page), job.settings.compression, workers(job.threads)
        planes = np.split(page.pixels, page.pixels.shape[2], axis=2) if bands.separate else [page.pixels]
        coded = [_strips(plane, level, threads) for plane in planes]
        strips, rows, predictor = [strip for some, *_ in coded for strip in some], *coded[0][1:]
        head = bytearray(_head(page, bands, strips, rows, predictor, place))
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


def _bands(page: Frame) -> Bands:
    """What the samples of a page are: colours of its space with alpha or, of a tensor, what they were or nothing in particular."""
    channels, space, bands = page.pixels.shape[2], page.storage.space, page.metadata.bands
    if space == "tensor":
        return bands if bands is not None and bands.channels == channels else Bands(1, (0,) * (channels - 1), False)
    return Bands(PHOTOMETRIC[space], (2,) * (channels - COLOURS[space]), False)


def _strips(pixels: Array, level: int | None, threads: int) -> tuple[list[bytes], int, int]:
    """The deflated strips, the number of rows in each, and the predictor."""
    rows = max(1, min(len(pixels), STRIP_BYTES // max(1, pixels[0].nbytes)))
    starts = [*range(0, len(pixels), rows)]
    predictor, strategy = 1 if pixels.dtype.kind == "f" else 2, zlib.Z_DEFAULT_STRATEGY
    if level is None and predictor == 2:
        _, strategy = png.choose(pixels)
        level = 1 if strategy == zlib.Z_RLE else png.LEVEL
    deflate = partial(zlib.compressobj, 1 if level is None else level, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
    done: dict[int, bytes] = {}

    def work(start: int) -> None:
        part = np.ascontiguousarray(pixels[start : start + rows])
        if predictor == 2:
            differences = part.copy()
            np.subtract(part[:, 1:], part[:, :-1], out=differences[:, 1:])
            part = differences
        coder = deflate()
        little = part.astype(part.dtype.newbyteorder("<"), copy=False)
        done[start] = coder.compress(little.data.cast("B")) + coder.flush()

    run_all(work, starts, threads)
    return [done[start] for start in starts], rows, predictor


def _head(page: Frame, bands: Bands, strips: list[bytes], rows: int, predictor: int, place: int) -> bytes:
    """The directory of a page at a place of the file, which the strips follow."""
    (height, width, channels), metadata = page.pixels.shape, page.metadata
    lengths = [*map(len, strips)]
    starts = [*accumulate(lengths[:-1], initial=0)]
    directory = parse(metadata.exif) if metadata.exif else {}
    numbers = {
        256: (LONG, width), 257: (LONG, height), 258: (SHORT, *(8 * page.pixels.itemsize,) * channels), 259: (SHORT, 8),
        262: (SHORT, bands.photometric), 273: (LONG, *starts), 277: (SHORT, channels), 278: (LONG, rows), 279: (LONG, *lengths),
        284: (SHORT, 1 + bands.separate), 317: (SHORT, predictor), 338: (SHORT, *bands.extra),
        339: (SHORT, *(3 if page.pixels.dtype.kind == "f" else 1,) * channels),
    }  # fmt: skip
    if metadata.resolution is not None:
        directory |= metadata.resolution
    elif metadata.dpi is not None:
        across, down, unit = RESOLUTION
        numbers |= {across: (RATIONAL, metadata.dpi[0]), down: (RATIONAL, metadata.dpi[1]), unit: (SHORT, 2)}
    if page.storage.dtype == "float32":  # no other tag says what white is
        numbers[SMAX] = (FLOAT, *(page.storage.full_scale,) * channels)
    directory |= {tag: entry(kind, *values) for tag, (kind, *values) in numbers.items() if values}
    blocks = (XMP, BYTE, metadata.xmp), (ICC, UNDEFINED, metadata.icc_profile)
    directory |= {tag: Entry(kind, block) for tag, kind, block in blocks if block}
    first = place + len(composed(directory, place))
    directory[273] = entry(LONG, *(first + start for start in starts))
    return composed(directory, place)
