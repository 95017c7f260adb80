"""Which heavy packages a program has imported."""

import subprocess
import sys
from pathlib import Path

from support.cli import environment

HEAVY = {"numpy", "PIL", "torch", "rich", "safetensors", "scipy", "click", "zarr", "fsspec", "aiohttp", "distributed"}


AT_THE_END = """
import os, sys
def end(code):
    sys.stderr.write("\\n" + ({shown}))
    sys.stderr.flush()
    end_now(code)
end_now, os._exit = os._exit, end
sys.argv = ["convcli", *{args!r}]
from convcli.__main__ import main
main()
"""


PROGRAM = """
import sys
from convcli.cli import main
try:
    main({args!r}, standalone_mode=False)
finally:
    sys.stdout.flush()
    print(*sorted(set(name.partition(".")[0] for name in sys.modules)), file=sys.stderr)
"""


def loaded(code: str, cwd: Path) -> set[str]:
    """Which of the heavy packages a program has loaded; it prints all modules in its last line on stderr."""
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return HEAVY & set(ended.stderr.splitlines()[-1].split())


def loaded_by(line: str, cwd: Path) -> set[str]:
    return loaded(PROGRAM.format(args=line.split()), cwd)


def at_the_end(line: str, shown: str, cwd: Path) -> str:
    """What the expression `shown` is in the program that ran a command line, from its start, just before it ends."""
    code = AT_THE_END.format(args=line.split(), shown=shown)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr.splitlines()[-1]


def modules_of(line: str, cwd: Path) -> set[str]:
    """Every module that is loaded when a command line has run."""
    return set(at_the_end(line, "' '.join(sys.modules)", cwd).split())


def modules_after(code: str) -> set[str]:
    """Every module that is loaded after these imports."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout.split())
