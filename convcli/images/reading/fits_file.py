"""FITS files, read by astropy: physical values, whatever scale, offset and sign their integers are stored with.

FITS Standard 4.0, 4.4 (BITPIX, BSCALE, BZERO, BLANK), 7.1 (image extensions). The first row of a file is the bottom of its picture,
as ds9, ImageMagick and libvips show it: pictures are upright here.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from convcli import extras
from convcli.errors import ImageError
from convcli.images.guards import check_pixels, decoding, quiet
from convcli.images.picture import Metadata, Picture
from convcli.images.reading.planes import completed
from convcli.images.reading.samples import samples_of


class File:
    """The images of a FITS file, one for each header that has pixels; see `convcli.images.opened_file.ImageFile`.

    Raises
    ------
    ImageError
        astropy is not installed, or there is no image in it, or it is too large.
    """

    format: str | None = "FITS"
    pages = True
    unread = 0
    others = False

    def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
        self._source, self._limit, self._full_scale, self._pixels = source, limit, full_scale, 0
        if not extras.is_installed("astropy"):
            rule = "is a FITS file, which needs astropy"
            raise ImageError(f"input '{source}'", rule, extras.how_to_get("astropy"), "it is not installed")
        with decoding(source, limit):
            self._images = [image for image in _fits().open(stream, memmap=False) if _has_pixels(image)]
        self.frames = len(self._images)
        if not self._images:
            raise ImageError(
                f"input '{source}'", "is a FITS file without an image", "name one with pixels", "it may hold tables"
            )

    def picture(self, number: int = 0) -> Picture:
        """One image; a cube of n planes is a picture of n channels."""
        image = self._images[number]
        *planes, height, width = image.shape
        what = f"input '{self._source}'"
        if prod(planes) != (planes[-1] if planes else 1):
            rule = f"has {len(image.shape)} axes of {'×'.join(map(str, image.shape))}"
            raise ImageError(what, rule, "cut it to height, width and planes")
        self._pixels += height * width
        check_pixels(self._source, self._pixels, self._limit, 8 * prod(planes))
        with decoding(self._source, self._limit):
            data: NDArray[Any] = image.data.reshape(-1, height, width)[:, ::-1]
        samples = samples_of(data)
        space = "gray" if len(data) == 1 else "tensor"
        white = self._full_scale or samples.white
        kept, own = np.ascontiguousarray(samples.array), Metadata(rare=samples.rare)
        picture = Picture(kept, None, space, white, real=samples.real, metadata=own)
        metadata = Metadata("FITS", frames=self.frames)
        return completed(picture, self._source, self._full_scale, metadata, samples.notes)

    def timing(self) -> None:
        """Images have none."""


def _fits() -> Any:
    """The module of astropy. Importing it changes how the process shows warnings, which is undone."""
    known, filters = "astropy" in sys.modules, warnings.filters[:]
    import astropy
    from astropy.io import fits

    if not known:
        with suppress(Exception):  # the user's own settings may leave warnings alone
            astropy.log.disable_warnings_logging()
    warnings.filters[:] = filters  # type: ignore[index]
    quiet("astropy")
    return fits


def _has_pixels(image: Any) -> bool:
    """Whether it is an image of two axes or more; tables and random groups have a shape as well, or none."""
    shape = image.shape if image.is_image or type(image).__name__ == "CompImageHDU" else ()
    return type(image).__name__ != "GroupsHDU" and len(shape) >= 2 and prod(shape) > 0
