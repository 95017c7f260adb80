"""Runs convcli for the tests: in this process, or as the real program."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from convcli.cli import main

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"


@dataclass(frozen=True)
class Result:
    """How a command ended: its exit code, the bytes on stdout, the text on stderr."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def table(self) -> dict[str, str]:
        """The rows of the plain table on stdout, by their first column."""
        return cells(self.text)


def cells(text: str) -> dict[str, str]:
    """The rows of a plain table, by their first column."""
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.splitlines() if line.startswith("  "))
    return {row[0]: row[-1] for row in rows}


def run(*args: object, input: bytes | None = None, cwd: Path | str = ".") -> Result:
    """Run convcli in this process and in the folder `cwd`. A traceback of the program's is one of the test's."""
    with chdir(cwd):
        result = CliRunner().invoke(main, [*map(str, args)], input=input, catch_exceptions=False, prog_name="convcli")
    return Result(result.exit_code, result.stdout_bytes, result.stderr)


def done(*args: object, input: bytes | None = None, cwd: Path | str = ".") -> Result:
    """`run`, for a command that is expected to succeed."""
    result = run(*args, input=input, cwd=cwd)
    assert result.code == 0, result.err
    return result


def environment(**more: str) -> dict[str, str]:
    """The environment in which a subprocess finds this convcli."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def heeding() -> None:
    """For `preexec_fn`: have a process end by signals, though this one, under nohup or in the background, ignores them."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def binary(*args: object, input: bytes | None = None, cwd: Path | str = ".", **env: str) -> Result:
    """Run the real program, `python -m convcli`, in a process of its own."""
    command = [sys.executable, "-m", "convcli", *map(str, args)]
    ended = subprocess.run(
        command, input=input, cwd=cwd, env=environment(**env), capture_output=True, timeout=60, check=False
    )
    return Result(ended.returncode, ended.stdout, ended.stderr.decode())


def terminal(*args: object, cwd: Path | str = ".", code: str | None = None, **env: str) -> Result:
    """Run the real program, or `code` that does, on a terminal of 100 columns; what it shows is the result's `out`."""
    try:
        leader, follower = pty.openpty()
    except OSError as error:  # a container or chroot without /dev/pts
        pytest.skip(f"no terminal can be opened: {error}")
    variables = {key: value for key, value in environment().items() if key not in ("NO_COLOR", "FORCE_COLOR", "CI")}
    variables |= {"TERM": "xterm-256color", "COLUMNS": "100", **env}
    start = ("-m", "convcli") if code is None else ("-c", code)
    command = [sys.executable, *start, *map(str, args)]
    streams = {"stdin": subprocess.DEVNULL, "stdout": follower, "stderr": follower}
    shown = b""
    with subprocess.Popen(command, cwd=cwd, env=variables, preexec_fn=heeding, **streams) as process:
        os.close(follower)
        with suppress(OSError):  # Linux: the program has closed the other side
            while part := os.read(leader, 65536):
                shown += part
        os.close(leader)
    return Result(process.returncode, shown, "")


def program(*args: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "convcli", *args],
        cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
