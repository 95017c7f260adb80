"""The transposed operation over an input that goes on beyond its border."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair, transposed_size
from convcli.kernels import parse
from convcli.vocabulary import PADDING_MODES
from support.cli import done
from support.layers import Layer, layers
from support.operations import BACKENDS, FAST, convolve, transpose_convolve
from support.pictures import write

AROUND = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap", "symmetric": "symmetric"}
MODES = st.sampled_from(PADDING_MODES[1:])
FAR = 24
"""Pixels on each side from which no kernel of these tests reaches the output."""


def literally(layer: Layer) -> NDArray[np.float64]:
    """torch's own operation on an input that is far larger, of which the part around the output is kept."""
    spec, image = layer.spec, layer.image.astype(np.float64)
    image = image if image.ndim == 4 else image[np.newaxis]
    geometry = spec.resolve(layer.size, layer.kernel)
    wide = np.pad(image, ((0, 0), (0, 0), (FAR, FAR), (FAR, FAR)), AROUND[spec.padding_mode])  # type: ignore[call-overload]
    weight = layer.weight[:, :, ::-1, ::-1] if spec.op == "conv" else layer.weight
    full = F.conv_transpose2d(
        torch.from_numpy(wide), torch.from_numpy(weight.astype(np.float64)),
        None if layer.bias is None else torch.from_numpy(layer.bias),
        tuple(spec.stride), groups=spec.groups, dilation=tuple(spec.dilation),
    ).numpy()  # fmt: skip
    top, left = geometry.pads.top + FAR * spec.stride.rows, geometry.pads.left + FAR * spec.stride.columns
    kept = full[..., top : top + geometry.output.height, left : left + geometry.output.width]
    return kept if layer.batch is not None else kept[0]


@given(layers(transpose=True), MODES)
def test_the_reference_is_the_operation_on_a_larger_input(layer: Layer, mode: str) -> None:
    layer = replace(layer, spec=replace(layer.spec, padding_mode=mode))
    want = literally(layer)
    assert layer.truth.shape == want.shape
    np.testing.assert_allclose(layer.truth, want, rtol=0, atol=1e-12 * float(layer.magnitude.max(initial=1)))


@pytest.mark.parametrize("backend", FAST)
@given(layer=layers(transpose=True), mode=MODES)
def test_backends_agree(backend: str, layer: Layer, mode: str) -> None:
    layer = replace(layer, spec=replace(layer.spec, padding_mode=mode))
    result = layer.run(backend, "float64")
    layer.assert_agrees(result.array, "float64", everywhere_alike=result.mixes)


@given(layers(transpose=True), MODES)
def test_the_geometry_of_the_extended_input_is_the_same_operation(layer: Layer, mode: str) -> None:
    geometry = replace(layer.spec, padding_mode=mode).resolve(layer.size, layer.kernel)
    larger = geometry.extended
    assert larger.output == geometry.output
    (top, bottom, left, right), more = larger.pads, larger.output_padding
    for axis, (before, after) in enumerate([(top, bottom), (left, right)]):
        step, apart = larger.stride[axis], larger.dilation[axis]
        size = transposed_size(larger.input[axis], larger.kernel[axis], step, apart, before, after, more[axis])
        assert size == larger.output[axis]


@given(layers(transpose=True), MODES)
def test_sizes_stay_as_they_are(layer: Layer, mode: str) -> None:
    zeros = layer.spec.resolve(layer.size, layer.kernel)
    assert zeros._replace(padding_mode=mode) == replace(layer.spec, padding_mode=mode).resolve(layer.size, layer.kernel)
    assert not any(zeros.reach)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("mode", "row"),
    [  # [1, 2, 3] under [1, 10, 100], with stride 1: y = 1·x(y) + 10·x(y - 1) + 100·x(y - 2)
        ("zeros", [1, 12, 123, 230, 300]),
        ("replicate", [111, 112, 123, 233, 333]),
        ("reflect", [321, 212, 123, 232, 321]),
        ("symmetric", [211, 112, 123, 233, 332]),
        ("circular", [231, 312, 123, 231, 312]),
    ],
)
def test_by_hand(backend: str, mode: str, row: list[int]) -> None:
    spec = ConvSpec(transpose=True, padding_mode=mode)
    image, kernel = np.array([[[1.0, 2, 3]]]), np.array([[[[1.0, 10, 100]]]])
    assert transpose_convolve(image, kernel, spec, Compute(backend)).array.tolist() == [[row]]


@pytest.mark.parametrize("backend", BACKENDS)
def test_output_padding_goes_on_too(backend: str) -> None:
    """[1, 2] with stride 2 under [1, 10]; the row that output_padding adds is the next pixel's."""
    spec = ConvSpec(transpose=True, stride=Pair(1, 2), padding_mode="circular", output_padding=Pair(0, 1))
    image, kernel = np.array([[[1.0, 2]]]), np.array([[[[1.0, 10]]]])
    assert transpose_convolve(image, kernel, spec, Compute(backend)).array.tolist() == [[[1, 10, 2, 20, 1]]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("factor", range(2, 9))
def test_it_enlarges_as_pytorch_interpolates(kernel: str, factor: int, backend: str) -> None:
    taps = parse(f"{kernel}:{factor}").kernels[0].values
    spec = ConvSpec(
        transpose=True, stride=Pair(factor, factor), padding="same-upper", padding_mode="replicate", groups=3
    )
    for size in ((1, 1), (2, 3), (9, 7)):
        image = 255 * np.random.default_rng(factor).random((3, *size))
        weight = np.broadcast_to(taps, (3, 1, *taps.shape))
        ours = transpose_convolve(image, weight, spec, Compute(backend, dtype="float64")).array
        theirs = F.interpolate(torch.from_numpy(image)[None], scale_factor=factor, mode=kernel, align_corners=False)
        np.testing.assert_allclose(ours, theirs[0].numpy(), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
@pytest.mark.parametrize("factor", [2, 3, 8])
def test_pictures_are_enlarged_as_pytorch_interpolates(kernel: str, factor: int, tmp_path: Path) -> None:
    """8 bits: the real values of torch, rounded half to even and clipped."""
    pixels = np.random.default_rng(1).integers(0, 256, (3, 11, 6), np.uint8)
    write(tmp_path / "a.png", pixels)
    line = ("-k", f"{kernel}:{factor}", "-s", factor, "-p", "same-upper", "--padding-mode", "replicate")
    told = done("transpose", "a.png", *line, "-o", "b.png", "--json", cwd=tmp_path).json
    assert told["padding_mode"] == "replicate"
    assert told["output_shape"] == [3, 11 * factor, 6 * factor]
    real = F.interpolate(torch.from_numpy(pixels.astype(float))[None], scale_factor=factor, mode=kernel)[0].numpy()
    found = np.moveaxis(np.asarray(Image.open(tmp_path / "b.png")), -1, 0).astype(int)
    sure = np.abs(real - np.floor(real) - 0.5) > 1e-4  # else float32 may round to the other side
    np.testing.assert_array_equal(found[sure], np.rint(real).clip(0, 255)[sure])
    assert np.abs(found - real.clip(0, 255)).max() <= 0.5 + 1e-4


def test_a_plain_picture_stays_plain(tmp_path: Path) -> None:
    """No dark edge: of colours, of opacity, of linear light, and with a bias."""
    colours = np.stack([np.full((5, 7), value, np.uint8) for value in (200, 100, 50, 120)])
    write(tmp_path / "a.png", colours)
    line = ("transpose", "a.png", "-k", "bilinear:3", "-s", "3", "-p", "1", "-o", "b.png")
    for more in ([], ["--alpha", "filter"], ["--alpha", "keep"], ["--linear"], ["--backend", "torch"]):
        done(*line, "--padding-mode", "reflect", *more, cwd=tmp_path)
        found = np.moveaxis(np.asarray(Image.open(tmp_path / "b.png")), -1, 0)
        assert found.shape == (4, 15, 21)
        np.testing.assert_array_equal(found, np.broadcast_to(colours[:, :1, :1], found.shape))
    done(*line, "--padding-mode", "symmetric", "--bias", "7", cwd=tmp_path)
    assert np.asarray(Image.open(tmp_path / "b.png"))[0, 0].tolist() == [207, 107, 57, 120]


def test_opacity_that_is_kept_goes_on_too(tmp_path: Path) -> None:
    """A pixel that lies two beyond a border of one pixel's crop is the copy that circular puts there."""
    picture = np.full((2, 1, 3), 9, np.uint8)
    picture[1] = [10, 20, 30]
    write(tmp_path / "a.png", picture)
    line = ("transpose", "a.png", "-k", "box:3", "--alpha", "keep", "-o", "b.png", "--padding-mode")
    for mode, opacity in (("zeros", [10, 10, 20, 30, 30]), ("circular", [30, 10, 20, 30, 10])):
        done(*line, mode, cwd=tmp_path)
        assert np.asarray(Image.open(tmp_path / "b.png"))[1, :, 1].tolist() == opacity


def test_a_kernel_that_does_not_reach_across_changes_nothing() -> None:
    image = np.arange(12.0).reshape(1, 3, 4)
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), padding_mode="reflect")
    weight = np.ones((1, 1, 2, 2))
    same = transpose_convolve(image, weight, replace(spec, padding_mode="zeros"), Compute("numpy")).array
    np.testing.assert_array_equal(transpose_convolve(image, weight, spec, Compute("numpy")).array, same)
    assert spec.resolve((3, 4), (2, 2)).reach == Pads(0, 0, 0, 0)


def test_the_direct_operation_reads_what_it_read() -> None:
    geometry = ConvSpec(padding=Pads(1, 2, 3, 4), padding_mode="reflect").resolve((5, 6), (3, 3))
    assert geometry.reach == geometry.pads
    image, weight = np.arange(30.0).reshape(1, 5, 6), np.ones((1, 1, 3, 3))
    padded = np.pad(image, ((0, 0), (1, 2), (3, 4)), "reflect")
    want = np.lib.stride_tricks.sliding_window_view(padded[0], (3, 3)).sum((2, 3))
    spec = ConvSpec(padding=Pads(1, 2, 3, 4), padding_mode="reflect")
    np.testing.assert_allclose(convolve(image, weight, spec, Compute("torch")).array[0], want)
