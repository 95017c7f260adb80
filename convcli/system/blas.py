"""NumPy's BLAS with one thread while the engine computes, for callers whose process is not ours.

The engine has threads of its own, and each of them calls BLAS for small products. If BLAS then starts threads too, they wait for
each other: forty times as long on a machine with other work (measured). The command line sets an environment variable before
NumPy is loaded. In the process of a caller, the number of threads is set while calls are at work, and put back after them.
Nothing is done for a BLAS other than OpenBLAS. Standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any

PREFIXES, SUFFIXES = ("scipy_openblas_", "openblas_"), ("64_", "", "_64")
"""The names of OpenBLAS's functions differ from build to build."""


_NUMPY = "numpy._core._multiarray_umath"


@cache
def _functions() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """The functions that get and set the number of threads; None if there are none."""
    module = sys.modules.get(_NUMPY)
    path = getattr(module, "__file__", None)
    if path is None:
        return None
    try:
        from ctypes import CDLL

        library = CDLL(path)  # a symbol is looked for in what it is linked to as well
        for prefix in PREFIXES:
            for suffix in SUFFIXES:
                get, set_ = (getattr(library, f"{prefix}{verb}_num_threads{suffix}", None) for verb in ("get", "set"))
                if get is not None and set_ is not None:
                    return get, set_
    except (ImportError, OSError):
        pass
    return None


class OneThread:
    """Holds the number of threads at 1 while one or more calls are within it.

    Parameters
    ----------
    least : int
        The number that is put back is at least this.
    """

    def __init__(self, least: int = 1) -> None:
        self._lock, self._within, self._before, self._least = Lock(), 0, 1, least

    def forked(self) -> OneThread:
        """What a forked process uses instead. If calls were at work when it began, it began with one thread."""
        return OneThread(self._before if self._within else self._least)

    def __enter__(self) -> None:
        found = _functions() if _NUMPY in sys.modules else None
        with self._lock:
            self._within += 1
            if self._within == 1:
                self._before, self._least = (1 if found is None else max(found[0](), self._least)), 1
                if self._before > 1 and found is not None:
                    found[1](1)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within and self._before > 1 and (found := _functions()) is not None:
                found[1](self._before)
