"""The images of a batch and the memory that they share: one at a time where two do not fit, and nobody waits for ever."""

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.engine import Compute
from convcli.errors import ImageError
from convcli.runs import batch, pipeline
from convcli.runs.batch import Batch, Failed
from convcli.runs.operation import Operation
from convcli.runs.single import Done, Writing
from convcli.system import memory
from convcli.system.memory import Shares
from support.batches import OPERATION, jobs
from support.cli import done, environment, heeding, run
from support.files import made
from support.memory import MB, have
from support.pictures import write


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with large.png and larger.png, which take 7 MB each to be decoded, among twenty small images."""
    (tmp_path / "in").mkdir()
    for number in range(20):
        write(tmp_path / f"in/{number:02}.png", np.full((3, 16, 16), number, np.uint8))
    for name in ("05-large", "06-larger"):
        write(tmp_path / f"in/{name}.png", np.zeros((3, 1000, 1000), np.uint8))
    return tmp_path


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_what_fits_alone_is_done(threads: int, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing else is, that would take memory, while it is."""
    inside: list[str] = []
    crowds: list[list[str]] = []
    lock = threading.Lock()
    usual = pipeline.run

    def watched(picture: Any, *rest: Any) -> Any:
        name = "large" if picture.size == (1000, 1000) else "small"
        with lock:
            inside.append(name)
            crowds.append([*inside])
        try:
            return usual(picture, *rest)
        finally:
            with lock:
                inside.remove(name)

    monkeypatch.setattr(pipeline, "run", watched)
    have(monkeypatch, 7.5)
    result = run("apply", "in", "-k", "identity", "-o", "out/", "--threads", threads, "-q", cwd=photos)
    assert (result.code, result.err) == (0, "")
    assert len(made(photos / "out")) == 22
    assert len(crowds) == 22
    assert all("large" not in crowd or crowd == ["large"] for crowd in crowds)


def test_two_that_fit_together_run_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four shares each takes two: they meet at a gate that opens for two, with two threads each."""
    gate = threading.Barrier(2, timeout=30)
    threads: list[int | None] = []

    def work(source: str, target: str, operation: Operation, how: Writing) -> Done:
        memory.refuses(40 * MB)
        threads.append(operation.compute.threads)
        gate.wait()
        raise ImageError(source)

    have(monkeypatch, 100)
    assert all(isinstance(outcome, Failed) for outcome in worked_on("abcdef", 4, work, monkeypatch).values())
    assert threads == [2] * 6


def worked_on(
    names: str, threads: int, work: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> dict[int, batch.Outcome]:
    """What comes of images with these names when each is worked on so."""
    monkeypatch.setattr(batch, "process", work)
    operation = OPERATION._replace(compute=Compute(threads=threads))
    with Batch(jobs(names, names), operation, Writing()) as running:
        return dict(running)


def test_a_need_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins again with what it asked for, and then, that being too little again, with all there is."""
    attempts: list[str] = []

    def work(source: str, target: str, operation: Operation, how: Writing) -> Done:
        for need in (10, 30, 60, 90):
            attempts.append(f"{source}{need}")
            assert not memory.refuses(need * MB)
        raise ImageError(source)

    have(monkeypatch, 100)
    worked_on("ab", 2, work, monkeypatch)
    expected = [10, 30, 60, 10, 30, 60, 90]  # 60 of 100 are both shares: all there is
    assert [attempt for attempt in attempts if attempt[0] == "a"] == [f"a{need}" for need in expected]
    attempts.clear()
    worked_on("abcd", 4, work, monkeypatch)
    expected = [10, 30, 10, 30, 60, 10, 30, 60, 90]
    assert [attempt for attempt in attempts if attempt[0] == "d"] == [f"d{need}" for need in expected]


def test_more_than_there_is_is_refused(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, with what the machine has; the rest is done."""
    have(monkeypatch, 6.5)
    result = run("apply", "in", "-k", "identity", "-o", "out/", "--threads", 3, "-q", cwd=photos)
    assert result.code == 1
    assert result.err.count("this machine has") == 2
    assert len(made(photos / "out")) == 20


def test_a_large_image_is_not_passed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits for the one that is in work, no small one that came later begins."""
    order: list[str] = []
    begun, waiting = threading.Event(), threading.Event()

    def work(source: str, target: str, operation: Operation, how: Writing) -> Done:
        if source == "0":
            begun.set()
            assert waiting.wait(30)
        elif source == "L" and not waiting.is_set():
            assert begun.wait(30)
            waiting.set()
        memory.refuses((90 if source == "L" else 1) * MB)
        order.append(source)
        raise ImageError(source)

    have(monkeypatch, 100)
    worked_on("0Labcdefghijklmnop", 2, work, monkeypatch)
    assert order[0] == "0"
    assert order.index("L") <= 2  # one may have begun before it asked for more


def test_a_bug_gives_its_share_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(source: str, target: str, operation: Operation, how: Writing) -> Done:
        memory.refuses(90 * MB)
        if source == "b":
            raise ZeroDivisionError("a bug")
        raise ImageError(source)

    have(monkeypatch, 100)
    outcomes = worked_on("abc", 3, work, monkeypatch)
    assert "a bug" in str(outcomes[1].error)
    assert len(outcomes) == 3


@pytest.mark.parametrize("end", [BrokenPipeError, KeyboardInterrupt])
def test_nobody_waits_when_the_run_ends(end: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has all the memory ends the run; the others, who wait for it, end as well."""
    begun: set[str] = set()

    def work(source: str, target: str, operation: Operation, how: Writing) -> Done:
        if source in begun:  # has everything now
            until = time.monotonic() + 30
            while len(running.shares.turn) < 2 and not running.stopping.is_set():  # for whoever has it next
                assert time.monotonic() < until
                time.sleep(0.01)
            raise end
        begun.add(source)
        memory.refuses(90 * MB)
        raise AssertionError

    have(monkeypatch, 100)
    monkeypatch.setattr(batch, "process", work)
    operation = OPERATION._replace(compute=Compute(threads=3))
    running = Batch(jobs("abc", "abc"), operation, Writing())
    with pytest.raises(end), running:
        list(running)
    for thread in running.threads:
        thread.join(30)
        assert not thread.is_alive()


def test_what_waits_holds_no_pixels(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A need that is known only after decoding: the picture is dropped, and decoded again when its turn comes."""
    pictures: list[Any] = []
    alive: list[int] = []
    usual = pipeline.run
    taken = Shares._take

    def watched(picture: Any, *rest: Any) -> Any:
        if picture.size == (1000, 1000):
            pictures.append(weakref.ref(picture.colour))
        return usual(picture, *rest)

    def asked(shares: Shares, count: int) -> bool:
        if count > 1:
            alive.append(sum(picture() is not None for picture in pictures))
        return taken(shares, count)

    monkeypatch.setattr(pipeline, "run", watched)
    monkeypatch.setattr(Shares, "_take", asked)
    have(monkeypatch, 30)  # 15 for each, and real numbers take 3 + 12 MB of input and output, twice 12 as a .npy
    line = ["apply", "in/05-large.png", "in/06-larger.png", "-k", "identity", "-o", "out/{stem}.npy", "--threads", "2"]
    assert run(*line, cwd=photos).code == 0
    assert len(pictures) == 4
    assert len(alive) == 2
    assert alive[0] <= 1  # the other may be decoded now
    assert np.load(photos / "out/05-large.npy").shape == (3, 1000, 1000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_is_read_only_once(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs more than its share then cannot begin again: it is refused, as ever."""
    os.mkfifo(photos / "pipe.png")
    data = (photos / "in/05-large.png").read_bytes()
    writer = threading.Thread(target=lambda: (photos / "pipe.png").write_bytes(data), daemon=True)
    writer.start()
    have(monkeypatch, 10)
    result = run("apply", "pipe.png", "in/00.png", "-k", "identity", "-o", "out/", "--threads", 2, cwd=photos)
    assert result.code == 1
    assert "each of 2 images at once (see --threads) may have" in result.err
    assert made(photos / "out") == ["00.png"]


PROGRAM = """
import sys, time
from convcli.system import memory
from convcli.runs import pipeline
memory.total_bytes = lambda: 7.5e6
usual = pipeline.run
def run(picture, *rest):
    if picture.size == (1000, 1000):
        print("large", flush=True)
        time.sleep(600)
    return usual(picture, *rest)
pipeline.run = run
sys.argv = ["convcli", "apply", "in", "-k", "identity", "-o", "out/", "--threads", "3", "-q"]
from convcli.__main__ import main
main()
"""


def test_an_interruption_while_all_wait(photos: Path) -> None:
    """In the real program: one image has all the memory and does not end, the others wait for it."""
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment()}
    streams["preexec_fn"] = heeding
    with subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=photos, **streams) as process:
        assert process.stdout is not None
        try:
            while process.stdout.readline() != b"large\n":
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err.decode().splitlines()[-1] == "convcli: interrupted"
    assert b"Traceback" not in err
    assert all(name.endswith(".png") for name in made(photos / "out"))


def test_an_image_without_memory_begins_again_when_the_others_are_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convcli.runs import batch

    process, refused = batch.process, []

    def short(source: str, target: str, operation: Any, how: Any) -> Any:
        if operation.compute.threads < 4:
            refused.append(source)
            raise MemoryError
        return process(source, target, operation, how)

    monkeypatch.setattr(batch, "process", short)
    for number in range(4):
        write(tmp_path / f"{number}.png", np.zeros((1, 5, 5), np.uint8))
    done("apply", ".", "-k", "box:3", "-o", "out/", "--threads", 4, cwd=tmp_path)
    assert len({*refused}) == len([*(tmp_path / "out").iterdir()]) == 4


@pytest.mark.parametrize(("space", "threads"), [(900 << 20, 3), (200 << 20, 1), (float("inf"), 64)])
def test_no_more_threads_than_the_address_space_has_room_for(
    space: float, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convcli.system.parallel import workers

    monkeypatch.setattr(memory, "_address_space", lambda: space)
    assert workers(64) == threads
