"""Ctrl-C at any moment of a run: exit code 130, one line or none, no traceback, and nothing left behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import SAMPLES, environment, heeding

PROGRAM = """
import os, signal, sys

moment, seen = int(sys.argv.pop(1)), 0
count = 0 if moment else os.open("count", os.O_WRONLY | os.O_CREAT)

def watch(event, _):
    global seen
    seen += 1
    if not moment:
        os.pwrite(count, b"%d" % seen, 0)
    elif seen == moment:
        os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(watch)
try:
    from convcli.__main__ import main
except KeyboardInterrupt:  # before the program has begun
    sys.exit(130)
main()
"""
"""It counts what Python reports of itself: modules that are imported, files that are opened, code that is run."""


def interrupted(moment: int, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        str(moment),
        "apply",
        str(SAMPLES / "small.png"),
        "-k",
        "sobel",
        "-o",
        "out.png",
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=heeding,
    )


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many there are in a run that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    done = interrupted(0, folder)
    assert done.returncode == 0, done.stderr
    return int((folder / "count").read_text())


PARTS = 20


@pytest.mark.parametrize("part", range(1, PARTS))
def test_any_moment_of_a_run_can_be_interrupted(part: int, moments: int, tmp_path: Path) -> None:
    ended = interrupted(moments * part // PARTS, tmp_path)
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.stderr in ("", "convcli: interrupted\n")
    assert ended.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] in ([], ["out.png"])
