"""Several hosts: processes with file systems, networks and versions of their own. Some are lost, for a while or for good."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli import __version__
from support import clusters, hosts
from support.cli import Result, run
from support.clusters import logged, until
from support.profiles import long
from support.scenes import COUNT, OPERATION, Workers, one_line, same, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

SOON = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "1s"}
"""Dask gives up workers that were silent for so long (but at least 5 s), by default after 5 minutes."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """The file of a scheduler that was started by hand, with two workers."""
    folder, orders = tmp_path_factory.mktemp("cluster"), tmp_path_factory.mktemp("orders")
    with clusters.by_hand(folder, "tcp", 2, "--no-nanny", **SOON) as file:
        obeying(file, orders, 2)
        yield Workers(str(file), orders)


def obeying(file: Path, orders: Path, count: int) -> None:
    """Have all workers obey, when there are enough."""
    with clusters.client(file) as client:
        client.wait_for_workers(count, timeout=60)
        client.register_plugin(clusters.Orders(orders))


@pytest.fixture
def workers(cluster: Workers) -> Iterator[Workers]:
    cluster.free()
    yield cluster
    cluster.free()


def words(scenes: Path, workers: Workers, out: Path, *more: object) -> list[object]:
    return ["apply", scenes / "in.tif", *OPERATION, "--on", workers.address, "-o", out, *more]


def ended(client: Any, seconds: float = 100.0) -> Result:
    """How a client ends."""
    out, err = client.communicate(timeout=seconds)
    return Result(client.returncode, out, err.decode())


def test_a_client_that_is_killed_leaves_nothing_on_the_cluster(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    """Neither its job nor open files: the workers see that it is gone."""
    workers.order("slow", "0.2")
    before = "from convcli.runs.places import dask_worker\ndask_worker.CLIENT_WATCH = 0.2"
    client = started(*words(scenes, workers, tmp_path / "out.tif"), before=before)
    with clusters.client(Path(workers.address)) as one:
        pids = one.run(lambda: __import__("os").getpid()).values()
        until(lambda: len(logged(workers.orders)) >= 3)
        jobs = lambda: [name for names in one.run(_plugins).values() for name in names]
        assert jobs()
        assert any(hosts.opened(pid) & {str(scenes / "in.tif")} for pid in pids)
        client.kill()
        client.communicate()
        until(lambda: not jobs())
        until(
            lambda: not any(name.startswith((str(scenes), str(tmp_path))) for pid in pids for name in hosts.opened(pid))
        )


def _plugins(dask_worker: Any) -> list[str]:
    return [name for name in dask_worker.plugins if name.startswith("convcli-")]


def test_a_worker_that_does_not_mount_the_folder(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    with clusters.joined(Path(workers.address), before=hosts.without(scenes)):
        line = one_line(run(*words(scenes, workers, tmp_path / "out.tif")))
    assert re.search(
        r"worker tcp://\S+ does not see it: input '\S+/in.tif' cannot be read: there is no such file", line
    )
    assert "give all workers the same files, for example on a shared disk" in line
    assert not [*tmp_path.iterdir()]


def test_a_worker_that_does_not_mount_the_output(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "there" / "results").mkdir(parents=True)
    with clusters.joined(Path(workers.address), before=hosts.without(tmp_path / "there")):
        line = one_line(run(*words(scenes, workers, tmp_path / "there" / "results" / "out.tif")))
    assert re.search(r"worker tcp://\S+ cannot write to '\S+/results': give all workers the same files", line)
    assert not [*(tmp_path / "there" / "results").iterdir()]


def test_a_worker_of_another_version(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    path = hosts.of_version("0.0.1", tmp_path / "older")
    (tmp_path / "out").mkdir()
    with clusters.joined(Path(workers.address), PYTHONPATH=path):
        line = one_line(run(*words(scenes, workers, tmp_path / "out" / "out.tif")))
    version = np.__version__
    assert re.search(
        rf"worker tcp://\S+ has convcli 0.0.1 with NumPy {version}, and here are {__version__} and {version}: "
        "install the same versions everywhere", line,
    )  # fmt: skip
    assert not [*(tmp_path / "out").iterdir()]


def test_workers_that_are_cut_off_and_come_back(
    workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]
) -> None:
    """One comes back while the others do its block, one when all is done: it finds nothing to harm."""
    file, out = Path(workers.address), tmp_path / "out.tif"
    with clusters.joined(file), clusters.joined(file), clusters.client(file) as one:
        workers.order("slow", "0.3")
        workers.order("freeze1")
        workers.order("freeze2")
        client = started(*words(scenes, workers, out, "--json"))
        first, second = hosts.frozen(workers.orders, "1"), hosts.frozen(workers.orders, "2")
        workers.order("slow", "0.8")
        until(lambda: len(one.nthreads()) <= 2)
        hosts.thaw(first)
        assert same(ended(client), out, whole)["blocks"]["count"] == COUNT
        pixels = out.read_bytes()
        hosts.thaw(second)
        until(lambda: len(logged(workers.orders)) >= COUNT + 1)
        assert out.read_bytes() == pixels
        assert [path.name for path in tmp_path.iterdir()] == ["out.tif"]


@long
@pytest.mark.parametrize(
    ("means", "ending"), [("stopped", "npy"), ("stopped", "zarr"), ("cable", "zarr"), ("cable", "tif")]
)
def test_a_host_with_a_nanny_that_is_cut_off_and_comes_back(
    means: str, ending: str, scenes: Path, tmp_path: Path
) -> None:
    """Dask waits half a minute for the nanny before it gives the block to others."""
    orders = tmp_path / "orders"
    orders.mkdir()
    name = f"out.{ending}"
    for folder in ("out", "whole"):
        (tmp_path / folder).mkdir()
    expected = run("apply", scenes / "in.tif", *OPERATION, "-o", tmp_path / "whole" / name, "--json")
    with hosts.cable() if means == "cable" else nullcontext() as cable:
        here, there, before = (cable.here, cable.there, cable.before) if cable else (clusters.LOCAL, clusters.LOCAL, [])
        with (
            clusters.by_hand(tmp_path, "tcp", 1, host=here, **SOON) as file,
            clusters.joined(file, "--nanny", host=there, before=before),
            clusters.client(file) as one,
        ):
            obeying(file, orders, 2)
            workers = Workers(str(file), orders)
            workers.order("slow", "0.5")
            if not cable:
                workers.order("freeze", "and its nanny")
            client = started(*words(scenes, workers, tmp_path / "out" / name, "--json"))
            if cable:
                until(lambda: len(logged(orders)) >= 2)
                cable.cut()
            else:
                stopped = hosts.frozen(orders, "")
            until(lambda: len(one.nthreads()) == 1, 60)
            found = ended(client)
            cable.mend() if cable else hosts.thaw(stopped)
            time.sleep(10)  # it may end or join again, which is up to Dask
    assert found.code == 0, found.err
    assert found.json["clipped"] == expected.json["clipped"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert content(tmp_path / "out" / name) == content(tmp_path / "whole" / name)


def content(path: Path) -> Any:
    """The bytes of a file, or of all files of a folder; of a TIFF the pixels, as its tiles are in any order."""
    if path.suffix == ".tif":
        return tifffile.imread(path).tobytes()
    if path.is_file():
        return path.read_bytes()
    return {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}


@pytest.mark.parametrize("timeout", ["1s", pytest.param("15s", marks=long)])
def test_a_scheduler_that_is_lost(timeout: str, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    """One line, and a journal that another run completes."""
    orders, out = tmp_path / "orders", tmp_path / "out.tif"
    orders.mkdir()
    before = f"from convcli.runs.places import dask_cluster\ndask_cluster._TIMEOUT = {timeout!r}"
    with clusters.by_hand(tmp_path, "tcp", 2, "--no-nanny") as file:
        obeying(file, orders, 2)
        workers = Workers(str(file), orders)
        workers.order("slow", "0.5")
        client = started(*words(scenes, workers, out), before=before)
        until(lambda: len(logged(orders)) >= 3)
        clusters.kill_scheduler(file)
        found = ended(client)
    line = one_line(found)
    assert found.err.count("\n") == 2
    assert re.search("the scheduler was lost: .*; start it again; --skip-existing goes on", line)
    assert not out.exists()
    result = run("apply", scenes / "in.tif", *OPERATION, "--json", "-o", out, "--skip-existing")
    assert same(result, out, whole)["blocks"]["done_before"] >= 1
