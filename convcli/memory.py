"""How much memory there is: what cannot fit is refused before anything is allocated. Standard library only."""

from __future__ import annotations

import os
from functools import cache
from math import inf


@cache
def total_bytes() -> float:
    """The memory of this machine; infinite where the platform does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on every platform
        return inf
