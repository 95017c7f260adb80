"""How much memory there is: what cannot fit is refused before anything is allocated. Standard library only."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from math import inf


@cache
def total_bytes() -> float:
    """The memory of this machine, or of the container that this runs in; infinite where the platform does not say."""
    try:
        installed: float = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on every platform
        installed = inf
    return min(installed, _allowed())


def _allowed() -> float:
    """What Linux allows the control group of this process; infinite where there is no limit."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError), open(path, encoding="ascii") as stream:
            return int(stream.read())
    return inf
