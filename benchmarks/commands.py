"""The rows that compare whole commands: start-up, reading, computing, writing."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

from PIL import Image

import convcli

Measure = Callable[[], float]
Line = tuple[str, Measure, dict[str, Measure], float, str]

CONVCLI = [sys.executable, "-m", "convcli"]


def command_rows(photo: Image.Image, folder: Path) -> Iterator[Line]:
    """All rows: name, convcli, other programs, goal, unit. Files are made in `folder`."""
    compileall.compile_dir(Path(convcli.__file__).parent, quiet=1)  # like every installed package
    photo.save(folder / "photo.ppm")
    photo.save(folder / "photo.jpg", quality=92)
    photo.save(folder / "photo.png")
    photo.crop((0, 0, 512, 512)).save(folder / "small.png")
    (folder / "sharpen.mat").write_text("3 3\n0 -1 0\n-1 5 -1\n0 -1 0\n")
    _disk(folder / "disk.mat", 15)
    magick = shutil.which("convert-im6.q16") or shutil.which("magick")
    sharpen = "3x3: 0,-1,0 -1,5,-1 0,-1,0"
    for ending, goal in (("jpg", 2.0), ("png", 0.85)):
        source, target = str(folder / f"photo.{ending}"), str(folder / f"out.{ending}")
        peers = _pyvips(CONV, source, target)
        yield (
            f"whole command, 12 MP 3×3, {ending.upper()}",
            _time(_convcli(source, target, "sharpen")),
            peers,
            goal,
            "s",
        )
    source, target = str(folder / "photo.jpg"), str(folder / "out.jpg")
    peers = _pyvips(BLUR, source, target)
    yield "whole command, 12 MP Gaussian σ=5, JPG", _time(_convcli(source, target, "gaussian:5")), peers, 2.2, "s"
    source, target = str(folder / "photo.ppm"), str(folder / "out.ppm")
    peers = _vips(source, target, str(folder / "sharpen.mat"), "--precision", "integer")
    yield "whole command, 12 MP 3×3, PPM", _time(_convcli(source, target, "sharpen")), peers, 1.0, "s"
    peers = _vips(source, target, str(folder / "disk.mat"), "--precision", "float")
    if magick:
        peers["ImageMagick"] = _time([magick, source, "-morphology", "Convolve", "Disk:15!", target])
    gmic = shutil.which("gmic")
    if gmic:
        disk = "31,31,1,1,((x-15)^2+(y-15)^2<=225)/709"
        steps = ["convolve_fft[0]", "[1]", "cut[0]", "0,255", "output[0]", target]
        peers["G'MIC convolve_fft"] = _time([gmic, source, disk, *steps])
    yield "whole command, 12 MP disk 31×31, PPM", _time(_convcli(source, target, "disk:15")), peers, 0.1, "s"
    small, out = str(folder / "small.png"), str(folder / "small-out.png")
    floor = (
        "import click, numpy, PIL.Image, sys\n"
        "image = PIL.Image.open(sys.argv[1]); image.load(); numpy.asarray(image)\n"
        "image.save(sys.argv[2], compress_level=4)"
    )
    peers = {"import click, numpy, PIL; decode, encode": _time([sys.executable, "-c", floor, small, out])}
    yield "whole command, 512² PNG", _time(_convcli(small, out, "sharpen")), peers, 1.15, "s"
    peers = {"import click, numpy, PIL.Image": _time([sys.executable, "-c", "import click, numpy, PIL.Image"])}
    yield "whole command, 512² PNG, beside bare imports", _time(_convcli(small, out, "sharpen")), peers, 1.5, "s"
    peers = _pyvips(CONV, small, out)
    yield "whole command, 512² PNG, beside libvips", _time(_convcli(small, out, "sharpen")), peers, 2.5, "s"
    peers = {"import click": _time([sys.executable, "-c", "import click"])}
    shape = [*CONVCLI, "shape", "--hin", "32", "--k", "3", "--s", "2", "-q"]
    yield "shape -q", _time(shape), peers, 1.25, "s"
    peers = {}
    if magick:
        peers["ImageMagick"] = _memory([magick, source, "-morphology", "Convolve", sharpen, target])
    yield "peak memory, 12 MP 3×3, PPM", _memory(_convcli(source, target, "sharpen")), peers, 0.7, "MiB"


def _convcli(source: str, target: str, kernel: str) -> list[str]:
    return [*CONVCLI, "apply", source, "-k", kernel, "-p", "same", "--padding-mode", "replicate", "-o", target, "-q"]


def _vips(source: str, target: str, matrix: str, *options: str) -> dict[str, Measure]:
    vips = shutil.which("vips")
    return {"vips conv": _time([vips, "conv", source, target, matrix, *options])} if vips else {}


CONV = """
import sys, pyvips
source, target = sys.argv[1:]
kernel = pyvips.Image.new_from_array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
made = pyvips.Image.new_from_file(source, access="sequential").conv(kernel, precision="integer")
made.write_to_file(target, **({"Q": 92} if target.endswith("jpg") else {}))
"""
BLUR = """
import sys, pyvips
source, target = sys.argv[1:]
pyvips.Image.new_from_file(source, access="sequential").gaussblur(5, min_ampl=0.01).write_to_file(target, Q=92)
"""
"""Programs of libvips, of the version that pyvips-binary brings. The quality is convcli's."""


def _pyvips(program: str, source: str, target: str) -> dict[str, Measure]:
    if find_spec("pyvips") is None:
        return {}
    return {"libvips in Python": _time([sys.executable, "-c", program, source, target])}


def _disk(path: Path, radius: int) -> None:
    """A vips matrix of ones within a radius, scaled to sum 1."""
    rows = [
        [int(x * x + y * y <= radius * radius) for x in range(-radius, radius + 1)] for y in range(-radius, radius + 1)
    ]
    total = sum(map(sum, rows))
    lines = [" ".join(map(str, row)) for row in rows]
    path.write_text(f"{len(rows)} {len(rows)} {total}\n" + "\n".join(lines) + "\n")


def _time(command: list[str]) -> Measure:
    """A measurement of a command's wall time in seconds."""

    def measure() -> float:
        start = perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return perf_counter() - start

    return measure


_LAUNCHER = (
    "import resource, subprocess, sys\n"
    "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
"""A program that is small itself: the peak memory of a process includes what it held before it became another
program."""


def _memory(command: list[str]) -> Measure:
    """A measurement of a command's peak memory in MiB."""

    def measure() -> float:
        ended = subprocess.run([sys.executable, "-c", _LAUNCHER, *command], check=True, capture_output=True, text=True)
        return int(ended.stdout) / 1024

    return measure
