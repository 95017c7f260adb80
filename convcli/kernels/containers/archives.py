"""Archives are looked at before they are inflated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convcli.errors import KernelError
from convcli.system import memory

if TYPE_CHECKING:
    from zipfile import ZipInfo

MOST_INFLATED, MOST_TIMES = 256 << 20, 100
"""Weights that become larger than this are not inflated if they are so many times smaller in their file: no numbers are."""


def check_inflation(path: Path, members: Sequence[ZipInfo]) -> None:
    """Refuse members of an archive that would become more than the memory holds, or that may be a decompression bomb."""
    check_sizes(path, *(sum(getattr(info, size) for info in members) for size in ("file_size", "compress_size")))


def check_sizes(path: Path, need: int, held: int) -> None:
    """The same for values that need so many bytes, and are held in so many."""
    if memory.refuses(need):
        rule = f"hold {need / 2**30:.1f} GiB of values, {memory.share()}"
        raise KernelError(f"weights '{path}'", rule, "save the layer that is wanted alone")
    if need > max(MOST_INFLATED, MOST_TIMES * held):
        rule = f"inflate from {held / 2**20:.1f} to {need >> 20} MiB, and may be a decompression bomb"
        raise KernelError(f"weights '{path}'", rule, "if not, save them without compression")
