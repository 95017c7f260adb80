"""Pictures that are read window by window: larger than memory, on disks and behind URLs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from convcli.errors import ImageError, shown
from convcli.images import formats
from convcli.images.guards import settle
from convcli.images.opened_file import WindowedFile
from convcli.images.reading import left_out
from convcli.images.reading.windows.refusals import convert
from convcli.system import stores
from convcli.system.names import is_url
from convcli.system.ranges import Ranges, opened

CACHE_BYTES = 64 << 20
"""Bytes of decoded chunks that are kept of a file."""

_ENDING = re.compile(r"\.[A-Za-z]\w{1,4}(\?.*)?$")
"""What a file's name ends in."""


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
    settle()
    if is_zarr(source):
        from convcli.images.reading.windows import zarr_chunks

        return zarr_chunks.File(source, full_scale, cache_bytes)
    ranges = opened(source)
    try:
        file: Any = _opened(ranges, source, full_scale, cache_bytes)
        file.scene = replace(file.scene, notes=(*left_out(file, 1), *file.scene.notes))
    except BaseException:
        ranges.close()
        raise
    found: WindowedFile = file
    return found


def _opened(ranges: Ranges, source: str, full_scale: float | None, cache_bytes: int) -> Any:
    """A file of one object, by its first bytes."""
    head, name = ranges.read(0, 16), shown(source)
    if not head:
        raise ImageError(f"input '{name}'", "is empty", "name a file with an image")
    row = formats.row_of_head(head)
    kind = None if row is None else formats.windowed(row)
    if kind is None:
        raise convert(name, "is of a format that is not read so" if row is None else f"is {row.name}")
    return kind(ranges, source, full_scale, cache_bytes)


def is_zarr(source: str) -> bool:
    """Whether a source is a Zarr: a folder, or a URL that may be one, with its metadata.

    A store is asked only about names that can be those of a folder: some users may read objects, but not list them.
    """
    if is_url(source):
        if ".zarr" not in source and (_ENDING.search(source) or not stores.is_folder(source)):
            return False
    elif not stores.is_folder(source):
        return False
    from convcli.images.reading.windows import zarr_chunks

    return zarr_chunks.is_zarr(source)


def identity_of(source: str) -> str:
    """What tells that a file has changed since: its size and the time of its change, or the ETag of an object."""
    if is_zarr(source):
        from convcli.images.reading.windows import zarr_chunks

        return zarr_chunks.identity(source)
    return stores.identity(source)
