"""The CPU engine in plain NumPy: a planner, and strategies that work on tiles which fit the cache.

``job``         an operation as integers and kernels: what planner and strategies read
``phases``      the transposed operation as a direct one whose outputs interleave
``strategies``  the ways to do a job: what each costs by itself, how its tiles are cut, how one is filled
``plan``        predicts what each takes in all, on how many threads, and chooses the cheapest
``recipe``      all of an operation but the pixels, kept for the next like one
``tiles``       cuts the output into tiles, fills each one's padded input; what a thread works on
``output``      a block of the result, and the finished tiles that go into it
``blocks``      the operation: block after block, each tile after tile by the recipe
"""

from convcli.backends.numpy.blocks import predicted_seconds, run
from convcli.backends.numpy.plan import USUAL

__all__ = ["USUAL", "predicted_seconds", "run"]
