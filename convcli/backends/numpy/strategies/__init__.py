"""The strategies. Each module can be read alone: its cost, the size of its tiles, and the steps that fill a tile.

``taps``       shift and accumulate: for every kernel, exact in integers if no sum can leave the type
``prefix``     flat kernels as differences of prefix sums, in exact integers
``toeplitz``   a dense kernel as products with banded matrices
``separable``  kernels of low rank as passes along the columns and the rows
``fft``        large kernels: overlapping tiles in the frequency domain
``gemm``       many channels: matrix products over gathered windows

``common``  what a strategy has to provide, and what all strategies share
``values``  the methods that the values of a tile allow
``pairs``   sums that several taps share
``flat``    flat kernels as steps and stretches of columns
``banded``  banded matrices
``rank``    a kernel as a sum of columns times rows
``across``  passes along the rows
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
"""The strategies, by the names of their plans."""
