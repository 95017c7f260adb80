"""As much memory as a test wants there to be, and what the allocator of a process does."""

import ctypes
import mmap
from pathlib import Path

import pytest

from convcli.system import memory

MB = 1e6


def have(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    monkeypatch.setattr(memory, "total_bytes", lambda: megabytes * MB)


def mapped(*mebibytes: int) -> list[bool]:
    """Whether glibc asks the system for memory of these sizes, and gives it back at once, after it has met a larger one.

    By default it does not: it has learned from the larger one.
    """
    libc = ctypes.CDLL(None)
    libc.malloc.argtypes, libc.malloc.restype, libc.free.argtypes = (
        [ctypes.c_size_t],
        ctypes.c_size_t,
        [ctypes.c_size_t],
    )
    libc.free(libc.malloc(31 << 20))
    found = []
    for size in mebibytes:
        place = libc.malloc(size << 20)
        found.append(bool(ctypes.c_size_t.from_address(place - ctypes.sizeof(ctypes.c_size_t)).value & 2))
        libc.free(place)
    return found


def resident() -> float:
    """The memory of this process, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE / 2**20
