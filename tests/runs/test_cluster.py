"""Pictures in blocks on a Dask cluster: the same pixels, whatever becomes of workers, of the client and of the disk."""

from __future__ import annotations

import pickle
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from dask import config

from convcli.runs import blocks
from convcli.runs.places import dask, dask_cluster, dask_worker
from support import clusters
from support.cli import Result, binary, done, run
from support.clusters import logged, until
from support.profiles import long
from support.scenes import COUNT, OPERATION, Workers, one_line, same, started


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    orders = tmp_path_factory.mktemp("orders")
    with clusters.local(orders) as address:
        yield Workers(address, orders)


@pytest.fixture
def workers(cluster: Workers) -> Iterator[Workers]:
    cluster.free()
    yield cluster
    cluster.free()


def words(scenes: Path, workers: Workers, *more: object) -> list[object]:
    return ["apply", scenes / "in.tif", *OPERATION, "--on", workers.address, *more]


def test_the_same_pixels(workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    result = run(*words(scenes, workers, "--json", "-o", tmp_path / "out.tif"))
    found = same(result, tmp_path / "out.tif", whole)
    assert found["blocks"]["count"] == COUNT
    assert found["workers"] == 2
    assert "2 workers with 2 threads on tcp://" in result.err
    assert "dashboard http://" in result.err
    assert sorted(logged(workers.orders)) == sorted({*logged(workers.orders)})  # none twice


def test_a_range_in_two_passes(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    more = ["--range", "minmax"]
    done("apply", scenes / "in.tif", *OPERATION, *more, "-o", tmp_path / "whole.tif")
    done(*words(scenes, workers, *more, "-o", tmp_path / "out.tif"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), tifffile.imread(tmp_path / "whole.tif"))
    assert len(logged(workers.orders)) == 2 * COUNT


def test_a_killed_worker(workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    """At most one block for each lost thread is done again: none of those that were done."""
    workers.order("slow", "0.05")
    client = started(*words(scenes, workers, "--json", "-o", tmp_path / "out.tif"))
    until(lambda: len(logged(workers.orders)) >= 3)
    workers.order("once")
    out, err = client.communicate(timeout=60)
    assert not (workers.orders / "once").exists(), "nobody was killed"
    same(Result(client.returncode, out, err.decode()), tmp_path / "out.tif", whole)
    assert len(logged(workers.orders)) <= COUNT + 1


def test_a_worker_that_always_dies_on_a_block(
    workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]
) -> None:
    workers.order("die", "1024,0")
    line = one_line(run(*words(scenes, workers, "-o", tmp_path / "out.tif")), 1)
    assert re.search(r"block 1024,0 of '.*out.tif' failed, 7 of 8 are done: ", line)
    assert "--memory" in line
    assert "--skip-existing goes on" in line
    assert not (tmp_path / "out.tif").exists()
    workers.free()
    result = run(*words(scenes, workers, "--json", "-o", tmp_path / "out.tif", "--skip-existing"))
    assert same(result, tmp_path / "out.tif", whole)["blocks"]["done_before"] == COUNT - 1
    assert logged(workers.orders) == ["1024,0"]


@long
def test_a_worker_that_reaches_its_memory_limit(scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    with clusters.local(orders, memory="300MiB") as address:
        workers = Workers(address, orders)
        workers.order("hog", "1024,0")
        line = one_line(run(*words(scenes, workers, "-o", tmp_path / "out.tif")), 1)
        assert "use a smaller --memory" in line
        workers.free()
        result = run(*words(scenes, workers, "--json", "-o", tmp_path / "out.tif", "--skip-existing"))
        same(result, tmp_path / "out.tif", whole)


def test_a_client_that_is_killed(workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    workers.order("slow", "0.2")
    client = started(*words(scenes, workers, "-o", tmp_path / "out.tif"))
    journal = tmp_path / ".out.tif.convcli"
    until(lambda: journal.exists() and journal.read_bytes().count(b"\n") >= 4)
    client.kill()
    client.communicate()
    workers.free()
    assert not (tmp_path / "out.tif").exists()
    result = run(*words(scenes, workers, "--json", "-o", tmp_path / "out.tif", "--skip-existing"))
    assert same(result, tmp_path / "out.tif", whole)["blocks"]["done_before"] >= 3


def test_an_interruption(workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    workers.order("slow", "0.9")
    client = started(*words(scenes, workers, "-o", tmp_path / "out.tif"))
    until(lambda: len(logged(workers.orders)) >= 1)
    client.send_signal(signal.SIGINT)
    said = client.communicate(timeout=20)[1].decode()
    assert client.returncode == 130, said
    found = re.search(r"([1-7]) of 8 blocks are written; --skip-existing goes on", said)
    assert found, said
    assert not (tmp_path / "out.tif").exists()
    workers.free()
    result = run(*words(scenes, workers, "--json", "-o", tmp_path / "out.tif", "--skip-existing"))
    assert same(result, tmp_path / "out.tif", whole)["blocks"]["done_before"] == int(found[1])


def test_an_interruption_while_blocks_are_looked_at(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    """Nothing is written, and nothing is left."""
    workers.order("slow", "0.2")
    client = started(*words(scenes, workers, "--range", "minmax", "-o", tmp_path / "out.tif"))
    until(lambda: len(logged(workers.orders)) >= 2)
    client.send_signal(signal.SIGINT)
    said = client.communicate(timeout=20)[1].decode()
    assert client.returncode == 130
    assert "goes on" not in said
    assert not [*tmp_path.iterdir()]


@long
def test_a_full_disk(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    workers.order("fill")
    line = one_line(run(*words(scenes, workers, "-o", tmp_path / "out.tif")), 1)
    assert "the disk is full" in line
    assert "goes on" not in line
    assert not [*tmp_path.iterdir()]


def test_an_input_that_a_worker_does_not_see(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    workers.order("blind", "in.tif")
    line = one_line(run(*words(scenes, workers, "-o", f"{tmp_path}/new/", "--format", "tif")))
    assert re.search(
        r"worker tcp://\S+ does not see it: input '\S+/in.tif' cannot be read: there is no such file", line
    )
    assert "on a shared disk" in line
    assert not [*tmp_path.iterdir()]


def test_relative_paths(workers: Workers, scenes: Path, whole: tuple[np.ndarray, Any]) -> None:
    """They are those of the client: workers began in another folder."""
    for output in ("out.tif", "new/out.tif"):
        (scenes / output).parent.mkdir(exist_ok=True)
        result = run("apply", "in.tif", *OPERATION, "--on", workers.address, "--json", "-o", output, cwd=scenes)
        same(result, scenes / output, whole)


def test_a_new_folder(workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    result = run(*words(scenes, workers, "-o", f"{tmp_path}/new/", "--format", "tif", "--json"))
    same(result, tmp_path / "new" / "in.tif", whole)


def test_nobody_answers(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "_TIMEOUT", "1s")
    out = tmp_path / "out.tif"
    monkeypatch.setenv("CONVCLI_ON", f"tcp://127.0.0.1:{clusters.free_port()}")
    line = one_line(run("apply", scenes / "in.tif", "-k", "box:3", "-o", out))
    assert re.search(r"--on tcp://\S+ is not a scheduler that answers: .*; start one with 'dask scheduler'", line)
    line = one_line(run("apply", scenes / "in.tif", "-k", "box:3", "-o", out, "--on", "none.json"))
    assert "--on none.json is not the file of a scheduler, as there is no such file: wait until" in line
    line = one_line(run("apply", scenes / "in.tif", "-k", "box:3", "-o", out, "--on", "tls://127.0.0.1:9"))
    assert "there are no certificates; name them in Dask's configuration, see docs/scale.md" in line
    line = one_line(run("apply", scenes / "in.tif", "-k", "box:3", "-o", out, "--on", "local:0"))
    assert "--on local:0 is not local:N with a number of processes from 1 up: use local:2" in line
    assert not [*tmp_path.iterdir()]


@long
def test_started_by_hand_with_certificates(scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    """A worker that is killed with its nanny is no loss."""
    pem = clusters.certificate(tmp_path)
    orders = tmp_path / "orders"
    orders.mkdir()
    with clusters.by_hand(tmp_path, "tls", **clusters.encrypted(pem)) as file, clusters.client(file, pem) as client:
        client.wait_for_workers(2, timeout=30)
        client.register_plugin(clusters.Orders(orders))
        Workers("", orders).order("once", "and its nanny")
        words = ["apply", "in.tif", *OPERATION, "--on", str(file), "--json", "-o", "by-hand.tif"]
        ended = binary(*words, cwd=scenes, **clusters.encrypted(pem))
        assert not (orders / "once").exists()
        same(ended, scenes / "by-hand.tif", whole)
        until(lambda: len(client.nthreads()) == 1)


def test_what_goes_through_the_client_is_small(scenes: Path, tmp_path: Path) -> None:
    """The scheduler sees names and counts, never pixels."""
    sizes: list[int] = []
    real = blocks.Here

    class Spy(real):  # type: ignore[misc, valid-type]
        def results(self, items: Any) -> Iterator[Any]:
            for item, answer in super().results(items):
                sizes.append(len(pickle.dumps(item)) + len(pickle.dumps(dask_worker.Tried(answer, 0))))
                yield item, answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "Here", Spy)
        done("apply", scenes / "in.tif", *OPERATION, "--range", "minmax", "-o", tmp_path / "out.tif")
    assert len(sizes) == 2 * COUNT
    assert max(sizes) < 1000


def test_two_runs_on_one_target(workers: Workers, scenes: Path, tmp_path: Path, whole: tuple[np.ndarray, Any]) -> None:
    workers.order("slow", "0.2")
    first = started(*words(scenes, workers, "-q", "-o", tmp_path / "out.tif"))
    until(lambda: len(logged(workers.orders)) >= 1)
    line = one_line(run("apply", scenes / "in.tif", *OPERATION, "-o", tmp_path / "out.tif"))
    assert "is being written by another run" in line
    assert first.wait(30) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), whole[0])


def test_an_older_output_is_in_the_way(workers: Workers, scenes: Path, tmp_path: Path) -> None:
    """`--skip-existing` would skip it."""
    (tmp_path / "out.tif").write_bytes(b"older")
    workers.order("die", "1024,0")
    line = one_line(run(*words(scenes, workers, "-o", tmp_path / "out.tif")), 1)
    assert re.search("; delete the older '.*out.tif', then --skip-existing goes on", line)
    assert (tmp_path / "out.tif").read_bytes() == b"older"


@long
def test_workers_without_the_same_modules(scenes: Path, tmp_path: Path) -> None:
    """Those of another version may not even load what they would be sent."""
    (tmp_path / "fake" / "convcli").mkdir(parents=True)
    (tmp_path / "fake" / "convcli" / "__init__.py").write_text('__version__ = "0.0.1"\n')
    with clusters.by_hand(tmp_path, workers=1, PYTHONPATH=str(tmp_path / "fake")) as file:
        line = one_line(run("apply", scenes / "in.tif", *OPERATION, "--on", file, "-o", scenes / "fake.tif"))
    assert re.search(r"worker tcp://\S+ has convcli 0.0.1 with NumPy \S+, and here are", line)
    assert not (scenes / "fake.tif").exists()


@long
def test_workers_with_too_little_memory(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask pauses them, and nothing would happen any more."""
    monkeypatch.setattr(dask, "PAUSED", 1.0)
    orders = tmp_path / "orders"
    orders.mkdir()
    with config.set({"distributed.worker.memory.pause": 0.001}), clusters.local(orders) as address:
        line = one_line(run(*words(scenes, Workers(address, orders), "-o", tmp_path / "out.tif")))
    assert "the workers are near their memory limit: Dask has paused them; use a smaller --memory" in line
