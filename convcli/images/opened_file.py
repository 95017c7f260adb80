"""What an opened file is: one picture or several that are decoded, or one that is read window by window."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from convcli.geometry import Size
from convcli.images.picture import Described, Metadata, Picture, Timing
from convcli.windows import Array


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scene(Described):
    """A picture whose pixels are not in memory."""

    colour_shape: tuple[int, ...]  # of the colours, ``(C, H, W)``
    dtype: np.dtype[Any]  # of the values, as a `Picture` has them
    has_alpha: bool
    # the others are those of a `Picture`
    space: str
    full_scale: float
    rank: int = 3
    real: bool = False
    assumed: bool = False
    metadata: Metadata = Metadata()
    notes: tuple[str, ...] = ()


class WindowedFile(Protocol):
    """An opened file whose picture is read window by window."""

    scene: Scene  # what the ordinary reader says of the same file, but for the pixels
    format: str  # as Pillow names it, ``NPY``, or ``ZARR``
    chunk: Size  # rows and columns that are decoded together
    interleaved: bool  # whether `read` gives the channels of a pixel next to each other

    def read(self, rows: slice, columns: slice) -> Array:
        """The pixels of a window, ``(C, rows, columns)``, alpha as the last channel: the values that a `Picture` has.

        It can be called from several threads at once. Raises `ImageError` if a part of the file is damaged.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class ImageFile(Protocol):
    """An opened file and its pictures: one, the frames of an animation, or the pages of a document."""

    format: str | None  # as Pillow names it, or ``NPY``
    frames: int  # how many pictures there are
    pages: bool  # whether they are pictures that differ in all, rather than the frames of an animation
    unread: int  # bytes of the file that follow the last picture, which nobody reads
    others: bool  # whether it has pictures that are not read, such as masks and smaller copies

    def picture(self, number: int = 0) -> Picture:
        """Decode one of them. Ask for them in order, and for a single one only once."""

    def timing(self) -> Timing | None:
        """The timing of an animation; None for pages. Decodes all frames."""
