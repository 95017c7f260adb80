"""Pictures that are written block by block, in any order, by several threads and several processes.

A target writes an unfinished output beside the one that is wanted, ``.NAME.part``, and gives it its name in the end. Encoded blocks
never come back to the process that began: a worker says in a receipt of a few bytes where it has put them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Protocol, TypeAlias

from convcli.errors import ImageError, param, shown
from convcli.geometry import Size
from convcli.images.formats import row_of
from convcli.images.picture import Metadata
from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.system.names import is_url

Receipt: TypeAlias = "list[Any]"
"""Where a block was put: a few numbers and texts, as JSON has them."""


class Layout(NamedTuple):
    """All that is needed to write a block of a picture: plain data, for this process or another."""

    target: str  # the path or the address of the output
    container: str  # the format: TIFF, ZARR, NPY, PPM
    shape: tuple[int, int, int]  # ``(C, H, W)`` as it is stored, alpha last
    dtype: str  # of what is stored: uint8, uint16, float32, …
    space: str = "tensor"  # the colour space of the file: gray, rgb, cmyk, or tensor
    full_scale: float = 255.0  # the value of white
    metadata: Metadata = Metadata()  # what the format keeps of it; see `convcli.images.writing.kept`
    compression: int | None = None  # the level, 0 to 9; 0: samples as they are; None: the best choice
    pyramid: bool = False  # whether levels of half the size follow, down to `LEAST`
    block: Size | None = None  # of a Zarr: rows and columns of its blocks, each of which is a shard
    pixel: tuple[float, float] | None = None  # of a Zarr: height and width of a pixel in micrometres, where known
    rank: int = 3  # of a .npy: 2 without the axis of channels, 4 with one for a batch
    source: str | None = None  # the file that it is made from, whose permissions a new file gets
    replace: bool = True  # whether an output that exists may be replaced
    threads: int | None = None  # that make the rest of a pyramid; None: one for each processor

    @property
    def size(self) -> Size:
        """Height and width."""
        return Size(*self.shape[1:])


class Blocks(Protocol):
    """What writes blocks: a `BlockTarget`, or a part of one in another process."""

    def put(self, rows: range, columns: range, pixels: Array) -> Receipt:
        """Encode and write a block. Several threads may call it at once; a block that is put twice is there once.

        Parameters
        ----------
        rows, columns : range
            Where the block lies. It begins at multiples of `BlockTarget.grid`, and ends at them or at the picture's end.
        pixels : ndarray
            ``(H, W, C)`` of the stored dtype.

        Raises
        ------
        ImageError
            It cannot be written: the disk is full, for one. What was written stays.
        """
        ...

    def close(self) -> None:
        """Let go of files and locks. What was put stays."""
        ...


class BlockTarget(Blocks, Protocol):
    """A picture that is written in blocks."""

    grid: Size  # blocks begin at multiples of these rows and columns
    notes: tuple[str, ...]  # what is lost, for the user

    def begin(self) -> None:
        """Make the unfinished output, and delete what an earlier run left of it. Nothing is visible under the target's name.

        Raises
        ------
        ImageError
            It cannot be made, another run writes it, or the target exists and may not be replaced.
        """
        ...

    def resume(self) -> None:
        """Go on with the unfinished output of an earlier run. Raises as `begin`, and if there is none."""
        ...

    def commit(self, receipts: Iterable[Receipt]) -> None:
        """Complete the output, from the receipts of all blocks, and give it its name. Of two for one block, the last counts.

        Raises
        ------
        ImageError
            This is not possible. What was put stays: call it again, or `abandon`.
        """
        ...

    def abandon(self) -> None:
        """Delete the unfinished output."""
        ...


def block_target(layout: Layout) -> BlockTarget:
    """The target of a layout. Nothing is made before `begin` or `resume`.

    Raises `ImageError` if the format cannot be written in blocks, or cannot hold what the layout says.
    """
    made: BlockTarget = _module(layout).Target(layout)
    return made


def worker(layout: Layout) -> Blocks:
    """What another process puts blocks with, while the one that made the layout has begun its target.

    Keep it for as long as the process works: each has a part of its own.
    """
    make: Callable[[Layout], Blocks] = _module(layout).Worker
    return make(layout)


def check_place(rows: range, columns: range, grid: Size, size: Size) -> None:
    """Raise ValueError if a block does not lie on a grid: it would destroy a part of another one."""
    for part, step, end in zip((rows, columns), grid, size, strict=True):
        if part.start % step or (part.stop % step and part.stop != end) or not 0 <= part.start < part.stop <= end:
            raise ValueError(f"{part} of {end} is not on a grid of {step}")


def _module(layout: Layout) -> Any:
    row, remedy = row_of(layout.container), "write .tif or .zarr"
    if not row.blocks:
        raise ImageError(f"format {row.name}", "cannot be written in blocks", remedy)
    if row.writer and is_url(layout.target):  # a file whose parts come in any order
        rule = f"cannot be written in blocks as {row.name} behind an address"
        raise ImageError(f"output '{shown(layout.target)}'", rule, "write .zarr, or a file here, and copy it")
    if layout.pyramid and not row.pyramid:
        raise ImageError(param("pyramid"), f"does not fit into {row.name}, which has one picture", remedy)
    return import_module(f"{__name__}.{row.blocks}")
