"""Compare the speed of convcli with that of other programs, and write a Markdown table: ``make bench``.

Every row runs convcli and all other programs in turn, round after round, so that changes in the machine's speed affect
all of them alike. The medians are compared. Programs that are not installed are left out. ``--only TEXT`` runs only the
rows whose name contains a text, ``--rounds N`` sets the number of rounds, and ``--output FILE`` says where the table
goes.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import blas  # noqa: F401 (before NumPy)
import numpy as np
from command_line import HERE, command_line
from commands import command_rows
from in_process import in_process_rows
from on_cuda import cuda_rows
from PIL import Image
from threadpoolctl import threadpool_info

from convcli.system.context import Context

PAUSE = 0.05
LEAST = 0.01
"""Seconds between two runs, and the least seconds of a measurement: the threads of some libraries keep looking for
work for a while after their work is done."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name : str
        What is done.
    ours : callable
        Runs convcli once, and returns the cost in seconds (or MiB).
    peers : dict
        The same for every other program.
    goal : float
        The largest ratio to the best other program that is good enough.
    unit : str
        ``s`` or ``MiB``.
    """

    name: str
    ours: Callable[[], float]
    peers: dict[str, Callable[[], float]]
    goal: float
    unit: str = "s"


def photo() -> Image.Image:
    """A 4000×3000 RGB photograph: the sample, enlarged, with noise like a camera's."""
    small = Image.open(HERE.parent / "samples" / "coffee.jpg")
    large = np.asarray(small.resize((4000, 3000), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = np.random.default_rng(0).normal(0, 3, large.shape).astype(np.int16)
    return Image.fromarray(np.clip(large + grain, 0, 255).astype(np.uint8))


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """A measurement of the wall time of `work`, in seconds. Short work is repeated for at least `LEAST` seconds."""

    def measure() -> float:
        calls, start = 0, perf_counter()
        while True:
            work()
            calls += 1
            passed = perf_counter() - start
            if passed > LEAST:
                return passed / calls

    return measure


def in_turn(runs: Mapping[str, Callable[[], float]], count: int) -> dict[str, float]:
    """The median cost of each of several runs, which are made in turn, round after round. The first round warms up."""
    costs: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(count + 1):
        for name, run in runs.items():
            sleep(PAUSE)
            cost = run()
            if round_:
                costs[name].append(cost)
    return {name: median(found) for name, found in costs.items()}


def measured(rows: Iterator[Row], count: int) -> Iterator[str]:
    """Run every row. Gives one Markdown line for each."""
    for row in rows:
        medians = in_turn({"convcli": row.ours, **row.peers}, count)
        ours = medians.pop("convcli")
        best = min(medians, key=lambda name: medians[name]) if medians else None
        ratio = ours / medians[best] if best else float("nan")
        listed = ", ".join(
            f"{name} {figure(cost, row.unit)}" for name, cost in sorted(medians.items(), key=lambda x: x[1])
        )
        met = "yes" if ratio <= row.goal else "no"
        line = f"| {row.name} | {figure(ours, row.unit)} | {listed or 'none here'} | {ratio:.2f} | {row.goal:.2f} | {met} |"
        print(line, flush=True)
        yield line


def figure(cost: float, unit: str) -> str:
    """A cost as text, with three digits."""
    if unit != "s":
        return f"{cost:.0f} {unit}"
    return f"{cost:.2f} s" if cost >= 1 else f"{cost * 1e3:.3g} ms" if cost >= 1e-3 else f"{cost * 1e6:.3g} µs"


def rounds(count: int) -> str:
    """A text that says how many measurements a figure stands for."""
    return f"Medians of {count} rounds" if count > 1 else "A single round"


def machine() -> str:
    """A text about the machine and the programs that were measured."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next(
            (line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), model
        )
    packages = ", ".join(
        f"{name} {_version(name)}" for name in ("numpy", "pillow", "torch", "opencv-python-headless", "scipy")
    )
    return (
        f"{date.today()}, {model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, {packages}, "
        f"{_blas()}"
    )


def _blas() -> str:
    """NumPy's BLAS, and the processor whose instructions it uses."""
    loaded = [each for each in threadpool_info() if each["user_api"] == "blas" and "numpy" in each["filepath"]]
    return ", ".join(
        f"{each['internal_api']} {each['version']} {each.get('architecture', '')}".strip() for each in loaded
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except Exception:  # a peer that is not installed
        return "absent"


def write(title: str, said: str, lines: Iterable[str], options: argparse.Namespace, peers: str = "peer") -> None:
    """Write a report: its title, the machine, what is `said` of the runs, and a table."""
    header = [
        f"# {title}",
        "",
        f"Made by `make bench`: {machine()}. {rounds(options.rounds)}; {said}",
        "",
        f"| work | convcli | {peers} | ratio | goal | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    Path(options.output).write_text("\n".join([*header, *lines]) + "\n", encoding="utf-8")


def main() -> None:
    """Run the rows and write the table."""
    options = command_line(__doc__, "RESULTS.md")
    image = photo()
    with tempfile.TemporaryDirectory() as folder:
        every = [
            *(Row(name, timed(ours), {peer: timed(run) for peer, run in peers.items()}, goal)
              for name, ours, peers, goal in in_process_rows(np.asarray(image))),
            *(Row(*row) for row in command_rows(image, Path(folder))),
            *(Row(*row) for row in cuda_rows(np.asarray(image))),
        ]  # fmt: skip
        lines = list(measured((row for row in every if options.only in row.name), options.rounds))
    said = "every row's programs ran in turn.\nRatio: convcli over the best peer."
    write("Benchmarks", said, lines, options, "peers")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    with Context(owns_process=True):  # as in the command line
        main()
