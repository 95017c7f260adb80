"""The workers of a Dask cluster. They read and write pixels themselves: the scheduler sees names and counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import distributed

from convcli.errors import BackendError, param
from convcli.runs.places import PATIENCE, LostError
from convcli.runs.places.dask_worker import VERSIONS, Job, Plugin, Seen, Versions, perform, seen

T = TypeVar("T")

PAUSED = 10.0
"""Without any answer, workers are looked at after so many seconds. If all are paused twice, the run ends."""


class Far:
    """The workers of a cluster, which may be `ours`; see `convcli.runs.places.Place`.

    Raises
    ------
    BackendError
        A worker has another version of convcli or NumPy, or it lacks something that the job needs.
    """

    def __init__(self, client: Any, job: Job, ours: bool) -> None:
        self._client = client
        self.name = f"convcli-{os.getpid()}-{id(self):x}"
        self._futures: dict[Any, Any] = {}
        self.retried, self.notes, self._begun = 0, tuple[str, ...](), 0
        try:
            # a lambda is sent as it is: another version may have none of our functions
            versions = client.run(lambda: [__import__(name).__version__ for name in ("convcli", "numpy")])
            for worker, found in versions.items():
                VERSIONS.check(worker, Versions(*found))
            client.register_plugin(Plugin(self.name, job, ours, client.id), name=self.name)
            self._check(client.run(seen, self.name))
        except BackendError:
            self.close()
            raise
        except Exception as error:  # of any kind: the other version's
            self.close()
            why = (str(error).splitlines() or [type(error).__name__])[-1]
            remedy = f"install convcli {VERSIONS.convcli} there, as it is here"
            raise BackendError("a worker", "cannot begin", remedy, why) from None

    @property
    def width(self) -> int:
        """The threads of all workers."""
        return max(1, sum(map(int, self._client.nthreads().values())))

    def _check(self, found: dict[str, Seen]) -> None:
        for address, worker in found.items():
            if worker.lacks:
                remedy = "give all workers the same files, for example on a shared disk or in a store"
                raise BackendError(f"worker {address}", worker.lacks, remedy)
        if len({worker.core for worker in found.values()}) > 1:
            self.notes = (
                "the workers' processors differ, so that a few values may differ from run to run by rounding",
            )

    def results(self, items: Iterable[T]) -> Iterator[tuple[T, Any]]:
        """See `convcli.runs.places.Place.results`."""
        queue = iter(items)
        finished = distributed.as_completed(loop=self._client.loop)

        def begin() -> None:
            for item in queue:
                self._begun += 1
                future = self._client.submit(
                    perform, self.name, item, key=f"{self.name}-{self._begun}", pure=False
                )  # fmt: skip
                self._futures[future] = item
                finished.add(future)
                return

        for _ in range(2 * self.width + 2):
            begin()
        while self._futures:
            self._await(finished)
            future = next(finished)
            item = self._futures.pop(future)
            try:
                answer = self._answer(future)
                begin()
            except Exception as error:  # what Dask raises then has many types
                raise self._lost(type(error).__name__) from None
            yield item, answer

    def _lost(self, why: str) -> BackendError:
        return BackendError("the scheduler", "was lost", f"start it again; {param('skip_existing')} goes on", why)

    def _await(self, finished: Any) -> None:
        """Wait for an answer. Workers that Dask has paused, because they are nearly out of memory, may never give one."""
        paused, until = 0, monotonic() + PAUSED
        while not finished.has_ready():
            with finished.thread_condition:
                finished.thread_condition.wait(timeout=0.1)
            if monotonic() < until:
                continue
            until = monotonic() + PAUSED
            found = self._client.scheduler_info(n_workers=-1)["workers"].values()
            paused = paused + 1 if found and all(one.get("status") == "paused" for one in found) else 0
            if paused == 2:
                remedy = f"use a smaller {param('memory')}, or workers with more; {param('skip_existing')} goes on"
                raise BackendError("the workers", "are near their memory limit", remedy, "Dask has paused them")

    def _answer(self, future: Any) -> Any:
        if future.status == "cancelled":
            raise ConnectionError
        error = future.exception() if future.status == "error" else None
        if error is None:
            answer, again = future.result()
            self.retried += again
            return answer
        if type(error).__name__ == "KilledWorker":
            remedy = f"use a smaller {param('memory')}, or workers with more"
            return LostError("its worker", "was lost several times over it", remedy, "did it run out of memory?")
        return error

    def stop(self) -> Iterator[tuple[Any, Any]]:
        """See `convcli.runs.places.Place.stop`."""
        with suppress(Exception), self._client.as_current():
            distributed.wait(list(self._futures), timeout=PATIENCE)
        for future, item in [*self._futures.items()]:
            if future.status == "finished":
                answer = self._answer(future)
                if not isinstance(answer, BaseException):
                    yield item, answer
        with suppress(Exception):
            self._client.cancel(list(self._futures), force=True)
        self._futures.clear()

    def close(self) -> None:
        """Take the job from the workers."""
        with suppress(Exception):  # also of a worker that does not answer: the scheduler knows it first
            leave = self._client.scheduler.unregister_worker_plugin
            self._client.sync(leave, name=self.name, callback_timeout=PATIENCE)
