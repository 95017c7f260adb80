"""What a command changes in its process is as before when it has ended, be it well or not."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from convcli import commandline
from convcli.errors import ImageError
from convcli.system.context import Batch, current
from convcli.system.names import standard_input
from support.cli import environment, heeding
from support.pictures import write

PROGRAM = """
import json, logging, os, signal, sys, warnings
import click.shell_completion as completion
from contextlib import suppress

def state():
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return {
        "environment": dict(os.environ),
        "warnings": [repr(one) for one in warnings.filters],
        "signals": [repr(signal.getsignal(one)) for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)],
        "streams": [None if one is None else (id(one), one.errors, one.encoding, one.closed) for one in streams],
        "descriptors": [os.readlink(f"/proc/self/fd/{number}") for number in (1, 2)],
        "switching": sys.getswitchinterval(),
        "loggers": [logging.root.level, len(logging.root.handlers), len(logging.lastResort.filters)],
        "completion": repr(completion.get_completion_class("bash")),
        "colour": __import__("convcli.report").report.color.get(),
        "folder": os.getcwd(),
    }

lines = json.loads(sys.argv[1])
before = state()
from convcli.cli import main

for line in lines:
    for standalone in (False, True):
        with suppress(SystemExit, Exception):
            main(line.split(), standalone_mode=standalone)
        after = state()
        if after != before:
            changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
            print("CHANGED", line, changed, file=sys.stderr)
"""


LINES = [
    "shape --hin 32 --k 3 --s 2 --color always",
    "shape --hin x --k 3 --color always",
    "shape --hin 5 --k 7",
    "apply img.png -k sobel -o out.png --json --color never",
    "apply img.png img.png missing.png -k box -o many/",
    "apply missing.png -k box",
    "explain img.png -k box --at 1,1",
    "animate --hin 4 --k 3 -o film.gif",
    "kernel sobel --color always",
    "completion bash",
    "doctor -q",
    "batch list.txt --keep-going",
    "batch list.txt --json-lines",
    "nonsense",
    "--help",
]


def end(lines: list[str], cwd: Path, **more: object) -> str:
    """Run commands one after another in one process; what it says of changes."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(lines)]
    ended = subprocess.run(
        command, cwd=cwd, env=environment(), stderr=subprocess.PIPE, text=True, timeout=120, check=True, **more
    )  # type: ignore[call-overload]
    return "\n".join(line for line in ended.stderr.splitlines() if line.startswith("CHANGED"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "img.png", np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8))
    (tmp_path / "list.txt").write_text(
        "shape --hin 9 --k 3 --color always\napply img.png -k box -o out.png\nnonsense\n"
    )
    return tmp_path


def test_a_process_is_as_before(folder: Path) -> None:
    assert end(LINES, folder, stdout=subprocess.DEVNULL) == ""


def test_a_broken_standard_output_is_as_before(folder: Path) -> None:
    """It is given up while the command runs, and then it is the caller's again."""
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        assert end(LINES, folder, stdout=reader.stdin) == ""


def test_a_full_device_is_as_before(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        assert end(LINES, folder, stdout=full) == ""


def test_the_completion_of_bash_is_clicks_again(folder: Path) -> None:
    variables = {"_CONVCLI_COMPLETE": "bash_complete", "COMP_WORDS": "convcli sh", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", PROGRAM, json.dumps(["shape"])]
    ended = subprocess.run(
        command, cwd=folder, env=environment(**variables), capture_output=True, text=True, timeout=60, check=True
    )
    assert "shape" in ended.stdout
    assert ended.stderr == ""


def test_closed_streams_stay_closed(folder: Path) -> None:
    code = (
        "import sys\nfrom convcli.cli import main\n"
        "main(['shape', '--hin', '9', '--k', '3'], standalone_mode=False)\n"
        "assert sys.stdout is None and sys.stdin is None, sys.stdout\nprint('good', file=sys.stderr)"
    )
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", code],
        cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stderr == "good\n"


def test_each_command_of_a_batch_shows_its_warnings() -> None:
    """Python shows a warning of one place once, as long as the filters stay the same."""
    with warnings.catch_warnings(record=True) as seen, commandline.entered():
        warnings.simplefilter("default")
        for _ in range(3):
            with commandline.nested(Batch()):
                warnings.warn("odd", UserWarning, stacklevel=1)
    assert len(seen) == 3


def test_a_context_of_a_batch_ends_with_its_command() -> None:
    with commandline.entered():
        outer = current()
        for _ in range(2):
            with commandline.nested(Batch(stdin="is taken")) as context:
                assert current() is context is not outer
                assert context.kept("cache", list) == []
                context.kept("cache", list).append(1)
                with pytest.raises(ImageError, match="standard input is taken: name a file"):
                    standard_input()
        assert current() is outer


def test_signals_are_handled_by_the_program_alone(folder: Path) -> None:
    code = (
        "import signal\nfrom convcli import commandline\n"
        "with commandline.entered(program=True):\n"
        "    assert callable(signal.getsignal(signal.SIGTERM))\n"
        "assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(), timeout=60, check=True)


def test_a_signal_whose_exception_is_lost_still_says_so(folder: Path) -> None:
    code = (
        "import os, signal\nfrom contextlib import suppress\nfrom convcli import commandline\n"
        "with commandline.entered(program=True):\n"
        "    with suppress(SystemExit):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(), timeout=60, check=False)
    assert ended.returncode == 128 + 15


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 128 + 15), ("SIGHUP", 128 + 1), ("SIGINT", 130)])
def test_a_signal_waits_while_an_import_holds_a_lock(name: str, code: int, folder: Path) -> None:
    """Its exception would leave the lock of all imports locked: a thread that imports meanwhile would wait for ever."""
    program = (
        "import _imp, signal, sys, time\nfrom convcli import __main__, commandline\n"
        "from functools import partial\nimport convcli.cli\n"
        "class Locks:\n"
        "    release_lock = staticmethod(_imp.release_lock)\n"
        "    def __getattr__(self, name):\n"
        "        return getattr(_imp, name)\n"
        "    @property\n"
        "    def acquire_lock(self):\n"
        "        machinery._imp = _imp\n"
        "        _imp.acquire_lock()\n"
        "        return arrive\n"
        "machinery = sys.modules['_frozen_importlib']\n"
        f"arrive = partial(signal.raise_signal, signal.{name})\n"
        "def command_line(**_):\n"
        "    machinery._imp = Locks()\n"
        "    import colorsys\n"
        "    assert not _imp.lock_held()\n"
        "    print('imported', flush=True)\n"
        "    time.sleep(30)\n"
        "convcli.cli.main = command_line\n"
        "__main__.main()\n"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, timeout=60, check=False, preexec_fn=heeding
    )
    assert (ended.returncode, ended.stdout) == (code, b"imported\n"), ended.stderr


@pytest.mark.parametrize("color", ["never", "always"])
def test_a_reader_that_goes_away_is_no_error(color: str, folder: Path) -> None:
    """Rich would end the process with exit code 1, and with standard output closed for good."""
    command = [sys.executable, "-m", "convcli", "shape", "--hin", "32", "--k", "3", "--color", color]
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        ended = subprocess.run(
            command, cwd=folder, env=environment(), stdout=reader.stdin, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (ended.returncode, ended.stderr) == (0, b"")
