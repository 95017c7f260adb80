"""The CPU engine in plain NumPy: a planner, and strategies that work on tiles which fit the cache.

``job``         an operation as integers and kernels: what planner and strategies read
``estimates``   what each strategy costs by itself, from the kernel, the geometry and the types
``plan``        predicts what it takes in all, on how many threads, and chooses the cheapest
``steps``       calls into NumPy known beforehand, and the arrays of a thread that they work on
``tiles``       cuts the output into tiles, fills each one's padded input
``output``      the result array and the finished tiles that go into it
``recipe``      all of an operation but the pixels, kept for the next like one
``run``         the operation: tile after tile by its recipe
``taps``        shift and accumulate: every kernel, exact in integers where that is provable
``prefix``      flat kernels as differences of prefix sums, in exact integers
``toeplitz``    a dense kernel as products with banded matrices
``separable``   kernels of low rank as passes along the columns and the rows
``across``      the passes along the rows, in one of two ways
``fft``         large kernels: overlapping tiles in the frequency domain
``gemm``        many channels: matrix products over gathered windows
``phases``      the transposed operation as a direct one whose outputs interleave
"""

from convcli.backends.numpy.run import correlate, correlate_transpose, predicted_seconds

__all__ = ["correlate", "correlate_transpose", "predicted_seconds"]
