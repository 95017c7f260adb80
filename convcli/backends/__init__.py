"""The backends: modules with the same two functions, found by name and imported when called for.

Each backend has

``correlate(x, weight, bias, geometry, groups, *, dtype, device, threads)``
    ``x (N, C_in, H, W)`` of any real dtype, ``weight (C_out, C_in/groups, kh, kw)``, ``bias (C_out,)`` or None
    → ``(N, C_out, H_out, W_out)``.
``correlate_transpose(…)``
    The same with ``weight (C_in, C_out/groups, kh, kw)``.

Both return a `Computed`: the array in floating point (`dtype`, or the widest that NumPy has for it) and, in a few words, the plan
that was followed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from convcli.ranges import Clipped
from convcli.vocabulary import BACKENDS as BACKENDS
from convcli.vocabulary import DTYPES as DTYPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from convcli.finish import Finish
    from convcli.geometry import Geometry


class Considered(NamedTuple):
    """A plan that was weighed: its name, the seconds predicted for it, and how it would work."""

    name: str
    seconds: float
    reason: str


class Computed(NamedTuple):
    """What a backend returns: the result, the plan in words, what its finish clipped, and the plans it weighed."""

    array: NDArray[Any]
    plan: str
    clipped: Clipped = Clipped()
    considered: tuple[Considered, ...] = ()

    def finished(self, finish: Finish) -> Computed:
        """The same with `finish` applied to the whole result ``(N, C, H, W)``."""
        if not finish.joins and finish.dtype is None:
            return self
        count, filters, *size = self.array.shape
        out = np.empty((count, finish.outputs(filters), *size), finish.dtype or self.array.dtype)
        clipped = [finish.apply(values, place) for values, place in zip(self.array, out, strict=True)]
        return Computed(out, self.plan, Clipped(*map(sum, zip(*clipped, strict=True))))


class Operation(Protocol):
    """The signature of `correlate` and `correlate_transpose`."""

    def __call__(
        self,
        x: NDArray[np.generic],
        weight: NDArray[np.floating],
        bias: NDArray[np.floating] | None,
        geometry: Geometry,
        groups: int,
        *,
        dtype: str,
        device: str,
        threads: int | None,
        **native: Any,
    ) -> Computed: ...


class Backend(Protocol):
    """A backend module."""

    @property
    def correlate(self) -> Operation: ...

    @property
    def correlate_transpose(self) -> Operation: ...


def load(name: str) -> Backend:
    """Import the backend called `name`, one of `BACKENDS`."""
    module: Backend = import_module(f"convcli.backends.{name}")
    return module
