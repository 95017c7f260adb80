"""Pictures that are read window by window: larger than memory, on disks and behind URLs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from convcli.errors import ImageError
from convcli.images import formats
from convcli.images.guards import settle
from convcli.images.opened_file import WindowedFile
from convcli.images.reading import left_out
from convcli.images.reading.windows.refusals import convert
from convcli.system import stores
from convcli.system.addresses import is_remote, shown
from convcli.system.stores import Ranges

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
    settle()
    if is_zarr(source):
        from convcli.images.reading.windows import zarr_chunks

        return zarr_chunks.File(source, full_scale, cache_bytes)
    ranges = stores.opened(source)
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
    """Whether a source is a Zarr: a folder, or a URL that may be one, with its metadata."""
    if not (stores.is_folder(source) or (is_remote(source) and ".zarr" in source)):
        return False
    from convcli.images.reading.windows import zarr_chunks

    return zarr_chunks.is_zarr(source)


def identity_of(source: str) -> str:
    """What tells that a file has changed since: its size and the time of its change, or the ETag of an object."""
    if is_zarr(source):
        from convcli.images.reading.windows import zarr_chunks

        return zarr_chunks.identity(source)
    return stores.identity(source)
