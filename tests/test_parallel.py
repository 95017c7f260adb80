"""Work shared among threads: all of it is done, whatever fails."""

from __future__ import annotations

import os
import time
from threading import Barrier, Thread, get_ident

import pytest

from convcli.system import parallel


@pytest.mark.parametrize("threads", [0, 1, 2, 5, 64])
def test_every_job_is_done_once(threads: int) -> None:
    done: list[int] = []
    parallel.run_all(done.append, list(range(50)), threads)
    assert sorted(done) == list(range(50))


def test_threads_begin_far_apart() -> None:
    """Each with a run of its own; who has done it takes from the end of another's."""
    met = Barrier(2)
    done: dict[int, list[int]] = {}

    def work(job: int) -> None:
        mine = done.setdefault(get_ident(), [])
        if not mine:
            met.wait(10)
        mine.append(job)
        if job == 0:
            time.sleep(0.1)

    parallel.run_all(work, list(range(10)), 2)
    first, second = sorted(done.values())
    assert first == [*range(len(first))]
    assert second == [5, 6, 7, 8, 9, 4, 3, 2, 1][: len(second)]
    assert sorted(first + second) == list(range(10))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_failure_is_raised_and_nothing_goes_on_behind_it(threads: int) -> None:
    done: list[int] = []

    def work(job: int) -> None:
        if job == 3:
            raise ValueError("three")
        time.sleep(0.002)
        done.append(job)

    with pytest.raises(ValueError, match="three"):
        parallel.run_all(work, list(range(200)), threads)
    count = len(done)
    time.sleep(0.05)
    assert len(done) == count < 199


def test_without_further_threads_this_one_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parallel, "_helpers", parallel._Helpers())
    monkeypatch.setattr(Thread, "start", refuse)
    done: list[int] = []
    parallel.run_all(done.append, list(range(20)), 8)
    assert sorted(done) == list(range(20))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="not on this platform")
def test_this_thread_may_run_everywhere_again() -> None:
    before = os.sched_getaffinity(0)
    parallel.run_all(lambda job: None, list(range(10)), len(before))
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="not on this platform")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking with threads, from Python 3.12 on
def test_a_child_process_has_threads_of_its_own() -> None:
    parallel.run_all(lambda job: None, list(range(10)), 3)
    child = os.fork()
    if not child:
        done: list[int] = []
        parallel.run_all(done.append, list(range(10)), 3)
        os._exit(0 if len(done) == 10 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
