"""NumPy's BLAS as the command line has it, and without limits that its peers do not know. To be imported before NumPy."""

import os

from convcli.system import context

os.environ.setdefault(*context.BLAS_THREADS)
for _limit in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # to the instructions and caches of another processor
    os.environ.pop(_limit, None)
