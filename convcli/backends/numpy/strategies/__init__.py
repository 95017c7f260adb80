"""The strategies, each a module that can be read alone: what it costs, how its tiles are cut, and how one is filled.

``taps``       shift and accumulate: every kernel, exact in integers where that is provable
``prefix``     flat kernels as differences of prefix sums, in exact integers
``toeplitz``   a dense kernel as products with banded matrices
``separable``  kernels of low rank as passes along the columns and the rows
``fft``        large kernels: overlapping tiles in the frequency domain
``gemm``       many channels: matrix products over gathered windows

``common``  what a strategy is, and what all of them share
``values``  what the values of a tile allow
``pairs``   sums that several taps share
``flat``    flat kernels taken apart
``banded``  banded matrices
``rank``    a kernel as a sum of columns times rows
``across``  passes along the rows, in one of two ways
"""

from convcli.backends.numpy.strategies import fft, gemm, prefix, separable, taps, toeplitz
from convcli.backends.numpy.strategies.common import Strategy

STRATEGIES: dict[str, Strategy] = {
    "taps": taps,
    "prefix": prefix,
    "toeplitz": toeplitz,
    "separable": separable,
    "fft": fft,
    "gemm": gemm,
}
"""By the names of their plans."""
