"""Zarr 3: each block is a shard of chunks. The group with OME's metadata comes last.

zarr makes the metadata of arrays, and reads them. Shards are encoded here: this takes half the processor time, needs no loop of
events that all threads wait for, and lets workers do without zarr.

Zarr core specification 3, "Sharding codec" 1.0 (ZEP 2).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from convcli import extras
from convcli.errors import ImageError
from convcli.geometry import Size
from convcli.images.writing.blocks import Layout, Receipt, check_place, ome
from convcli.images.writing.blocks.levels import LEAST, halved, sizes
from convcli.images.writing.blocks.objects import Objects, objects_of
from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.system.parallel import run_all, workers

SIDE = 512
"""About the sides of a chunk."""

_LEVEL = 3
"""Of zstd, its default."""

_EMPTY = (1 << 64) - 1
"""The place and the length of a chunk that is not there, because it has nothing but zeros."""


class Array3(NamedTuple):
    """The array of a level."""

    level: int
    shape: tuple[int, int, int]  # ``(C, H, W)``
    shard: Size
    chunk: tuple[int, int, int]  # of channels, rows and columns
    made: bool  # whether blocks hold its shards

    def name(self, row: int, column: int) -> str:
        """The name of a shard, by its number."""
        return f"{self.level}/c/0/{row}/{column}"

    @property
    def shards(self) -> Size:
        """How many there are."""
        return Size(-(-self.shape[1] // self.shard.height), -(-self.shape[2] // self.shard.width))


def arrays(layout: Layout) -> list[Array3]:
    """The arrays of a picture and its levels. The blocks hold the first ones, as far as they can be halved."""
    block = _block(layout)
    channels = layout.shape[0]
    deep = 1 if layout.space == "tensor" else channels  # colours are read together
    found: list[Array3] = []
    made = True
    for level, size in enumerate(sizes(layout.size, layout.pyramid)):
        if level:
            made = made and not any(side % (2 * LEAST) for side in found[-1].shard)
            before = found[-1].shard
            shard = Size(before.height // 2, before.width // 2) if made else Size(2 * LEAST, 2 * LEAST)
        else:
            shard = block
        chunk = deep, _divisor(shard.height), _divisor(shard.width)
        found.append(Array3(level, (channels, *size), shard, chunk, made))
    return found


def _block(layout: Layout) -> Size:
    return layout.block or Size(2 * LEAST, 2 * LEAST)


def _divisor(side: int) -> int:
    """The side of chunks in a shard: the largest divisor up to `SIDE`; the shard's own if that is small."""
    found = next(part for part in range(min(side, SIDE), 0, -1) if side % part == 0)
    return found if found >= SIDE // 4 else side


class Shards:
    """Encodes blocks as shards, and writes them to a place."""

    def __init__(self, layout: Layout, objects: Objects) -> None:
        for package in ("zarr", "numcodecs"):
            if not extras.is_installed(package):
                why = f"{package} is not installed"
                raise ImageError(f"output '{layout.target}'", "cannot be written", extras.how_to_get("zarr"), why)
        self._objects, self._arrays, self._dtype = objects, arrays(layout), np.dtype(layout.dtype)
        self._level = _LEVEL if layout.compression is None else layout.compression

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """See `convcli.images.writing.blocks.Blocks.put`. There is nothing to say in a receipt."""
        first = self._arrays[0]
        check_place(rows, columns, first.shard, Size(*first.shape[1:]))
        height, width = first.shard
        for y in range(0, len(rows), height):
            for x in range(0, len(columns), width):
                at = (rows.start + y) // height, (columns.start + x) // width
                part = pixels[y : y + height, x : x + width]
                for array in self._arrays:
                    if not array.made:
                        break
                    part = halved(part) if array.level else part
                    self.write(array, at, part)
        return []

    def write(self, array: Array3, at: tuple[int, ...], pixels: Array) -> None:
        """Write a shard of a level, by its number, from its pixels ``(H, W, C)``. One with nothing but zeros is not there."""
        data = self._encoded(array, pixels)
        if data:
            self._objects.put(array.name(*at), data)

    def _encoded(self, array: Array3, pixels: Array) -> bytes:
        """The bytes of a shard: chunks, and an index of their places and lengths with a checksum. Empty if there are none."""
        from google_crc32c import value  # as zarr has it
        from numcodecs.zstd import Zstd

        coder = Zstd(level=self._level)
        deep, high, wide = array.chunk
        channels = pixels.shape[2]
        counts = channels // deep, array.shard.height // high, array.shard.width // wide
        index = np.full((*counts, 2), _EMPTY, "<u8")
        parts: list[bytes] = []
        end = 0
        planes = np.moveaxis(pixels, -1, 0)
        for c, y, x in np.ndindex(*counts):
            part = planes[c * deep : (c + 1) * deep, y * high : (y + 1) * high, x * wide : (x + 1) * wide]
            chunk = np.zeros(array.chunk, self._dtype.newbyteorder("<"))
            chunk[:, : part.shape[1], : part.shape[2]] = part
            if chunk.view(np.uint8).any():
                parts.append(coder.encode(chunk) if self._level else chunk.tobytes())
                index[c, y, x] = end, len(parts[-1])
                end += len(parts[-1])
        if not parts:
            return b""
        table = index.tobytes()
        return b"".join([*parts, table, value(table).to_bytes(4, "little")])

    def describe(self, array: Array3) -> bytes:
        """The metadata of an array, as zarr writes it."""
        import zarr
        from zarr.codecs import ZstdCodec

        made: dict[str, Any] = {}
        zarr.create_array(
            made,
            shape=array.shape,
            shards=(array.shape[0], *array.shard),
            chunks=array.chunk,
            dtype=self._dtype,
            compressors=ZstdCodec(level=self._level) if self._level else None,
            fill_value=0,
            dimension_names=ome.AXES,
        )
        return bytes(made["zarr.json"].to_bytes())


class Target:
    """See `convcli.images.writing.blocks.BlockTarget`."""

    notes: tuple[str, ...] = ()

    def __init__(self, layout: Layout) -> None:
        self._layout, self.grid = layout, _block(layout)
        self._objects = objects_of(layout)
        self._shards, self._arrays = Shards(layout, self._objects), arrays(layout)

    def begin(self) -> None:
        """Make the arrays, without the group."""
        self._objects.begin()
        try:
            for array in self._arrays:
                self._objects.put(f"{array.level}/zarr.json", self._shards.describe(array))
        except BaseException:
            self._objects.abandon()
            raise

    def resume(self) -> None:
        """Go on with the arrays as they are."""
        self._objects.resume()

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Write the shards of a block."""
        return self._shards.put(rows, columns, pixels)

    def commit(self, receipts: Iterable[Receipt]) -> None:
        """Make the rest of the levels, and the group."""
        for array in self._arrays:
            if not array.made:
                self._complete(array)
        group = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": ome.attributes(self._layout, len(self._arrays)),
        }
        self._objects.commit(json.dumps(group, indent=1).encode())

    def _complete(self, array: Array3) -> None:
        """Make a level from the one before."""
        before = self._objects.array(array.level - 1)

        def work(at: tuple[int, ...]) -> None:
            rows, columns = (slice(2 * n * side, 2 * (n + 1) * side) for n, side in zip(at, array.shard, strict=True))
            with self._objects.telling():
                window = np.asarray(before[:, rows, columns])
            self._shards.write(array, at, halved(np.moveaxis(window, 0, -1)))

        run_all(work, [*np.ndindex(*array.shards)], workers(self._layout.threads))

    def abandon(self) -> None:
        """Delete what there is."""
        self._objects.abandon()

    def close(self) -> None:
        """Let go of the place."""
        self._objects.close()


class Worker:
    """Blocks of another process, which writes to the same place."""

    def __init__(self, layout: Layout) -> None:
        self._objects = objects_of(layout)
        self._shards = Shards(layout, self._objects)

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Write the shards of a block."""
        self._objects.check()
        return self._shards.put(rows, columns, pixels)

    def close(self) -> None:
        """Let go of the place."""
        self._objects.close()
