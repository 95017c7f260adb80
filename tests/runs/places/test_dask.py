"""Workers of a Dask cluster: who looks after them."""

from types import SimpleNamespace
from typing import Any

import pytest

distributed = pytest.importorskip("distributed")

from convcli.runs.places import dask  # noqa: E402
from convcli.runs.places.dask import Cluster  # noqa: E402


class Local:
    """A local cluster, which starts what it does not have when it is asked to."""

    def __init__(self, **states: Any) -> None:
        self.workers = {name: SimpleNamespace(status=state) for name, state in states.items()}
        self.asked: list[int] = []

    def scale(self, count: int) -> None:
        self.asked.append(count)
        for number in range(count - len(self.workers)):
            self.workers[f"new{number}"] = SimpleNamespace(status=distributed.Status.running)

    def close(self) -> None:
        """End."""


def cluster(local: Local | None, threads: dict[str, int], said: list[str]) -> Cluster:
    """One of two workers, without a connection."""
    made = Cluster.__new__(Cluster)
    made.where, made._cluster, made._count, made._say = "local:2", local, 2, said.append
    made._client = SimpleNamespace(nthreads=lambda: threads, close=lambda: None)
    made._closed = dask.Event()
    return made


def test_workers_that_dask_has_given_up_are_replaced() -> None:
    status = distributed.Status
    local = Local(one=status.failed, two=status.running)
    cluster(local, {}, [])._replace_dead()
    assert [*local.workers] == ["two", "new0"]
    cluster(local, {}, [])._replace_dead()
    assert local.asked == [2, 2]
    assert [*local.workers] == ["two", "new0"]


def test_that_no_worker_is_left_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "WATCH", 0.001)
    threads: dict[str, int] = {"tcp://x": 1}
    said: list[str] = []
    made = cluster(None, threads, said)
    looks = iter([{"tcp://x": 1}, {}, {}, {}, {"tcp://x": 1}, {}, {}])

    def nthreads() -> dict[str, int]:
        found = next(looks, None)
        if found is None:
            made._closed.set()
        return found or {}

    made._client.nthreads = nthreads
    made._watch()
    assert said == ["no worker is left on local:2: waiting for one"] * 2
