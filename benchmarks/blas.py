"""Set up NumPy's BLAS as the command line does, without limits that other programs do not have. Import it before NumPy."""

import os

from convcli.system import context

os.environ.setdefault(*context.BLAS_THREADS)
for _limit in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # would select another processor's instructions, caches
    os.environ.pop(_limit, None)
