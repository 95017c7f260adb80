"""Decode a PNG on two threads: one inflates the rows, ahead of the other, in which Pillow undoes the filters.

Pillow does both in turn, and each takes about half of the time. Its decoder gets the inflated rows in blocks that deflate calls
stored (RFC 1951, section 3.2.4), so that it only has to copy them.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterator
from threading import Semaphore, Thread
from typing import Any, BinaryIO

from PIL import Image, ImageFile

READ_BYTES, PIECE_BYTES, STORED_BYTES = 1 << 17, 1 << 20, 0xFFFF
"""How much is read and inflated at a time, and the length of a stored block, which has 16 bits."""

WORTH_PIXELS = 1 << 19
"""A smaller picture is decoded as fast by Pillow alone, which takes Python's lock only once."""

AHEAD = 4
"""How many pieces may wait for Pillow."""


def suits(image: ImageFile.ImageFile) -> bool:
    """Whether an image that is opened is a large PNG whose rows follow each other, with 8 bits, gray or RGB."""
    if image.format != "PNG" or image.mode not in ("L", "RGB") or "interlace" in image.info or len(image.tile) != 1:
        return False
    if image.size[0] * image.size[1] < WORTH_PIXELS:
        return False
    (tile,) = image.tile
    return bool(tile.codec_name == "zip" and tile.args == image.mode and tile.extents == (0, 0, *image.size))


def load(image: ImageFile.ImageFile, stream: BinaryIO) -> None:
    """Decode an image that `suits`, opened from a stream, as its own `load` does. Raises any error if it is damaged."""
    codec, extents, offset, args = image.tile[0]
    behind = stream.tell()
    length = image.size[1] * (1 + image.size[0] * len(image.getbands()))
    image.load_prepare()
    decoder = Image._getdecoder(image.mode, codec, args, image.decoderconfig)
    decoder.setimage(image.im, extents)
    try:
        left, code = b"", -1
        for piece in _ahead(_stored(_inflated(stream, offset - 8), length)):
            taken, code = decoder.decode(left + piece)
            if taken < 0:
                break
            left = (left + piece)[taken:]
        if code:
            raise OSError("its rows are damaged")
    finally:
        decoder.cleanup()
    image.tile = []
    stream.seek(behind)
    image.load_end()  # reads what follows the pixels


def _inflated(stream: BinaryIO, place: int) -> Iterator[bytes]:
    """The inflated data of the chunks from a place on. Raises an error if it does not end with one of them."""
    coder = zlib.decompressobj()
    stream.seek(place)
    while not coder.eof:
        left, kind = struct.unpack(">I4s", stream.read(8))
        if kind != b"IDAT":
            raise EOFError
        while left and not coder.eof:
            data = stream.read(min(left, READ_BYTES))
            if not data:
                raise EOFError
            left -= len(data)
            while data and not coder.eof:
                yield coder.decompress(data, PIECE_BYTES)
                data = coder.unconsumed_tail
        stream.read(4)


def _stored(pieces: Iterator[bytes], length: int) -> Iterator[bytes]:
    """The same data, which must be of this length, as a zlib stream of stored blocks."""
    check = 1
    yield b"\x78\x01"
    for piece in pieces:
        check, length = zlib.adler32(piece, check), length - len(piece)
        if length < 0:
            break
        blocks: list[bytes | memoryview] = []
        for start in range(0, len(piece), STORED_BYTES):
            block = memoryview(piece)[start : start + STORED_BYTES]
            blocks += [struct.pack("<BHH", 0, len(block), len(block) ^ 0xFFFF), block]
        yield b"".join(blocks)
    if length:
        raise ValueError("it has too many or too few rows")
    yield struct.pack("<BHH", 1, 0, 0xFFFF) + struct.pack(">I", check)


def _ahead(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts, made in a thread of their own, a few of them ahead."""
    made: deque[Any] = deque()
    room, there = Semaphore(AHEAD), Semaphore(0)
    stopped: list[bool] = []

    def work() -> None:
        last: BaseException | None = None
        try:
            for part in parts:
                room.acquire()
                if stopped:
                    return
                made.append(part)
                there.release()
        except Exception as error:
            last = error
        made.append(last)
        there.release()

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            there.acquire()
            part = made.popleft()
            if not isinstance(part, bytes):
                break
            room.release()
            yield part
        if part is not None:
            raise part
    finally:
        stopped.append(True)
        room.release()
        thread.join()
