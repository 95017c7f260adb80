"""PNG files written on all cores: rows filtered by NumPy, strips deflated in parallel.

Pillow tries five filters on every row and deflates on one core, which takes most of the time of a whole command. Here one
filter is chosen for the image, from a sample. Photographs are then coded with runs and Huffman codes only. This is as small as
zlib's level 4 in a fraction of the time, because their filtered rows contain no repetitions. Images with repetitions in the
sample are deflated as usual. 16-bit colours, which Pillow cannot write, are written, too.

`benchmarks/ENCODERS.md` compares it with the encoders of Pillow, OpenCV and imagecodecs. Only encoders that use one filter and
runs, like OpenCV's, are about as fast. They write larger photographs, on one core, and need a library (OpenCV, 150 MB, which
drops profiles, or imagecodecs, 80 MB), while NumPy and zlib are here anyway.

W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", sections 9 (filtering), 10 (compression), 11 (chunks).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from convcli.images.picture import Metadata, Timing
from convcli.images.writing import Frame, Job
from convcli.pointwise import Array
from convcli.system.parallel import run_all, workers

Bytes = np.ndarray[tuple[Any, ...], np.dtype[np.uint8]]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""The colour type in the header for 1 (gray), 2 (gray, alpha), 3 (RGB) and 4 (RGBA) channels."""

NONE, SUB, UP, AVERAGE, PAETH = range(5)

STRIP_BYTES, RUNS_BYTES = 1 << 20, 1 << 17
"""How much one thread filters and deflates at a time, and how much where only runs are coded. Those lose nothing in small strips,
which stay in the processor's cache while they are filtered, and of which a small image has enough for all threads."""

SAMPLE_SHARE, SAMPLE_BYTES = 24, (16 << 10, 64 << 10)
"""Filters and codings are tried on one row of this many, but on no fewer and no more bytes than these."""

PAETH_GAIN = 0.97
"""Paeth's filter, the slowest, is used if its sample is smaller than this share of the next best."""

REPETITIVE = 0.85
"""Deflate is used if its sample is smaller than this share of the run-length coded one."""

LEVEL = 6
"""zlib's level for images with repetitions, its default."""


def _described(metadata: Metadata) -> Iterator[bytes]:
    """The chunks of metadata, which come before the pixels."""
    if metadata.icc_profile:
        yield chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc_profile))
    yield from (chunk(kind, data) for kind, data in metadata.chunks)
    if metadata.dpi:
        yield chunk(b"pHYs", struct.pack(">IIB", *(round(value / 0.0254) for value in metadata.dpi), 1))
    if metadata.exif:
        yield chunk(b"eXIf", metadata.exif.removeprefix(b"Exif\0\0"))
    if metadata.xmp:
        yield chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    for key, value in metadata.text:
        keyword = key.encode("latin-1", "replace")[:79]
        try:
            yield chunk(b"tEXt", keyword + b"\0" + value.encode("latin-1"))
        except UnicodeEncodeError:
            yield chunk(b"iTXt", keyword + b"\0\0\0\0\0" + value.encode())


def write(frames: Iterator[Frame], job: Job) -> None:
    """Write a picture, or an animation where `job` has a timing."""
    first = [next(frames)]
    metadata = first[0].metadata
    pixels = (frame.pixels for frame in chain((first.pop() for _ in range(1)), frames))
    job.write(encode(pixels, job.timing, metadata, job.threads, job.settings.compression))


def encode(
    frames: Iterable[Array],
    timing: Timing | None = None,
    metadata: Metadata = Metadata(),
    threads: int | None = None,
    level: int | None = None,
) -> Iterator[bytes]:
    """The bytes of a PNG file, piece by piece. An animation has whole frames.

    Parameters
    ----------
    frames : iterable of ndarray
        ``(H, W, C)`` uint8 or uint16: gray, gray and alpha, RGB, or RGBA. One, or those of an animation, all of one shape.
    timing : Timing, optional
        The timing of an animation.
    threads : int, optional
        By default, one for each processor.
    level : int, optional
        The level of zlib, 0 to 9; by default the best choice for the image.
    """
    number = 0  # the sequence number of animation chunks (third edition, 11.3.4 and 12.3)
    for index, pixels in enumerate(frames):
        height, width, channels = pixels.shape
        if index == 0:
            header = width, height, 8 * pixels.itemsize, COLOUR_TYPES[channels], 0, 0, 0
            yield SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
            if timing is not None:
                yield chunk(b"acTL", struct.pack(">II", len(timing.durations) - timing.hidden, timing.plays))
            yield from _described(metadata)
        if timing is not None and (index > 0 or not timing.hidden):
            control = number, width, height, 0, 0, *_seconds(timing.durations[index]), 0, 0
            yield chunk(b"fcTL", struct.pack(">IIIIIHHBB", *control))
            number += 1
        for data in compressed(pixels, workers(threads), level):
            if index == 0:
                yield chunk(b"IDAT", data)
            else:
                yield chunk(b"fdAT", struct.pack(">I", number) + data)
                number += 1
    yield chunk(b"IEND", b"")


def _seconds(milliseconds: float) -> tuple[int, int]:
    """A duration as a fraction of 16-bit numbers, in seconds."""
    from fractions import Fraction

    fraction = Fraction(max(0.0, milliseconds) / 1000).limit_denominator(65535)
    return (
        (fraction.numerator, fraction.denominator) if fraction.numerator < 65536 else (min(round(fraction), 65535), 1)
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk: length, kind, data, checksum."""
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))))


def compressed(pixels: Array, threads: int, wanted: int | None = None) -> Iterator[bytes]:
    """The zlib stream of the filtered rows, strip by strip.

    Every strip ends at a whole byte, so that strips which were deflated separately form one stream. The checksum is for all rows.
    """
    height = len(pixels)
    kind, strategy = choose(pixels, threads)
    level = 1 if strategy == zlib.Z_RLE else LEVEL
    if wanted is not None:
        level, strategy = wanted, zlib.Z_DEFAULT_STRATEGY
    most = min(STRIP_BYTES, RUNS_BYTES) if strategy == zlib.Z_RLE else STRIP_BYTES
    rows = max(1, most // max(1, pixels[0].nbytes))
    strips = [range(start, min(start + rows, height)) for start in range(0, height, rows)]
    batch = 4 * threads  # strips that wait in memory
    check = 1
    yield b"\x78\x01"
    for first in range(0, len(strips), batch):
        done: dict[int, tuple[bytes, int, int]] = {}

        def work(number: int, done: dict[int, tuple[bytes, int, int]] = done) -> None:
            filtered = filter_rows(pixels, strips[number], kind)
            coder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
            end = zlib.Z_FINISH if number == len(strips) - 1 else zlib.Z_FULL_FLUSH
            data = coder.compress(filtered.data) + coder.flush(end)
            done[number] = data, zlib.adler32(filtered.data), filtered.nbytes

        numbers = [*range(first, min(first + batch, len(strips)))]
        run_all(work, numbers, threads)
        for number in numbers:
            data, own, length = done[number]
            check = joined_check(check, own, length)
            yield data
    yield struct.pack(">I", check)


def joined_check(first: int, second: int, length: int) -> int:
    """The Adler-32 checksum of two parts, from those of each; the second part has `length` bytes (RFC 1950, section 8.2).

    The low half is one more than the sum of the bytes, the high half the sum of all low halves so far, each modulo 65521.
    """
    low, high = first & 0xFFFF, first >> 16
    more, sums = second & 0xFFFF, second >> 16
    return (high + sums + length * (low - 1)) % 65521 << 16 | (low + more - 1) % 65521


def choose(pixels: Array, threads: int = 1) -> tuple[int, int]:
    """The filter and the zlib strategy for an image: those with the smallest sample. They do not depend on `threads`."""
    height, row = len(pixels), max(1, pixels[0].nbytes)
    least, most = (limit // row for limit in SAMPLE_BYTES)
    count = max(1, min(height, most, max(least, height // SAMPLE_SHARE)))
    bands = min(8, count)
    rows = count // bands
    starts = [(2 * i + 1) * (height - rows) // (2 * bands) for i in range(bands)]
    black = np.zeros_like(pixels[:1])  # what is above the first row
    sample = np.concatenate(
        [
            part
            for start in starts
            for part in (pixels[start - 1 : start] if start else black, pixels[start : start + rows])
        ]
    )
    threads = threads if sample.nbytes >= SAMPLE_BYTES[0] else 1  # a smaller sample is coded faster by one
    above = slice(0, None, rows + 1)  # these rows are only read by the filters of those below them

    def size(kind: int, strategy: int, level: int) -> int:
        coder = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
        filtered = np.delete(filter_rows(sample, range(len(sample)), kind), above, 0)
        return len(coder.compress(filtered.data)) + len(coder.flush())

    sizes, plain = dict.fromkeys(range(5), 0), dict.fromkeys((NONE,), 0)
    run_all(lambda kind: sizes.update({kind: size(kind, zlib.Z_RLE, 1)}), [*sizes], threads)
    sizes[PAETH] = int(sizes[PAETH] / PAETH_GAIN)
    best = min(sizes, key=lambda kind: sizes[kind])
    plain[best] = 0
    run_all(lambda kind: plain.update({kind: size(kind, zlib.Z_DEFAULT_STRATEGY, LEVEL)}), [*plain], threads)
    alike = min(plain, key=lambda kind: plain[kind])
    if plain[alike] < REPETITIVE * sizes[best]:
        return alike, zlib.Z_DEFAULT_STRATEGY
    return best, zlib.Z_RLE


def filter_rows(pixels: Array, rows: range, kind: int) -> Bytes:
    """Rows as a PNG stores them, ``(rows, 1 + bytes)``: the number of the filter, then differences from neighbours, modulo 256."""
    above = max(0, rows.start - 1)
    part = np.ascontiguousarray(pixels[above : rows.stop])
    if part.itemsize == 2:
        part = part.astype(">u2")
    pixel = part.shape[2] * part.itemsize
    raw = part.reshape(len(part), -1).view(np.uint8)
    if rows.start == 0:
        raw = np.concatenate([np.zeros_like(raw[:1]), raw])
    x, up = raw[1:], raw[:-1]
    out = np.empty((len(rows), 1 + x.shape[1]), np.uint8)
    out[:, 0] = kind
    target = out[:, 1:]
    if kind == NONE:
        target[...] = x
    elif kind == UP:
        np.subtract(x, up, out=target)
    elif kind == SUB:
        target[:, :pixel] = x[:, :pixel]
        np.subtract(x[:, pixel:], x[:, :-pixel], out=target[:, pixel:])
    elif kind == AVERAGE:
        np.subtract(x[:, :pixel], up[:, :pixel] >> 1, out=target[:, :pixel])
        left, upper = x[:, :-pixel], up[:, pixel:]
        np.subtract(x[:, pixel:], (left & upper) + ((left ^ upper) >> 1), out=target[:, pixel:])
    else:
        np.subtract(x[:, :pixel], up[:, :pixel], out=target[:, :pixel])
        np.subtract(x[:, pixel:], _paeth(x[:, :-pixel], up[:, pixel:], up[:, :-pixel]), out=target[:, pixel:])
    return out


def _paeth(left: Bytes, up: Bytes, corner: Bytes) -> Bytes:
    """The nearest of left, up and upper left to left + up - upper left; the first of equally near ones.

    Between the smaller and the larger of left and up, the corner is `below` and `above` away from them. If twice one distance
    is at most the other, the nearest is that neighbour, else the corner. A corner outside is at distance 0 from one of them:
    then the nearest is the other. So 8 bits are enough, and nothing is chosen element by element, which NumPy does slowly.
    """
    below, above = np.minimum(left, up), np.maximum(left, up)
    np.maximum(above, corner, out=above)
    np.subtract(above, corner, out=above)
    np.minimum(below, corner, out=below)
    np.subtract(corner, below, out=below)
    half = below >> 1
    smaller = above <= half
    np.right_shift(above, 1, out=half)
    larger = below <= half
    np.multiply(above, larger.view(np.uint8), out=above)
    np.multiply(below, smaller.view(np.uint8), out=below)
    np.add(above, corner, out=above)
    return np.subtract(above, below, out=above)
