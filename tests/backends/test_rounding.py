"""What integers come out: those of the definition, whatever the plan, but for ties and for fewer than one in ten thousand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convcli.backends.numpy.strategies import STRATEGIES
from convcli.convspec import ConvSpec
from convcli.engine import Compute, ConvResult
from convcli.geometry import Pair
from convcli.kernels import parse
from convcli.pointwise.finish import Finish
from support.cli import SAMPLES, done
from support.operations import convolve, transpose_convolve

WHITE = {"uint8": 255.0, "uint16": 65535.0}
MOST = 1e-4
"""The share of pixels that may be rounded to the next level."""


def image(kind: str) -> NDArray[np.generic]:
    """Noise, RGB as decoded: every level is as likely as the others."""
    noise = np.random.default_rng(5).integers(0, WHITE[kind], (190, 260, 3), kind, endpoint=True)
    return np.moveaxis(noise, -1, 0)


@cache
def kernel(name: str) -> NDArray[np.float64]:
    """Some kernel of the library, or one of random taps that sum to 1."""
    if not name.startswith("random"):
        return parse(name).kernels[0].values
    taps = np.random.default_rng(3).random((int(name[7:]),) * 2)
    return taps / taps.sum()


def result(kind: str, name: str, transposed: bool, compute: Compute, finish: Finish) -> ConvResult:
    act = transpose_convolve if transposed else convolve
    stride = Pair(2, 2) if transposed else Pair(1, 1)
    spec = ConvSpec(stride=stride, padding="same-upper", groups=3, transpose=transposed)
    weight = np.repeat(kernel(name)[np.newaxis, np.newaxis], 3, axis=0)
    return act(image(kind), weight, spec, compute, np.full(3, 0.3), finish)


@cache
def truth(kind: str, name: str, transposed: bool) -> NDArray[np.float64]:
    return result(kind, name, transposed, Compute("reference"), Finish()).array


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kind", WHITE)
@pytest.mark.parametrize(
    ("plan", "name"),
    [
        (plan, name)
        for plan in STRATEGIES
        for name in (("disk:4", "box:9") if plan == "prefix" else ("random:3", "random:7", "random:17", "gaussian:2"))
    ],
)
def test_every_plan_rounds_as_the_definition_does(plan: str, name: str, kind: str, transposed: bool) -> None:
    exact = np.clip(truth(kind, name, transposed), 0, WHITE[kind])
    finish = Finish(dtype=kind, full_scale=WHITE[kind])
    found = result(kind, name, transposed, Compute("numpy", plan=plan, threads=1), finish)
    apart = found.array.astype(np.int64) - np.rint(exact).astype(np.int64)
    ties = np.abs(exact - np.floor(exact) - 0.5) < 1e-9 * WHITE[kind]
    assert np.abs(apart).max() <= 1
    assert np.count_nonzero(apart[~ties]) < MOST * apart.size
    assert ties.mean() < 0.01


def test_16_bits_are_computed_in_float64_unless_told_otherwise() -> None:
    finish = Finish(dtype="uint16", full_scale=65535.0)
    assert result("uint16", "random:7", False, Compute("numpy"), finish).dtype == "float64"
    assert result("uint16", "random:7", False, Compute("auto"), finish).dtype == "float64"
    assert result("uint16", "random:7", False, Compute("torch"), finish).dtype == "float32"
    narrow = result("uint16", "random:7", False, Compute("numpy", dtype="float32"), finish)
    assert narrow.dtype == "float32"
    wrong = np.count_nonzero(narrow.array != np.rint(truth("uint16", "random:7", False)))
    assert wrong > MOST * narrow.array.size  # which is why


@pytest.mark.parametrize("options", [(), ("--linear",), ("--channels", "gray"), ("--range", "minmax")])
def test_a_16_bit_file_comes_out_as_by_the_reference(options: tuple[str, ...], tmp_path: Path) -> None:
    for backend in ("numpy", "reference"):
        done(
            "apply", str(SAMPLES / "gradient16.png"), "-k", "gaussian:1.3", "-p", "same", *options,
            "--backend", backend, "-o", f"{tmp_path}/{backend}.png",
        )  # fmt: skip
    mine, its = (np.asarray(Image.open(f"{tmp_path}/{name}.png")).astype(int) for name in ("numpy", "reference"))
    assert np.count_nonzero(mine != its) <= MOST * mine.size


@pytest.mark.parametrize("rule", ["magnitude", "sum"])
@pytest.mark.parametrize("plan", ["taps", "toeplitz"])
def test_kernels_are_joined_in_a_type_that_holds_them(plan: str, rule: str) -> None:
    """Plain taps are exact integers here, beyond those that float32 holds; the root of an integer is no tie."""
    weight = np.stack([kernel.values for kernel in parse("sobel").kernels])[:, np.newaxis]
    finish = Finish(((2, rule),), "uint16", 65535.0)
    gray = image("uint16")[:1]
    found, exact = (
        convolve(gray, weight, ConvSpec(), compute, None, finish)
        for compute in (Compute("numpy", plan=plan), Compute("reference"))
    )
    assert ("exact" in found.plan) == (plan == "taps")
    np.testing.assert_array_equal(found.array, exact.array)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("scale", [1e20, 1e-20])
def test_magnitudes_whose_squares_float32_does_not_hold(backend: str, scale: float) -> None:
    weight = np.stack([kernel.values for kernel in parse("sobel").kernels])[:, np.newaxis]
    values = (np.random.default_rng(0).random((1, 30, 31)) * scale).astype(np.float32)
    found, exact = (
        convolve(values, weight, ConvSpec(), compute, None, Finish(((2, "magnitude"),))).array
        for compute in (Compute(backend), Compute("reference"))
    )
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, atol=1e-5 * float(exact.max()), rtol=0)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("kernel", ["log:2", "gaussian:3", "disk:4", "laplacian"])
@pytest.mark.parametrize("backend", ["numpy", "torch", "reference"])
def test_rounding_is_not_stretched_to_black_and_white(backend: str, kernel: str, kind: str, tmp_path: Path) -> None:
    """Of a flat picture: what it has of a kernel is the same everywhere, but for what rounding adds."""
    Image.fromarray(np.full((40, 50), WHITE[kind] * 0.47, kind)).save(tmp_path / "flat.png")
    options = ("-k", kernel, "-p", "same", "--padding-mode", "replicate", "--range", "minmax", "--backend", backend)
    done("apply", "flat.png", *options, "-o", "out.png", cwd=tmp_path)
    assert np.unique(np.asarray(Image.open(tmp_path / "out.png"))).tolist() == [0]
    explained = done("explain", "flat.png", *options[:-2], "--at", "20,20", "--json", cwd=tmp_path).json
    assert explained["written"] == 0


def test_a_small_difference_is_stretched(tmp_path: Path) -> None:
    """As that of one level in one pixel of a thousand."""
    image = np.full((40, 50), 120, np.uint8)
    image[20, 20] = 121
    Image.fromarray(image).save(tmp_path / "faint.png")
    done("apply", "faint.png", "-k", "gaussian:3", "-p", "same", "--padding-mode", "replicate", "--range", "minmax",
         "-o", "out.png", cwd=tmp_path)  # fmt: skip
    out = np.asarray(Image.open(tmp_path / "out.png"))
    assert (out.min(), out.max(), out[20, 20]) == (0, 255, 255)
