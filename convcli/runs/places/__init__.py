"""Where tasks run: threads of this process, or the workers of a Dask cluster. A module for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from convcli import extras
from convcli.errors import BackendError, ConvError, param

if TYPE_CHECKING:
    from convcli.runs.places.dask_cluster import Cluster

T = TypeVar("T")

PATIENCE = 2.0
"""After an interruption, tasks at work have this many seconds to finish."""


class LostError(ConvError):
    """The worker of a task was lost, several times."""


class Place(Protocol):
    """Where tasks run."""

    retried: int  # how often a task was tried again
    notes: tuple[str, ...]  # for the user

    @property
    def width(self) -> int:
        """How many tasks run at once."""
        ...

    def results(self, items: Iterable[T]) -> Iterator[tuple[T, Any]]:
        """Do a task for every item. Yields each item with its result, or with the exception that it ended with, in any order.

        Items are taken as they are needed: never more than a few of them wait.
        """
        ...

    def stop(self) -> Iterator[tuple[Any, Any]]:
        """Begin no further task, and yield what those at work give, if they finish soon."""
        ...

    def close(self) -> None:
        """Release everything."""
        ...


def connected(where: str, say: Callable[[str], None] | None = None) -> Cluster:
    """A connection to a cluster; see `convcli.runs.places.dask_cluster.Cluster`. `say` is told of it, and when no worker is left.

    Raises
    ------
    BackendError
        Dask is not installed, nobody answers, or there is no worker.
    """
    if not extras.is_installed("distributed"):
        raise BackendError(param("on", where), "needs Dask, which is not installed", extras.how_to_get("distributed"))
    from convcli.runs.places.dask_cluster import Cluster

    return Cluster(where, say)


Act = Callable[[Any], Any]
"""What is done to an item."""
