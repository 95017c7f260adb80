"""Very many small files on a local cluster whose workers are killed at random.

``python -m support.soak 200000`` from ``tests/`` runs the long form and prints what it found.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from support.cli import environment, heeding
from support.pictures import write

CONTENTS = 4
"""Inputs are hard links to so many files."""

FOLDER = 1000
"""Files of a folder."""


class Soaked(NamedTuple):
    """What was found."""

    code: int
    told: list[str]  # targets, as they were told
    err: str
    kills: int
    seconds: float
    memory: list[float]  # of the client, in MiB, from its first second with results to its end


def inputs(folder: Path, count: int) -> Path:
    """Make the files, and a list of them."""
    generator = np.random.default_rng(0)
    originals = [
        write(folder / f"{number}.png", generator.integers(0, 256, (1, 16, 17), dtype=np.uint8))
        for number in range(CONTENTS)
    ]
    with (folder / "list").open("w", encoding="ascii") as listed:
        for number in range(count):
            name = f"in/{number // FOLDER:04}/{number:07}.png"
            if number % FOLDER == 0:
                (folder / name).parent.mkdir(parents=True)
            os.link(originals[number % CONTENTS], folder / name)
            listed.write(f"{name}\n")
    return folder / "list"


def soak(folder: Path, count: int, pause: float) -> Soaked:
    """Run it, and kill a worker about every `pause` seconds, if something was done since the last one."""
    inputs(folder, count)
    words = ["apply", "--from-file", "list", "-k", "box", "-o", "out/{parent}/{name}", "--on", "local:2", "-q"]
    chance, kills, memory = random.Random(count), 0, list[float]()
    start = time.monotonic()
    with (
        (folder / "told").open("wb") as told,
        (folder / "err").open("wb") as err,
        subprocess.Popen(
            [sys.executable, "-m", "convcli", *words], cwd=folder, env=environment(), stdout=told, stderr=err,
            preexec_fn=heeding,
        ) as process,
    ):  # fmt: skip
        try:
            due, done = 0.0, 0
            while process.poll() is None:
                time.sleep(0.2)
                size, now = (folder / "told").stat().st_size, time.monotonic()
                if not size:
                    continue
                due = due or now + pause * chance.uniform(0.2, 1)
                with suppress(OSError, StopIteration):
                    memory.append(resident(process.pid))
                if now >= due and size > done and (found := workers(process.pid)):
                    with suppress(ProcessLookupError):
                        os.kill(chance.choice(found), signal.SIGKILL)
                        kills += 1
                    due, done = now + pause * chance.uniform(0.5, 1.5), size
        finally:
            process.kill()
    names = (folder / "told").read_text("ascii").split()
    seconds = time.monotonic() - start
    return Soaked(process.returncode, names, (folder / "err").read_text(), kills, seconds, memory)


def workers(client: int) -> list[int]:
    """The processes of workers: those that the client has spawned."""
    found = []
    for task in Path(f"/proc/{client}/task").iterdir():
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return [child for child in found if b"spawn_main" in _command(child)]


def _command(process: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def resident(process: int) -> float:
    """The memory of a process, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def check(folder: Path, count: int, found: Soaked) -> None:
    """Nothing is missing, nothing is told twice, and every result is that of its input."""
    assert found.code == 0, found.err
    assert len(found.told) == len({*found.told}) == count
    from support.files import alone

    expected = [alone(folder / f"{number}.png") for number in range(CONTENTS)]
    for number in range(count):
        name = f"out/{number // FOLDER:04}/{number:07}.png"
        assert (folder / name).read_bytes() == expected[number % CONTENTS], name
    results = [path for path in (folder / "out").rglob("*") if path.is_file()]
    assert len(results) == count


if __name__ == "__main__":
    amount = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        ended = soak(Path(made), amount, 10.0)
        check(Path(made), amount, ended)
    spread = [ended.memory[int(part * (len(ended.memory) - 1))] for part in (0, 0.1, 0.25, 0.5, 0.75, 1)]
    rate = amount / ended.seconds
    print(f"{amount} files in {ended.seconds:.0f} s, {rate:.0f} a second; {ended.kills} workers killed; nothing lost")
    print("the client's memory, in MiB, at 0, 10, 25, 50, 75 and 100 %:", *(f"{one:.0f}" for one in spread))
