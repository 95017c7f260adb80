"""The backends: modules with the same function, found by name and imported when called for.

Each has ``run(task)``: a `Task` in, a `Computed` out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import floor, log2
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from convcli.errors import BackendError, param
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.pointwise.ranges import Clipped
from convcli.vocabulary import BACKENDS as BACKENDS
from convcli.vocabulary import DTYPES as DTYPES
from convcli.windows import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convcli.geometry import Geometry, Size
    from convcli.layer import Layer
    from convcli.windows import Source, Target


BLOCK: Final = 16
"""Rows and columns over which faint values are averaged, at most (see `block`): a single faint pixel is not a faint region."""

WIDE: Final = 2.0**8
"""Range of values (the largest over the mean of the faintest block that is not all zeros) above which float32's transform,
which leaves the faintest window 24 - 8 = 16 bits, would not do: it is done in float64."""

TOO_WIDE: Final = 2.0**32
"""Range above which float64's, which leaves the faintest 53 - 32 = 21 bits, would not do either: there is no transform."""

SMALL: Final = 2.0**-32
"""The share of a type's largest number that values must lie below before they are summed ahead of their weights, or transformed:
a sum of 2**32 of them does not overflow. A NaN and an infinity do not, so that one comparison finds all three."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One operation, checked and resolved: what a backend is called with.

    Attributes
    ----------
    source : Source
        The pixels ``(N, C, H, W)``, of any real dtype. The kernel reads its C channels, or those that `lift` makes of them.
    layer : Layer
        Weights as they are applied, groups and bias.
    geometry : Geometry
        Every size, stride and padding, and whether the operation is the transposed one, as `layer` says, too.
    dtype : str
        Of the computation, one of the backend's `DTYPES`.
    device : str
        ``cpu``, ``cuda`` or ``cuda:N``.
    threads : int or None
        At most so many; None: all.
    plan : str or None
        The strategy of the numpy backend; None: the planner's choice.
    finish : Finish
        What happens to the results.
    lift : Lift or None
        What happens to the pixels first.
    target : Target or None
        What takes the result block by block; None: it is the array that a backend returns.
    block : Size or None
        Rows and columns of a block, at least, for backends that can work on less than the whole; None: all.
    """

    source: Source
    layer: Layer
    geometry: Geometry
    dtype: str = "float32"
    device: str = "cpu"
    threads: int | None = None
    plan: str | None = None
    finish: Finish = Finish()
    lift: Lift | None = None
    target: Target | None = None
    block: Size | None = None

    @property
    def images(self) -> int:
        """Images of the batch: N."""
        return self.source.shape[0]

    @property
    def pixels(self) -> np.dtype[Any]:
        """The dtype of what the kernel reads."""
        return self.source.dtype if self.lift is None else np.dtype(self.lift.dtype)


class Considered(NamedTuple):
    """A plan that was weighed: its name, the seconds predicted for it, and how it would work."""

    name: str
    seconds: float
    reason: str


class Computed(NamedTuple):
    """What a backend returns: the result, the plan in words, what its finish clipped, and the plans it weighed.

    The result is ``(N, C_out, H_out, W_out)``, or without rows and columns where the task's target took it. It is of floating
    point (the task's dtype, or the widest that NumPy has for it) where the finish made no integers of it.

    `mixes` says that rounding is relative to all that was mixed on the way, pixels far from the window or passes that cancel, and
    not to the terms of the one sum.
    """

    array: NDArray[Any]
    plan: str
    clipped: Clipped = Clipped()
    considered: tuple[Considered, ...] = ()
    mixes: bool = False


def lifted(task: Task) -> NDArray[Any]:
    """The pixels ``(N, C_in, H, W)`` for a backend that reads the whole picture."""
    pixels = whole(task.source)
    return pixels if task.lift is None else task.lift.whole(pixels)


def finished(array: NDArray[Any], finish: Finish, plan: str, mixes: bool = False) -> Computed:
    """What a backend returns that computes the whole result ``(N, C, H, W)`` before it is finished."""
    if not finish.joins and finish.dtype is None and finish.restore is None:
        return Computed(array, plan, mixes=mixes)
    out, clipped = finish.whole(array)
    return Computed(out, plan, clipped, mixes=mixes)


def handed_over(task: Task, computed: Computed) -> Computed:
    """Hand a whole result to the target, if there is one: what is returned then has no array."""
    if task.target is None:
        return computed
    task.target.put(range(task.geometry.output.height), range(task.geometry.output.width), computed.array)
    return computed._replace(array=computed.array[..., :0, :0])


def only_stores(finish: Finish) -> bool:
    """Whether a finish only makes integers of real values: it neither joins nor restores them."""
    return finish.dtype is not None and not finish.joins and finish.restore is None


def block(taps: int) -> int:
    """Rows or columns of the blocks for a kernel of so many taps: every window has one all to itself, wherever it lies."""
    return min(BLOCK, (taps + 1) // 2)


def scale_of(total: float) -> float:
    """What kernels of this Σ|k| are divided by before they are transformed, and results multiplied by: a power of two.

    It is 1 but for kernels so large that spectra could overflow where results do not.
    """
    return 2.0 ** floor(log2(total)) if total > 1 / SMALL else 1.0


class Backend(Protocol):
    """A backend module."""

    @property
    def run(self) -> Callable[[Task], Computed]: ...


def load(name: str) -> Backend:
    """Import the backend called `name`, one of `BACKENDS`.

    Raises
    ------
    BackendError
        The library that it needs is missing or broken, or there is no room for it.
    """
    try:
        module: Backend = import_module(f"convcli.backends.{name}")
    except (ImportError, OSError, MemoryError) as error:  # OSError: a shared library that the loader refuses
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise BackendError(
            f"backend '{name}'",
            f"cannot be loaded ({why})",
            f"install {name} again, allow it more memory, or use {param('backend', 'numpy')}",
        ) from None
    return module
