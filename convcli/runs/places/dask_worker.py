"""What each worker of a Dask cluster has of a run, and what it says of itself."""

from __future__ import annotations

import signal
from contextlib import suppress
from math import inf
from threading import Lock
from time import sleep
from typing import Any, Protocol

import distributed
import numpy as np
from tornado.ioloop import PeriodicCallback

from convcli import __version__
from convcli.errors import BackendError, ImageError
from convcli.records import NamedTuple
from convcli.system import memory
from convcli.system.context import Context

RETRIES, PAUSE = 2, 0.25
"""How often a task is tried again after an error of reading or writing, and after how many seconds the first time."""

CLIENT_WATCH = 5.0
"""After so many seconds, workers ask again whether the program that has given them a job is still there."""

SHARE = 0.8
"""How much of a worker's limit of memory is used: beyond that, Dask gives it no more tasks."""


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

    lacks: str  # see `Job.seen`
    core: str  # the kernels that BLAS takes here


class Versions(NamedTuple):
    """What has to be the same everywhere."""

    convcli: str
    numpy: str

    def check(self, worker: str, others: Versions) -> None:
        """Raise a BackendError if these are not those of a worker."""
        if others != self:
            rule = (
                f"has convcli {others.convcli} with NumPy {others.numpy}, and here are {self.convcli} and {self.numpy}"
            )
            raise BackendError(f"worker {worker}", rule, "install the same versions everywhere")


VERSIONS = Versions(__version__, np.__version__)
"""Those of this process."""


class Plugin(distributed.WorkerPlugin):  # type: ignore[misc]
    """What every worker of a run has: the job, opened when its first task comes.

    Parameters
    ----------
    name : str
    job : Job
    ours : bool
        Whether the workers were started for this run.
    client : str
        Dask's name of the client. When the scheduler has lost it, the workers forget the job.
    """

    idempotent = False

    def __init__(self, name: str, job: Job, ours: bool, client: str) -> None:
        self.name, self.job, self.ours, self.client = name, job, ours, client
        self.versions, self.watch = VERSIONS, CLIENT_WATCH

    def setup(self, worker: Any) -> None:
        """Called by Dask when a worker begins, also one that joins later."""
        self._lock, self._busy, self._over = Lock(), 0, False
        self._opened: Any = None
        self._context: Context | None = None
        self._alone = worker.nanny is not None  # a worker without a nanny may be a thread of somebody's program
        if self._alone:
            memory.settle()
        if self.ours:  # Ctrl-C in the terminal is for the client, which ends it
            with suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._look = PeriodicCallback(lambda: self._leave(worker), self.watch * 1000)
        self._look.start()

    async def _leave(self, worker: Any) -> None:
        """Take the job from all workers if the client is gone. Dask keeps it otherwise: a client that is killed cannot do so."""
        with suppress(Exception):  # the scheduler does not answer, or another worker has done it
            events = [event["action"] for _, event in await worker.scheduler.events(topic=self.client)]
            if events and events[-1] == "remove-client":
                await worker.scheduler.unregister_worker_plugin(name=self.name)

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the run or the worker ends."""
        self._look.stop()
        self._over = True
        self._close()

    def _close(self) -> None:
        """Close what is open, once it is not needed any more."""
        with self._lock:
            if self._busy or not self._over:
                return
            opened, self._opened = self._opened, None
            context, self._context = self._context, None
        if opened is not None:
            opened.close()
        if context is not None:
            context.__exit__(None, None, None)

    def perform(self, item: Any) -> Any:
        """Do a task."""
        with self._lock:
            if self._opened is None:
                self.versions.check(distributed.get_worker().address, VERSIONS)
                self._context = Context()
                self._context.__enter__()
                self._opened = self.job.opened()
            self._busy += 1
        try:
            return self._opened.perform(item)
        finally:
            with self._lock:
                self._busy -= 1
            self._close()
            if self._alone:
                memory.trim()

    def __getstate__(self) -> dict[str, Any]:
        names = ("name", "job", "ours", "client", "versions", "watch")
        return {name: getattr(self, name) for name in names}


class Tried(NamedTuple):
    """The answer to a task, and how often it was tried again."""

    answer: Any
    again: int


def perform(name: str, item: Any) -> Tried:
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


def seen(name: str, dask_worker: Any) -> Seen:
    """What a worker says of itself."""
    return Seen(dask_worker.plugins[name].job.seen(), _core())


def _core() -> str:
    """The kernels of NumPy's BLAS, which differ from processor to processor."""
    with suppress(Exception):
        build = np.show_config(mode="dicts")
        extensions = ",".join(build.get("SIMD Extensions", {}).get("found", []))
        return str(extensions)
    return ""
