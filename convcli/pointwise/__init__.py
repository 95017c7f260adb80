"""Operations on single pixels, before the kernel and after it, on blocks of any size. NumPy only.

``lift``     before the kernel: linear light, gray, colours weighted by their alpha
``finish``   after it: combine the outputs of a bank, restore colours and light, apply the range policy, round, cast
``ranges``   the range policies
"""

from typing import Any

import numpy as np

Array = np.ndarray[tuple[Any, ...], np.dtype[Any]]
