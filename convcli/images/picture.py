"""What a decoded picture is: colour and alpha as arrays, and what the file said beside its pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SPACES = {1: "gray", 3: "rgb"}
"""The colour space of an image by its count of colour channels (``cmyk`` and ``tensor`` are never guessed)."""


class JpegCoding(NamedTuple):
    """How a JPEG file was coded: what a copy needs to be of the same quality and size."""

    tables: dict[int, list[int]]
    subsampling: int | None = None
    progressive: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """What is carried from the input file to the output file.

    Attributes
    ----------
    format : str or None
        As Pillow names it, or ``NPY``.
    dpi : (float, float) or None
        Pixels per inch, across and down.
    exif, xmp, iptc : bytes or None
        Without the orientation, which is applied; `iptc` is JPEG's APP13 segment, whole.
    comment : bytes or None
        Of JPEG and GIF.
    text : tuple of (str, str)
        PNG's keywords and texts.
    chunks : tuple of (bytes, bytes)
        PNG's chunks of what its values mean: gAMA, cHRM, sRGB.
    jpeg : JpegCoding or None
        Tables and subsampling of a JPEG.
    lossy : bool
        Whether the file's format, or this file, rounds colours for a smaller size.
    frames : int
        Frames of an animation, pages of a document.
    """

    format: str | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    jpeg: JpegCoding | None = None
    lossy: bool = False
    frames: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture in memory.

    Attributes
    ----------
    colour : ndarray
        ``(C, H, W)``, or ``(N, C, H, W)`` for a batch from a .npy file. Pixel values as stored: uint8 0–255,
        uint16 0–65535, or floating point. Decoded images are interleaved in memory: the axes are a view.
    alpha : ndarray or None
        ``(H, W)``, 0 transparent to `full_scale` opaque.
    space : str
        ``gray``, ``rgb``, ``cmyk``, or ``tensor`` for a .npy file and for channels that are no colours.
    full_scale : float
        The value of white: 255, 65535, or 1 for floating-point images whose file does not say.
    assumed : bool
        Whether that is a guess, as neither the file nor the user says it.
    rank : int
        Dimensions of the .npy file it came from; 3 for images.
    real : bool
        Whether an image's values are real numbers or 32-bit integers, rather than 8 or 16 bits.
    notes : tuple of str
        What was lost on the way, for the user to know.
    """

    colour: NDArray[np.generic]
    alpha: NDArray[np.generic] | None
    space: str
    full_scale: float
    rank: int = 3
    real: bool = False
    assumed: bool = False
    metadata: Metadata = Metadata()
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """``(C, H, W)`` with alpha counted as a channel, or ``(N, C, H, W)``."""
        *batch, channels, height, width = self.colour.shape
        return (*batch, channels + (self.alpha is not None), height, width)

    @property
    def mode(self) -> str:
        """The colour space with alpha: ``rgba``, ``gray-alpha``; else just the space."""
        with_alpha = {"rgb": "rgba"}.get(self.space, f"{self.space}-alpha")
        return self.space if self.alpha is None else with_alpha

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.colour.shape[-2], self.colour.shape[-1]

    @property
    def has_light(self) -> bool:
        """Whether its values are levels of light: gray, RGB, or a tensor of as many channels whose white was said."""
        if self.space == "tensor":
            return not self.assumed and self.colour.shape[-3] in SPACES
        return self.space in SPACES.values()

    def space_of(self, channels: int) -> str:
        """The colour space of a result of `channels` channels: this one's where the count is the same."""
        return self.space if channels == self.colour.shape[-3] else SPACES.get(channels, "tensor")

    def with_pixels(self, colour: NDArray[Any], alpha: NDArray[Any] | None) -> Picture:
        """The same picture with other pixels; a profile for another colour space is dropped."""
        space = self.space_of(colour.shape[-3])
        metadata = self.metadata
        if space != self.space:
            metadata = replace(metadata, icc_profile=None, chunks=())
        return replace(self, colour=colour, alpha=alpha, space=space, metadata=metadata)
