"""A connection to a Dask cluster, which may be one that is started for it."""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from time import sleep
from typing import Any

import dask.config
import distributed

from convcli import extras
from convcli.errors import BackendError, param
from convcli.runs.places.dask import Far
from convcli.runs.places.dask_worker import Job

WATCH = 5.0
"""After so many seconds it is looked after the workers again."""

LOGGED = 20
"""So many of its messages Dask keeps for its developers, of each connection. By default it keeps 1,000, with all names of files."""

_TIMEOUT = "15s"


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
        except BackendError:
            self.close()
            raise
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
        if refused := _refusal(self.where):
            raise BackendError(param("on", self.where), *refused)
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
        else:
            self._client = distributed.Client(scheduler_file=self.where, **how)

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
        """The address of the dashboard; empty if there is none. Dask draws it with a package that it does not need otherwise."""
        if self._cluster is not None and not extras.is_installed("bokeh"):
            return ""
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


def _refusal(where: str) -> tuple[str, str] | None:
    """Why this cannot be a cluster, and what to write instead. None if it may be one."""
    kind, _, number = where.partition(":")
    if kind == "local":
        good = not number if ":" not in where else number.isdecimal() and int(number) > 0
        return None if good else ("is not local:N with a number of processes from 1 up", "use local:2")
    if where.startswith(("http://", "https://")):
        host = re.split("[:/]", where.partition("://")[2])[0]
        return (
            "is the address of a web page, not of a scheduler",
            f"use the one that it prints, such as tcp://{host}:8786",
        )
    if "://" in where:
        return None
    if os.path.isfile(where):  # Dask would wait for one
        return (
            None
            if _is_schedulers(where)
            else ("is not the file of a scheduler", "use the one that 'dask scheduler --scheduler-file' writes")
        )
    if re.fullmatch(r"[\w.-]+:\d+", where):
        return "is not the address of a scheduler", f"use tcp://{where}"
    remedy = "wait until the scheduler has written it, or use local:N or tcp://HOST:PORT"
    return "is not the file of a scheduler, as there is no such file", remedy


def _is_schedulers(path: str) -> bool:
    """Whether a file has the address of a scheduler. It may be written just now."""
    for pause in (0.1, 0.4, 0.0):
        with suppress(ValueError, OSError, RecursionError), open(path, encoding="utf-8") as file:
            found = json.loads(file.read(MOST_BYTES))
            return isinstance(found, dict) and isinstance(found.get("address"), str)
        sleep(pause)
    return False


MOST_BYTES = 16 << 20
"""The file of a scheduler has a few hundred bytes for itself and for each worker."""
