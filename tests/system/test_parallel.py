"""Work shared among threads: all of it is done, whatever fails."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from contextlib import nullcontext
from contextvars import copy_context
from threading import Barrier, Event, Thread, get_ident

import numpy as np
import pytest

from convcli.system import parallel
from convcli.system.context import Context


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

    monkeypatch.setattr(Thread, "start", refuse)
    done: list[int] = []
    parallel.run_all(done.append, list(range(20)), 8)
    assert sorted(done) == list(range(20))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="not on this platform")
@pytest.mark.parametrize("owns_process", [True, False])
def test_threads_are_moved_by_who_owns_the_process_alone(owns_process: bool) -> None:
    """And this thread may run everywhere again."""
    before = os.sched_getaffinity(0)
    places: dict[int, int] = {}
    met = Barrier(len(before))

    def work(job: int) -> None:
        if get_ident() not in places:
            met.wait(10)
        places[get_ident()] = len(os.sched_getaffinity(0))

    with Context(owns_process):
        parallel.run_all(work, list(range(4 * len(before))), len(before))
    assert set(places.values()) == {1 if owns_process else len(before)}
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="not on this platform")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking with threads, from Python 3.12 on
def test_a_child_process_has_threads_of_its_own() -> None:
    with Context():
        parallel.run_all(lambda job: None, list(range(10)), 3)
        child = os.fork()
        if not child:
            met = Barrier(3)
            parallel.run_all(lambda job: met.wait(10), list(range(3)), 3)
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def names_of_helpers() -> set[int]:
    """Which threads take part in work for three."""
    met, found = Barrier(3), set()

    def work(job: int) -> None:
        met.wait(10)
        found.add(get_ident())

    parallel.run_all(work, [0, 1, 2], 3)
    return found - {get_ident()}


def test_threads_of_a_context_stay_until_it_is_left() -> None:
    with Context():
        first, second = names_of_helpers(), names_of_helpers()
        assert len(first) == 2
        assert first == second
        staying = [thread for thread in threading.enumerate() if thread.ident in first]
        assert len(staying) == 2
    for thread in staying:
        thread.join(10)
        assert not thread.is_alive()


def test_without_a_context_no_thread_stays() -> None:
    before = threading.active_count()
    names_of_helpers()
    assert threading.active_count() == before


def test_work_of_several_threads_at_once_shares_no_place() -> None:
    """Each waits for its own jobs alone, however many there are."""
    met = Barrier(6)
    done: list[int] = []

    def run() -> None:
        parallel.run_all(lambda job: (met.wait(10), done.append(job)), [0, 1, 2], 3)

    with Context():
        threads = [Thread(target=copy_context().run, args=(run,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(done) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("entered", [True, False])
def test_a_helper_sees_how_the_caller_treats_errors(entered: bool) -> None:
    met = Barrier(2)
    seen = set()

    def work(job: int) -> None:
        met.wait(10)
        seen.add(np.geterr()["over"])

    with Context() if entered else nullcontext(), np.errstate(over="raise"):
        parallel.run_all(work, [0, 1], 2)
    assert seen == {"raise"}


def test_an_interruption_while_others_are_waited_for_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C, in the one place where this thread has nothing of its own to do."""
    begun, done = Event(), []

    def work(job: int) -> None:
        if job:
            begun.set()
            time.sleep(0.05)
        else:
            begun.wait(10)
        done.append(job)

    def interrupted(self: Future[None], timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Future, "result", interrupted)
    with Context(), pytest.raises(KeyboardInterrupt):
        parallel.run_all(work, [0, 1], 2)


def test_who_goes_on_after_the_end_is_stopped() -> None:
    """Work that nobody waits for, when the program is interrupted."""
    context, gone, outcome = Context(), Event(), []

    def work(job: int) -> None:
        gone.wait(10)

    def run() -> None:
        try:
            parallel.run_all(work, list(range(100)), 2)
        except RuntimeError as error:
            outcome.append(str(error))

    with context:
        thread = Thread(target=copy_context().run, args=(run,))
        thread.start()
    gone.set()
    thread.join(10)
    assert outcome == ["the run has ended"]
