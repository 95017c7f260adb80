"""The CPU engine in plain NumPy: a planner, and strategies that work on tiles which fit the cache.

``job``         an operation as integers and kernels: what planner and strategies read
``phases``      the transposed operation as a direct one whose outputs interleave
``strategies``  the ways to do a job: what each costs by itself, how its tiles are cut, how one is filled
``plan``        predicts what each takes in all, on how many threads, and chooses the cheapest
``recipe``      all of an operation but the pixels, kept for the next like one
``tiles``       cuts the output into tiles, fills each one's padded input
``steps``       calls into NumPy known beforehand, and the arrays of a thread that they work on
``output``      the result array and the finished tiles that go into it
``run``         the operation: tile after tile by its recipe
"""

from convcli.backends.numpy.phases import sparse
from convcli.backends.numpy.run import correlate, correlate_transpose, predicted_seconds

__all__ = ["correlate", "correlate_transpose", "predicted_seconds", "sparse"]
