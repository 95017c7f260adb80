"""The algebra of the operations: adjoints, impulses, linearity, and what can be left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convcli.backends.numpy.strategies import STRATEGIES
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair
from support.layers import Layer, assert_close, layers
from support.operations import BACKENDS, convolve, transpose_convolve


@pytest.mark.parametrize("backend", BACKENDS)
@given(layer=layers(transpose=False, explicit=True, modes=("zeros",)))
def test_the_transposed_operation_is_the_adjoint(backend: str, layer: Layer) -> None:
    """⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩, with the output_padding for which convᵀ(y) has the size of x."""
    layer = replace(layer, kind="float64", biased=False)
    compute = Compute(backend, threads=1)
    x, weight = layer.image, layer.weight.astype(np.float64)
    forward = convolve(x, weight, layer.spec, compute)
    y = np.random.default_rng([layer.seed, 3]).standard_normal(forward.array.shape)
    lost = [
        (layer.size[axis] + sum(layer.spec.padding[2 * axis : 2 * axis + 2]) - d * (layer.kernel[axis] - 1) - 1) % s
        for axis, (s, d) in enumerate(zip(layer.spec.stride, layer.spec.dilation, strict=True))
    ]
    back = transpose_convolve(y, weight, replace(layer.spec, transpose=True, output_padding=Pair(*lost)), compute)
    assert back.array.shape == x.shape
    scale = np.sum(np.abs(forward.array * y)) + np.sum(np.abs(x * back.array))
    assert np.sum(forward.array * y) == pytest.approx(np.sum(x * back.array), rel=0, abs=1e-12 * (scale + 1))


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    place=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    op=st.sampled_from(("conv", "corr")),
)
def test_an_impulse_returns_the_kernel(
    backend: str,
    kernel: tuple[int, int],
    dilation: tuple[int, int],
    size: tuple[int, int],
    place: tuple[int, int],
    op: str,
) -> None:
    """A convolution copies the kernel to where the impulse is; a correlation copies it turned by 180°."""
    place = place[0] % size[0], place[1] % size[1]
    image = np.zeros((1, *size))
    image[(0, *place)] = 1
    weight = np.random.default_rng(7).standard_normal((1, 1, *kernel))
    spec = ConvSpec(op=op, padding="full", dilation=Pair(*dilation))
    out = convolve(image, weight, spec, Compute(backend)).array[0]
    expected = np.zeros_like(out)
    copy = weight[0, 0] if op == "conv" else weight[0, 0, ::-1, ::-1]
    rows = np.s_[place[0] : place[0] + dilation[0] * (kernel[0] - 1) + 1 : dilation[0]]
    columns = np.s_[place[1] : place[1] + dilation[1] * (kernel[1] - 1) + 1 : dilation[1]]
    expected[rows, columns] = copy
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
@given(layer=layers(transpose=True, explicit=True), place=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_a_transposed_impulse_paints_the_kernel(backend: str, layer: Layer, place: tuple[int, int]) -> None:
    """Pixel (y, x) paints k(i, j) at (s·y + d·i, s·x + d·j), which the padding then crops."""
    spec = layer.spec
    place = place[0] % layer.size[0], place[1] % layer.size[1]
    image = np.zeros((layer.channels, *layer.size))
    image[(0, *place)] = 1
    out = transpose_convolve(image, layer.weight, spec, Compute(backend)).array
    expected = np.zeros_like(out)
    kernels = layer.weight[0] if spec.op == "corr" else layer.weight[0, :, ::-1, ::-1]
    for i in range(layer.kernel.height):
        for j in range(layer.kernel.width):
            y = spec.stride.rows * place[0] + spec.dilation.rows * i - spec.padding.top
            x = spec.stride.columns * place[1] + spec.dilation.columns * j - spec.padding.left
            if 0 <= y < out.shape[1] and 0 <= x < out.shape[2]:
                expected[: len(kernels), y, x] = kernels[:, i, j]
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
@given(layer=layers(), a=st.floats(-4, 4), b=st.floats(-4, 4))
def test_linear_in_the_image_and_in_the_kernel(backend: str, layer: Layer, a: float, b: float) -> None:
    layer = replace(layer, kind="float64", weight_kind="float64", biased=False)
    other = replace(layer, seed=layer.seed + 1)
    act = transpose_convolve if layer.spec.transpose else convolve

    def run(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return act(image, weight, layer.spec, Compute(backend, threads=1)).array

    scale = 20 * (layer.magnitude.max() + other.magnitude.max() + np.abs(layer.image).max() * 20) * 1e-13 + 1e-13
    parts = a * run(layer.image, layer.weight) + b * run(other.image, layer.weight)
    np.testing.assert_allclose(run(a * layer.image + b * other.image, layer.weight), parts, rtol=0, atol=scale)
    parts = a * run(layer.image, layer.weight) + b * run(layer.image, other.weight)
    np.testing.assert_allclose(run(layer.image, a * layer.weight + b * other.weight), parts, rtol=0, atol=scale)


@pytest.mark.parametrize("backend", BACKENDS)
@given(layer=layers(transpose=False), shift=st.tuples(st.integers(-9, 9), st.integers(-9, 9)))
def test_circular_borders_commute_with_rolling(backend: str, layer: Layer, shift: tuple[int, int]) -> None:
    spec = replace(layer.spec, padding="same", padding_mode="circular", stride=Pair(1, 1))
    layer = replace(layer, spec=spec, kind="float64")
    compute = Compute(backend, threads=1)
    rolled = convolve(np.roll(layer.image, shift, (-2, -1)), layer.weight, spec, compute, layer.bias).array
    straight = np.roll(layer.run(backend).array, shift, (-2, -1))
    magnitude = np.roll(layer.magnitude, shift, (-2, -1))
    assert_close(rolled, straight, magnitude, "float64", layer.terms)


@pytest.mark.parametrize("backend", BACKENDS)
@given(layer=layers())
def test_convolution_is_correlation_with_the_kernel_turned(backend: str, layer: Layer) -> None:
    layer = replace(layer, spec=replace(layer.spec, op="conv"))
    turned = layer.weight[:, :, ::-1, ::-1]
    act = transpose_convolve if layer.spec.transpose else convolve
    compute = Compute(backend, threads=1)
    other = act(layer.image, turned, replace(layer.spec, op="corr"), compute, layer.bias).array
    np.testing.assert_array_equal(layer.run(backend).array, other)


@pytest.mark.parametrize("backend", BACKENDS)
@given(layer=layers())
def test_groups_are_layers_side_by_side(backend: str, layer: Layer) -> None:
    """A grouped layer is its groups, each run alone on its channels."""
    groups = layer.spec.groups
    assume(groups > 1)
    act = transpose_convolve if layer.spec.transpose else convolve
    compute = Compute(backend, threads=1)
    images = np.split(layer.image, groups, axis=-3)
    weights = np.split(layer.weight, groups, axis=0)
    biases = [None] * groups if layer.bias is None else np.split(layer.bias, groups)
    alone = [
        act(image, weight, replace(layer.spec, groups=1), compute, bias)
        for image, weight, bias in zip(images, weights, biases, strict=True)
    ]
    together = layer.run(backend)
    joined = np.concatenate([result.array for result in alone], axis=-3)
    assert_close(together.array, joined, layer.magnitude, together.dtype, layer.terms)


@given(layer=layers(transpose=False))
def test_stride_keeps_every_sth_output(layer: Layer) -> None:
    assume(not isinstance(layer.spec.padding, str) or layer.spec.padding in ("valid", "full"))
    dense = replace(layer, spec=replace(layer.spec, stride=Pair(1, 1)))
    s, t = layer.spec.stride
    for backend in BACKENDS:
        array = layer.run(backend).array
        kept = dense.run(backend).array[..., ::s, ::t]
        assert_close(array, kept, layer.magnitude, str(array.dtype), layer.terms)


@given(layer=layers(transpose=True))
def test_transposed_is_direct_on_a_stuffed_image(layer: Layer) -> None:
    """Field notes, complaint 7: s-1 zeros between the pixels, pads d(k-1) - p, the kernel turned, channels swapped."""
    layer = replace(layer, kind="float64", weight_kind="float64", batch=layer.batch or 1)
    geometry = layer.spec.resolve(layer.size, layer.kernel)
    (s, t), (d, e), groups = layer.spec.stride, layer.spec.dilation, layer.spec.groups
    n, channels, height, width = layer.image.shape
    reach = d * (layer.kernel.height - 1), e * (layer.kernel.width - 1)
    stuffed = np.zeros((n, channels, (height - 1) * s + 1, (width - 1) * t + 1))
    stuffed[:, :, ::s, ::t] = layer.image
    more = [(reach[0], reach[0] + geometry.output_padding[0]), (reach[1], reach[1] + geometry.output_padding[1])]
    stuffed = np.pad(stuffed, [(0, 0), (0, 0), *more])
    blocks = layer.weight.reshape(groups, channels // groups, -1, *layer.kernel)
    weight = blocks.swapaxes(1, 2).reshape(layer.filters, channels // groups, *layer.kernel)
    op = "conv" if layer.spec.op == "corr" else "corr"
    spec = ConvSpec(op=op, dilation=layer.spec.dilation, groups=groups)
    full = convolve(stuffed, weight, spec, Compute("reference"), layer.bias).array
    top, left = geometry.pads.top, geometry.pads.left
    expected = full[:, :, top : top + geometry.output.height, left : left + geometry.output.width]
    for backend in BACKENDS:
        assert_close(layer.run(backend).array, expected, layer.magnitude, "float64", layer.terms)


@pytest.mark.parametrize(("dtype", "part"), [("float32", 1e-4), ("float64", 1e-12)])
@given(layer=layers(), place=st.integers(0, 10**6))
def test_tolerances_are_tight_enough_to_see_one_wrong_weight(dtype: str, part: float, layer: Layer, place: int) -> None:
    """A tap that is wrong by a small part of itself must not pass as rounding."""
    layer = replace(layer, weight_kind="float64", biased=False)
    place %= layer.weight.size
    assume(abs(layer.weight.flat[place]) > 0.5)
    wrong = layer.weight.copy()
    wrong.flat[place] *= 1 + part * layer.terms
    act = transpose_convolve if layer.spec.transpose else convolve
    array = act(layer.image, wrong, layer.spec, Compute("reference")).array
    alone = np.zeros_like(wrong)
    alone.flat[place] = wrong.flat[place]
    share = np.abs(act(np.abs(layer.image), alone, layer.spec, Compute("reference")).array)
    assume((share > layer.magnitude / layer.terms / 2).any())  # the tap weighs something somewhere
    with pytest.raises(AssertionError):
        layer.assert_agrees(array, dtype)


@pytest.mark.parametrize("plan", STRATEGIES)
@given(layer=layers(explicit=True), apart=st.tuples(st.integers(4, 40), st.integers(4, 40)))
def test_taps_further_apart_than_the_image_is_wide(plan: str, layer: Layer, apart: tuple[int, int]) -> None:
    """What lies between the stretches that they read is left out."""
    far = Pair(*apart)
    reach = [d * (k - 1) for d, k in zip(far, layer.kernel, strict=True)]
    pads = layer.spec.padding
    assert isinstance(pads, Pads)
    if not layer.spec.transpose:  # so that there is an output
        pads = Pads(pads.top + reach[0], pads.bottom, pads.left + reach[1], pads.right)
    layer = replace(layer, spec=replace(layer.spec, dilation=far, padding=pads), flat=plan == "prefix")
    if plan == "prefix":
        layer = replace(layer, kind="uint8")
    layer.assert_agrees(layer.run("numpy", "float64", plan=plan).array, "float64", plan in ("fft", "separable"))


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("kernel", [(3, 3), (3, 1), (1, 3)])
def test_no_dilation_costs_more_than_the_taps(transpose: bool, kernel: tuple[int, int]) -> None:
    """Memory of the padded image would be beyond any machine's."""
    far = 10**9
    pads = Pads(*(far * (k - 1) // 2 for k in (kernel[0], kernel[0], kernel[1], kernel[1])))
    spec = ConvSpec(transpose=transpose, dilation=Pair(far, far), padding=pads)
    image = np.random.default_rng(0).integers(0, 256, (1, 7, 6), dtype=np.uint8)
    weight = np.arange(1.0, 1 + kernel[0] * kernel[1]).reshape(1, 1, *kernel)
    result = transpose_convolve if transpose else convolve
    middle = weight[0, 0, kernel[0] // 2, kernel[1] // 2]
    np.testing.assert_array_equal(result(image, weight, spec, Compute("numpy")).array, image * middle)


def test_many_taps_on_16_bits_are_summed_in_parts() -> None:
    """A thousand whites are beyond the integers that float32 holds."""
    image = np.full((1, 60, 60), 65535, np.uint16)
    weight = np.full((1, 1, 36, 36), 1 / 1296)
    result = convolve(image, weight, ConvSpec(), Compute("numpy", plan="taps"))
    np.testing.assert_allclose(result.array, 65535, rtol=3e-7)
