"""How much memory there is: what cannot fit is refused before anything is allocated. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from math import inf

_sharing = 1
"""How many images are in work together."""


@cache
def total_bytes() -> float:
    """The memory of this machine, or of the container that this runs in; infinite where the platform does not say."""
    try:
        installed: float = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on every platform
        installed = inf
    return min(installed, _allowed())


@contextmanager
def shared(count: int) -> Iterator[None]:
    """While the block lasts, `count` images are in work together, and each may have its share of the memory."""
    global _sharing
    before, _sharing = _sharing, count
    try:
        yield
    finally:
        _sharing = before


def share_bytes() -> float:
    """What one image may take."""
    return total_bytes() / _sharing


def share() -> str:
    """The same in words, for the error that it is not enough."""
    owner = "this machine has" if _sharing == 1 else f"each of {_sharing} images at once (see --threads) may have"
    return f"{owner} {share_bytes() / 2**30:.1f}"


def _allowed() -> float:
    """What Linux allows the control group of this process; infinite where there is no limit."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError), open(path, encoding="ascii") as stream:
            return int(stream.read())
    return inf
