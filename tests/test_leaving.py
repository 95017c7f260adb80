"""The program ends without being taken apart, unless something would be lost."""

from __future__ import annotations

import atexit
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli import environment, write

from convcli.system import context


class GoneError(BaseException):
    """In the place of the end of this process."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], int | None]:
    """The code that `leave` ends a process with; None if it leaves that to Python."""

    def end(code: int) -> None:
        raise GoneError(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(atexit, "_run_exitfuncs", lambda: None)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.delenv("PYTHONINSPECT", raising=False)

    def code_of(code: object) -> int | None:
        try:
            context.leave(code)
        except GoneError as gone:
            return int(gone.args[0])
        return None

    return code_of


@pytest.mark.parametrize(("code", "ended"), [(None, 0), (0, 0), (2, 2), (130, 130), (True, 1), ("text", None)])
def test_codes(code: object, ended: int | None, ends: Callable[[object], int | None]) -> None:
    assert ends(code) == ended


@pytest.mark.parametrize(
    "watch",
    [
        lambda patch: patch.setattr(sys, "getprofile", lambda: print),
        lambda patch: patch.setattr(sys, "gettrace", lambda: print),
        lambda patch: patch.setitem(sys.modules, "torch", sys),
        lambda patch: patch.setenv("PYTHONINSPECT", "1"),
        lambda patch: patch.delattr(atexit, "_run_exitfuncs"),
    ],
)
def test_left_to_python(
    watch: Callable[[pytest.MonkeyPatch], Any],
    ends: Callable[[object], int | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch(monkeypatch)
    assert ends(0) is None


def test_a_stream_that_cannot_be_written(ends: Callable[[object], int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError("full")

    monkeypatch.setattr(sys, "stdout", Full())
    assert ends(0) is None


PROGRAM = """
import atexit, sys
from convcli.system import context
from convcli.__main__ import main
atexit.register(lambda: sys.stderr.write("at the end"))
sys.argv = ["convcli", *sys.argv[1:]]
try:
    main()
finally:
    print("taken apart", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [("shape --hin 32 --k 3 -q", 0, "30\n"), ("shape --hin 3 --k 5 -q", 2, ""), ("--version", 0, None)],
)
def test_the_program(line: str, code: int, out: str | None, tmp_path: Path) -> None:
    """What it says is said, into pipes too, and what was to be called at the end is called."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line.split()],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == code
    assert ended.stderr.endswith("at the end")
    assert "taken apart" not in ended.stderr
    if out is not None:
        assert ended.stdout == out


def test_under_a_profiler(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cProfile", "-m", "convcli", "shape", "--hin", "32", "--k", "3", "-q"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout.startswith("30\n")
    assert "function calls" in ended.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(("line", "code"), [
    ("apply nothing.png -k box", 2), ("nonsense", 2), ("apply in.png -k sobel-x -o out.png", 0),
])  # fmt: skip
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_what_standard_error_does_not_take_is_dropped(line: str, code: int, stderr: str, tmp_path: Path) -> None:
    """The last line has a remark: something was clipped."""
    write(tmp_path / "in.png", np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8))
    command = f'"{sys.executable}" -m convcli {line} {stderr}'
    ended = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, check=False
    )
    assert ended.returncode == code


@pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="no signals")
def test_a_signal_whose_exception_is_lost_is_not(tmp_path: Path) -> None:
    """Python drops what is raised while C calls it back, as when something is freed."""
    code = (
        "import os, signal, sys, convcli.cli\n"
        "from convcli import __main__\n"
        "class Freed:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
        "def line(prog_name):\n"
        "    freed = Freed()\n"
        "    del freed\n"
        "    sys.exit(0)\n"
        "convcli.cli.main = line\n"
        "sys.unraisablehook = lambda _: None\n"
        "__main__.main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), check=False)
    assert ended.returncode == 128 + 15
