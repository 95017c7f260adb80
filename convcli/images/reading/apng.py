"""Animated PNGs of 16 bits, whose frames Pillow lays over each other with 8, or not at all.

Every frame is given to `convcli.images.reading.sixteen_bits` as a PNG of its own, and laid over the canvas here.
W3C, "Portable Network Graphics (PNG) Specification (Third Edition)", 11.3.2.1 (tRNS), 11.3.4 (acTL, fcTL, fdAT), 13.11 (blending).
"""

from __future__ import annotations

import io
import struct
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convcli.images.reading import sixteen_bits as deep
from convcli.images.reading.arrays import array_of
from convcli.images.writing import png

CLEARED, RESTORED = 1, 2
"""What becomes of a frame's place when the next one comes; 0: it stays."""


class Frame(NamedTuple):
    """A frame: its place on the canvas, how long it is seen in milliseconds, what becomes of it, and whether it is laid over.

    `data` is where the pieces of its pixels lie in the file, and their lengths.
    """

    width: int
    height: int
    left: int
    top: int
    milliseconds: float
    disposal: int
    over: bool
    data: list[tuple[int, int]]


class Canvas:
    """The frames of an animated PNG of 16 bits, one after the other, as they are seen.

    Parameters
    ----------
    stream : binary stream
        The file.

    Attributes
    ----------
    durations : tuple of float
        Of every frame, in milliseconds.
    transparent : bool
        Whether there is alpha, or one colour that is transparent.

    Raises
    ------
    ValueError, struct.error
        It is damaged.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frames: list[Frame] = []
        self._header, self._key = b"", b""
        self._read()
        width, height, _, kind = struct.unpack_from(">IIBB", self._header)
        channels = {number: count for count, number in png.COLOUR_TYPES.items()}[kind]
        self._key = self._key[: 2 * channels] if channels in (1, 3) else b""  # no more counts
        self.transparent = bool(self._key) or channels in (2, 4)
        self.durations = tuple(frame.milliseconds for frame in self._frames)
        self._canvas = np.zeros((height, width, channels + bool(self._key)), np.uint16)

    def frame(self, number: int) -> NDArray[np.uint16]:
        """``(H, W, C)``, alpha last where there is transparency. They are to be asked for in their order, each once."""
        if number >= len(self._frames):
            raise ValueError(f"frame {number} is missing")
        frame = self._frames[number]
        place = self._canvas[frame.top : frame.top + frame.height, frame.left : frame.left + frame.width]
        pixels = self._decoded(frame)
        before = place.copy() if frame.disposal == RESTORED else np.uint16(0)
        place[...] = _over(pixels, place) if frame.over and self.transparent else pixels
        seen = self._canvas.copy()
        if frame.disposal in (CLEARED, RESTORED):
            place[...] = before
        return seen

    def _read(self) -> None:
        """Where everything is. No frame is larger than the picture: its pixels are counted before they are decoded."""
        stream, begun = self._stream, False
        stream.seek(len(png.SIGNATURE))
        while len(head := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            place = stream.tell()
            if kind == b"IHDR":
                if self._header:
                    raise ValueError("there are two headers")
                self._header = stream.read(length)
            elif kind == b"tRNS" and not begun:
                self._key = stream.read(length)
            elif kind == b"fcTL":
                _, width, height, left, top, *time, disposal, blend = struct.unpack(">IIIIIHHBB", stream.read(26))
                if not self._holds(width, height, left, top):
                    raise ValueError(f"frame {len(self._frames)} does not lie in the picture")
                milliseconds = 1000 * time[0] / (time[1] or 100)
                self._frames.append(Frame(width, height, left, top, milliseconds, disposal, bool(blend), []))
            elif kind == b"IDAT":
                begun = True
                if not self._frames:  # the picture for those who know only still PNGs
                    width, height = struct.unpack_from(">II", self._header)
                    self._frames.append(Frame(width, height, 0, 0, 0.0, CLEARED, False, []))
                self._frames[-1].data.append((place, length))
            elif kind == b"fdAT":
                if length < 4:
                    raise ValueError("a piece of a frame has no number")
                self._frames[-1].data.append((place + 4, length - 4))
            stream.seek(place + length + 4)

    def _holds(self, width: int, height: int, left: int, top: int) -> bool:
        """Whether a frame lies in the picture, and is none of no pixels."""
        widest, highest = struct.unpack_from(">II", self._header)
        return bool(0 < width <= widest - left and 0 < height <= highest - top)

    def _decoded(self, frame: Frame) -> NDArray[np.uint16]:
        """The pixels of a frame, alpha last."""
        file = io.BytesIO()
        file.write(png.SIGNATURE)
        file.write(png.chunk(b"IHDR", struct.pack(">II", frame.width, frame.height) + self._header[8:]))
        for place, length in frame.data:
            self._stream.seek(place)
            file.write(png.chunk(b"IDAT", self._stream.read(length)))
        file.write(png.chunk(b"IEND", b""))
        opener = partial(Image.open, file)
        raw = deep.raw_mode(opener())
        samples = array_of(opener())[..., np.newaxis] if raw is None else deep.decode(opener, raw)
        if not self._key:
            return samples
        opaque = (samples != np.frombuffer(self._key, ">u2")).any(axis=-1, keepdims=True)
        return np.concatenate([samples, np.where(opaque, np.uint16(65535), np.uint16(0))], axis=-1)


def _over(pixels: NDArray[np.uint16], below: NDArray[Any]) -> NDArray[np.uint16]:
    """Pixels ``(H, W, C)``, alpha last, laid over others, row by row."""
    out = np.empty_like(pixels)
    for row, under, result in zip(pixels, below, out, strict=True):
        front = row[:, -1:] / 65535.0
        back = under[:, -1:] / 65535.0 * (1 - front)
        opacity = front + back
        mixed = row[:, :-1] * front + under[:, :-1] * back
        result[:, :-1] = np.rint(np.divide(mixed, opacity, out=np.zeros_like(mixed), where=opacity > 0))
        result[:, -1:] = np.rint(65535 * opacity)
    return out
