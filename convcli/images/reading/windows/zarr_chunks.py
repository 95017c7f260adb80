"""Arrays of Zarr 2 and 3, and OME-Zarr, chunk by chunk, through the package zarr."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from convcli import extras
from convcli.errors import ImageError, shown
from convcli.geometry import Size
from convcli.images.directories import RATIONAL, SHORT, Directory, entry
from convcli.images.metadata import RESOLUTION
from convcli.images.opened_file import Scene
from convcli.images.picture import SPACES, Metadata, Picture
from convcli.images.reading.npy_file import white_of
from convcli.images.reading.planes import completed, planes_of
from convcli.images.reading.windows.chunks import Cache, Grid
from convcli.images.reading.windows.refusals import damaged
from convcli.images.reading.windows.zarr_axes import Axes, Level, axes_of, levels
from convcli.pointwise import Array
from convcli.system import stores
from convcli.system.addresses import place_of

KEYS = ("zarr.json", ".zarray", ".zgroup")
"""One of these is in the folder of every array and group."""

MOST_BYTES = 1 << 30
"""A chunk has no more bytes when it is decoded."""

_CELL_VALUES = 1 << 19
"""Small chunks are read several at a time: about so many values."""

_CODECS = {
    "bytes", "transpose", "sharding_indexed", "blosc", "gzip", "zstd", "zlib", "lz4", "bz2", "lzma", "crc32", "crc32c",
    "adler32", "fletcher32", "jenkins_lookup3", "shuffle", "delta", "fixedscaleoffset", "quantize", "bitround",
    "packbits", "astype", "zfpy", "pcodec",
}  # fmt: skip
"""Codecs that are undone. Others can run code (``pickle``), or are of no numbers."""


class File:
    """The array of a Zarr, or the largest of an OME-Zarr; see `convcli.images.opened_file.WindowedFile`."""

    format = "ZARR"
    frames = 1
    unread = 0

    def __init__(self, source: str, full_scale: float | None, cache_bytes: int) -> None:
        if not extras.is_installed("zarr"):
            remedy = extras.how_to_get("zarr")
            raise ImageError(f"input '{shown(source)}'", "is a Zarr, which needs zarr", remedy, "it is not installed")
        self._source = shown(source)
        with self._reading(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about codecs that the specification does not have yet
            self._array, level = _opened(source, self._source)
            self._check()
            names = level.names if level and level.names else getattr(self._array.metadata, "dimension_names", None)
        array, ome = self._array, level is not None
        self._axes = axes_of(self._source, array.shape, names)
        channels, height, width = self._axes.shape(array.shape)
        if not channels * height * width:
            raise ImageError(f"input '{self._source}'", f"has shape {array.shape}", "leave it out", "no side can be 0")
        dtype = np.dtype(np.uint8 if array.dtype.kind == "b" else array.dtype.newbyteorder("="))
        self.scene = _scene((channels, height, width), dtype, array.ndim, self._axes, ome, full_scale, source)
        resolution = _resolution(level)
        if resolution is not None:
            self.scene = replace(self.scene, metadata=self.scene.metadata._replace(**resolution))
        self.interleaved = self.scene.space != "tensor"
        self._cache = Cache(cache_bytes)
        self.chunk = self._cut(Size(height, width))
        size = Size(height, width)
        self._grid = Grid(size, self.chunk, channels, dtype, self._decoded, self._cache, self.interleaved)

    def read(self, rows: slice, columns: slice) -> Array:
        """See `WindowedFile.read`."""
        return self._grid.read(rows, columns)

    def close(self) -> None:
        """See `WindowedFile.close`."""
        self._cache.clear()

    def _check(self) -> None:
        """Refuse what is not an array of real numbers, and codecs that could do anything."""
        array = self._array
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            what, rule = f"input '{self._source}'", f"has values of type {array.dtype}"
            raise ImageError(what, rule, "save real numbers")
        for name in _codecs(array.metadata.to_dict()):
            if name.removeprefix("numcodecs.") not in _CODECS:
                rule = f"has the codec '{name}', which is not taken"
                raise ImageError(f"input '{self._source}'", rule, "write it with another, such as zstd")

    def _cut(self, size: Size) -> Size:
        """Rows and columns that are read at a time: of a chunk, or of several small ones."""
        chunks, axes = self._array.chunks, self._axes
        chunk = Size(min(chunks[axes.y], size.height), min(chunks[axes.x], size.width))
        need = self._array.dtype.itemsize
        for side in chunks:
            need *= side
        channels = axes.shape(self._array.shape)[0]
        most = max(need, chunk.height * chunk.width * channels * self._array.dtype.itemsize)
        if most > MOST_BYTES:
            why = f"its chunks of {chunks} have {most / 2**30:.1f} GiB, more than 1"
            raise ImageError(f"input '{self._source}'", "cannot be read in parts", "write it in smaller chunks", why)
        times = max(1, int((_CELL_VALUES / (chunk.height * chunk.width * channels)) ** 0.5))
        return Size(min(chunk.height * times, size.height), min(chunk.width * times, size.width))

    def _decoded(self, row: int, column: int) -> Array:
        """The pixels ``(C, rows, columns)`` of a part."""
        axes, (height, width) = self._axes, self.chunk
        place: list[Any] = [0] * self._array.ndim
        place[axes.y] = slice(row * height, min((row + 1) * height, self.scene.size[0]))
        place[axes.x] = slice(column * width, min((column + 1) * width, self.scene.size[1]))
        if axes.c is not None:
            place[axes.c] = slice(None)
        with self._reading(f"the part at {row * height},{column * width}: "):
            found = np.asarray(self._array[tuple(place)])
        roles = sorted((axis, role) for role, axis in zip("yxc", axes[:3], strict=True) if axis is not None)
        order = [role for _, role in roles]
        if axes.c is None:
            found, order = found[np.newaxis], ["c", *order]
        found = found.transpose([order.index(role) for role in ("yxc" if self.interleaved else "cyx")])
        array = np.ascontiguousarray(found, self.scene.dtype)
        return array.transpose(2, 0, 1) if self.interleaved else array

    @contextmanager
    def _reading(self, where: str = "") -> Iterator[None]:
        """Turn errors of zarr and its codecs, which may be any, into an `ImageError`."""
        try:
            yield
        except (ImageError, MemoryError):
            raise
        except Exception as error:
            text = (str(error).splitlines() or [""])[0]
            raise damaged(self._source, where + (text or type(error).__name__)) from None


def is_zarr(source: str) -> bool:
    """Whether there is a Zarr: the folder or prefix has one of its keys."""
    return any(stores.exists(f"{source.rstrip('/')}/{key}") for key in KEYS)


def identity(source: str) -> str:
    """The versions of its metadata and, on a disk, of the folders in it. Chunks that are written again are not seen."""
    return "; ".join(
        f"{key} {stores.identity(name)}"
        for key in (*KEYS, ".zattrs", "")
        if stores.exists(name := f"{source.rstrip('/')}/{key}")
    )


def _opened(source: str, shown_as: str) -> tuple[Any, Level | None]:
    """The array of an address, and what OME says of it."""
    import zarr

    node = zarr.open(store=_store(source), mode="r")
    if isinstance(node, zarr.Array):
        return node, _above(source, zarr)
    found = levels(node.attrs.asdict())
    if not found:
        names = sorted(name for name, _ in node.members())
        remedy = f"name an array in it: {', '.join(names[:5])}" if names else "name an array"
        raise ImageError(f"input '{shown_as}'", "is a group of Zarr without a picture (multiscales)", remedy)
    array = node[found[0].path]
    if not isinstance(array, zarr.Array):
        raise ValueError(f"{found[0].path} is not an array")
    return array, found[0]


def _above(source: str, zarr: Any) -> Level | None:
    """What the group around an array says of it, if that is an OME-Zarr."""
    folder, _, name = source.rstrip("/").rpartition("/")
    try:
        if not folder or not is_zarr(folder):
            return None
        node = zarr.open(store=_store(folder), mode="r")
        return next((one for one in levels(node.attrs.asdict()) if one.path == name), None)
    except Exception:  # it is no part of this array
        return None


def _store(source: str) -> Any:
    """A store of zarr's that is only read."""
    from zarr.storage import FsspecStore, LocalStore

    place = place_of(source)
    if place.is_local:
        return LocalStore(place.name, read_only=True)
    system = stores.file_system(source, asynchronous=True)
    return FsspecStore(system, read_only=True, path=system._strip_protocol(place.name).rstrip("/"))


def _codecs(metadata: dict[str, Any]) -> Iterator[str]:
    """The names of all codecs of an array, also those within others."""
    held = [metadata.get(name) for name in ("codecs", "filters", "compressor", "index_codecs")]
    for one in held:
        for codec in one if isinstance(one, (list, tuple)) else (one,):
            if codec is None:
                continue
            known = (
                codec
                if isinstance(codec, dict)
                else codec.to_dict()
                if hasattr(codec, "to_dict")
                else codec.get_config()
            )
            yield str(known.get("name") or known.get("id"))
            yield from _codecs(known.get("configuration") or {})


def _scene(
    shape: tuple[int, int, int], dtype: np.dtype[Any], rank: int, axes: Axes, ome: bool, full_scale: float | None,
    source: str,
) -> Scene:  # fmt: skip
    """What is known of the picture: gray or colours of 8 or 16 bits, else a tensor."""
    channels, alpha = shape[0], shape[0] == 4 and (ome or axes.last)
    metadata = Metadata(File.format)
    if dtype in (np.uint8, np.uint16) and (channels in SPACES or alpha):
        one = np.zeros((1, 1, channels), dtype)
        picture: Picture = planes_of(one if channels > 1 else one[..., 0], "gray" if channels == 1 else "rgb")
        scene = completed(picture, source, full_scale, metadata, ()).scene
        return replace(scene, colour_shape=(scene.channels, *shape[1:]))
    white, assumed = white_of(dtype, full_scale)
    return Scene(shape, dtype, False, "tensor", white, min(rank, 3), assumed=assumed, metadata=metadata)


def _resolution(level: Level | None) -> dict[str, Any] | None:
    """Sizes of pixels as the resolution of a TIFF, in pixels per centimetre, and as pixels per inch."""
    sizes = level.scale if level else {}
    across, down = sizes.get("x", 0), sizes.get("y", 0)
    if not (0 < across < 1e6 and 0 < down < 1e6):
        return None
    tags: Directory = dict(
        zip(RESOLUTION, (entry(RATIONAL, 0.01 / across), entry(RATIONAL, 0.01 / down), entry(SHORT, 3)), strict=True)
    )
    dpi = 0.0254 / across, 0.0254 / down
    return {"resolution": tags, "dpi": dpi if max(dpi) < 65536 else None}
