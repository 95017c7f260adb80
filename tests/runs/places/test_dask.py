"""Tasks on the workers of a cluster: tried again, told, and bounded; what workers lack, and who looks after them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import pytest

from convcli.errors import BackendError
from convcli.geometry import Size
from convcli.images.writing.blocks import Layout
from convcli.runs import blocks
from convcli.runs.places import connected, dask
from support import clusters
from support.clusters import Sums, logged


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of one worker with two threads, in this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def cluster(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dask.Cluster]:
    monkeypatch.setattr(dask, "PAUSE", 0.0)
    found = connected(address)
    yield found
    found.close()


def test_answers_errors_and_retries(cluster: dask.Cluster, tmp_path: Path) -> None:
    place = cluster.place(Sums(tmp_path))
    assert place.width == 2
    found = dict(place.results(range(9)))
    assert isinstance(found.pop(5), OSError)
    assert isinstance(found.pop(7), TypeError)
    assert found == {item: item * 10 for item in (0, 1, 2, 3, 4, 6, 8)}
    assert logged(tmp_path).count("5") == 1 + dask.RETRIES
    assert logged(tmp_path).count("7") == 1  # a bug stays one
    assert place.retried == 1 + dask.RETRIES
    place.close()
    assert (tmp_path / "opened").read_text() == "once\n"
    assert (tmp_path / "closed").read_text() == "once\n"


def test_few_items_are_on_their_way(cluster: dask.Cluster, tmp_path: Path) -> None:
    """Neither the scheduler's memory nor the client's grows with the picture."""
    taken, told = 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100, 140):
            taken += 1
            assert taken <= told + 2 * place.width + 4
            yield number

    place = cluster.place(Sums(tmp_path))
    for _ in place.results(items()):
        told += 1
    assert told == 40
    place.close()


def test_a_stop_tells_what_ends_soon(cluster: dask.Cluster, tmp_path: Path) -> None:
    place = cluster.place(Sums(tmp_path))
    answers = place.results(iter(range(100, 200)))
    first = next(answers)
    more = [*place.stop()]
    assert all(answer == item * 10 for item, answer in [first, *more])
    assert len(logged(tmp_path)) < 20
    place.close()


def test_what_a_worker_lacks(cluster: dask.Cluster, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"worker inproc://\S+ has no glasses: give all workers the same files"):
        cluster.place(Sums(tmp_path, "has no glasses"))


def test_a_job_of_blocks_looks_for_input_and_output(tmp_path: Path) -> None:
    (tmp_path / "in.tif").write_bytes(b"II")
    request: Any = blocks.Request(str(tmp_path / "in.tif"), None, None, "TIFF", None)  # type: ignore[arg-type]
    layout = Layout(str(tmp_path / "out.tif"), "TIFF", (3, *Size(9, 9)), "uint8")
    job = blocks.BlockJob(request, layout)
    assert job.seen() == ""
    assert (
        job._replace(request=request._replace(source=str(tmp_path / "none.tif"))).seen().startswith("does not see it")
    )
    lost = job._replace(layout=layout._replace(target=str(tmp_path / "none" / "out.tif")))
    assert lost.seen() == f"cannot write to '{tmp_path / 'none'}'"
    assert job._replace(layout=layout._replace(target="s3://bucket/out.zarr")).seen() == ""


def test_words_for_workers(cluster: dask.Cluster, address: str) -> None:
    assert cluster.told.startswith(f"1 worker with 2 threads on {address}")
    assert [*cluster.threads.values()] == [2]
    assert cluster.limit is None or cluster.limit > 0


def test_a_port_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_TIMEOUT", "1s")
    with pytest.raises(BackendError, match="is not a scheduler that answers"):
        connected(f"tcp://127.0.0.1:{clusters.free_port()}")


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


def unconnected(local: Local | None, threads: dict[str, int], said: list[str]) -> dask.Cluster:
    """One of two workers, without a connection."""
    made = dask.Cluster.__new__(dask.Cluster)
    made.where, made._cluster, made._count, made._say = "local:2", local, 2, said.append
    made._client = SimpleNamespace(nthreads=lambda: threads, close=lambda: None)
    made._closed = dask.Event()
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
    monkeypatch.setattr(dask, "WATCH", 0.001)
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
    with pytest.raises(BackendError, match="is not a scheduler that answers"):
        dask.Cluster("none.json")
    assert config.get(name) == before
    made = dask.Cluster("local:1")
    assert config.get(name) == dask.LOGGED
    assert made._client.scheduler_comm.recent_message_log.maxlen == dask.LOGGED
    made.close()
    made.close()
    assert config.get(name) == before
