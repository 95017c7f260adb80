"""How much memory there is, and the memory in shares: who holds none, who holds some, and whose turn comes next."""

import io
import os
import platform
import threading
import time
from math import inf
from pathlib import Path

import pytest

from convcli.system import memory
from convcli.system.context import Context
from convcli.system.memory import Shares, Wait
from support.cli import ROOT
from support.memory import MB, have
from support.processes import ran


class Late(threading.Condition):
    """One whose first waiter, when it is woken, lets the second look first whether its turn has come: it has not."""

    def __init__(self) -> None:
        super().__init__()
        self.looked = threading.Event()
        self.woken = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait; for the second time only after a look."""
        name = threading.current_thread().name
        if name == "second" and self.woken:
            self.looked.set()
        result = super().wait(timeout)
        self.woken = True
        if name == "first":
            self.release()
            self.looked.wait(10)
            self.acquire()
        return result


def test_one_end_serves_two_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have room when all is given back; the second, whose turn it is not when it looks, is told when it is."""
    have(monkeypatch, 100)
    shares = Shares(2)
    shares.changed = Late()
    held: list[int] = []

    def take() -> None:
        with shares.of(0, again=True) as count:
            held.append(count)
            both.wait()

    both = threading.Barrier(2, timeout=10)  # passed if both hold a share at once
    threads = [threading.Thread(target=take, name=name, daemon=True) for name in ("first", "second")]
    with shares.of(100 * MB, again=True) as all_of_them:
        for number, thread in enumerate(threads, 1):
            thread.start()
            while len(shares.turn) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(20)
    waiting = [thread.name for thread in threads if thread.is_alive()]
    shares.close()
    assert (all_of_them, held, waiting) == (2, [1, 1], [])


def test_who_has_no_share_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    have(monkeypatch, 100)
    assert not memory.refuses(100 * MB)
    assert memory.refuses(101 * MB)
    with Shares(4).of(0, again=True) as held:
        assert held == 1
        assert not memory.refuses(25 * MB)
        with pytest.raises(Wait) as caught:
            memory.refuses(26 * MB)
        assert caught.value.need == 26 * MB
        assert memory.refuses(101 * MB)
    assert not memory.refuses(100 * MB)


@pytest.mark.parametrize("least", ["the machine", "the container", "ulimit -v"])
def test_the_least_of_three_limits_counts(least: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gigabytes = {name: 8 if name == least else 16 for name in ("the machine", "the container", "ulimit -v")}
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": (gigabytes["the machine"] << 30) // 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    monkeypatch.setattr(memory, "_allowed", lambda: gigabytes["the container"] << 30)
    monkeypatch.setattr(memory, "_address_space", lambda: gigabytes["ulimit -v"] << 30)
    assert memory.total_bytes() == 8 << 30


def test_a_run_measures_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one again: the limits may be others then."""
    asked = []
    monkeypatch.setattr(memory, "_allowed", lambda: asked.append(1) or float(len(asked)))
    for number in (1, 2):
        with Context():
            assert memory.total_bytes() == memory.total_bytes() == number


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"/sys/fs/cgroup/memory.max": "2147483648\n"}, 2 << 30),
        ({"/sys/fs/cgroup/memory.max": "max\n"}, inf),
        ({"/sys/fs/cgroup/memory/memory.limit_in_bytes": "1073741824\n"}, 1 << 30),  # the first version of cgroups
        ({}, inf),
    ],
)
def test_the_limit_of_a_container_is_read(files: dict[str, str], limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: str, **options: str) -> io.StringIO:
        if path not in files:
            raise FileNotFoundError(path)
        return io.StringIO(files[path])

    monkeypatch.setattr(memory, "open", read, raising=False)
    assert memory._allowed() == limit


def test_who_needs_all_of_an_unknown_memory_has_all_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "total_bytes", lambda: inf)
    for need, count in ((inf, 4), (100 * MB, 1), (0, 1)):
        with Shares(4).of(need, again=True) as held:
            assert held == count


SETTLED = """
import sys
sys.path.append({tests!r})
from convcli.system import memory
from support.memory import mapped, resident
if {settled}:
    memory.settle()
print(mapped(1, 8))
held = [b"x" * (1 << 20) for _ in range(40)]
before = resident()
del held
print(before - resident() < 10)
"""

TRIMMED = """
import sys
sys.path.append({tests!r})
from convcli.system import memory
from support.memory import resident
held = [b"x" * 100_000 for _ in range(2000)]
last = b"x" * 100_000
before = resident()
del held
kept = resident()
memory.trim()
print(before - kept < 50, kept - resident() > 150)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told how to keep memory")


@glibc
@pytest.mark.parametrize("threshold", [None, "65536"])
def test_memory_of_large_arrays_goes_back_at_once(
    threshold: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of smaller ones is kept. With Dask's setting it would go back, too, and be asked for anew."""
    if threshold is None:
        monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    else:
        monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", threshold)
    before, after = (
        ran(SETTLED.format(tests=str(ROOT / "tests"), settled=settled), tmp_path) for settled in (False, True)
    )
    assert before.splitlines() == [str([threshold is not None] * 2), str(threshold is None)]
    assert after.splitlines() == ["[False, True]", "True"]


@glibc
def test_memory_of_small_arrays_goes_back_when_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default it stays, below the last one that is in use."""
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    assert ran(TRIMMED.format(tests=str(ROOT / "tests")), tmp_path).strip() == "True True"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("512M", 512 << 20),
        (" 2g ", 2 << 30),
        ("1.5GiB", 3 << 29),
        ("64MB", 64 << 20),
        ("65536k", 64 << 20),
        ("1T", 1 << 40),
    ],
)
def test_amounts(text: str, number: int) -> None:
    assert memory.amount(text) == number


@pytest.mark.parametrize("text", ["", "512", "much", "-1G", "63M", "2048T", "01G", "1e3M", "inf"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an amount of memory.*: use 512M or 2G"):
        memory.amount(text)
