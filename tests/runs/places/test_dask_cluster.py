"""A connection to a cluster: who answers, what is said of it, and who looks after its workers."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import pytest

from convcli.errors import BackendError
from convcli.runs.places import connected, dask_cluster
from support import clusters


def test_words_for_workers(cluster: dask_cluster.Cluster, address: str) -> None:
    assert cluster.told.startswith(f"1 worker with 2 threads on {address}")
    assert [*cluster.threads.values()] == [2]
    assert cluster.limit is None or cluster.limit > 0


def test_a_port_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_TIMEOUT", "1s")
    with pytest.raises(BackendError, match="is not a scheduler that answers"):
        connected(f"tcp://127.0.0.1:{clusters.free_port()}")


@pytest.mark.parametrize(
    ("where", "remedy"),
    [
        ("local:0", "use local:2"), ("local:x", "use local:2"), ("local:", "use local:2"), ("local:-1", "use local:2"),
        ("127.0.0.1:8786", "use tcp://127.0.0.1:8786"), ("node-7:8786", "use tcp://node-7:8786"),
        ("http://node-7:8787/status", "use the one that it prints, such as tcp://node-7:8786"),
        ("", "wait until the scheduler has written it"), ("none.json", "wait until the scheduler has written it"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_cluster_is_refused_at_once(where: str, remedy: str) -> None:
    with pytest.raises(BackendError) as refused:
        connected(where)
    assert remedy in refused.value.text


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"address": 5}', b"II*\0\xff\xfe", b"[" * 100_000])
def test_files_that_are_no_schedulers(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "scene.tif"
    path.write_bytes(content)
    with pytest.raises(BackendError, match="is not the file of a scheduler: use the one that 'dask scheduler --sched"):
        connected(str(path))


def test_the_file_of_a_scheduler_may_be_written_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sched.json"
    path.write_text('{"addr')
    monkeypatch.setattr(dask_cluster, "sleep", lambda _: path.write_text('{"address": "tcp://127.0.0.1:8786"}'))
    assert dask_cluster._refusal(str(path)) is None


@pytest.mark.parametrize("there", [True, False])
def test_a_dashboard_of_ours_is_told_of_only_if_dask_can_show_it(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = unconnected(Local(), {"tcp://x": 1}, [])
    made._client.dashboard_link = "http://127.0.0.1:8787/status"
    monkeypatch.setattr(dask_cluster.extras, "is_installed", lambda name: name == "bokeh" and there)
    assert made.told == "1 worker with 1 thread on local:2" + ", dashboard http://127.0.0.1:8787/status" * there


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


def unconnected(local: Local | None, threads: dict[str, int], said: list[str]) -> dask_cluster.Cluster:
    """One of two workers, without a connection."""
    made = dask_cluster.Cluster.__new__(dask_cluster.Cluster)
    made.where, made._cluster, made._count, made._say = "local:2", local, 2, said.append
    made._client = SimpleNamespace(nthreads=lambda: threads, close=lambda: None)
    made._closed = dask_cluster.Event()
    made._settings = nullcontext()
    return made


def test_workers_that_dask_has_given_up_are_replaced() -> None:
    status = distributed.Status
    local = Local(one=status.failed, two=status.running)
    unconnected(local, {}, [])._replace_dead()
    assert [*local.workers] == ["two", "new0"]
    unconnected(local, {}, [])._replace_dead()
    assert local.asked == [2, 2]
    assert [*local.workers] == ["two", "new0"]


def test_that_no_worker_is_left_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "WATCH", 0.001)
    threads: dict[str, int] = {"tcp://x": 1}
    said: list[str] = []
    made = unconnected(None, threads, said)
    looks = iter([{"tcp://x": 1}, {}, {}, {}, {"tcp://x": 1}, {}, {}])

    def nthreads() -> dict[str, int]:
        found = next(looks, None)
        if found is None:
            made._closed.set()
        return found or {}

    made._client.nthreads = nthreads
    made._watch()
    assert said == ["no worker is left on local:2: waiting for one"] * 2


def test_dask_keeps_few_messages_for_its_developers() -> None:
    """They have the names of all files. Afterwards its settings are as before."""
    from dask import config

    name = "distributed.admin.low-level-log-length"
    before = config.get(name)
    with pytest.raises(BackendError, match="is not the file of a scheduler"):
        dask_cluster.Cluster("none.json")
    assert config.get(name) == before
    made = dask_cluster.Cluster("local:1")
    assert config.get(name) == dask_cluster.LOGGED
    assert made._client.scheduler_comm.recent_message_log.maxlen == dask_cluster.LOGGED
    made.close()
    made.close()
    assert config.get(name) == before
