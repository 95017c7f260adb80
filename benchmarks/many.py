"""Time five hundred photographs: one run of convcli, a program of libvips, a shell loop of `vips conv`, and `mogrify`.

    python benchmarks/many.py [--only TEXT] [--rounds N] [--output FILE]

The programs run in turn, round after round, each into an empty folder of its own. The medians are compared. Every
program must write all images. Programs that are not installed are left out.
"""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import tempfile
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

COUNT = 500
SIDE = 512
GOALS = {"libvips in Python, 2 threads": 1.0, "vips conv, a loop of the shell": 0.2, "ImageMagick mogrify": 1.0}
"""The largest ratios to these programs that are good enough."""


PROGRAM = """
import os, pyvips
from concurrent.futures import ThreadPoolExecutor
kernel = pyvips.Image.new_from_array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
def one(name):
    made = pyvips.Image.new_from_file(f"in/{name}", access="sequential").conv(kernel, precision="integer")
    made.write_to_file(f"out/{name}", **({"Q": 92} if name.endswith("jpg") else {}))
with ThreadPoolExecutor(2) as pool:
    list(pool.map(one, sorted(os.listdir("in"))))
"""
"""What a programmer would write with libvips."""


def photographs(folder: Path, ending: str) -> None:
    """Crops of the sample photograph, enlarged, with noise like a camera's. No two are the same."""
    generator = np.random.default_rng(0)
    sample = Image.open(HERE.parent / "samples" / "coffee.jpg")
    large = sample.resize((2 * sample.width, 2 * sample.height), Image.Resampling.BICUBIC)
    for number in range(COUNT):
        left, top = (int(generator.integers(0, side - SIDE + 1)) for side in large.size)
        crop = np.asarray(large.crop((left, top, left + SIDE, top + SIDE))).astype(np.int16)
        grain = generator.normal(0, 3, crop.shape).astype(np.int16)
        image = Image.fromarray(np.clip(crop + grain, 0, 255).astype(np.uint8))
        image.save(folder / f"{number:03}.{ending}", quality=92)


def commands(ending: str) -> dict[str, list[str]]:
    """The command of every program. It runs in the folder that holds ``in``, and fills ``out``."""
    every = {
        "convcli": [
            *CONVCLI,
            "apply",
            "in",
            "-k",
            "sharpen",
            "-p",
            "same",
            "--padding-mode",
            "replicate",
            "-o",
            "out/",
            "-q",
        ]
    }
    if find_spec("pyvips") is not None:
        every["libvips in Python, 2 threads"] = [sys.executable, "-c", PROGRAM]
    quality = "[Q=92]" if ending == "jpg" else ""
    if shutil.which("vips"):
        loop = f'for f in in/*.{ending}; do vips conv "$f" "out/${{f##*/}}{quality}" sharpen.mat || exit; done'
        every["vips conv, a loop of the shell"] = ["sh", "-c", loop]
    mogrify = shutil.which("mogrify-im6.q16") or shutil.which("mogrify")
    if mogrify:
        steps = f"-path out -quality 92 -morphology Convolve '3x3: 0,-1,0 -1,5,-1 0,-1,0' in/*.{ending}"
        every["ImageMagick mogrify"] = ["sh", "-c", f"{mogrify} {steps}"]
    return every


def seconds(command: list[str], folder: Path) -> float:
    """The wall time of a program, which must write all images."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    start = perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    passed = perf_counter() - start
    if (count := len([*out.iterdir()])) != COUNT:
        raise RuntimeError(f"{command[0]} wrote {count} of {COUNT} images")
    return passed


def measured(ending: str, count: int) -> list[str]:
    """A Markdown line for each other program."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        photographs(folder / "in", ending)
        (folder / "sharpen.mat").write_text("3 3\n0 -1 0\n-1 5 -1\n0 -1 0\n")
        runs = {program: partial(seconds, command, folder) for program, command in commands(ending).items()}
        medians = in_turn(runs, count)
    ours = medians.pop("convcli")
    each = figure(ours / COUNT, "s")
    lines = []
    for program, theirs in medians.items() or [("none here", float("nan"))]:
        goal = GOALS.get(program, float("nan"))
        met = "yes" if ours / theirs <= goal else "no"
        lines.append(
            f"| {COUNT} photographs of {SIDE}², {ending.upper()} | {figure(ours, 's')} ({each} each) "
            f"| {program} {figure(theirs, 's')} | {ours / theirs:.2f} | {goal:.2f} | {met} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Run the rows and write the table."""
    options = command_line(__doc__, "MANY.md")
    compileall.compile_dir(Path(convcli.__file__).parent, quiet=1)  # like every installed package
    lines = [
        line for ending in ("jpg", "png") if options.only.lower() in ending for line in measured(ending, options.rounds)
    ]
    said = "the programs ran in turn. A 3×3 kernel, from files to files. Ratio: convcli over the peer."
    write("Many images", said, lines, options)


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    main()
