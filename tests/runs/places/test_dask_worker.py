"""What a worker has of a run: its memory, its open files, and whether the client is still there."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import distributed
import numpy as np
import pytest

import convcli
from convcli.errors import BackendError
from convcli.runs.places import dask_worker
from convcli.runs.places.dask import Far
from convcli.runs.places.dask_worker import VERSIONS, Plugin
from support.cli import ROOT
from support.clusters import Sums, logged
from support.memory import mapped
from support.processes import ran

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told how to keep memory")

CALLER = """
import sys
sys.path.append({tests!r})
import distributed, numpy as np
import convcli
from convcli.cli import main
from convcli.system import memory
from support.memory import mapped

def refused():
    raise TypeError("this process is the caller's")

memory.settle = memory.trim = refused
image = np.lib.format.open_memmap("in.npy", "w+", "u1", (40, 50))
out = np.lib.format.open_memmap("out.npy", "w+", "f4", (40, 50))
image[:] = 7
how = dict(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0")
with distributed.LocalCluster(**how) as cluster, distributed.Client(cluster) as client:
    convcli.conv2d(image, "box:3", padding="same", out=out, client=client)
    assert out[20, 20] == 7
    line = ["apply", "in.npy", "-k", "box:3", "-o", "again.npy", "--on", cluster.scheduler_address, "-q"]
    main(line, standalone_mode=False)
print(mapped(1, 8))
"""


@glibc
def test_a_worker_that_is_a_thread_of_the_caller_leaves_its_memory_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)  # a nanny leaves it here
    assert ran(CALLER.format(tests=str(ROOT / "tests")), tmp_path).splitlines()[-1] == "[False, False]"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of one worker in a process of its own, with a nanny."""
    how: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(**how) as cluster, distributed.Client(cluster, set_as_default=False) as made:
        yield made


@glibc
def test_a_worker_of_its_own_gives_memory_back(client: Any, tmp_path: Path) -> None:
    """Dask's own setting would ask the system for every array."""
    (before,) = client.run(mapped, 1, 8).values()
    assert before == [True, True]

    def listen() -> None:
        from convcli.system import memory

        memory.trimmed = []  # type: ignore[attr-defined]
        memory.trim = lambda: memory.trimmed.append(1)  # type: ignore[attr-defined]

    def heard() -> int:
        from convcli.system import memory

        return len(memory.trimmed)  # type: ignore[attr-defined]

    client.run(listen)
    image = np.lib.format.open_memmap(tmp_path / "in.npy", "w+", "u1", (40, 50))
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", "f4", (40, 50))
    convcli.conv2d(image, "box:3", padding="same", out=out, client=client)
    assert [*client.run(heard).values()] == [1]
    assert [*client.run(mapped, 1, 8).values()] == [[False, True]]


def begun(folder: Path, events: list[str] | None = None) -> tuple[Plugin, Any, list[str]]:
    """A plugin of `Sums`, its worker, and what the scheduler is told. `events` are what it knows of the client."""
    told: list[str] = []

    async def known(topic: str) -> list[tuple[float, Any]]:
        assert topic == "client-1"
        if events is None:
            raise OSError
        return [(0.0, {"action": event}) for event in events]

    async def unregister_worker_plugin(name: str) -> None:
        told.append(name)

    scheduler = SimpleNamespace(events=known, unregister_worker_plugin=unregister_worker_plugin)
    worker = SimpleNamespace(nanny=None, scheduler=scheduler)
    return Plugin("convcli-1", Sums(folder), False, "client-1"), worker, told


@pytest.mark.parametrize(
    ("events", "gone"),
    [
        (["add-client"], False),
        (["add-client", "remove-client"], True),
        (["add-client", "remove-client", "add-client"], False),
        ([], False),
        (None, False),
    ],
)
def test_a_client_that_is_gone(
    events: list[str] | None, gone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was lost for a moment is there again."""
    monkeypatch.setattr(dask_worker, "CLIENT_WATCH", 0.001)
    plugin, worker, told = begun(tmp_path, events)

    async def look() -> None:
        plugin.setup(worker)
        await asyncio.sleep(0.05)
        plugin.teardown(worker)

    asyncio.run(look())
    assert {*told} == ({"convcli-1"} if gone else set())


def test_what_is_open_stays_so_until_the_last_task_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a task could write into a file that was opened after it, under the same number."""
    plugin, worker, _ = begun(tmp_path)

    def perform(self: Sums, item: int) -> int:
        plugin.teardown(worker)
        assert not (tmp_path / "closed").exists()
        return item

    async def task() -> int:
        plugin.setup(worker)
        found: int = plugin.perform(2)
        return found

    monkeypatch.setattr(Sums, "perform", perform)
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(address="here"))
    assert asyncio.run(task()) == 2
    assert (tmp_path / "closed").read_text() == "once\n"


def test_a_worker_of_another_version_that_joins_later_does_nothing(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Far(client, Sums(tmp_path), False)

    def change(name: str, dask_worker: Any) -> None:
        plugin = dask_worker.plugins[name]
        plugin.versions = plugin.versions._replace(convcli="0.0.1")

    client.run(change, place.name)
    ((_, answer),) = place.results([1])
    place.close()
    assert isinstance(answer, BackendError)
    assert answer.rule.startswith(f"has convcli {VERSIONS.convcli} with NumPy ")
    assert "here are 0.0.1" in answer.rule
    assert logged(tmp_path) == []
