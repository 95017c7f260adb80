"""Tasks on the workers of a cluster: tried again, told, and bounded; what workers lack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convcli.errors import BackendError
from convcli.runs.places.dask_cluster import Cluster
from convcli.runs.places.dask_worker import RETRIES
from support.clusters import Sums, logged


def test_answers_errors_and_retries(cluster: Cluster, tmp_path: Path) -> None:
    place = cluster.place(Sums(tmp_path))
    assert place.width == 2
    found = dict(place.results(range(9)))
    assert isinstance(found.pop(5), OSError)
    assert isinstance(found.pop(7), TypeError)
    assert found == {item: item * 10 for item in (0, 1, 2, 3, 4, 6, 8)}
    assert logged(tmp_path).count("5") == 1 + RETRIES
    assert logged(tmp_path).count("7") == 1  # a bug stays one
    assert place.retried == 1 + RETRIES
    place.close()
    assert (tmp_path / "opened").read_text() == "once\n"
    assert (tmp_path / "closed").read_text() == "once\n"


def test_few_items_are_on_their_way(cluster: Cluster, tmp_path: Path) -> None:
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


def test_a_stop_tells_what_ends_soon(cluster: Cluster, tmp_path: Path) -> None:
    place = cluster.place(Sums(tmp_path))
    answers = place.results(iter(range(100, 200)))
    first = next(answers)
    more = [*place.stop()]
    assert all(answer == item * 10 for item, answer in [first, *more])
    assert len(logged(tmp_path)) < 20
    place.close()


def test_what_a_worker_lacks(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"worker inproc://\S+ has no glasses: give all workers the same files"):
        cluster.place(Sums(tmp_path, "has no glasses"))
