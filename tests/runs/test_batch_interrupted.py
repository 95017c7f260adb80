"""Many images, interrupted: whole files only, how far it came, and going on from there. All in the real program."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.cli import binary, environment, heeding
from support.pictures import read, write

PATIENCE = 60
"""Seconds until a test gives up."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with six images, and a pipe among them that nobody writes to: whoever reads it waits."""
    generator = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name in "abcdef":
        write(tmp_path / f"in/{name}.png", generator.integers(0, 256, (3, 16, 17), dtype=np.uint8))
    os.mkfifo(tmp_path / "in/c-pipe.png")
    (tmp_path / "list").write_text("".join(f"in/{name}.png\n" for name in ("a", "b", "c-pipe", "c", "d", "e", "f")))
    return tmp_path


@contextmanager
def started(command: list[str], cwd: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process, which is gone when the block ends, however that is: `Popen` alone would wait for it for ever."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment(), "preexec_fn": heeding}
    with subprocess.Popen([sys.executable, *command], cwd=cwd, **{**usual, **more}) as process:
        try:
            yield process
        finally:
            process.kill()


def start(*args: str, cwd: Path) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return started(["-m", "convcli", "apply", *args, "-k", "box", "-o", "out/"], cwd)


def wait_for(folder: Path, count: int, pattern: str = "*.png") -> None:
    """Until a folder holds that many files."""
    until = time.monotonic() + PATIENCE
    while len([*folder.glob(pattern)]) < count:
        assert time.monotonic() < until, "the program did not come that far"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_whole_files_and_says_how_far_it_came(number: signal.Signals, photos: Path) -> None:
    with start("--from-file", "list", "--threads", "2", cwd=photos) as process:
        wait_for(photos / "out", 6)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    lines = err.decode().splitlines()
    assert lines[0].startswith("convcli: 6 of 7 written, in ")
    assert lines[0].endswith("; --skip-existing continues from here")
    assert lines[1:] == ["convcli: interrupted"] * (number == signal.SIGINT)
    assert {line.split()[2] for line in out.decode().splitlines()} <= {f"out/{name}.png" for name in "abcdef"}
    assert sorted(path.name for path in (photos / "out").iterdir()) == [f"{name}.png" for name in "abcdef"]
    assert all(read(path).shape == (3, 14, 15) for path in (photos / "out").iterdir())


def test_json_of_what_is_done_is_whole(photos: Path) -> None:
    """Of several paths it is one list, which is closed; the file written last may not have been told of yet."""
    paths = [f"in/{name}.png" for name in ("a", "b", "c-pipe", "c")]
    with start(*paths, "--threads", "2", "--json", cwd=photos) as process:
        wait_for(photos / "out", 3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    told = {item["output"] for item in json.loads(out)}
    assert told <= {f"out/{name}.png" for name in "abc"}
    assert len(told) >= 2


def test_going_on(photos: Path) -> None:
    """What was done is not done again: the finished files are the same ones, the pipe has become an image."""
    with start("--from-file", "list", "--threads", "3", "-q", cwd=photos) as process:
        wait_for(photos / "out", 6)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    before = {path.name: path.stat().st_mtime_ns for path in (photos / "out").iterdir()}
    (photos / "in/c-pipe.png").unlink()
    (photos / "in/c-pipe.png").write_bytes((photos / "in/c.png").read_bytes())
    result = binary("apply", "--from-file", "list", "-k", "box", "-o", "out/", "--skip-existing", cwd=photos)
    assert result.code == 0
    assert result.err.startswith("convcli: 1 of 7 written, 6 skipped, in ")
    after = {path.name: path.stat().st_mtime_ns for path in (photos / "out").iterdir()}
    assert {name: after[name] for name in before} == before
    assert (photos / "out/c-pipe.png").read_bytes() == (photos / "out/c.png").read_bytes()


PROGRAM = """
import os, sys, time
del os.O_TMPFILE  # so that the file can be seen while it is written
from convcli.system import npy
usual = npy.write
def write(stream, array):
    if array[0, 0] == 7:
        stream.write(b"a part")
        stream.flush()
        time.sleep(600)
    usual(stream, array)
npy.write = write
sys.argv = ["convcli", "apply", "in", "-k", "identity", "-o", "out/", "--threads", "2", "-q"]
from convcli.__main__ import main
main()
"""


@pytest.mark.parametrize("signals", [1, 2])
def test_a_file_that_is_half_written_goes(signals: int, tmp_path: Path) -> None:
    """Nobody waits long for what is stuck in the middle of a file; for a second signal not at all."""
    (tmp_path / "in").mkdir()
    for number in range(8):
        np.save(tmp_path / f"in/{number}.npy", np.full((4, 4), float(number)))
    with started(["-c", PROGRAM], tmp_path) as process:
        wait_for(tmp_path / "out", 7, "?.npy")
        wait_for(tmp_path / "out", 1, ".7.npy*.tmp")
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"{number}.npy" for number in range(7)]
    assert all(np.load(path).shape == (4, 4) for path in (tmp_path / "out").iterdir())


def test_an_interruption_before_the_first_image(tmp_path: Path) -> None:
    """While it waits for the list on standard input."""
    (tmp_path / "out").mkdir()
    command = ["-m", "convcli", "apply", "--from-file", "-", "-k", "box", "-o", "out/"]
    with started(command, tmp_path, stdin=subprocess.PIPE) as process:
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert b"Traceback" not in err
