"""Which heavy packages a program has imported."""

import subprocess
import sys
from pathlib import Path

from support.cli import environment

HEAVY = {"numpy", "PIL", "torch", "rich", "safetensors", "scipy", "click", "zarr", "fsspec", "aiohttp", "distributed"}


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
