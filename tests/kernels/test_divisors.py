"""--divisor and --normalize: each kernel divided by itself, and what cannot be divided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.kernels import parse
from convcli.kernels.divisors import divided
from support.cli import done, run
from support.kernels import message, real
from support.pictures import read

SIXTEEN = "1,2,1;2,4,2;1,2,1"


@pytest.mark.parametrize(
    ("spec", "divisor", "expected"),
    [
        (SIXTEEN, 16.0, [[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]]),
        ("1,2,1", "sum", [[0.25, 0.5, 0.25]]),
        ("-1,-3", "sum", [[0.25, 0.75]]),
        ("-1,0,1", "abs", [[-0.5, 0, 0.5]]),
        ("-1,0,1", -2.0, [[0.5, 0, -0.5]]),
        ("sobel-x", "abs", [[-1 / 8, 0, 1 / 8], [-2 / 8, 0, 2 / 8], [-1 / 8, 0, 1 / 8]]),
    ],
)
def test_by_hand(spec: str, divisor: float | str, expected: list[list[float]]) -> None:
    [kernel] = divided(parse(spec), divisor).kernels
    assert kernel.values.tolist() == expected


def test_each_kernel_of_a_bank_by_itself() -> None:
    for kernel in divided(parse("sobel"), "abs").kernels:
        assert np.abs(kernel.values).sum() == 1


@given(real, st.sampled_from(("sum", "abs")))
def test_the_divisor_is_what_it_says(values: np.ndarray, divisor: str) -> None:
    one = parse(";".join(",".join(map(repr, row)) for row in [*values.tolist(), [3.25] * values.shape[1]]))
    total = one.kernels[0].values.sum()
    if divisor == "sum" and abs(total) < 1e-3:
        return
    made = divided(one, divisor).kernels[0].values
    assert (np.abs(made).sum() if divisor == "abs" else made.sum()) == pytest.approx(1)


@pytest.mark.parametrize("spec", ["sobel-x", "laplacian", "sobel", "log", "0.1,0.2,-0.3"])
def test_a_sum_of_about_0_is_refused(spec: str) -> None:
    text = message(lambda: divided(parse(spec), "sum"))
    assert "which cannot be the divisor: --divisor abs divides it by" in text
    assert "sums to 0" in text or "sums to 5" in text


def test_zeros_and_what_becomes_infinite() -> None:
    assert "has zeros only" in message(lambda: divided(parse("0,0"), "abs"))
    assert "becomes infinite" in message(lambda: divided(parse("1e200,1"), 1e-200))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = np.random.default_rng(0).integers(0, 256, (9, 9))
    (tmp_path / "a.pgm").write_text("P2\n9 9\n255\n" + " ".join(map(str, rows.ravel().tolist())) + "\n")
    return tmp_path


@pytest.mark.parametrize("option", [("--normalize",), ("--divisor", "sum"), ("--divisor", "16"), ("--divisor", "abs")])
def test_a_kernel_that_is_not_normalised(option: tuple[str, ...], folder: Path) -> None:
    done("apply", "a.pgm", "-k", SIXTEEN, *option, "-o", "a.png", cwd=folder)
    done("apply", "a.pgm", "-k", f"({SIXTEEN})/16", "-o", "b.png", cwd=folder)
    np.testing.assert_array_equal(read(folder / "a.png"), read(folder / "b.png"))


def test_every_command_takes_it(folder: Path) -> None:
    assert done("kernel", SIXTEEN, "--normalize", "-q").text == done("kernel", "binomial", "-q").text
    assert done("explain", "a.pgm", "-k", SIXTEEN, "--divisor", "16", "--at", "2,2", "--json", cwd=folder).code == 0
    assert done("compare", "a.pgm", "-k", SIXTEEN, "--normalize", "--repeats", "1", "-q", cwd=folder).code == 0
    assert done("transpose", "a.pgm", "-k", SIXTEEN, "--divisor", "4", "-s", "2", "-o", "t.png", cwd=folder).code == 0
    code = done("explain", "a.pgm", "-k", SIXTEEN, "--normalize", "--as", "scipy", cwd=folder).text
    assert "/ 16" in code


@pytest.mark.parametrize("divisor", ["0", "nan", "inf", "max", "", "1,2"])
def test_wrong_divisors(divisor: str) -> None:
    said = run("apply", "samples/tiny.png", "-k", "box", "--divisor", divisor, "-o", "-").err
    assert "is not a number other than 0, sum or abs: use 16, or sum for the kernel's own sum" in said


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    command = ("apply", "samples/tiny.png", "-o", tmp_path / "o.png")
    said = run(*command, "-k", "box", "--normalize", "--divisor", "16.0").err
    assert "--normalize and --divisor 16.0 exclude each other" in said
    np.save(tmp_path / "w.npy", np.ones((1, 3, 3, 3)))
    assert "--divisor sum is for -k: leave it out" in run(*command, "--weights", tmp_path / "w.npy", "--normalize").err
    assert (
        "--divisor sum is for kernels: leave it out"
        in run("kernel", "--weights", tmp_path / "w.npy", "--normalize").err
    )
    assert "--divisor sum is for kernels: leave it out" in run("kernel", "--normalize").err
