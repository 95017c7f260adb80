"""What a file is, by its first bytes: Pillow's picture of it, with nothing decoded."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import BinaryIO

from PIL import Image

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
"""What files begin with."""


def recognised(stream: BinaryIO) -> Image.Image:
    """Pillow's picture of a file.

    A PNG goes to its own reader at once, since Pillow would first import those of four other formats: of a small picture's whole
    command they take a thirtieth.

    Raises
    ------
    Exception
        Whatever `PIL.Image.open` raises.
    """
    stream.seek(0)
    head = stream.read(len(PNG))
    stream.seek(0)
    if head == PNG:
        from PIL.PngImagePlugin import PngImageFile

        with suppress(
            SyntaxError, IndexError, TypeError, struct.error
        ):  # of which Pillow says that it is another format
            return PngImageFile(stream)
        stream.seek(0)
    return Image.open(stream)
