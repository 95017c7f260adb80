"""Pictures that are read window by window: larger than memory, on disks and behind URLs."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from convcli.errors import ImageError
from convcli.images import formats
from convcli.images.picture import ImageFile, WindowedFile
from convcli.images.reading import left_out
from convcli.images.reading.windows.refusals import convert
from convcli.system import stores

CACHE_BYTES = 64 << 20
"""Bytes of decoded chunks that are kept of a file."""


def opened_windows(source: str, full_scale: float | None = None, cache_bytes: int = CACHE_BYTES) -> WindowedFile:
    """A file whose picture is read window by window. The format is recognised by content, not by name.

    Parameters
    ----------
    source : str
        A path or a URL.
    full_scale : float, optional
        The value of white, for tensors and for real numbers whose file does not say it.
    cache_bytes : int
        Bytes of decoded chunks that are kept.

    Raises
    ------
    ImageError
        It cannot be read, or not in windows, or it is damaged.
    """
    ranges = stores.opened(source)
    try:
        head = ranges.read(0, 16)
        if not head:
            raise ImageError(f"input '{stores.shown(source)}'", "is empty", "name a file with an image")
        row = formats.row_of_head(head)
        if row is None or row.name != "TIFF":
            raise convert(stores.shown(source), f"is {row.name}" if row else "is of another format")
        from convcli.images.reading.windows import tiff_tiles

        file = tiff_tiles.File(ranges, source, full_scale, cache_bytes)
        file.scene = replace(file.scene, notes=(*left_out(cast("ImageFile", file), 1), *file.scene.notes))
        return file
    except BaseException:
        ranges.close()
        raise


def identity_of(source: str) -> str:
    """What tells that a file has changed since: its size and the time of its change, or the ETag of an object."""
    return stores.identity(source)
