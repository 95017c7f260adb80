"""Time a thousand commands in one process: `convcli batch`, beside a loop that starts a program of libvips for each filter.

    python benchmarks/thousand.py [--only TEXT] [--rounds N] [--output FILE]

The programs run in turn, round after round. The medians are compared. Every program must answer all commands and write all images.
Without pyvips, the row of the filters is left out.
"""

from __future__ import annotations

import compileall
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import blas  # noqa: F401 (before NumPy)
import numpy as np
from bench import figure, in_turn, write
from command_line import HERE, command_line
from commands import CONVCLI
from PIL import Image

import convcli

SIZES, FILTERS, COMMANDS, WARM = 1000, 500, 10_000, 1000
"""How many sizes and filters are timed, over how many commands memory is looked at, and after how many of them first."""

SIZES_SECONDS, FILTERS_RATIO, GROWTH = 1.5, 0.35, 1.02
"""The goals: seconds, of the peer's time, and of the memory."""

SIDE = 512

PROGRAM = """
import sys
import pyvips
source, target, *weights = sys.argv[1:]
rows = [[*map(int, weights[start : start + 3])] for start in (0, 3, 6)]
kernel = pyvips.Image.new_from_array(rows, scale=sum(map(sum, rows)))
pyvips.Image.new_from_file(source, access="sequential").conv(kernel, precision="integer").write_to_file(target)
"""
"""The peer. In integers it is fastest."""


def weights(count: int) -> list[list[str]]:
    """Kernels 3×3 of integers, all different."""
    values = np.random.default_rng(0).integers(1, 10, (count, 9))
    return [[*map(str, kernel)] for kernel in values]


def batch(lines: list[str], folder: Path) -> float:
    """The wall time of a batch, which must answer every line."""
    (folder / "list.txt").write_text("\n".join(lines) + "\n")
    start = perf_counter()
    ended = subprocess.run([*CONVCLI, "batch", "list.txt"], cwd=folder, check=True, stdout=subprocess.PIPE)
    passed = perf_counter() - start
    if ended.stdout.count(b"\n") != len(lines):
        raise RuntimeError(f"{ended.stdout.count(b'%c' % 10)} of {len(lines)} commands were answered")
    return passed


def sizes(folder: Path, count: int) -> Iterator[str]:
    """The row of the sizes."""
    lines = [f"shape --hin {32 + number} --k 3 --s 2 --p 1 -q" for number in range(SIZES)]
    ours = in_turn({"convcli": partial(batch, lines, folder)}, count)["convcli"]
    yield row(
        f"{SIZES} sizes (`shape`)", seconds(ours, SIZES), f"{SIZES_SECONDS} s, the limit", ours / SIZES_SECONDS, 1
    )


def filters(folder: Path, count: int) -> Iterator[str]:
    """The row of the filters."""
    if find_spec("pyvips") is None:
        return
    sample = Image.open(HERE.parent / "samples" / "coffee.jpg")
    large = sample.resize((2 * sample.width, 2 * sample.height), Image.Resampling.BICUBIC)
    large.crop((0, 0, SIDE, SIDE)).save(folder / "in.png")
    kernels = weights(FILTERS)
    rows = [";".join(",".join(kernel[row : row + 3]) for row in (0, 3, 6)) for kernel in kernels]
    lines = [
        f"apply in.png -k '{text}' --normalize -p same -o ours-{number}.png -q" for number, text in enumerate(rows)
    ]

    def loop() -> float:
        start = perf_counter()
        for number, kernel in enumerate(kernels):
            command = [sys.executable, "-c", PROGRAM, "in.png", f"theirs-{number}.png", *kernel]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return perf_counter() - start

    medians = in_turn({"convcli": partial(batch, lines, folder), "libvips": loop}, count)
    inside = np.s_[1:-1, 1:-1]  # beyond the border libvips repeats pixels
    with Image.open(folder / "ours-0.png") as one, Image.open(folder / "theirs-0.png") as other:
        apart = np.abs(np.asarray(one)[inside].astype(int) - np.asarray(other)[inside]).max()
    if apart > 1:  # libvips rounds weights and results its own way
        raise RuntimeError(f"the results are {apart} levels apart")
    ours, theirs = medians["convcli"], medians["libvips"]
    peer = f"a loop of a libvips program {seconds(theirs, FILTERS)}"
    yield row(f"{FILTERS} filters 3×3 of {SIDE}² PNG", seconds(ours, FILTERS), peer, ours / theirs, FILTERS_RATIO)


def memory(folder: Path, _count: int) -> Iterator[str]:
    """The row of the memory: what the process holds after `WARM` commands, and after all."""
    if not os.path.isdir("/proc/self"):
        return
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(folder / "small.png")
    kinds = ("shape --hin {} --k 3 -q", "apply small.png --kernel={},1;1,1 -o out.png -q", "kernel box:{} -q --bad")
    held = []
    with subprocess.Popen(
        [*CONVCLI, "batch", "--json-lines", "--keep-going"], cwd=folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(1, COMMANDS + 1):
            line = kinds[number % len(kinds)].format(number + 10).replace(";", "\\;")
            print(line, file=process.stdin, flush=True)
            process.stdout.readline()
            if number in (WARM, COMMANDS):
                status = Path(f"/proc/{process.pid}/status").read_text()
                held.append(int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024)
        process.stdin.close()
    first, last = held
    peer = f"{first:.1f} MiB after {WARM}"
    yield row(f"memory after {COMMANDS} commands", f"{last:.1f} MiB", peer, last / first, GROWTH)


def seconds(passed: float, count: int) -> str:
    """A time, and what it is for each command."""
    return f"{figure(passed, 's')} ({figure(passed / count, 's')} each)"


def row(work: str, ours: str, theirs: str, ratio: float, goal: float) -> str:
    """A line of the table."""
    return f"| {work} | {ours} | {theirs} | {ratio:.2f} | {goal:.2f} | {'yes' if ratio <= goal else 'no'} |"


def main() -> None:
    """Run the rows and write the table."""
    options = command_line(__doc__, "THOUSAND.md")
    compileall.compile_dir(Path(convcli.__file__).parent, quiet=1)  # like every installed package
    lines = []
    for measure in (sizes, filters, memory):
        if options.only in measure.__name__:
            with tempfile.TemporaryDirectory() as name:
                for line in measure(Path(name), options.rounds):
                    print(line, flush=True)
                    lines.append(line)
    said = "the programs ran in turn. Ratio: `convcli batch` over the peer."
    write("A thousand commands", said, lines, options)


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    main()
