"""How this process is to work: NumPy's BLAS, and the threads that share Python's lock. Standard library only."""

from __future__ import annotations

BLAS_THREADS = "OPENBLAS_NUM_THREADS", "1"
"""An environment variable that NumPy's BLAS reads when it is loaded: the engine has threads of its own, and each of them wants
BLAS for itself."""

SWITCH_SECONDS = 1e-4
"""For `sys.setswitchinterval`. Threads that compute in NumPy want Python's lock for a moment only, but often: asked for it
sooner than after the usual 5 ms, they wait for each other a fifth as often (measured)."""
