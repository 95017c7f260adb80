"""What a type checker says of programs that use the installed package."""

from __future__ import annotations

import re
import subprocess
import sys
import venv

import pytest

import convcli
from support.cli import ROOT

RIGHT = """
from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import convcli

image: NDArray[np.uint8] = np.zeros((3, 32, 48), np.uint8)
soft: NDArray[np.float32] = convcli.conv2d(
    image, "gaussian:2", stride=(1, 2), padding="same-upper", padding_mode="reflect", bias=[1, "5%", 2.5],
    dtype=np.float32, channels="each", divisor="sum", threads=2,
)
out: NDArray[np.uint8] = convcli.conv2d(image, [[1, 0], [0, -1]], out=np.empty((3, 31, 47), np.uint8), range=(0, 255))
blocks: NDArray[np.uint8] = convcli.conv_transpose2d(image, "bilinear:2", stride=2, out=out, range="clip", memory="500M")
large: NDArray[np.float32] = convcli.conv_transpose2d(image, np.ones((3, 4, 2, 2)), stride=2, output_size=(64, 96))
assert_type(convcli.output_size(224, 7, stride=2, padding=3), int)
assert_type(convcli.output_size((224, 160), 7, padding=(1, 2, 1, 2)), tuple[int, int])
assert_type(convcli.output_size(image.shape[1:], 3), tuple[int, int])
assert_type(convcli.kernel("gaussian:2", divisor=2), NDArray[np.float64])
plan: convcli.Plan = convcli.plan((3, 32, 48), "sobel", transpose=False, padding="same")
assert_type(plan.considered[0].name, str)
assert_type(plan.geometry.pads.top, int)
explained: convcli.Explanation = convcli.explain(image, "sobel", (10, 12), channel=1, range="clip")
assert_type(explained.value, float)
explained.save(Path("sum.svg"), theme="dark")
film: convcli.Animation = convcli.animate(5, 3, stride=2, padding=1, fps=3, title="a film")
assert_type(film.frames[0], NDArray[np.uint8])
film.save("film.gif", scale=2)
done: convcli.Applied = convcli.apply(Path("a.png"), "b.png", "sobel", quality=90, memory=500_000_000)
assert_type(done.notes, tuple[str, ...])
"""

WRONG = """
import numpy as np

import convcli

image = np.zeros((3, 32, 48), np.uint8)
convcli.conv2d(image, "sobel", stride="2")  # argument
convcli.conv2d(image, "sobel", op="convolve")  # argument
convcli.conv2d(image, "sobel", combine="mean")  # argument
convcli.conv2d(image, "sobel", pading=2)  # argument
convcli.conv2d(image, "sobel", 2)  # argument
convcli.conv2d(image, "sobel", memory=2.5)  # argument
convcli.conv2d(image, "sobel", range="wrap")  # argument
convcli.conv_transpose2d(image, "sobel", output_padding=0.5)  # argument
convcli.output_size("5", 3)  # argument
convcli.plan(image, "sobel").nothing  # attr-defined
convcli.plan(image, "sobel").plan = "taps"  # misc
convcli.apply(image, "b.png", "sobel")  # argument
convcli.explain(image, "sobel", 3)  # argument
convcli.kernel(3)  # argument
convcli.animate(5, 3, fps="fast")  # argument
size: int = convcli.output_size((5, 5), 3)  # assignment
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, str]]]:
    """The lines and kinds of errors that mypy finds in both programs, by the file's name."""
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("typing")
    venv.create(folder / "env", symlinks=True)
    python = next((folder / "env").glob("[bS]*/python*"))
    [packages] = (folder / "env").glob("[lL]ib/**/site-packages")
    (packages / "convcli").symlink_to(ROOT / "convcli")
    (packages / "others.pth").write_text("\n".join(one for one in sys.path if one.endswith("-packages")))
    for name, text in (("right", RIGHT), ("wrong", WRONG)):
        (folder / f"{name}.py").write_text(text)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--config-file=",
        "--python-executable",
        str(python),
    ]
    ended = subprocess.run(
        [*command, "--cache-dir", str(folder / "cache"), "right.py", "wrong.py"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert ended.stderr == ""
    found: dict[str, list[tuple[int, str]]] = {"right": [], "wrong": []}
    for file, line, kind in re.findall(r"^(.*?)\.py:(\d+): error: .*\[([a-z-]+)\]$", ended.stdout, re.MULTILINE):
        wrong = "argument" if kind in ("arg-type", "call-overload") else kind  # which of them differs between versions
        found.setdefault(file, []).append((int(line), wrong))
    return found


def test_a_right_program(said: dict[str, list[tuple[int, str]]]) -> None:
    assert said["right"] == []
    assert all(f"convcli.{name}" in RIGHT for name in convcli.__all__)


def test_a_wrong_program(said: dict[str, list[tuple[int, str]]]) -> None:
    expected = [(number, line.rpartition("# ")[2]) for number, line in enumerate(WRONG.splitlines(), 1) if "# " in line]
    assert list(dict.fromkeys(said["wrong"])) == expected


def test_nothing_else_is_blamed(said: dict[str, list[tuple[int, str]]]) -> None:
    assert set(said) == {"right", "wrong"}
