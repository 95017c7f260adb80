"""How this process is to work: NumPy's BLAS, and the threads that share Python's lock. Standard library only."""

from __future__ import annotations

import os
from contextlib import suppress

AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
"""What OpenBLAS's kernels for SkylakeX want of a processor (as Linux writes it)."""


SWITCH_SECONDS = 1e-4
"""For `sys.setswitchinterval`. Threads that compute in NumPy want Python's lock for a moment only, but often: asked for it
sooner than after the usual 5 ms, they wait for each other a fifth as often (measured)."""


def settings(cpuinfo: str = "/proc/cpuinfo") -> dict[str, str]:
    """What to add to the environment before NumPy is imported: one thread a worker, and the widest kernels that there are.

    OpenBLAS knows processors by their family: an AMD processor of a family later than its release gets the kernels for
    AVX2, half as fast as those for AVX-512 that it could run (measured on a family 26, OpenBLAS 0.3). What the user has set
    is left alone; a BLAS that knows no such variable does not look at it.
    """
    wanted = {"OPENBLAS_NUM_THREADS": "1"}
    if _wide_amd(cpuinfo):
        wanted["OPENBLAS_CORETYPE"] = "SkylakeX"
    return {name: value for name, value in wanted.items() if name not in os.environ}


def _wide_amd(cpuinfo: str) -> bool:
    """Whether this is an AMD processor with AVX-512, by the first of those that Linux lists."""
    fields: dict[str, str] = {}
    with suppress(OSError, UnicodeDecodeError), open(cpuinfo, encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(":")
            fields[name.strip()] = value
            if name.startswith("flags"):
                break
    return "AuthenticAMD" in fields.get("vendor_id", "") and set(fields.get("flags", "").split()) >= AVX512
