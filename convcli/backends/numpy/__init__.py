"""The numpy backend: a planner, and strategies that work on tiles which fit into the cache.

``job``         an operation as kernels and integers: this is what the planner and the strategies read
``phases``      a transposed operation as a direct one, whose output planes interleave
``strategies``  the ways to do a job: the cost of each, the size of its tiles, and the steps that fill a tile
``plan``        predicts the time of every strategy and the number of threads, and chooses the fastest
``recipe``      everything that an operation needs except the pixels, kept for the next operation like it
``tiles``       cuts the output into tiles, and fills the padded input of each tile; the arrays of a thread
``blocks``      runs the operation, block by block of the result, and tile by tile in each
"""

from convcli.backends.numpy.blocks import predicted_seconds, run
from convcli.backends.numpy.plan import USUAL

__all__ = ["USUAL", "predicted_seconds", "run"]
