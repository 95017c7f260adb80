"""Defaults from the environment, for every command."""

import json
import subprocess
from pathlib import Path

import pytest

from support.cli import SAMPLES, done, program

TINY = str(SAMPLES / "tiny.png")


def report_of(ended: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert ended.returncode == 0, ended.stderr
    document: dict[str, object] = json.loads(ended.stdout)
    return document


APPLY = ("apply", TINY, "-k", "box", "-o", "out.png", "--json")


def test_variables_set_the_defaults(tmp_path: Path) -> None:
    assert report_of(program(*APPLY, cwd=tmp_path))["backend"] == "numpy"
    assert report_of(program(*APPLY, cwd=tmp_path, CONVCLI_BACKEND="reference"))["backend"] == "reference"
    assert report_of(program(*APPLY, cwd=tmp_path, CONVCLI_DTYPE="float64"))["dtype"] == "float64"


def test_the_command_line_goes_first(tmp_path: Path) -> None:
    ended = program(*APPLY, "--backend", "numpy", cwd=tmp_path, CONVCLI_BACKEND="reference")
    assert report_of(ended)["backend"] == "numpy"


@pytest.mark.parametrize(
    ("options", "variables", "backend", "dtype"),
    [
        (("--backend", "numpy"), {"CONVCLI_DEVICE": "cuda"}, "numpy", "float32"),
        (("--plan", "taps"), {"CONVCLI_BACKEND": "torch"}, "numpy", None),
        (("--plan", "taps"), {"CONVCLI_BACKEND": "torch", "CONVCLI_DEVICE": "cuda"}, "numpy", None),
        (("--backend", "reference"), {"CONVCLI_DTYPE": "float16"}, "reference", "float64"),
        (("--plan", "fft"), {"CONVCLI_DTYPE": "bfloat16"}, "numpy", "float32"),
    ],
)
def test_a_variable_gives_way_to_what_the_command_line_implies(
    options: tuple[str, ...], variables: dict[str, str], backend: str, dtype: str | None, tmp_path: Path
) -> None:
    found = report_of(program(*APPLY, *options, cwd=tmp_path, **variables))
    assert found["backend"] == backend
    assert dtype is None or found["dtype"] == dtype


def test_what_the_command_line_says_does_not_give_way(tmp_path: Path) -> None:
    ended = program(*APPLY, "--backend", "numpy", "--device", "cuda", cwd=tmp_path)
    assert ended.returncode == 2
    assert "cuda" in ended.stderr


def test_an_absent_device_in_the_environment_is_an_error(tmp_path: Path) -> None:
    ended = program(*APPLY, cwd=tmp_path, CONVCLI_DEVICE="cuda:77")
    assert ended.returncode == 2
    assert "cuda:77" in ended.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("name", ["BACKEND", "DEVICE", "DTYPE", "THREADS", "COLOR"])
def test_a_bad_variable_is_named(name: str, tmp_path: Path) -> None:
    ended = program(*APPLY, cwd=tmp_path, **{f"CONVCLI_{name}": "nonsense"})
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"CONVCLI_{name}" in ended.stderr
    assert "nonsense" in ended.stderr
    assert f"CONVCLI_{name}" in done("apply", "--help").text


def test_variables_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    """Neither gives way to the other."""
    ended = program(*APPLY, cwd=tmp_path, CONVCLI_BACKEND="numpy", CONVCLI_DEVICE="cuda")
    assert ended.returncode == 2
    assert "runs on the CPU only, not on 'cuda'" in ended.stderr
