"""Kernels as text and as files: every bit comes back, and other tools read them."""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convcli.errors import KernelError
from convcli.kernels import Kernel, parse
from convcli.kernels.analysis import Analysis, analyse
from convcli.kernels.export import FORMATS, encode, literal
from convcli.kernels.named import REGISTRY
from support.cli import done
from support.kernels import found, message, real

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


NAMES = [*REGISTRY, *(member for recipe in REGISTRY.values() for member in recipe.members)]


def arguments(name: str) -> list[str]:
    """A SPEC with the arguments that have no default, and with another first argument where that is allowed."""
    for text in ("", ":2", ":5", ":2,3", ":3,3", ":1,0.1,0.2", ":9,0.2,45"):
        with suppress(KernelError):
            parse(name + text)
            return [name + text]
    raise AssertionError(name)


SPECS_OF_ALL = [spec for name in NAMES for spec in arguments(name)]


def reads_back(one: Kernel, form: str, folder: Path) -> None:
    """What is written in a form, and what -q prints, is the same kernel to the bit: as a file, and as a word."""
    path = folder / f"k.{'txt' if form == 'printed' else form}"
    if form == "printed":
        path.write_text("".join(literal(one.values)) + "\n")
        word = parse("".join(literal(one.values))).kernels[0].values
        assert word.tobytes() == one.values.tobytes()
    else:
        path.write_bytes(written(analyse(one), form))
    assert parse(str(path)).kernels[0].values.tobytes() == np.where(one.values == 0, 0.0, one.values).tobytes()


@pytest.mark.parametrize("form", [*FORMATS, "printed"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(spec=st.sampled_from(SPECS_OF_ALL), data=st.data())
def test_every_named_kernel_in_every_form(form: str, spec: str, data: st.DataObject, tmp_path: Path) -> None:
    one = data.draw(st.sampled_from(parse(spec).kernels))
    values = np.where(one.values == 0, 0.0, one.values)  # the sign of zeros has no effect
    reads_back(one._replace(values=values), form, tmp_path)


@pytest.mark.parametrize("form", [*FORMATS, "printed"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    values=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)),
        elements=st.integers(-9, 99).map(float) | st.fractions(-2, 2, max_denominator=16).map(float) | st.floats(-1e9, 1e9),
    )
)  # fmt: skip
def test_any_kernel_in_every_form(form: str, values: np.ndarray, tmp_path: Path) -> None:
    values = np.where(np.abs(values) < 1e-90, 0.0, values)
    reads_back(Kernel("k", values), form, tmp_path)


def test_json_documents_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text(done("kernel", "gaussian:2", "--json").text)
    assert np.array_equal(found(str(tmp_path / "k.json")).values, found("gaussian:2").values)
    (tmp_path / "k.json").write_text(done("kernel", "sobel", "--json").text)
    assert "has 2 kernels" in message(lambda: parse(str(tmp_path / "k.json")))


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("1;2;1", "1x3: 1,2,1"), ("1,1;1,1", "1.0,1.0;1.0,1.0"), ("1,0;0,-1", "1,0;0,-1"),
        ("1,2;3,4;5,6", "1.0,2.0;3.0,4.0;5.0,6.0"),
        ("1,2", "1,2"), ("1,2,1;2,4,2;1,2,1", "1,2,1;2,4,2;1,2,1"),
    ],
)  # fmt: skip
def test_what_is_printed_has_one_reading(spec: str, text: str) -> None:
    assert as_spec(found(spec)) == text
