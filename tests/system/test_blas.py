"""The number of threads of NumPy's BLAS while calls are at work."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread

import numpy as np
import pytest

import convcli
from convcli.system import blas
from convcli.system.blas import OneThread

FOUND = blas._functions()
pytestmark = pytest.mark.skipif(FOUND is None, reason="NumPy has another BLAS than OpenBLAS here")


@pytest.fixture
def three() -> Iterator[None]:
    """Three threads, as a caller may have set them."""
    assert FOUND is not None
    before = FOUND[0]()
    FOUND[1](3)
    if FOUND[0]() != 3:
        FOUND[1](before)
        pytest.skip("this OpenBLAS was built for fewer threads")
    yield
    FOUND[1](before)


def count() -> int:
    assert FOUND is not None
    return FOUND[0]()


def test_threads_are_put_back(three: None) -> None:
    one = OneThread()
    with one:
        assert count() == 1
        with one:
            assert count() == 1
        assert count() == 1
    assert count() == 3
    with pytest.raises(ZeroDivisionError), one:
        raise ZeroDivisionError
    assert count() == 3


def test_several_threads_within(three: None) -> None:
    one, both, seen = OneThread(), Barrier(2), []

    def work(number: int) -> None:
        with one:
            both.wait()
            if number:
                seen.append(count())
        both.wait()
        if not number:
            seen.append(count())

    threads = [Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1, 3]


def test_the_library_uses_it(three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from convcli import engine

    seen = []
    run = engine.run
    monkeypatch.setattr(engine, "run", lambda *given: seen.append(count()) or run(*given))
    convcli.conv2d(np.ones((64, 64)), "gaussian:3")
    with pytest.raises(ValueError):
        convcli.conv2d(np.ones((64, 64)), "gaussian:3", stride=0)
    assert seen == [1]
    assert count() == 3


def test_calls_of_threads_that_overlap_and_fail(three: None) -> None:
    """NumPy's own products are right meanwhile, and the number is put back at the end."""
    ended, seen, wrong = Event(), set(), []
    left = np.random.default_rng(0).normal(size=(64, 64))
    expected = left @ left

    def convolve(number: int) -> None:
        for size in range(20, 60):
            if number % 2:
                with pytest.raises(ValueError):
                    convcli.conv2d(left, "box:99")
            convcli.conv2d(left[:size], "gaussian:2")

    def multiply() -> None:
        while not ended.is_set():
            seen.add(count())
            wrong.append(np.abs(left @ left - expected).max() > 1e-10)

    beside = Thread(target=multiply)
    beside.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(convolve, range(4)))
    ended.set()
    beside.join()
    assert 1 in seen <= {1, 3}
    assert not any(wrong)
    assert count() == 3


def test_a_fork_while_a_call_is_at_work(three: None) -> None:
    """The child begins with one thread. After its first call it has those of its parent."""
    one = OneThread()
    with one:
        child = one.forked()
        with child:
            assert count() == 1
        assert count() == 3
        with child:
            assert count() == 1
        assert count() == 3
    again = one.forked()
    assert FOUND is not None
    FOUND[1](2)
    with again:
        pass
    assert count() == 2
