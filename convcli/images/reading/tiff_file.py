"""TIFFs that Pillow does not open (real numbers in colour, 64 bits, separate planes), through tifffile where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli.errors import ImageError
from convcli.images import white
from convcli.images.guards import check_pixels
from convcli.images.metadata import ORIENTATION, SMAX, as_orientation, as_white
from convcli.images.picture import Metadata, Picture
from convcli.images.reading.planes import Planes, upright
from convcli.system.silence import silent

_SPACES = {0: "gray", 1: "gray", 2: "rgb", 5: "cmyk"}
_COLOURS = {"gray": 1, "rgb": 3, "cmyk": 4}
_PER_INCH = {2: 1.0, 3: 2.54}
_ICC = 34675


class Pages:
    """The pages of a TIFF, as tifffile decodes them; see `convcli.images.reading.pillow_file.Film`.

    Raises
    ------
    ImageError
        tifffile is not installed, or cannot read it either.
    """

    format: str | None = "TIFF"

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._source, self._full_scale = source, full_scale
        try:
            import tifffile
        except ImportError:
            raise ImageError(
                f"input '{source}' is a TIFF of a kind that Pillow cannot read: install convcli[tiff], or convert it first"
            ) from None
        stream.seek(0)
        with self._decoding():
            self._pages: Any = tifffile.TiffFile(stream).pages
            self.frames = len(self._pages)
            pixels = sum(page.imagelength * page.imagewidth for page in self._pages)
            largest = max(page.imagelength * page.imagewidth for page in self._pages)
            each = max(page.samplesperpixel * page.bitspersample // 8 for page in self._pages)
        check_pixels(source, pixels, limit)
        check_pixels(source, largest, limit, 2 * each)

    def picture(self, number: int = 0) -> Picture:
        """Decode a page."""
        with self._decoding():
            page = self._pages[number]
            space, extra = _SPACES.get(int(page.photometric)), tuple(map(int, page.extrasamples))
            array, said = page.asarray(), as_white(_tag(page, SMAX))
        if array.ndim == 2:
            array = array[..., np.newaxis]
        elif page.planarconfig == 2:
            array = np.moveaxis(array, 0, -1)
        if space is None or array.ndim != 3 or array.dtype.kind not in "uif":
            raise ImageError(
                f"input '{self._source}' is a TIFF of a rare kind, {page.photometric!s}: convert it to RGB first"
            )
        if int(page.photometric) == 0 and array.dtype.kind == "u":
            array[..., 0] = np.iinfo(array.dtype).max - array[..., 0]
        orientation = as_orientation(_tag(page, ORIENTATION))
        planes = upright(_planes(array, space, extra, said or self._full_scale), orientation)
        known = said is not None or not planes.real
        white.check_unsaid(self._source, self._full_scale, planes.full_scale, known)
        profile, dpi = _tag(page, _ICC), _dpi(page)
        metadata = Metadata(
            "TIFF",
            profile if isinstance(profile, bytes) and profile else None,
            dpi[::-1] if dpi and orientation > 4 else dpi,
            frames=self.frames,
        )
        return Picture(
            planes.colour,
            planes.alpha,
            planes.space,
            planes.full_scale,
            real=planes.real,
            assumed=not known and self._full_scale is None,
            metadata=metadata,
            notes=("of its metadata, the profile and the resolution are kept",),
        )

    def timing(self) -> None:
        """Pages have none."""

    @contextmanager
    def _decoding(self) -> Iterator[None]:
        try:
            with silent():
                yield
        except MemoryError:
            raise
        except Exception as error:  # only tifffile's code runs in there, and its decoders raise whatever comes to hand
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise ImageError(
                f"input '{self._source}' cannot be decoded: {why}; is it truncated, damaged or of a rare kind?"
            ) from None


def _planes(array: NDArray[Any], space: str, extra: tuple[int, ...], known: float | None) -> Planes:
    """Planes of ``(H, W, C)``: the colours, the first extra sample if it is alpha, and nothing else."""
    colours = _COLOURS[space]
    real = array.dtype.kind == "f" or array.dtype.itemsize > 2
    full_scale = float(np.iinfo(array.dtype).max) if array.dtype.kind in "ui" else 1.0
    if real:
        full_scale = known or full_scale
    if array.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        array = array.astype(np.float64 if array.dtype.itemsize > 2 and array.dtype.kind != "f" else np.float32)
    planes = np.moveaxis(array, -1, 0)
    alpha = planes[colours] if extra[:1] in ((1,), (2,)) and len(planes) > colours else None
    colour = planes[:colours]
    if alpha is not None and extra[0] == 1:
        opacity = alpha.astype(np.float64) / full_scale
        straight = np.divide(colour, opacity, out=np.zeros(colour.shape), where=opacity > 0)
        colour = (straight if real else np.rint(np.minimum(straight, full_scale))).astype(array.dtype)
    return Planes(colour, alpha, space, full_scale, real)


def _tag(page: Any, number: int) -> Any:
    """The value of a tag, of whatever type it is in the file; None where there is none."""
    tag = page.tags.get(number)
    return None if tag is None else tag.value


def _dpi(page: Any) -> tuple[float, float] | None:
    """Pixels per inch, across and down."""
    with suppress(TypeError, ValueError, IndexError, ZeroDivisionError, KeyError):
        unit = _tag(page, 296)
        scale = _PER_INCH[2 if unit is None else int(unit)]
        across, down = (value[0] / value[1] * scale for value in (_tag(page, 282), _tag(page, 283)))
        return (across, down) if 0 < across < 65536 and 0 < down < 65536 else None
    return None
