"""Which names are those of images: for folders, whose other files are passed over."""

from __future__ import annotations

import os

from PIL import Image

_USUAL = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".ppm", ".pgm", ".pbm", ".pnm", ".npy"}
"""Known without asking Pillow, which imports every plugin to answer."""

UNREADABLE = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
"""Formats that Pillow recognises, and reads with the help of other programs or not at all."""


def has_image_name(name: str) -> bool:
    """Whether a file's name ends as those of images do that can be read, or of .npy tensors."""
    extension = os.path.splitext(name)[1].lower()
    if extension in _USUAL or not extension:
        return bool(extension)
    container = Image.registered_extensions().get(extension)
    return container in Image.OPEN and container not in UNREADABLE
