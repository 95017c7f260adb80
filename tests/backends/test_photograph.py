"""A real picture through the engine, against scipy.ndimage and torch's own interpolation."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair
from convcli.kernels import Bank, parse
from support.cli import SAMPLES
from support.operations import BACKENDS, convolve, transpose_convolve

COFFEE = SAMPLES / "coffee.jpg"
SCIPY_MODES = {
    "zeros": "constant",
    "symmetric": "reflect",
    "reflect": "mirror",
    "replicate": "nearest",
    "circular": "wrap",
}
KERNELS = ["3x3", "5x5", "1x7", "2x2", "4x3", "3x6", "8x8"]


@pytest.fixture(scope="module")
def coffee() -> NDArray[np.uint8]:
    """``(3, 64, 97)``: a piece with the rim of the cup, its sides odd and even."""
    with Image.open(COFFEE) as picture:
        return np.asarray(picture.crop((180, 100, 277, 164))).transpose(2, 0, 1)


def kernel_of(size: str) -> NDArray[np.float64]:
    """A kernel ``HxW`` without any symmetry."""
    height, width = map(int, size.split("x"))
    return np.random.default_rng([height, width]).standard_normal((height, width))


def run(image: NDArray[np.uint8], kernel: NDArray[np.float64], spec: ConvSpec, backend: str) -> NDArray[np.floating]:
    """`kernel` on every channel, in float64."""
    weight = np.stack([kernel[np.newaxis]] * len(image))
    spec = ConvSpec(spec.op, padding=spec.padding, padding_mode=spec.padding_mode, groups=len(image))
    return convolve(image, weight, spec, Compute(backend, dtype="float64")).array


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("size", KERNELS)
def test_correlation_is_that_of_scipy(coffee: NDArray[np.uint8], size: str, mode: str, backend: str) -> None:
    """SciPy's window of an even kernel begins k//2 pixels before the output, ours (k-1)//2: its origin is -1 there."""
    kernel = kernel_of(size)
    origin = [-(1 - k % 2) for k in kernel.shape]
    ours = run(coffee, kernel, ConvSpec(padding="same", padding_mode=mode), backend)
    for plane, out in zip(coffee.astype(np.float64), ours, strict=True):
        expected = ndimage.correlate(plane, kernel, mode=SCIPY_MODES[mode], origin=origin)
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("size", KERNELS)
def test_convolution_is_that_of_scipy(coffee: NDArray[np.uint8], size: str, mode: str, backend: str) -> None:
    """SciPy turns the kernel and moves the origin of an even one: that is our "same" as it stands."""
    kernel = kernel_of(size)
    ours = run(coffee, kernel, ConvSpec("conv", padding="same", padding_mode=mode), backend)
    for plane, out in zip(coffee.astype(np.float64), ours, strict=True):
        expected = ndimage.convolve(plane, kernel, mode=SCIPY_MODES[mode])
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_a_kernel_larger_than_the_picture(coffee: NDArray[np.uint8], mode: str, backend: str) -> None:
    """Borders that repeat several times: 5×4 pixels under 17×15 taps."""
    piece, kernel = coffee[:, :5, :4], kernel_of("17x15")
    ours = run(piece, kernel, ConvSpec(padding="same", padding_mode=mode), backend)
    for plane, out in zip(piece.astype(np.float64), ours, strict=True):
        expected = ndimage.correlate(plane, kernel, mode=SCIPY_MODES[mode])
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "filtered"),
    [
        ("gaussian:1.5", lambda plane: ndimage.gaussian_filter(plane, 1.5, radius=5, mode="mirror")),
        ("box:5", lambda plane: ndimage.uniform_filter(plane, 5, mode="mirror")),
        ("laplacian", lambda plane: ndimage.laplace(plane, mode="mirror")),
        ("sobel-x", lambda plane: ndimage.sobel(plane, axis=1, mode="mirror")),
        ("sobel-y", lambda plane: ndimage.sobel(plane, axis=0, mode="mirror")),
        ("prewitt-x", lambda plane: ndimage.prewitt(plane, axis=1, mode="mirror")),
        ("prewitt-y", lambda plane: ndimage.prewitt(plane, axis=0, mode="mirror")),
        ("shift:3,-2", lambda plane: ndimage.shift(plane, (3, -2), order=0, mode="mirror")),
    ],
)
def test_named_kernels_are_scipys_filters(coffee: NDArray[np.uint8], name: str, filtered, backend: str) -> None:
    [kernel] = parse(name).kernels
    ours = run(coffee, kernel.values, ConvSpec(padding="same", padding_mode="reflect"), backend)
    for plane, out in zip(coffee.astype(np.float64), ours, strict=True):
        np.testing.assert_allclose(out, filtered(plane), rtol=0, atol=1e-9)


# --- enlarging ---


def enlarge(image: NDArray[np.generic], factor: int, crop: int, backend: str) -> NDArray[np.floating]:
    """``transpose -k bilinear:F --stride F --padding CROP`` on every channel."""
    weight, groups = Bank((parse(f"bilinear:{factor}"),)).weight(len(image), "each", 1, True)
    spec = ConvSpec(stride=Pair(factor, factor), padding=Pads(crop, crop, crop, crop), groups=groups)
    return transpose_convolve(image, weight, spec, Compute(backend, dtype="float64")).array


def interpolated(image: NDArray[np.uint8], factor: int) -> NDArray[np.float64]:
    tensor = torch.from_numpy(image.astype(np.float64))[None]
    return F.interpolate(tensor, scale_factor=factor, mode="bilinear", align_corners=False)[0].numpy()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bilinear_enlarges_the_interior_as_torch_interpolates(
    coffee: NDArray[np.uint8], factor: int, backend: str
) -> None:
    """Padding ⌈(f-1)/2⌉ gives f times the size; only the outermost pixels miss a neighbour."""
    ours = enlarge(coffee, factor, ceil((factor - 1) / 2), backend)
    theirs = interpolated(coffee, factor)
    assert ours.shape == theirs.shape == (3, 64 * factor, 97 * factor)
    inside = np.s_[:, factor:-factor, factor:-factor]
    np.testing.assert_allclose(ours[inside], theirs[inside], rtol=0, atol=1e-10)
    assert (ours[:, 0] < theirs[:, 0]).any()  # which is why there is the recipe below


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bilinear_enlarges_exactly_after_replicating_the_border(
    coffee: NDArray[np.uint8], factor: int, backend: str
) -> None:
    """The recipe: ``apply -k identity --padding 1 --padding-mode replicate``, then a crop that is larger by f."""
    weight, groups = Bank((parse("identity"),)).weight(3, "each", 1, False)
    spec = ConvSpec(padding=Pads(1, 1, 1, 1), padding_mode="replicate", groups=groups)
    wider = convolve(coffee, weight, spec, Compute(backend)).array
    ours = enlarge(wider, factor, ceil((factor - 1) / 2) + factor, backend)
    theirs = interpolated(coffee, factor)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bilinear_shrinks_back(coffee: NDArray[np.uint8], factor: int, backend: str) -> None:
    """The direct operation with the same kernel, stride and padding, over factor²: a flat picture stays as it is."""
    crop = ceil((factor - 1) / 2)
    flat = np.full_like(coffee, 77)
    large = enlarge(flat, factor, crop, backend)
    weight, groups = Bank((parse(f"bilinear:{factor}"),)).weight(3, "each", 1, False)
    spec = ConvSpec(stride=Pair(factor, factor), padding=Pads(crop, crop, crop, crop), groups=groups)
    small = convolve(large, weight / factor**2, spec, Compute(backend)).array
    assert small.shape == coffee.shape
    np.testing.assert_allclose(small[:, 2:-2, 2:-2], 77, rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_whole_photograph_in_every_dtype(backend: str) -> None:
    """600×400 pixels, enough for strips and threads: against SciPy in its full size."""
    with Image.open(COFFEE) as picture:
        image = np.asarray(picture).transpose(2, 0, 1)
    kernel = kernel_of("5x5")
    weight = np.stack([kernel[np.newaxis]] * 3)
    expected = [ndimage.correlate(plane.astype(np.float64), kernel, mode="nearest") for plane in image]
    spec = ConvSpec(padding="same", padding_mode="replicate", groups=3)
    for dtype, atol in (("float64", 1e-9), ("float32", 255 * np.abs(kernel).sum() * 2.0**-20)):
        if backend == "reference" and dtype == "float32":
            continue
        result = convolve(image, weight, spec, Compute(backend, dtype=dtype, threads=2))
        assert result.array.dtype == dtype
        np.testing.assert_allclose(result.array, expected, rtol=0, atol=atol)
