"""A cluster for the tests of places."""

from __future__ import annotations

from collections.abc import Iterator

import distributed
import pytest

from convcli.runs.places import connected, dask_worker
from convcli.runs.places.dask_cluster import Cluster


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A cluster of one worker with two threads, in this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def cluster(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(dask_worker, "PAUSE", 0.0)
    found = connected(address)
    yield found
    found.close()
