"""Time pictures in blocks, on threads and on processes, beside libvips and dask-image: wall time, processor time, peak memory.

    python benchmarks/scale.py [--sides N,N] [--rounds N] [--only TEXT] [--huge BLOCKS] [--names N] [--output FILE]

Inputs are sparse: a BigTIFF all of whose tiles lie at 16 places, and a Zarr without compression. The programs run in turn, each
from disk to disk, in a process of its own; memory is the largest sum over its processes. A part of the results is compared.

``--sides`` are the two sides of the pictures, ``--sides 3000,6000`` takes a minute. ``--huge BLOCKS`` does so many blocks of a
picture of 100,000 × 100,000 pixels, and tells what the whole would take. ``--names`` is how many names are handed out to workers
that do nothing with them; ``--only dispatch`` does this alone.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, NamedTuple

import blas  # noqa: F401 (before NumPy)
import numpy as np
import psutil
from bench import machine, rounds
from command_line import HERE
from commands import CONVCLI

from convcli.images.directories import LONG, LONG8, SHORT, Entry, composed, entry

TILE = 512
PLACES = 16
HUGE = 100_000


class Cost(NamedTuple):
    """What a run costs."""

    seconds: float
    cpu: float  # seconds of all processors
    memory: float  # MiB


class Row(NamedTuple):
    """A row of the table: ours, the peer, and the largest ratios that are good enough."""

    name: str
    ours: list[str]
    peer: str
    theirs: list[str]
    goals: Cost
    same: Callable[[], int]  # the largest difference of a part of the results


def sparse(path: Path, side: int) -> None:
    """A BigTIFF of RGB whose tiles all lie at `PLACES` places."""
    generator = np.random.default_rng(0)
    across = -(-side // TILE)
    with path.open("wb") as stream:
        stream.write(bytes(16))
        places = []
        for _ in range(PLACES):
            places.append(stream.tell())
            stream.write(generator.integers(0, 256, (TILE, TILE, 3), np.uint8).tobytes())
        numbers = np.arange(across * across)
        found = np.asarray(places, "<u8")[(numbers * 7 + numbers // across) % PLACES]
        start = stream.tell()
        tags = {256: side, 257: side, 322: TILE, 323: TILE}
        directory = {tag: entry(LONG, value) for tag, value in tags.items()}
        directory |= {259: entry(SHORT, 1), 262: entry(SHORT, 2), 277: entry(SHORT, 3), 284: entry(SHORT, 1)}
        directory |= {258: entry(SHORT, 8, 8, 8), 324: Entry(LONG8, found.tobytes())}
        directory[325] = Entry(LONG, np.full(len(found), TILE * TILE * 3, "<u4").tobytes())
        stream.write(composed({**directory}, start, True))
        stream.seek(0)
        stream.write(b"II" + np.asarray([43, 8, 0], "<u2").tobytes() + np.asarray([start], "<u8").tobytes())


def chunked(path: Path, side: int) -> None:
    """A Zarr of RGB, in chunks of 1024² without compression."""
    import zarr

    shape, chunks = (3, side, side), (3, 1024, 1024)
    array = zarr.create_array(path, shape=shape, chunks=chunks, dtype="u1", compressors=None, overwrite=True)
    noise = np.random.default_rng(0).integers(0, 256, chunks, np.uint8)
    for y in range(0, side, 1024):
        for x in range(0, side, 1024):
            array[:, y : y + 1024, x : x + 1024] = noise[:, : side - y, : side - x]


VIPS = """
import sys, numpy as np, pyvips
source, target, kernel, precision = sys.argv[1:]
image = pyvips.Image.new_from_file(source, access="sequential")
weights = np.load(kernel)
if weights.ndim == 1:
    made = image.convsep(pyvips.Image.new_from_array([weights.tolist()]), precision=precision)
else:
    made = image.conv(pyvips.Image.new_from_array(weights.tolist()), precision=precision)
made = made.rint().cast("uchar") if precision == "float" else made.cast("uchar")
made.tiffsave(target, tile=True, tile_width=512, tile_height=512, bigtiff=True, compression="none")
"""

DASK = """
import sys, numpy as np, dask.array as da, zarr
from dask_image.ndfilters import convolve

def main(source, target, kernel, where):
    if where == "processes":
        from distributed import Client, LocalCluster
        client = Client(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50))
    image = da.from_zarr(source).astype(np.float32)
    made = convolve(image, np.load(kernel)[::-1, ::-1][np.newaxis].astype(np.float32), mode="nearest")
    out = zarr.create_array(target, shape=made.shape, chunks=(3, 1024, 1024), dtype="u1", compressors=None, overwrite=True)
    da.to_zarr(da.clip(da.rint(made), 0, 255).astype(np.uint8), out)
    if where == "processes":
        client.cluster.close()

if __name__ == "__main__":
    main(*sys.argv[1:])
"""


def cost_of(command: list[str], folder: Path) -> Cost:
    """Run a command, and look at its processes."""
    start, peak = perf_counter(), 0
    with (folder / "log").open("w+b") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        seen = psutil.Process(process.pid)
        while True:
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            peak = max(peak, _memory(seen))
            sleep(0.005)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = perf_counter() - start
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{command[:4]} ended with {process.returncode}: {log.read().decode()[-2000:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, peak / 2**20)


def _memory(process: psutil.Process) -> int:
    """The bytes that a process and those that it has started hold."""
    held = 0
    with suppress(psutil.Error):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                held += one.memory_info().rss
    return held


def convcli(source: str, target: str, kernel: str, *more: str) -> list[str]:
    """Our command."""
    same = ["-p", "same", "--padding-mode", "replicate", "-q"]
    same += ["--compression", "0"]  # of random pixels nothing gets smaller
    return [*CONVCLI, "apply", source, "-k", kernel, *same, "--memory", "1G", "-o", target, *more]


def tiffs(folder: Path) -> int:
    """How far the two TIFFs differ in a part."""
    import pyvips

    ours, theirs = (
        pyvips.Image.new_from_file(str(folder / name), revalidate=True).crop(700, 900, 900, 700).numpy().astype(int)
        for name in ("ours.tif", "theirs.tif")
    )
    return int(np.abs(ours - theirs).max())


def zarrs(folder: Path) -> int:
    """How far the two Zarrs differ in a part."""
    import zarr

    ours, theirs = (
        np.asarray(zarr.open_array(folder / name, mode="r")[:, 900:1600, 700:1600]).astype(int)
        for name in ("ours.zarr/0", "theirs.zarr")
    )
    return int(np.abs(ours - theirs).max())


def kernels(folder: Path) -> None:
    """The kernels as files, for all programs: those of libvips are turned around, as it correlates like us."""
    np.save(folder / "sharpen.npy", np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float64))
    dense = np.random.default_rng(1).random((7, 7))
    np.save(folder / "dense.npy", dense / dense.sum())
    row = np.exp(-(np.arange(-15, 16) ** 2) / 50.0)
    np.save(folder / "row.npy", row / row.sum())
    np.save(folder / "gaussian.npy", np.outer(row, row) / row.sum() ** 2)


def rows(folder: Path, sides: list[int]) -> list[Row]:
    """All rows. `folder` has the inputs."""
    made = []
    python = [sys.executable, "-c"]
    for side in sides:
        source = f"{side}.tif"
        for name, kernel, theirs, precision, goals in (
            ("3×3 in integers", "sharpen.npy", "sharpen.npy", "integer", Cost(1.2, 1.5, 3.0)),
            ("dense 7×7", "dense.npy", "dense.npy", "float", Cost(0.3, float("nan"), float("nan"))),
            ("Gaussian σ=5", "gaussian.npy", "row.npy", "float", Cost(0.3, float("nan"), float("nan"))),
        ):
            peer = [*python, VIPS, source, "theirs.tif", theirs, precision]
            made.append(
                Row(f"{name}, BigTIFF, {side}² RGB", convcli(source, "ours.tif", kernel), "libvips", peer, goals,
                    lambda: tiffs(folder))
            )  # fmt: skip
    (folder / "dask_image_peer.py").write_text(DASK)
    for where, on, goals in (
        ("threads", [], Cost(0.4, 0.33, 0.2)),
        ("processes", ["--on", "local:2"], Cost(0.4, float("nan"), 0.33)),
    ):
        peer = [sys.executable, "dask_image_peer.py", "in.zarr", "theirs.zarr", "sharpen.npy", where]
        ours = convcli("in.zarr", "ours.zarr", "sharpen.npy", *on)
        name = f"3×3, Zarr, {sides[0]}² RGB, {'2 ' if on else ''}{where}"
        made.append(Row(name, ours, f"dask-image, {where}", peer, goals, lambda: zarrs(folder)))
    return made


def measured(row: Row, folder: Path, count: int) -> tuple[str, Cost, Cost]:
    """A Markdown line, and the medians."""
    found: tuple[list[Cost], list[Cost]] = ([], [])
    for _ in range(count):
        for costs, command in zip(found, (row.ours, row.theirs), strict=True):
            costs.append(cost_of(command, folder))
    ours, theirs = (Cost(*(median(values) for values in zip(*costs, strict=True))) for costs in found)
    apart = row.same()
    cells, met = [], apart <= 1
    for mine, other, goal in zip(ours, theirs, row.goals, strict=True):
        cells.append(f"{mine / other:.2f}" + (f" (≤ {goal:g})" if goal == goal else ""))
        met &= not mine / other > goal
    line = (
        f"| {row.name} | {_shown(ours)} | {row.peer}: {_shown(theirs)} | {' | '.join(cells)} | {apart} "
        f"| {'yes' if met else 'no'} |"
    )
    print(line, flush=True)
    return line, ours, theirs


def _shown(cost: Cost) -> str:
    return f"{cost.seconds:.1f} s, {cost.cpu:.1f} s, {cost.memory:.0f} MiB"


def killed(folder: Path) -> str:
    """A sentence about a run on two processes, of which one is killed half-way."""
    shutil.rmtree(folder / "ours.zarr", ignore_errors=True)
    plain = convcli("in.zarr", "ours.zarr", "sharpen.npy", "--on", "local:2")
    usual = cost_of(plain, folder).seconds
    (folder / "ours.zarr").rename(folder / "first.zarr")
    journal = folder / ".ours.zarr.convcli"
    start, done, blocks, victim = perf_counter(), 0, 0, None
    process = subprocess.Popen(plain, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and victim is None:
        with suppress(OSError, ValueError, psutil.Error):
            lines = journal.read_bytes().split(b"\n")[:-1]
            done, blocks = len(lines) - 1, blocks or _blocks(json.loads(lines[0]))
            if 2 * done >= blocks - 1:
                every = psutil.Process(process.pid).children(recursive=True)
                victim = next(one for one in every if "spawn_main" in " ".join(one.cmdline()))
                victim.kill()
        sleep(0.002)
    code, passed = process.wait(), perf_counter() - start
    found = [
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (folder / "first.zarr", folder / "ours.zarr")
    ]
    same = "the same bytes" if found[0] == found[1] else "OTHER BYTES"
    when = f"after {done} of {blocks} blocks" if victim else "(too late)"
    return f"A worker killed {when}: exit code {code}, {same}, {passed:.1f} s instead of {usual:.1f} s."


def _blocks(facts: dict[str, Any]) -> int:
    """The number of blocks, from the first line of a journal."""
    sides = [int(number) for number in re.findall(r"output=Size\(height=(\d+), width=(\d+)\)", facts["geometry"])[0]]
    return math.prod(-(-side // step) for side, step in zip(sides, facts["block"], strict=True))


def huge(folder: Path, most: int) -> str:
    """A sentence about a part of the blocks of a picture of `HUGE` pixels each side."""
    sparse(folder / "huge.tif", HUGE)
    command = convcli("huge.tif", "huge.zarr", "sharpen.npy")
    journal = folder / ".huge.zarr.convcli"
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    seen, peak, first = psutil.Process(process.pid), 0, (0.0, 0)
    while process.poll() is None:
        done = journal.read_bytes().count(b"\n") - 1 if journal.exists() else 0
        if done >= 1 and not first[1]:
            first = perf_counter(), done
        if done >= most:
            break
        peak = max(peak, _memory(seen))
        sleep(0.05)
    passed, counted = perf_counter() - first[0], done - first[1]
    process.send_signal(signal.SIGINT)
    process.wait()
    facts = json.loads(journal.read_bytes().split(b"\n")[0])
    blocks = _blocks(facts)
    hours = blocks * passed / max(counted, 1) / 3600
    size = (folder / "huge.tif").stat().st_size >> 20
    return (
        f"3×3 on {HUGE:,}² RGB (30 GB, an input of {size} MiB) to Zarr: {done} of {blocks} blocks, peak {peak >> 20} MiB; all "
        f"would take {hours:.2f} h."
    )


def dispatch(folder: Path, count: int) -> str:
    """A sentence about names that are handed out in tasks of 64."""
    made = subprocess.run(
        [sys.executable, str(HERE / "dispatch.py"), str(count), str(folder)], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(f"dispatch.py ended with {made.returncode}: {made.stderr[-2000:]}")
    found = json.loads(made.stdout.splitlines()[-1])
    memory = ", ".join(f"{one:.0f}" for one in found["memory"])
    return (
        f"{count:,} names handed out in tasks of 64 to 2 processes that do nothing with them: {found['rate']:,.0f} files a second "
        f"(≥ 5,000); the client's memory is {memory} MiB when 10, 50 and 100 % are told."
    )


def main() -> None:
    """Run the rows and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", default="20000,40000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--huge", type=int, default=0, metavar="BLOCKS")
    parser.add_argument("--names", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--output", default=str(HERE / "SCALE.md"))
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    sides = [int(side) for side in options.sides.split(",")]
    folder = Path(tempfile.mkdtemp(dir=os.environ.get("TMPDIR")))
    try:
        if options.only != "dispatch":
            for side in sides:
                sparse(folder / f"{side}.tif", side)
            chunked(folder / "in.zarr", sides[0])
            kernels(folder)
        lines, peaks = [], []
        for row in rows(folder, sides):
            if options.only.lower() in row.name.lower():
                line, ours, theirs = measured(row, folder, options.rounds)
                lines.append(line)
                if row.name.startswith("3×3 in integers"):
                    peaks.append((ours.memory, theirs.memory))
        said = []
        if len(peaks) == 2:
            mine, other = (large / small for small, large in zip(*peaks, strict=True))
            said.append(f"Memory at {sides[1]}² over that at {sides[0]}²: {mine:.2f} (≤ 1.15); libvips {other:.2f}.")
        if options.only in ("", "killed"):
            said.append(killed(folder))
        if options.only in ("", "dispatch"):
            said.append(dispatch(folder, options.names))
        if options.huge:
            said.append(huge(folder, options.huge))
    finally:
        shutil.rmtree(folder)
    print("\n".join(said))
    header = [
        "# Large pictures",
        "",
        f"Made by `make bench-scale`: {machine()}, {_peers()}. {rounds(options.rounds)}; the programs ran in turn, from disk to "
        "disk. Each program: wall time, processor time, peak memory of all its processes. Ratios: convcli over the peer, the "
        "goal in brackets.",
        "",
        "| work | convcli | peer | wall | CPU | memory | largest difference | met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    text = "\n".join([*header, *lines, "", *(f"- {sentence}" for sentence in said)])
    Path(options.output).write_text(f"{text}\n", encoding="utf-8")


def _peers() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("pyvips-binary", "dask-image", "distributed", "zarr"))


if __name__ == "__main__":
    main()
