"""The backends: modules that are imported by name when they are needed.

Each has a function ``run(task)``: a `Task` goes in, a `Computed` comes out.
"""

from collections.abc import Callable
from importlib import import_module
from math import floor, log2
from typing import Any, Final, TypeAlias

import numpy as np

from convcli.errors import BackendError, param
from convcli.geometry import Geometry
from convcli.layer import Layer
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.pointwise.ranges import Clipped
from convcli.records import NamedTuple
from convcli.windows import Array, Source, whole

BLOCK: Final = 16
"""The most rows and columns of a block over which faint values are averaged (see `block`): a single faint pixel does
not make a faint region."""

WIDE: Final = 2.0**8
"""The range of values is the largest magnitude over the mean of the faintest block that is not all zeros. Above this
range, float32's transform is not accurate enough (it leaves 24 - 8 = 16 bits for the faintest window), and float64's
is used."""

TOO_WIDE: Final = 2.0**32
"""Above this range, float64's transform is not accurate enough either (it leaves 53 - 32 = 21 bits for the faintest
window), and no transform is used."""

SMALL: Final = 2.0**-32
"""Values must be smaller than this share of their type's largest number before they are transformed, or summed before
they are multiplied: then a sum of 2**32 of them does not overflow. NaN and infinity are not smaller either, so one
comparison finds all three cases."""


Watch: TypeAlias = Callable[[Array, range], None]
"""Called as ``watch(picture, rows)`` when rows of a picture ``(C_out, H_out, W_out)`` are finished. The thread that finished them
makes the call, while others go on. A row is told once or never: all are finished when the backend returns. An error in it ends the
computation."""


class Task(NamedTuple):
    """An operation that is checked and resolved: the input of a backend."""

    # the pixels ``(N, C, H, W)``, of any real dtype. The kernel reads these C channels, or those that `lift` makes of
    # them.
    source: Source
    layer: Layer  # weights as they are applied, groups and bias
    # all sizes, strides and paddings, and whether the operation is transposed (the same as in `layer`)
    geometry: Geometry
    dtype: str = "float32"  # of the computation, one of the backend's `convcli.vocabulary.DTYPES`
    device: str = "cpu"  # ``cpu``, ``cuda`` or ``cuda:N``
    threads: int | None = None  # the most threads to use; None: all
    plan: str | None = None  # the strategy of the numpy backend; None: the planner's choice
    finish: Finish = Finish()  # what happens to the results
    lift: Lift | None = None  # what happens to the pixels before the kernel reads them
    watch: Watch | None = None  # for a single picture: called for rows that are finished while others are computed

    @property
    def images(self) -> int:
        """Number of images in the batch, N."""
        return self.source.shape[0]

    @property
    def pixels(self) -> np.dtype[Any]:
        """The dtype of the pixels that the kernel reads."""
        return self.source.dtype if self.lift is None else np.dtype(self.lift.dtype)


class Considered(NamedTuple):
    """A plan that the planner compared: its name, its predicted time in seconds, and how it works, in words."""

    name: str
    seconds: float
    reason: str


class Computed(NamedTuple):
    """The output of a backend."""

    # ``(N, C_out, H_out, W_out)``, in the task's dtype, except that NumPy has no bfloat16, for which it is float32; or in
    # the integers that the finish made.
    array: Array
    plan: str  # the plan in words
    clipped: Clipped = Clipped()  # counts of the values that the finish clipped
    considered: tuple[Considered, ...] = ()  # the plans that the planner compared
    # whether rounding errors are relative to all values that were mixed on the way (pixels far from the window, or
    # passes that cancel each other), and not only to the terms of the one sum
    mixes: bool = False


def lifted(task: Task) -> Array:
    """The pixels ``(N, C_in, H, W)``, for a backend that reads the whole picture."""
    pixels = whole(task.source)
    return pixels if task.lift is None else task.lift.whole(pixels)


def finished(array: Array, finish: Finish, plan: str, mixes: bool = False) -> Computed:
    """The output of a backend that computes the whole result ``(N, C, H, W)`` before finishing it."""
    if not finish.joins and finish.dtype is None and finish.restore is None:
        return Computed(array, plan, mixes=mixes)
    out, clipped = finish.whole(array)
    return Computed(out, plan, clipped, mixes=mixes)


def only_stores(finish: Finish) -> bool:
    """Whether a finish only turns real values into integers, and neither combines, restores nor stretches them."""
    return finish.dtype is not None and not finish.joins and finish.restore is None and finish.policy != "minmax"


def block(taps: int) -> int:
    """Rows or columns of a block, for a kernel with `taps` taps along this axis: every window contains a whole block."""
    return min(BLOCK, (taps + 1) // 2)


def scale_of(total: float) -> float:
    """A power of two: kernels with this Σ|k| are divided by it before they are transformed, and results are multiplied by it.

    It is 1 except for kernels so large that spectra could overflow although results do not.
    """
    return 2.0 ** floor(log2(total)) if total > 1 / SMALL else 1.0


def load(name: str) -> Callable[[Task], Computed]:
    """Import the backend called `name`, one of `convcli.vocabulary.BACKENDS`: its function `run`.

    Raises
    ------
    BackendError
        The library that it needs is missing or broken, or there is too little memory to load it.
    """
    try:
        run: Callable[[Task], Computed] = import_module(f"convcli.backends.{name}").run
    except (ImportError, OSError, MemoryError) as error:  # OSError: the system cannot load a shared library
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"backend '{name}'",
            f"cannot be loaded ({why})",
            f"install {name} again, allow it more memory, or use {param('backend', 'numpy')}",
        ) from None
    return run
