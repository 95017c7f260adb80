"""`convcli compare`: the same operation on every backend; shapes, errors, timings, and the exit code."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli import extras
from convcli.backends import Computed, Task
from convcli.backends import numpy as module
from support.cli import SAMPLES, binary, done, run, terminal

TINY = SAMPLES / "tiny.png"
SMALL = ["compare", "--size", "12,10", "--repeats", "1"]


def rows(*args: object) -> dict[str, dict]:
    """The CPU rows of the JSON document by backend, after checks that hold for every agreeing comparison."""
    document = done(*args, "--json").json
    assert document["agree"] is True
    assert all(row["agree"] for row in document["rows"])
    return {row["backend"]: row for row in document["rows"] if row["device"] == "cpu"}


def spoil(monkeypatch: pytest.MonkeyPatch, change) -> None:
    """Let the numpy backend return `change(array)`."""
    right = module.run
    monkeypatch.setattr(module, "run", lambda task: Computed(change(right(task).array.copy()), "wrong"))


def one_wrong_pixel(array: np.ndarray) -> np.ndarray:
    array[0, 0, 2, 1] += 50
    return array


# Agreement


def test_json() -> None:
    result = done("compare", TINY, "-k", "box:3", "--repeats", "2", "--json")
    assert len(result.text.splitlines()) == 1
    document = result.json
    assert document["agree"] is True
    cpu = {row["backend"]: row for row in document["rows"] if row["device"] == "cpu"}
    assert set(cpu) == {"numpy", "torch", "reference"}
    for row in document["rows"]:
        assert set(row) >= {"backend", "device", "plan", "output_shape", "max_abs_error", "median_ms"}
        assert row["output_shape"] == [3, 6, 6]
        assert 0 <= row["max_abs_error"] < 1e-3
        assert row["median_ms"] > 0
        assert row["plan"]
    assert cpu["reference"]["max_abs_error"] == 0


def test_table() -> None:
    result = done("compare", TINY, "-k", "sobel", "--stride", "2", "--repeats", "1")
    lines = {line.split()[0]: line for line in result.text.splitlines() if line.startswith("  ")}
    assert {"numpy", "torch", "reference"} <= set(lines)
    for name in ("numpy", "torch", "reference"):
        assert "6×3×3" in lines[name]
        assert any(unit in lines[name] for unit in ("µs", "ms", " s"))
    assert "error" in result.text
    assert "agree" in result.text
    assert "\x1b" not in result.text


@pytest.mark.parametrize("columns", [80, 200])
def test_rows_are_not_folded_on_a_terminal(columns: int) -> None:
    options = ["compare", "--size", "110,110", "--in-channels", "100", "-k", "gaussian", "--repeats", "1", "-p", "same"]
    lines = terminal(*options, COLUMNS=str(columns)).text.splitlines()
    [row] = [line for line in lines if "numpy separable" in line]
    assert "100×110×110" in row
    assert "yes" in row
    [header] = [line for line in lines if "backend" in line]
    assert all(name in header for name in ("output", "error", "relative", "median", "spread", "speed-up", "agrees"))


def test_quiet_prints_nothing_on_stdout() -> None:
    result = done(*SMALL, "-q")
    assert result.out == b""
    assert done(*SMALL, "--quiet").out == b""


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ([], [3, 10, 8]),
        (["--in-channels", "4"], [4, 10, 8]),
        (["--in-channels", "4", "--out-channels", "6", "--groups", "2", "--bias", "1,2,3,4,5,6"], [6, 10, 8]),
        (["--kernel-size", "2,5", "-s", "2,1"], [3, 6, 6]),
        (["-p", "same-upper", "-s", "2", "--padding-mode", "mirror"], [3, 6, 5]),
        (["-p", "9,0,1,12", "--padding-mode", "symmetric", "-d", "2"], [3, 17, 19]),
        (["--op", "conv", "-k", "box:3"], [3, 10, 8]),
        (["--channels", "sum", "-k", "sobel"], [2, 10, 8]),
        (["--transpose", "-s", "2"], [3, 25, 21]),
        (["--transpose", "-s", "2", "--in-channels", "4", "--out-channels", "2", "--groups", "2"], [2, 25, 21]),
        (["--op2", "1,0", "-s", "2"], [3, 26, 21]),
        (["--output-size", "26,22", "-s", "2"], [3, 26, 22]),
        (["-p", "same-lower", "--transpose", "-s", "3", "-k", "gaussian:1"], [3, 36, 30]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else None,
)
def test_geometries(options: list[str], shape: list[int]) -> None:
    found = rows(*SMALL, *options)
    assert {name: row["output_shape"] for name, row in found.items()} == dict.fromkeys(
        ("numpy", "torch", "reference"), shape
    )


def test_weights(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.random.default_rng(0).normal(size=(5, 3, 3, 3)))
    assert rows("compare", TINY, "--weights", tmp_path / "w.npy", "--repeats", "1")["numpy"]["output_shape"] == [
        5,
        6,
        6,
    ]


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_one_backend_against_the_reference(backend: str) -> None:
    assert set(rows(*SMALL, "--backend", backend)) == {backend, "reference"}


def test_dtype() -> None:
    found = rows(*SMALL, "--dtype", "float64")
    assert found["numpy"]["max_abs_error"] < 1e-12
    found = rows(*SMALL, "--dtype", "float16")
    assert "numpy" not in found
    assert found["torch"]["dtype"] == "float16"
    assert found["torch"]["max_abs_error"] > 1e-6
    result = done(*SMALL, "--dtype", "float16", "-q")
    assert result.code == 0


def test_gray_is_luma_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared is what `apply` would compute: one channel, not the sum over three."""
    seen = []
    right = module.run
    monkeypatch.setattr(module, "run", lambda task: seen.append(task.source.shape[1]) or right(task))
    done("compare", TINY, "-k", "box", "--channels", "gray", "--repeats", "1")
    assert set(seen) == {1}


def test_weights_of_a_channel_more_meet_the_opacity(tmp_path: Path) -> None:
    """As `apply` has it; weights of as many channels as there are colours leave it out."""
    for channels in (3, 4):
        np.save(tmp_path / "w.npy", np.random.default_rng(0).normal(size=(4, channels, 3, 3)))
        options = [SAMPLES / "icon.png", "--weights", tmp_path / "w.npy"]
        assert rows("compare", *options, "--repeats", "1")["numpy"]["output_shape"] == [4, 62, 62]
        done("apply", *options, "-o", tmp_path / "out.npy")


def test_json_wins_over_quiet() -> None:
    assert done(*SMALL, "--json", "-q").json["agree"] is True


@pytest.fixture
def fake_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA device with the arithmetic of the CPU, and larger errors with TF32."""
    from convcli.backends import torch as backend

    def timed(task: Task, repeats: int, tf32: bool) -> tuple[Computed, list[float]]:
        computed = backend.run(task._replace(device="cpu"))
        return computed._replace(array=computed.array * (1 + 1e-4 * tf32)), [2.0, 1.0, 3.0]

    monkeypatch.setattr(backend, "cuda_missing", lambda: None)
    monkeypatch.setattr(backend, "check_device", lambda device: None)
    monkeypatch.setattr(backend, "timed_on_cuda", timed)


@pytest.mark.usefixtures("fake_cuda")
def test_cuda_rows() -> None:
    """Where there is a device: float32 with and without TF32."""
    found = done(*SMALL, "--json").json
    cuda = {row["dtype"]: row for row in found["rows"] if row["device"] == "cuda"}
    assert set(cuda) == {"float32", "tf32"}
    assert all(row["agree"] and row["backend"] == "torch" and row["median_ms"] == 2 for row in cuda.values())
    assert cuda["tf32"]["max_abs_error"] > 10 * cuda["float32"]["max_abs_error"]
    assert cuda["tf32"]["tolerance"] > 1000 * cuda["float32"]["tolerance"]
    assert not [line for line in found["missing"] if line.startswith("cuda")]
    text = done(*SMALL).text
    assert "torch cuda tf32" in text


@pytest.mark.parametrize(("side", "dtypes"), [(14, ["float32", "tf32"]), (15, ["float32"])])
@pytest.mark.usefixtures("fake_cuda")
def test_what_is_transformed_on_cuda_has_no_row_of_tf32(side: int, dtypes: list[str]) -> None:
    """From 225 taps on: TF32 is for products, and the second row would say of it what is not so."""
    found = done("compare", "--size", "32,32", "-k", f"box:{side}", "--repeats", "1", "--json").json
    cuda = [row for row in found["rows"] if row["device"] == "cuda"]
    assert [row["dtype"] for row in cuda] == dtypes
    assert ("by fft" in cuda[0]["plan"]) is (side == 15)


@pytest.mark.cuda
@pytest.mark.parametrize("options", [[], ["--transpose", "-s", "2"], ["--dtype", "float16"], ["--device", "cuda"]])
def test_a_real_device(options: list[str]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    found = done(*SMALL, "--in-channels", "8", *options, "--json").json
    assert found["agree"] is True
    assert [row for row in found["rows"] if row["device"].startswith("cuda")]


# Disagreement


def test_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, one_wrong_pixel)
    result = run("compare", TINY, "-k", "box", "--repeats", "1", "--json")
    assert result.code == 1
    document = result.json
    assert document["agree"] is False
    cpu = {row["backend"]: row for row in document["rows"] if row["device"] == "cpu"}
    assert cpu["numpy"]["max_abs_error"] == pytest.approx(50, abs=1e-3)
    assert cpu["torch"]["max_abs_error"] < 1e-3
    assert (cpu["numpy"]["agree"], cpu["torch"]["agree"], cpu["reference"]["agree"]) == (False, True, True)


def test_difference_in_table_and_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, one_wrong_pixel)
    result = run("compare", TINY, "-k", "box", "--repeats", "1")
    assert result.code == 1
    assert "DIFFER" in result.text
    quiet = run("compare", TINY, "-k", "box", "--repeats", "1", "-q")
    assert (quiet.code, quiet.out) == (1, b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[:, :, 1:],
        lambda array: np.full_like(array, np.nan),
        lambda array: np.where(array == array.flat[0], np.inf, array),
        lambda array: array * 1.001,
        np.zeros_like,
    ],
    ids=["shape", "nan", "inf", "scale", "zeros"],
)
def test_every_kind_of_difference(change, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, change)
    result = run(*SMALL, "--json")
    assert result.code == 1
    document = result.json  # also where the error is not a number
    assert [row["agree"] for row in document["rows"] if row["backend"] == "numpy"] == [False]


def test_tolerance() -> None:
    """Rounding explains some error, so that zero tolerance fails where the computed one passes."""
    options = ["compare", "--size", "40,40", "--in-channels", "8", "--repeats", "1", "-q"]
    assert run(*options).code == 0
    assert run(*options, "--tolerance", "0").code == 1
    assert run(*options, "--tolerance", "1e-3").code == 0


def test_exit_code_of_the_real_program() -> None:
    result = binary(*SMALL, "--in-channels", "8", "--tolerance", "0", "--json")
    assert result.code == 1
    assert result.json["agree"] is False


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 4), np.uint8), "RGBA").save(tmp_path / "in.png")
    result = done("compare", "in.png", "-k", "box:3", "--backend", "numpy", cwd=tmp_path)
    assert "its alpha is left out" in result.err
    result = done("compare", SAMPLES / "animation.gif", "-k", "box:3", "--backend", "numpy", "--json")
    assert any("frames is used" in note for note in result.json["notes"])


def test_what_did_not_run_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    assert done(*SMALL).text.startswith("convcli compare: all agree (")
    monkeypatch.setattr(extras, "is_installed", lambda name: name != "torch")
    assert done(*SMALL).text.startswith("convcli compare: all that ran agree; torch did not run (")
