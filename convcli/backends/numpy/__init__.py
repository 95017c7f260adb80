"""The CPU engine in plain NumPy: strips of the output that fit the cache, one tap of the kernel at a time."""

from convcli.backends.numpy.direct import correlate
from convcli.backends.numpy.transposed import correlate_transpose

__all__ = ["correlate", "correlate_transpose"]
