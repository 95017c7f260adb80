"""conv2d and conv_transpose2d against torch and SciPy, over all that they have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import convcli
from support.cli import run

SCIPY = {"zeros": "constant", "symmetric": "reflect", "replicate": "nearest", "reflect": "mirror", "circular": "wrap"}


@st.composite
def layers(draw: st.DrawFn, transpose: bool) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """An image, weights and the arguments that torch has, too."""
    groups = draw(st.integers(1, 3))
    inputs, outputs = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)) | st.integers(1, 3))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 3)) | st.integers(1, 2))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 3)) | st.integers(0, 3))
    arguments: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if transpose:
        arguments["output_padding"] = draw(st.integers(0, 1))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    batch = draw(st.sampled_from([(), (1,), (2,)]))
    image = generator.normal(size=(*batch, inputs, *size))
    shape = (inputs, outputs // groups) if transpose else (outputs, inputs // groups)
    if draw(st.booleans()):
        arguments["bias"] = generator.normal(size=outputs)
    return image, generator.normal(size=(*shape, *kernel)), arguments


def in_torch(call: Any, image: np.ndarray, weight: np.ndarray, arguments: dict[str, Any]) -> np.ndarray | None:
    """What torch computes; None if it refuses."""
    tensors = {key: torch.from_numpy(value) if key == "bias" else value for key, value in arguments.items()}
    try:
        found: np.ndarray = call(torch.from_numpy(image), torch.from_numpy(weight), **tensors).numpy()
    except (RuntimeError, ValueError):
        return None
    return found


@given(layers(transpose=False))
def test_conv2d_is_torchs(layer: tuple[np.ndarray, np.ndarray, dict[str, Any]]) -> None:
    image, weight, arguments = layer
    expected = in_torch(F.conv2d, *layer)
    if expected is None:
        with pytest.raises(ValueError):
            convcli.conv2d(image, weight, **arguments, channel_axis=-3)
        return
    found = convcli.conv2d(image, weight, **arguments, channel_axis=-3)
    assert found.shape == expected.shape
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(layers(transpose=True))
def test_conv_transpose2d_is_torchs(layer: tuple[np.ndarray, np.ndarray, dict[str, Any]]) -> None:
    image, weight, arguments = layer
    expected = in_torch(F.conv_transpose2d, *layer)
    if expected is None or 0 in expected.shape:
        with pytest.raises(ValueError):
            convcli.conv_transpose2d(image, weight, **arguments, channel_axis=-3)
        return
    found = convcli.conv_transpose2d(image, weight, **arguments, channel_axis=-3)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)), st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from(sorted(SCIPY)), st.sampled_from(["uint8", "int16", "float32", "float64"]), st.integers(0, 2**32),
    st.booleans(),
)  # fmt: skip
def test_borders_are_scipys(
    size: tuple[int, int], kernel: tuple[int, int], mode: str, kind: str, seed: int, flip: bool
) -> None:
    """An even kernel has no middle: SciPy's lies left of ours. So the padding is given in numbers."""
    generator = np.random.default_rng(seed)
    image = generator.integers(0, 256, size).astype(kind)
    weights = generator.integers(-9, 10, kernel).astype(float)
    call = scipy.ndimage.convolve if flip else scipy.ndimage.correlate
    expected = call(image.astype(float), weights, mode=SCIPY[mode])
    (top, left), (bottom, right) = ((k // 2 for k in kernel), ((k - 1) // 2 for k in kernel))
    pads = (bottom, top, right, left) if flip else (top, bottom, left, right)
    found = convcli.conv2d(image, weights, op="conv" if flip else "corr", padding=pads, padding_mode=mode)
    np.testing.assert_allclose(found, expected, rtol=1e-4 if kind == "float32" else 1e-6, atol=1e-3)
    assert found.dtype == ("float32" if kind in ("uint8", "float32") else "float64")


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@given(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(1, 2), st.integers(0, 2**32))
def test_padding_modes_are_torchs(mode: str, padding: tuple[int, int], stride: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = torch.nn.Conv2d(4, 6, 3, stride, padding, groups=2, padding_mode=mode).double()
    image = torch.rand(2, 4, 7, 8, dtype=torch.float64)
    with torch.no_grad():
        expected, weight, bias = layer(image), layer.weight.detach(), layer.bias
    assert bias is not None
    more: dict[str, Any] = {"padding": padding, "padding_mode": mode, "stride": stride, "groups": 2}
    torch.testing.assert_close(convcli.conv2d(image, weight, bias=bias.detach(), **more), expected)


@pytest.mark.parametrize("same", ["same", "valid"])
def test_words_of_padding_are_torchs(same: str) -> None:
    image, weight = torch.rand(2, 3, 8, 9), torch.rand(4, 3, 3, 5)
    expected = F.conv2d(image, weight, padding=same)
    torch.testing.assert_close(convcli.conv2d(image, weight, padding=same), expected)


def test_output_size_is_torchs() -> None:
    image, weight = torch.rand(1, 2, 4, 5), torch.rand(2, 3, 3, 3)
    layer = torch.nn.ConvTranspose2d(2, 3, 3, stride=3, padding=1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(weight)
        expected = layer(image, output_size=(12, 14))
    found = convcli.conv_transpose2d(image, weight, stride=3, padding=1, output_size=(12, 14))
    torch.testing.assert_close(found, expected)


def test_depthwise_and_summed_channels() -> None:
    generator = np.random.default_rng(0)
    image, kernel = generator.normal(size=(3, 8, 9)), generator.normal(size=(2, 3, 3))
    each = convcli.conv2d(image, kernel)
    assert each.shape == (6, 6, 7)
    for channel in range(3):
        for number in range(2):
            np.testing.assert_allclose(
                each[2 * channel + number], convcli.conv2d(image[channel], kernel[number]), atol=1e-12
            )
    np.testing.assert_allclose(
        convcli.conv2d(image, kernel, channels="sum"), each.reshape(3, 2, 6, 7).sum(0), atol=1e-12
    )
    luma = np.tensordot([0.299, 0.587, 0.114], image, 1)
    gray = convcli.conv2d(image, kernel[0], channels="gray")
    assert gray.shape == (1, 6, 7)
    np.testing.assert_allclose(gray[0], convcli.conv2d(luma, kernel[0]), atol=1e-12)


def test_pairs_are_combined() -> None:
    image = np.random.default_rng(0).normal(size=(8, 9))
    x, y = (convcli.conv2d(image, name, padding="same") for name in ("sobel-x", "sobel-y"))
    np.testing.assert_allclose(convcli.conv2d(image, "sobel", padding="same"), np.hypot(x, y))
    apart = convcli.conv2d(image, "sobel", padding="same", combine="none")
    np.testing.assert_array_equal(apart, [x, y])
    np.testing.assert_array_equal(convcli.conv2d(image, ["sobel-x", "sobel-y"], padding="same"), [x, y])
    np.testing.assert_allclose(
        convcli.conv2d(image, np.stack([convcli.kernel("sobel-x"), convcli.kernel("sobel-y")]), combine="sum"),
        (x + y)[1:-1, 1:-1],
    )


def test_layouts_and_divisors() -> None:
    generator = np.random.default_rng(0)
    image, weight = generator.normal(size=(2, 3, 8, 8)), generator.normal(size=(4, 3, 3, 3))
    expected = convcli.conv2d(image, weight)
    np.testing.assert_array_equal(convcli.conv2d(image, weight.transpose(2, 3, 1, 0), layout="hwio"), expected)
    depthwise = generator.normal(size=(3, 3, 3, 1))
    found = convcli.conv2d(image, depthwise, layout="hwcm")
    np.testing.assert_allclose(found, convcli.conv2d(image, depthwise[..., 0].transpose(2, 0, 1)[:, None], groups=3))
    np.testing.assert_allclose(
        convcli.conv2d(image[0, 0], [[1, 2, 1]], divisor="sum"), convcli.conv2d(image[0, 0], [[0.25, 0.5, 0.25]])
    )


def test_biases() -> None:
    image = np.zeros((3, 5, 5), np.uint8)
    assert convcli.conv2d(image, "identity", bias=2.5).tolist() == np.full((3, 5, 5), 2.5).tolist()
    assert (convcli.conv2d(image, "identity", bias="50%") == 127.5).all()
    assert convcli.conv2d(image, "identity", bias=[1, "10%", 3], full_scale=20)[:, 0, 0].tolist() == [1, 2, 3]
    assert convcli.conv2d(torch.zeros(1, 1, 2, 2), "identity", bias=torch.ones(1)).tolist() == [[[[1, 1], [1, 1]]]]


@pytest.mark.parametrize("backend", ["numpy", "torch", "reference"])
def test_backends_give_the_same_dtype(backend: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 9, 8), np.uint8)
    found = convcli.conv2d(image, "gaussian:1", backend=backend)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, convcli.conv2d(image, "gaussian:1", dtype="float64"), rtol=1e-5)


@given(st.integers(1, 4), st.integers(0, 2**32))
def test_the_adjoint(stride: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    image, weight = generator.normal(size=(2, 9, 9)), generator.normal(size=(3, 2, 3, 3))
    there = convcli.conv2d(image, weight, stride=stride, padding=1)
    assume(there.size)
    other = generator.normal(size=there.shape)
    back = convcli.conv_transpose2d(other, weight, stride=stride, padding=1, output_size=(9, 9), channel_axis=0)
    np.testing.assert_allclose(np.vdot(there, other), np.vdot(image, back), rtol=1e-8, atol=1e-8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.booleans(), st.sampled_from(["sobel", "gaussian:1", "1,2;3,4", "box:3"]), st.sampled_from(["corr", "conv"]),
    st.integers(1, 3), st.integers(0, 3), st.integers(1, 2), st.sampled_from(sorted(SCIPY)),
    st.sampled_from(["each", "sum", "gray"]), st.sampled_from([None, 2.5, "10%"]), st.sampled_from([None, "sum", "abs", 4.0]),
    st.sampled_from(["uint8", "float32", "float64"]), st.integers(0, 2**32),
)  # fmt: skip
def test_the_command_line_computes_the_same(
    tmp_path: Path, transpose: bool, kernel: str, op: Any, stride: int, padding: int, dilation: int, mode: str,
    channels: Any, bias: Any, divisor: Any, kind: str, seed: int,
) -> None:  # fmt: skip
    """The same values, and the same refusals."""
    image = (np.random.default_rng(seed).random((3, 9, 10)) * 200).astype(kind)
    np.save(tmp_path / "in.npy", image)
    more: dict[str, Any] = {"op": op, "stride": stride, "padding": padding, "dilation": dilation, "padding_mode": mode}
    more |= {"channels": channels, "bias": bias, "divisor": divisor}
    line = [
        part
        for name, value in more.items()
        if value is not None
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    command = "transpose" if transpose else "apply"
    ended = run(command, "in.npy", "-k", kernel, *line, "-o", "out.npy", cwd=tmp_path)
    call = convcli.conv_transpose2d if transpose else convcli.conv2d
    white = {} if kind == "uint8" else {"full_scale": 1.0}
    try:
        found = call(image, kernel, **more, **white)
    except ValueError:
        assert ended.code == 2
        return
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), found)


def test_threads_and_plans_change_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 300, 200), np.uint8)
    expected = convcli.conv2d(image, "sharpen")
    for more in ({"threads": 1}, {"plan": "taps"}, {"backend": "numpy"}):
        np.testing.assert_array_equal(convcli.conv2d(image, "sharpen", **more), expected)  # type: ignore[call-overload]
