"""What the headers of files declare of their pixels. Pillow does not say all of it, and does not read all of it.

`declared` asks the function of a format, which the table of formats names. `Declared.remarks` compares it with what Pillow decodes.
Nothing is decoded here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from convcli.images import formats
from convcli.images.formats import Format
from convcli.images.picture import Picture, joined
from convcli.images.reading import ends
from convcli.images.reading.planes import straighten
from convcli.images.reading.quirks import cut_note
from convcli.images.reading.samples import SPREAD
from convcli.pointwise import Array
from convcli.records import NamedTuple

HEAD_BYTES = 1 << 20
"""How much of a file is searched for a mark."""

_BITS = {"1": 1, "I": 32, "F": 32}
"""The bits of a sample in Pillow's modes. Modes of ``I;16`` have 16, all others 8."""


class Declared(NamedTuple):
    """What a file declares. The defaults declare nothing."""

    bits: int = 0  # of a sample; of several kinds, the most
    signed: bool = False  # whether samples can be negative
    channels: int = 0  # how many each pixel has, with alpha and indices of a palette as one
    pictures: int = 1  # of which Pillow reads one
    aperture: tuple[int, int, int, int] | None = None  # the part to be shown: top, left, height, width
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # what values mean, as PNG would say it
    metadata: Mapping[str, Any] = {}  # what Pillow does not give of its metadata, under Pillow's names
    lossy: bool | None = (
        None  # whether its coding changes colours, where this is not the same for all files of the format
    )
    widened: bool = False  # whether Pillow shifts its samples, all of one size, up to 8 or 16 bits
    premultiplied: bool = False  # whether its colours are multiplied by its alpha
    end: int = 0  # the place behind its last byte; 0: it does not tell
    notes: tuple[str, ...] = ()  # what else is not read as the file declares it
    refusal: str = ""  # what Pillow does not read, or reads wrong

    def remarks(self, image: Image.Image) -> tuple[str, ...]:
        """What is not read as declared of an image that Pillow has opened."""
        held = 16 if image.mode.startswith("I;16") else _BITS.get(image.mode, 8)
        notes = [cut_note(image)] if self.bits > max(8, held) else []
        notes += self.notes
        if self.channels > (bands := len(image.getbands())):
            notes.append(f"{bands} of its {self.channels} channels are read")
        if self.pictures > 1:
            notes.append(f"one of its {self.pictures} pictures is read")
        if self.signed and not (self.widened and bands == 1):
            notes.append("its values have a sign, and are read with half of their range added")
        if self.aperture is not None:
            _, _, height, width = self.aperture
            notes.append(f"its clean aperture is used: {height}×{width} of {image.size[1]}×{image.size[0]} pixels")
        return tuple(notes)

    def fitted(self, planes: Picture, mode: str) -> Picture:
        """What Pillow has decoded in `mode`, in the file's own values where they were shifted up, and within the aperture."""
        colour: Array = planes.colour
        alpha: Array | None = planes.alpha
        held = 8 * colour.dtype.itemsize
        if self.widened and mode not in ("P", "PA") and (self.bits < held or (self.signed and len(colour) == 1)):
            white = float((1 << self.bits) - 1)
            colour = colour >> (held - self.bits)
            if self.signed and len(colour) == 1:
                middle = 1 << self.bits - 1
                metadata = planes.metadata._replace(rare=f"int{self.bits}")
                planes = replace(planes, full_scale=middle - 1.0, real=True, metadata=metadata)
                colour = colour.astype(np.float32) - np.float32(middle)
            elif alpha is None and self.bits not in SPREAD:
                planes = replace(planes, full_scale=white)
            else:  # which is exact for bits that are spread
                parts = [colour] if alpha is None else [colour, alpha >> (held - self.bits)]
                colour, *rest = (
                    np.rint(part * (planes.full_scale / white)).astype(planes.colour.dtype) for part in parts
                )
                alpha = rest[0] if rest else None
        if self.premultiplied and alpha is not None:
            whole = np.array(np.moveaxis(joined(colour, alpha), 0, -1))
            straighten(whole, planes.full_scale)
            colour, alpha = np.moveaxis(whole[..., :-1], -1, 0), whole[..., -1]
        if self.aperture is not None:
            top, left, height, width = self.aperture
            place = slice(top, top + height), slice(left, left + width)
            whole = colour[..., *place] if alpha is None else joined(colour, alpha)[..., *place]
            whole = np.ascontiguousarray(np.moveaxis(whole, 0, -1)).transpose(2, 0, 1)
            colour, alpha = (whole, None) if alpha is None else (whole[:-1], whole[-1])
        return replace(planes, colour=colour, alpha=alpha)


def declared(row: Format, stream: BinaryIO) -> Declared:
    """What a file declares; nothing if its format has no function here, or its header is damaged."""
    read = formats.header(row)
    if read is None:
        return Declared()
    place = stream.tell()
    with suppress(struct.error, IndexError, ValueError, ZeroDivisionError, OSError):
        stream.seek(0)
        found: Declared = read(stream)
        stream.seek(place)
        return found
    stream.seek(place)
    return Declared()


def jpeg(stream: BinaryIO) -> Declared:
    """ITU T.81, B.2.2: a frame header says precision and components. Frames 3, 7, 11 and 15 are coded without loss."""
    place = 2
    while True:
        stream.seek(place)
        mark, kind, length = struct.unpack(">BBH", stream.read(4))
        if mark != 0xFF or kind == 0xDA:
            raise ValueError
        if kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD8:
            place += 1 if kind == 0xFF else 2
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            bits, _, _, channels = struct.unpack(">BHHB", stream.read(6))
            odd = (
                f"{bits} bits per sample" if bits != 8 else f"{channels} channels" if channels not in (1, 3, 4) else ""
            )
            return Declared(bits, channels=channels, lossy=kind & 3 != 3, refusal=odd)
        else:
            place += 2 + length


def webp(stream: BinaryIO) -> Declared:
    """Google, "WebP Container Specification": a kind of four bytes, a size of four, as many bytes, and one if that is odd.

    Frames are in ``VP8 `` if colours were rounded, else in ``VP8L``. In an animation, they are in chunks ``ANMF``, after 16 bytes.
    """
    kinds, place = set(), 12  # after ``RIFF``, a size and ``WEBP``
    stream.seek(place)
    while len(head := stream.read(8)) == 8:
        kind, size = struct.unpack("<4sI", head)
        kinds.add(kind)
        place += 24 if kind == b"ANMF" else 8 + size + size % 2
        stream.seek(place)
    return Declared(8, lossy=b"VP8L" not in kinds)


def png_is_short(stream: BinaryIO) -> bool:
    """Whether the pixels of a PNG, or of one of its frames, end early, which Pillow does not notice: the rest is 0.

    PNG, 3rd edition, 7.3 (scanlines), 8.1 (passes), 11.3.4 (frames).
    """
    depth = interlaced = need = 0
    undo = None
    for kind, place, length in ends.png_chunks(stream, 0):
        if kind in (b"IHDR", b"fcTL"):
            if undo is not None and need > 0:
                return True
            stream.seek(place + 4 * (kind == b"fcTL"))
            width, height, bits, colours, _, _, passes = struct.unpack(">IIBBBBB", stream.read(13))
            if kind == b"IHDR":
                depth, interlaced = bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours], passes
            need, undo = _png_bytes(width, height, depth, interlaced), None
        elif kind in (b"IDAT", b"fdAT"):
            undo = undo or zlib.decompressobj()
            stream.seek(place + 4 * (kind == b"fdAT"))
            data = stream.read(length - 4 * (kind == b"fdAT"))
            while data and need > 0 and not undo.eof:
                need -= len(undo.decompress(data, HEAD_BYTES))
                data = undo.unconsumed_tail
    return need > 0


def _png_bytes(width: int, height: int, depth: int, interlaced: int) -> int:
    """The bytes of all rows, each after the number of its filter."""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    total = 0
    for left, top, right, down in passes if interlaced else [(0, 0, 1, 1)]:
        columns, rows = max(0, -((left - width) // right)), max(0, -((top - height) // down))
        total += rows * (1 + (columns * depth + 7) // 8) if columns else 0
    return total
