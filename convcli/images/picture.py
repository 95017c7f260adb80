"""A decoded picture: colour and alpha as arrays, and the metadata of its file."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from convcli.errors import ImageError, param
from convcli.pointwise import Array
from convcli.pointwise.lift import Lift, weights_for
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convcli.images.directories import Directory
    from convcli.images.opened_file import Scene

COLOURS = {"gray": 1, "rgb": 3, "cmyk": 4}
"""The number of channels of every colour space."""

SPACES = {COLOURS[space]: space for space in ("gray", "rgb")}
"""The colour space of an image by its number of colour channels (``cmyk`` and ``tensor`` are never guessed)."""


class JpegCoding(NamedTuple):
    """How a JPEG file is coded. A copy with the same values has the same quality and size."""

    tables: dict[int, list[int]]
    subsampling: int | None = None
    progressive: bool = False


class Bands(NamedTuple):
    """How a TIFF keeps samples that are not just colours and one alpha."""

    photometric: int  # its PhotometricInterpretation: which of the bands are colours
    extra: tuple[int, ...]  # its ExtraSamples: what the others are
    separate: bool  # whether each band is a plane of its own

    @property
    def channels(self) -> int:
        """How many there are."""
        return {1: 1, 2: 3, 5: 4}[self.photometric] + len(self.extra)


class Metadata(NamedTuple):
    """What the output file takes over from the input file, and a few facts about the input."""

    format: str | None = None  # Pillow's name of it, or ``NPY``
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None  # pixels per inch, across and down
    # EXIF without the orientation, which is applied; `iptc` is the whole APP13 segment of a JPEG
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    comment: bytes | None = None  # from JPEG and GIF
    text: tuple[tuple[str, str], ...] = ()  # PNG's keywords and texts
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # the meaning of the values, as in PNG's chunks gAMA, cHRM, sRGB, cICP
    jpeg: JpegCoding | None = None  # tables and subsampling of a JPEG
    lossy: bool = False  # whether the file is lossy
    frames: int = 1  # frames of an animation, pages of a document
    turned: bool = False  # whether the file says how its pixels are to be turned, which was done
    bands: Bands | None = None  # of a TIFF of bands
    rare: str = ""  # the declared type of the samples, if pictures are not written with it: ``int16``
    nodata: float | None = None  # the value of pixels without data
    resolution: "Directory | None" = None  # a TIFF's tags of it, which may be of another unit than inches, or of none

    @property
    def of_other_colours(self) -> "Metadata":
        """The same for a result in another colour space: its values are coded as before, but its profile does not fit."""
        return self._replace(icc_profile=None, chunks=tuple(one for one in self.chunks if one[0] != b"cHRM"))


class Described:
    """What is known of a picture without its pixels: the part that a `Picture` and a `Scene` have in common."""

    __slots__ = ()

    colour_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    has_alpha: bool
    space: str
    full_scale: float
    rank: int
    real: bool
    assumed: bool
    metadata: Metadata
    notes: tuple[str, ...]

    @property
    def channels(self) -> int:
        """Number of colour channels."""
        return self.colour_shape[-3]

    @property
    def shape(self) -> tuple[int, ...]:
        """``(C, H, W)`` with alpha counted as a channel, or ``(N, C, H, W)``."""
        *batch, channels, height, width = self.colour_shape
        return (*batch, channels + self.has_alpha, height, width)

    @property
    def mode(self) -> str:
        """The colour space with alpha: ``rgba``, ``gray-alpha``; else just the space."""
        with_alpha = {"rgb": "rgba"}.get(self.space, f"{self.space}-alpha")
        return with_alpha if self.has_alpha else self.space

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.colour_shape[-2], self.colour_shape[-1]

    @property
    def has_light(self) -> bool:
        """Whether its values are levels of light: gray, RGB, or a tensor with 1 or 3 channels whose white is known."""
        if self.space == "tensor":
            return not self.assumed and self.channels in SPACES
        return self.space in SPACES.values()

    def space_of(self, channels: int) -> str:
        """The colour space of a result with `channels` channels: the same as here if the number is the same."""
        return self.space if channels == self.channels else SPACES.get(channels, "tensor")

    def gray_weights(self, linear: bool = False) -> tuple[float, ...]:
        """Weights of the channels in gray: for RGB luma or, in linear light, luminance; else the mean.

        Raises `ImageError` for CMYK.
        """
        if self.space == "cmyk":
            value, rule = param("channels", "gray"), "is for RGB images, this is CMYK"
            raise ImageError(value, rule, "convert it to RGB first")
        return weights_for(self.channels, linear)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Picture(Described):
    """A picture in memory."""

    # ``(C, H, W)``, or ``(N, C, H, W)`` for a batch from a .npy file. Values as stored: uint8 0–255, uint16 0–65535, or
    # floating point. Decoded images are interleaved in memory: the array is a view.
    colour: "NDArray[np.generic]"
    alpha: "NDArray[np.generic] | None"  # ``(H, W)``, 0 transparent to `full_scale` opaque
    space: str  # ``gray``, ``rgb``, ``cmyk``, or ``tensor`` for a .npy file and for channels that are not just colours
    full_scale: float  # the value of white: 255, 65535, or 1 for floating-point images whose file does not say
    rank: int = 3  # dimensions of the .npy file it came from; 3 for images
    real: bool = False  # whether an image has real numbers or 32-bit integers, not 8 or 16 bits
    assumed: bool = False  # whether `full_scale` is a guess because neither the file nor the user says it
    metadata: Metadata = Metadata()
    notes: tuple[str, ...] = ()  # what was lost, for the user

    @property
    def colour_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of its colours."""
        return self.colour.shape

    @property
    def scene(self) -> "Scene":
        """The same without its pixels."""
        from convcli.images.opened_file import Scene  # few runs need it

        known = {name: getattr(self, name) for name in Described.__annotations__}
        return Scene(**known)

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]
        """The dtype of its colours."""
        return self.colour.dtype

    @property
    def has_alpha(self) -> bool:  # type: ignore[override]
        """Whether it has alpha."""
        return self.alpha is not None

    def with_pixels(self, colour: Array, alpha: Array | None) -> "Picture":
        """The same picture with other pixels. The profile is dropped if the colour space changes."""
        space = self.space_of(colour.shape[-3])
        metadata = self.metadata
        if space != self.space:
            metadata = metadata.of_other_colours
        return replace(self, colour=colour, alpha=alpha, space=space, metadata=metadata)

    def gray(self, double: bool = False) -> "NDArray[np.floating]":
        """Gray ``(1, H, W)`` of its encoded colours, in float64 if `double` or if they are float64; see `gray_weights`."""
        kind = "float64" if double or self.colour.dtype == np.float64 else "float32"
        return Lift(kind, self.full_scale, gray=self.gray_weights()).whole(self.colour)


def joined(colour: Array, alpha: Array) -> Array:
    """Colours ``(C, H, W)`` and alpha ``(H, W)`` as one array ``(C + 1, H, W)``.

    It is a view if both are views of one array in which alpha follows the colours, as in a decoded picture; else a copy that
    is interleaved in memory.
    """
    across, *along = colour.strides
    follows = colour.ctypes.data + len(colour) * across == alpha.ctypes.data and tuple(along) == alpha.strides
    if colour.base is not None and colour.base is alpha.base and colour.dtype == alpha.dtype and follows:
        return as_strided(colour, (len(colour) + 1, *alpha.shape), colour.strides, writeable=colour.flags.writeable)
    out = np.empty((*alpha.shape, len(colour) + 1), np.result_type(colour, alpha)).transpose(2, 0, 1)
    out[:-1], out[-1] = colour, alpha
    return out


class Timing(NamedTuple):
    """How the frames of an animation follow each other."""

    durations: tuple[float, ...]  # the duration of every frame, in milliseconds
    loop: int | None  # how often it plays, 0: for ever; None: the file does not say it, which means once in a GIF
    alpha: bool  # whether at least one frame has transparency: then all are read with alpha
    # whether the first frame is not part of the animation, but shown by readers that do not know animated PNGs
    hidden: bool = False

    @property
    def plays(self) -> int:
        """How often it plays, as in PNG and WebP: 0 means for ever."""
        return 1 if self.loop is None else self.loop
