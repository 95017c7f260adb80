"""The workers of a Dask cluster. They read and write pixels themselves: the scheduler sees names and counts."""

from __future__ import annotations

import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from math import inf
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any, NamedTuple, Protocol, TypeVar

import dask.config
import distributed
import numpy as np

from convcli import __version__
from convcli.errors import BackendError, ImageError, param
from convcli.runs.places import PATIENCE, LostError
from convcli.system import memory
from convcli.system.context import Context

T = TypeVar("T")

RETRIES, PAUSE = 2, 0.25
"""How often a task is tried again after an error of reading or writing, and after how many seconds the first time."""

WATCH = 5.0
"""After so many seconds it is looked after the workers again."""

LOGGED = 20
"""So many of its messages Dask keeps for its developers, of each connection. By default it keeps 1,000, with all names of files."""

SHARE = 0.8
"""How much of a worker's limit of memory is used: beyond that, Dask gives it no more tasks."""


PAUSED = 10.0
"""Without any answer, workers are looked at after so many seconds. If all are paused twice, the run ends."""


class Job(Protocol):
    """What tasks are about: plain data that goes to each worker once."""

    def opened(self) -> Any:
        """What a worker keeps for its tasks, with ``perform(item)`` and ``close()``."""
        ...

    def seen(self) -> str:
        """What this process cannot do that the job needs, in words; empty if it can do all."""
        ...


class Seen(NamedTuple):
    """What a worker says of itself before the first task."""

    convcli: str
    numpy: str
    lacks: str  # see `Job.seen`
    core: str  # the kernels that BLAS takes here


class Plugin(distributed.WorkerPlugin):  # type: ignore[misc]
    """What every worker of a run has: the job, opened when its first task comes."""

    idempotent = False

    def __init__(self, name: str, job: Job, ours: bool) -> None:
        self.name, self.job, self.ours = name, job, ours
        self._opened: Any = None
        self._context: Context | None = None

    def setup(self, worker: Any) -> None:
        """Called by Dask when a worker begins, also one that joins later."""
        self._lock = Lock()
        memory.settle()
        if self.ours:  # Ctrl-C in the terminal is for the client, which ends it
            with suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGINT, signal.SIG_IGN)

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the run or the worker ends."""
        if self._opened is not None:
            self._opened.close()
        if self._context is not None:
            self._context.__exit__(None, None, None)
        self._opened = self._context = None

    def perform(self, item: Any) -> Any:
        """Do a task."""
        with self._lock:
            if self._opened is None:
                self._context = Context()
                self._context.__enter__()
                self._opened = self.job.opened()
        return self._opened.perform(item)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "job": self.job, "ours": self.ours, "_opened": None, "_context": None}


class Tried(NamedTuple):
    """The answer to a task, and how often it was tried again."""

    answer: Any
    again: int


def _perform(name: str, item: Any) -> Tried:
    """A task, in a worker. Errors of reading and writing may pass: it is tried again after a while."""
    plugin = distributed.get_worker().plugins[name]
    for again in range(RETRIES + 1):
        try:
            return Tried(plugin.perform(item), again)
        except (OSError, ImageError) as error:
            error.__traceback__ = None
            if again == RETRIES:
                return Tried(error, again)
            sleep(PAUSE * 4**again)
        except Exception as error:
            error.__traceback__ = None  # it keeps pixels in memory
            return Tried(error, again)
    raise AssertionError


def thread_bytes() -> float:
    """How much memory a task may take in this worker: its nanny ends it when it has nearly reached its limit."""
    worker = distributed.get_worker()
    limit = worker.memory_manager.memory_limit
    return (SHARE * limit - memory.PROGRAM_BYTES) / worker.state.nthreads if limit else inf


def _seen(name: str, dask_worker: Any) -> Seen:
    return Seen(__version__, np.__version__, dask_worker.plugins[name].job.seen(), _core())


def _core() -> str:
    """The kernels of NumPy's BLAS, which differ from processor to processor."""
    with suppress(Exception):
        build = np.show_config(mode="dicts")
        extensions = ",".join(build.get("SIMD Extensions", {}).get("found", []))
        return str(extensions)
    return ""


class Cluster:
    """A connection to a cluster, until it is closed. Workers that a local one has lost for good are replaced.

    Parameters
    ----------
    say : callable, optional
        Is told of the cluster, and when no worker is left.
    where : str
        ``local`` or ``local:N`` (N processes here), ``tcp://…`` or ``tls://…`` (a scheduler), or the path of a scheduler's file.

    Raises
    ------
    BackendError
        Nobody answers, or there is no worker.
    """

    def __init__(self, where: str, say: Callable[[str], None] | None = None) -> None:
        for name in [*logging.root.manager.loggerDict]:  # what they say is told in one line
            if name.partition(".")[0] == "distributed":
                logging.getLogger(name).setLevel(logging.CRITICAL)
        self.where, self._say, self._closed = where, say, Event()
        self._cluster: Any = None
        self._client: Any = None
        self._settings = dask.config.set({"distributed.admin.low-level-log-length": LOGGED})
        try:
            self._connect()
        except (OSError, ValueError, TypeError, TimeoutError) as error:
            self.close()
            why = (str(error).splitlines() or [type(error).__name__])[0]
            remedy = f"start one with 'dask scheduler', or use {param('on', 'local')}"
            if "ssl_context" in why:
                why, remedy = "there are no certificates", "name them in Dask's configuration, see docs/scale.md"
            raise BackendError(param("on", where), "is not a scheduler that answers", remedy, why) from None
        self._wait()
        if not self.threads:
            self.close()
            raise BackendError(param("on", where), "has no worker", "start some with 'dask worker'")
        if say is not None:
            say(self.told)
        self._count = len(self.threads)
        Thread(target=self._watch, daemon=True).start()

    def _connect(self) -> None:
        kind, _, number = self.where.partition(":")
        how: dict[str, Any] = {"set_as_default": False, "timeout": _TIMEOUT}
        if self.where == "local" or (kind == "local" and number.isdecimal()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a dashboard that another run has begun
                self._cluster = distributed.LocalCluster(
                    n_workers=int(number) if number else None, threads_per_worker=1, dashboard_address="127.0.0.1:8787",
                    silence_logs=logging.CRITICAL,
                )  # fmt: skip
            self._client = distributed.Client(self._cluster, **how)
        elif "://" in self.where:
            self._client = distributed.Client(self.where, **how)
        elif os.path.isfile(self.where):  # Dask would wait for it
            self._client = distributed.Client(scheduler_file=self.where, **how)
        else:
            raise FileNotFoundError("there is no such file, and it is neither local:N nor an address with ://")

    def _wait(self) -> None:
        """Wait for workers that may be about to begin."""
        if self._cluster is None and not self.threads:
            with suppress(TimeoutError):
                self._client.wait_for_workers(1, timeout=_TIMEOUT)

    def _replace_dead(self) -> None:
        """Start new workers for those of a local cluster that Dask has given up, because they died while they were started."""
        assert self._cluster is not None
        nannies = self._cluster.workers
        for name, nanny in [*nannies.items()]:
            if nanny.status in (distributed.Status.failed, distributed.Status.closed):
                nannies.pop(name)
        self._cluster.scale(self._count)

    def _watch(self) -> None:
        """Look after the workers."""
        lonely = False
        while not self._closed.wait(WATCH):
            with suppress(Exception):
                if self._cluster is not None:
                    self._replace_dead()
                before, lonely = lonely, not self.threads
                if lonely and not before and self._say is not None:
                    self._say(f"no worker is left on {self.where}: waiting for one")

    @property
    def threads(self) -> dict[str, int]:
        """The number of threads of each worker, by its address."""
        return dict(self._client.nthreads()) if self._client is not None else {}

    @property
    def limit(self) -> int | None:
        """The least that a worker may take for a thread, in bytes; None without a limit."""
        assert self._client is not None
        found = self._client.scheduler_info(n_workers=-1)["workers"].values()
        limits = [one["memory_limit"] // max(1, one["nthreads"]) for one in found if one["memory_limit"]]
        return min(limits, default=None)

    @property
    def link(self) -> str:
        """The address of the dashboard; empty if there is none."""
        with suppress(Exception):
            return str(self._client.dashboard_link) if self._client is not None else ""
        return ""

    @property
    def told(self) -> str:
        """How many workers and threads there are, and the dashboard, in words."""
        threads = self.threads
        count, total = len(threads), sum(threads.values())
        said = f"{count} worker{'s' * (count != 1)} with {total} thread{'s' * (total != 1)} on {self.where}"
        return f"{said}, dashboard {self.link}" if self.link else said

    def place(self, job: Job) -> Far:
        """A place for the tasks of a job."""
        return Far(self._client, job, self._cluster is not None)

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self._closed.set()
        self._settings.__exit__(None, None, None)
        for one in (self._client, self._cluster):
            if one is not None:
                with suppress(Exception):
                    one.close()


_TIMEOUT = "15s"


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
            client.register_plugin(Plugin(self.name, job, ours), name=self.name)
            found: dict[str, Seen] = client.run(_seen, self.name)
        except Exception as error:  # of any kind: the other version's
            self.close()
            why = (str(error).splitlines() or [type(error).__name__])[-1]
            remedy = f"install convcli {__version__} there, as it is here"
            raise BackendError("a worker", "cannot begin", remedy, why) from None
        self._check(found)

    @property
    def width(self) -> int:
        """The threads of all workers."""
        return max(1, sum(map(int, self._client.nthreads().values())))

    def _check(self, found: dict[str, Seen]) -> None:
        for address, seen in found.items():
            what = f"worker {address}"
            if (seen.convcli, seen.numpy) != (__version__, np.__version__):
                rule = f"has convcli {seen.convcli} with NumPy {seen.numpy}, and here are {__version__} and {np.__version__}"
                self.close()
                raise BackendError(what, rule, "install the same versions everywhere")
            if seen.lacks:
                self.close()
                raise BackendError(
                    what, seen.lacks, "give all workers the same files, for example on a shared disk or in a store"
                )
        if len({seen.core for seen in found.values()}) > 1:
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
                    _perform, self.name, item, key=f"{self.name}-{self._begun}", pure=False
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
        with suppress(Exception):
            self._client.unregister_worker_plugin(self.name)
