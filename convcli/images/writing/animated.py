"""Animated GIF and WebP: frames go to Pillow's writers one by one, as they are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from PIL import Image


class Frames(Image.Image):
    """An image whose frames come from an iterator: Pillow's writers seek forward through it, and it is made up on the way.

    Parameters
    ----------
    frames : iterator of Image
        All of one size and mode but for palettes.
    count : int
        How many there are.
    """

    def __init__(self, frames: Iterator[Image.Image], count: int) -> None:
        super().__init__()
        self.n_frames, self.is_animated = count, count > 1
        self._frames, self._place = frames, -1
        self.seek(0)

    def tell(self) -> int:
        """The number of the present frame."""
        return self._place

    def seek(self, frame: int) -> None:
        """Go on to a frame; going back, which writers do when they are done, changes nothing."""
        if frame >= self.n_frames:
            raise EOFError
        while self._place < frame:
            present = next(self._frames)
            self._place += 1
            self.im, self._mode, self._size = present.im, present.mode, present.size
            self.palette, self.info = present.palette, present.info


def count(stream: BinaryIO) -> int | None:
    """How many frames a file has: writers join those that are equal; None if it is larger than what may be read."""
    stream.seek(0)
    with suppress(Image.DecompressionBombError), Image.open(stream) as image:
        return int(getattr(image, "n_frames", 1))
    return None
