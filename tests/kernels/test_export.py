"""Kernels as text and as files: every bit comes back, and other tools read them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from convcli.kernels import Kernel
from convcli.kernels.analysis import Analysis, analyse
from convcli.kernels.export import FORMATS, encode, literal
from support.kernels import found, real

SPECS = ("sobel-x", "gaussian:1", "box:3", "1/3,2/3;4/3,1", "0.1;", "-1", "1,2,3", "1;2;1", "1e-30,1e30;0.1,123456789")


def written(one: Analysis, form: str) -> bytes:
    return b"".join(encode(one, form))


def as_spec(one: Analysis) -> str:
    return "".join(literal(one.values))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("spec", SPECS)
def test_files_bring_back_every_bit(spec: str, form: str, tmp_path: Path) -> None:
    one = found(spec)
    path = tmp_path / f"k.{form}"
    path.write_bytes(written(one, form))
    assert np.array_equal(found(str(path)).values, one.values)


@given(real)
def test_literals_bring_back_every_bit(values: np.ndarray) -> None:
    one = analyse(Kernel("k", values))
    assert np.array_equal(found(as_spec(one)).values, values)


def test_texts() -> None:
    assert as_spec(found("box:3")) == "1/9,1/9,1/9;1/9,1/9,1/9;1/9,1/9,1/9"
    assert as_spec(found("laplacian")) == "0,1,0;1,-4,1;0,1,0"
    assert written(found("1,2;3,4;5,6"), "txt") == b"2x3: 1,2 3,4 5,6\n"
    assert written(found("1,2;3,4;5,6"), "csv") == b"1,2\n3,4\n5,6\n"
    assert written(found("box:3"), "mat") == b"3 3 9 0\n1 1 1\n1 1 1\n1 1 1\n"
    assert written(found("0.1,0.2"), "json") == b"[[0.1, 0.2]]\n"


def impulse(path: Path) -> Path:
    """A picture of 9×9 pixels with one of 100 in its middle."""
    rows = [[100 if (y, x) == (4, 4) else 0 for x in range(9)] for y in range(9)]
    path.write_text("P2\n9 9\n255\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\n")
    return path


KERNEL = np.array([[0.01, 0.02, 0.03, 0.04, 0.05], [0.06, 0.07, 0.08, 0.09, 0.10], [0.11, 0.12, 0.13, 0.14, 0.15]])


@pytest.mark.skipif(shutil.which("convert") is None, reason="needs ImageMagick")
def test_imagemagick_reads_what_is_written(tmp_path: Path) -> None:
    """Correlating an impulse turns the kernel by 180°."""
    text = written(analyse(Kernel("k", KERNEL)), "txt").decode().strip()
    impulse(tmp_path / "in.pgm")
    command = ["convert", "in.pgm", "-morphology", "Correlate", text, "-depth", "8", "-compress", "none", "out.pgm"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    tokens = (tmp_path / "out.pgm").read_text().split()
    seen = np.array(tokens[4:], float).reshape(9, 9)
    assert seen[3:6, 2:7] == pytest.approx(100 * KERNEL[::-1, ::-1], abs=0.51)


@pytest.mark.skipif(shutil.which("vips") is None, reason="needs libvips")
def test_vips_reads_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "k.mat").write_bytes(written(analyse(Kernel("k", KERNEL)), "mat"))
    impulse(tmp_path / "in.pgm")
    subprocess.run(
        ["vips", "conv", "in.pgm", "out.csv", "k.mat", "--precision", "float"], cwd=tmp_path, check=True, timeout=60
    )
    seen = np.loadtxt(tmp_path / "out.csv")
    assert seen[3:6, 2:7] == pytest.approx(100 * KERNEL[::-1, ::-1], abs=1e-3)
