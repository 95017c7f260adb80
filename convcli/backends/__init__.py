"""The backends: modules with the same two functions, found by name and imported when called for.

Each has ``correlate(task)`` and ``correlate_transpose(task)``: a `Task` in, a `Computed` out.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from convcli.errors import BackendError
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift
from convcli.pointwise.ranges import Clipped
from convcli.vocabulary import BACKENDS as BACKENDS
from convcli.vocabulary import DTYPES as DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convcli.geometry import Geometry


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One operation, checked and resolved: what a backend is called with.

    Attributes
    ----------
    x : ndarray
        ``(N, C, H, W)``, any real dtype. The kernel reads its C channels, or those that `lift` makes of them.
    weight : ndarray
        ``(C_out, C_in/groups, kh, kw)``; transposed ``(C_in, C_out/groups, kh, kw)``. Already flipped where the operation
        flips it.
    bias : ndarray or None
        ``(C_out,)``.
    geometry : Geometry
        Every size, stride and padding; `geometry.transpose` says which of the two functions is meant.
    groups : int
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
    """

    x: NDArray[np.generic]
    weight: NDArray[np.floating]
    bias: NDArray[np.floating] | None
    geometry: Geometry
    groups: int = 1
    dtype: str = "float32"
    device: str = "cpu"
    threads: int | None = None
    plan: str | None = None
    finish: Finish = Finish()
    lift: Lift | None = None

    @property
    def channels(self) -> int:
        """What the kernel reads: C_in."""
        return self.x.shape[1] if self.lift is None else self.lift.outputs(self.x.shape[1])

    @property
    def filters(self) -> int:
        """What the kernel writes: C_out."""
        first, second, *_ = self.weight.shape
        return int(second * self.groups if self.geometry.transpose else first)

    @property
    def source(self) -> np.dtype[Any]:
        """The dtype of what the kernel reads."""
        return self.x.dtype if self.lift is None else np.dtype(self.lift.dtype)


class Considered(NamedTuple):
    """A plan that was weighed: its name, the seconds predicted for it, and how it would work."""

    name: str
    seconds: float
    reason: str


class Computed(NamedTuple):
    """What a backend returns: the result, the plan in words, what its finish clipped, and the plans it weighed.

    The result is ``(N, C_out, H_out, W_out)``, floating point (the task's dtype, or the widest that NumPy has for it) where
    the finish made no integers of it. `mixes` says that rounding is relative to all that was mixed on the way, pixels far from
    the window or passes that cancel, and not to the terms of the one sum.
    """

    array: NDArray[Any]
    plan: str
    clipped: Clipped = Clipped()
    considered: tuple[Considered, ...] = ()
    mixes: bool = False


def lifted(task: Task) -> NDArray[Any]:
    """The pixels ``(N, C_in, H, W)`` for a backend that reads the whole picture."""
    return task.x if task.lift is None else task.lift.whole(task.x)


def finished(array: NDArray[Any], finish: Finish, plan: str, mixes: bool = False) -> Computed:
    """What a backend returns that computes the whole result ``(N, C, H, W)`` before it is finished."""
    if not finish.joins and finish.dtype is None and finish.restore is None:
        return Computed(array, plan, mixes=mixes)
    out, clipped = finish.whole(array)
    return Computed(out, plan, clipped, mixes=mixes)


def only_stores(finish: Finish) -> bool:
    """Whether a finish only makes integers of real values: it neither joins nor restores them."""
    return finish.dtype is not None and not finish.joins and finish.restore is None


class Correlate(Protocol):
    """The signature of `correlate` and `correlate_transpose`."""

    def __call__(self, task: Task) -> Computed: ...


class Backend(Protocol):
    """A backend module."""

    @property
    def correlate(self) -> Correlate: ...

    @property
    def correlate_transpose(self) -> Correlate: ...


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
            f"backend '{name}' cannot be loaded ({why}): install {name} again, allow it more memory, or use --backend numpy"
        ) from None
    return module
