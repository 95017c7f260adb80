"""The formulas of the design as literal loops over plain Python numbers, against every backend.

Images and kernels hold small integers, so that every backend must return exactly the same numbers.

    convolution        S(x,y) = Σm Σn k(n,m) I(x-n, y-m)
    correlation        R(x,y) = Σm Σn k(n,m) I(x+n, y+m)
    in a network       R(x,y) = bias + Σm Σn k(n,m) I(s·x + d·n, s·y + d·m)
    transposed         I(x,y) adds k(n,m)·I(x,y) to R(s·x + d·n, s·y + d·m)
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair, Size
from support.layers import Layer, layers
from support.operations import BACKENDS, convolve, transpose_convolve

Plane = list[list[Any]]


everywhere = pytest.mark.parametrize("backend", BACKENDS)


def integers(seed: int, *shape: int) -> Any:
    """Nested lists of integers from -9 to 9."""
    generator = random.Random(seed)

    def fill(shape: tuple[int, ...]) -> Any:
        return [fill(shape[1:]) for _ in range(shape[0])] if shape else generator.randint(-9, 9)

    return fill(shape)


def pixel(image: Plane, y: int, x: int) -> Any:
    """A pixel; 0 outside of the image."""
    return image[y][x] if 0 <= y < len(image) and 0 <= x < len(image[0]) else 0


def apply_plane(image: Plane, kernel: Plane, spec: ConvSpec, backend: str) -> Plane:
    """One kernel on one plane."""
    result = convolve(np.array([image]), np.array([[kernel]], float), spec, Compute(backend, dtype="float64"))
    return result.array[0].tolist()


# --- the source's two definitions: the kernel is indexed about its centre ---


def convolution(image: Plane, kernel: Plane) -> Plane:
    """S(x,y) = Σm Σn k(n,m) I(x-n, y-m), n and m from -a to a and -b to b; zeros outside."""
    b, a = len(kernel) // 2, len(kernel[0]) // 2
    out = [[0] * len(image[0]) for _ in image]
    for y in range(len(image)):
        for x in range(len(image[0])):
            for m in range(-b, b + 1):
                for n in range(-a, a + 1):
                    out[y][x] += kernel[b + m][a + n] * pixel(image, y - m, x - n)
    return out


def correlation(image: Plane, kernel: Plane) -> Plane:
    """R(x,y) = Σm Σn k(n,m) I(x+n, y+m), n and m from -a to a and -b to b; zeros outside."""
    b, a = len(kernel) // 2, len(kernel[0]) // 2
    out = [[0] * len(image[0]) for _ in image]
    for y in range(len(image)):
        for x in range(len(image[0])):
            for m in range(-b, b + 1):
                for n in range(-a, a + 1):
                    out[y][x] += kernel[b + m][a + n] * pixel(image, y + m, x + n)
    return out


ODD = st.sampled_from((1, 3, 5))
SIDE = st.integers(1, 7)


@everywhere
@given(size=st.tuples(SIDE, SIDE), kernel=st.tuples(ODD, ODD), seed=st.integers(0, 2**32))
def test_convolution_and_correlation_as_printed(
    backend: str, size: tuple[int, int], kernel: tuple[int, int], seed: int
) -> None:
    image, weights = integers(seed, *size), integers(seed + 1, *kernel)
    assert apply_plane(image, weights, ConvSpec(op="conv", padding="same"), backend) == convolution(image, weights)
    assert apply_plane(image, weights, ConvSpec(op="corr", padding="same"), backend) == correlation(image, weights)


# --- the source's third formula as printed, and as the tool computes it ---


def printed_strided_sum(image: Plane, kernel: Plane, s: int, bias: int) -> Plane:
    """bias + Σ_{m=-b/s..b/s} Σ_{n=-a/s..a/s} k(sn,sm) I(x+sn, y+sm), at every pixel (x, y).

    a/s and b/s are whole numbers of steps: the taps that lie within the kernel.
    """
    b, a = len(kernel) // 2, len(kernel[0]) // 2
    out = [[bias] * len(image[0]) for _ in image]
    for y in range(len(image)):
        for x in range(len(image[0])):
            for m in range(-(b // s), b // s + 1):
                for n in range(-(a // s), a // s + 1):
                    out[y][x] += kernel[b + s * m][a + s * n] * pixel(image, y + s * m, x + s * n)
    return out


def thinned(kernel: Plane, s: int) -> Plane:
    """k[::s, ::s] taken about the centre, so that the centre tap stays."""
    b, a = len(kernel) // 2, len(kernel[0]) // 2
    return [row[a % s :: s] for row in kernel[b % s :: s]]


@everywhere
@given(
    size=st.tuples(SIDE, SIDE),
    kernel=st.tuples(st.sampled_from((1, 3, 5, 7, 9)), st.sampled_from((1, 3, 5, 7, 9))),
    s=st.integers(1, 4),
    bias=st.integers(-9, 9),
    seed=st.integers(0, 2**32),
)
def test_the_printed_strided_sum_is_dilation_with_a_thinned_kernel(
    backend: str, size: tuple[int, int], kernel: tuple[int, int], s: int, bias: int, seed: int
) -> None:
    """The printed stride keeps the output grid: it is a dilation by s, not PyTorch's stride."""
    image, weights = integers(seed, *size), integers(seed + 1, *kernel)
    thin = thinned(weights, s)
    b, a = len(weights) // 2, len(weights[0]) // 2
    assert thin[len(thin) // 2][len(thin[0]) // 2] == weights[b][a]
    result = convolve(
        np.array([image]),
        np.array([[thin]], float),
        ConvSpec(padding="same", dilation=Pair(s, s)),
        Compute(backend, dtype="float64"),
        np.array([bias], float),
    )
    assert result.array[0].tolist() == printed_strided_sum(image, weights, s, bias)


def test_the_printed_strided_sum_differs_from_a_strided_layer() -> None:
    """On the same 5×5 image and 3×3 kernel: 25 outputs of one tap each, against 9 outputs of nine taps."""
    image, kernel = integers(1, 5, 5), integers(2, 3, 3)
    assert thinned(kernel, 2) == [[kernel[1][1]]]
    assert printed_strided_sum(image, kernel, 2, 0) == [[kernel[1][1] * value for value in row] for row in image]
    strided = apply_plane(image, kernel, ConvSpec(padding="same-upper", stride=Pair(2, 2)), "reference")
    assert strided == [row[::2] for row in correlation(image, kernel)[::2]]


# --- the network's formula and its transpose, with every parameter ---


def network(image: Any, weight: Any, bias: list[int], spec: ConvSpec, size: tuple[int, int]) -> Any:
    """R(o,y,x) = bias(o) + Σc Σi Σj k(o,c,i,j) I(c, s·y + d·i - top, t·x + e·j - left); zeros outside.

    `image` [C][H][W], `weight` [C_out][C/groups][kh][kw].
    """
    (s, t), (d, e), (top, _, left, _) = spec.stride, spec.dilation, spec.padding
    filters, per_group = len(weight), len(weight[0])
    out = []
    for o in range(filters):
        group = o // (filters // spec.groups)
        plane = [[bias[o]] * size[1] for _ in range(size[0])]
        for y in range(size[0]):
            for x in range(size[1]):
                for c in range(per_group):
                    for i in range(len(weight[o][c])):
                        for j in range(len(weight[o][c][i])):
                            source = image[group * per_group + c]
                            plane[y][x] += weight[o][c][i][j] * pixel(source, s * y + d * i - top, t * x + e * j - left)
        out.append(plane)
    return out


def transposed_network(image: Any, weight: Any, bias: list[int], spec: ConvSpec, size: tuple[int, int]) -> Any:
    """Every input pixel scatters its kernel, s apart; `weight` [C][C_out/groups][kh][kw]; what the padding crops is lost."""
    (s, t), (d, e), (top, _, left, _) = spec.stride, spec.dilation, spec.padding
    per_filter, per_group = len(weight[0]), len(weight) // spec.groups
    out = [[[value] * size[1] for _ in range(size[0])] for value in bias]
    for c in range(len(weight)):
        for y in range(len(image[c])):
            for x in range(len(image[c][y])):
                for o in range(per_filter):
                    for i in range(len(weight[c][o])):
                        for j in range(len(weight[c][o][i])):
                            to_y, to_x = s * y + d * i - top, t * x + e * j - left
                            if 0 <= to_y < size[0] and 0 <= to_x < size[1]:
                                plane = out[c // per_group * per_filter + o]
                                plane[to_y][to_x] += weight[c][o][i][j] * image[c][y][x]
    return out


@everywhere
@given(layer=layers(explicit=True, modes=("zeros",)))
def test_the_network_formulas(backend: str, layer: Layer) -> None:
    """Any stride, padding, dilation, groups and bias; sizes by the printed size formulas."""
    layer = replace(layer, spec=replace(layer.spec, op="corr"))
    spec, (h, w), (kh, kw) = layer.spec, layer.size, layer.kernel
    (s, t), (d, e), (top, bottom, left, right) = spec.stride, spec.dilation, spec.padding
    outer, inner = (layer.channels, layer.filters) if spec.transpose else (layer.filters, layer.channels)
    image = integers(layer.seed, layer.channels, h, w)
    weight = integers(layer.seed + 1, outer, inner // spec.groups, kh, kw)
    bias = integers(layer.seed + 2, layer.filters)
    if spec.transpose:
        p2 = min(1, max(s, d) - 1), max(t, e) - 1
        spec = replace(spec, output_padding=Pair(*p2))
        size = (
            (h - 1) * s - top - bottom + d * (kh - 1) + p2[0] + 1,
            (w - 1) * t - left - right + e * (kw - 1) + p2[1] + 1,
        )
        act, formula = transpose_convolve, transposed_network
    else:
        size = (h + top + bottom - d * (kh - 1) - 1) // s + 1, (w + left + right - e * (kw - 1) - 1) // t + 1
        act, formula = convolve, network
    compute = Compute(backend, dtype="float64", threads=1)
    result = act(np.array(image), np.array(weight, float), spec, compute, np.array(bias, float))
    assert result.array.tolist() == formula(image, weight, bias, spec, size)


BORDERS = {
    "zeros": "0000|abcd|0000",
    "replicate": "aaaa|abcd|dddd",
    "reflect": "cdcb|abcd|cbab",
    "symmetric": "dcba|abcd|dcba",
    "circular": "abcd|abcd|abcd",
}


@everywhere
@pytest.mark.parametrize("mode", BORDERS)
def test_borders_as_drawn(backend: str, mode: str) -> None:
    """The identity kernel on padding shows the padding: the drawings of the field notes, on rows and on columns."""
    drawn = [{"0": 0, "a": 1, "b": 2, "c": 3, "d": 4}[letter] for letter in BORDERS[mode].replace("|", "")]
    spec = ConvSpec(padding=Pads(0, 0, 4, 4), padding_mode=mode)
    assert apply_plane([[1, 2, 3, 4]], [[1]], spec, backend) == [drawn]
    spec = ConvSpec(padding=Pads(4, 4, 0, 0), padding_mode=mode)
    assert apply_plane([[1], [2], [3], [4]], [[1]], spec, backend) == [[value] for value in drawn]


# --- worked by hand ---


IMAGE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
KERNEL = [[1, 2], [3, 4]]


@everywhere
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # 1·1 + 2·2 + 3·4 + 4·5 = 37, …
        (ConvSpec(), [[37, 47], [67, 77]]),
        # kernel turned: 4·1 + 3·2 + 2·4 + 1·5 = 23, …
        (ConvSpec(op="conv"), [[23, 33], [53, 63]]),
        # one more row below and column to the right: 1·3 + 3·6 = 21, …, 1·9 = 9
        (ConvSpec(padding="same"), [[37, 47, 21], [67, 77, 33], [23, 26, 9]]),
        # one more row above and column to the left: 4·1 = 4, 3·1 + 4·2 = 11, …
        (ConvSpec(padding="same-lower"), [[4, 11, 18], [18, 37, 47], [36, 67, 77]]),
        # every overlap
        (ConvSpec(padding="full"), [[4, 11, 18, 9], [18, 37, 47, 21], [36, 67, 77, 33], [14, 23, 26, 9]]),
        # the full result at rows 0, 2 and columns 0, 2
        (ConvSpec(padding="full", stride=Pair(2, 2)), [[4, 18], [36, 77]]),
        # taps two apart: 1·1 + 2·3 + 3·7 + 4·9
        (ConvSpec(dilation=Pair(2, 2)), [[64]]),
        # rows two apart, columns side by side: 1·1 + 2·2 + 3·7 + 4·8, 1·2 + 2·3 + 3·8 + 4·9
        (ConvSpec(dilation=Pair(2, 1)), [[58, 68]]),
        # replicated border above and left: all four on the 1; 1·1 + 2·2 + 3·1 + 4·2 = 16
        (ConvSpec(padding=Pads(1, 0, 1, 0), padding_mode="replicate"), [[10, 16, 26], [31, 37, 47], [61, 67, 77]]),
        # circular: the row above is 9 7 8 9, the column to the left 3, 6, 9: 1·9 + 2·7 + 3·3 + 4·1 = 36
        (ConvSpec(padding=Pads(1, 0, 1, 0), padding_mode="circular"), [[36, 34, 44], [39, 37, 47], [69, 67, 77]]),
        # reflected: the row above is 5 4 5 6, the column to the left 2, 5, 8: 1·5 + 2·4 + 3·2 + 4·1 = 23
        (ConvSpec(padding=Pads(1, 0, 1, 0), padding_mode="reflect"), [[23, 25, 35], [35, 37, 47], [65, 67, 77]]),
    ],
    ids=lambda value: "" if isinstance(value, list) else None,
)
def test_hand_computed(backend: str, spec: ConvSpec, expected: Plane) -> None:
    assert apply_plane(IMAGE, KERNEL, spec, backend) == expected


@everywhere
@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # stride 1: the kernel four times, one pixel apart: 1·4 + 2·3 + 3·2 + 4·1 = 20 in the centre
        (ConvSpec(transpose=True), [[1, 4, 4], [6, 20, 16], [9, 24, 16]]),
        # turned: centre 1·1 + 2·2 + 3·3 + 4·4
        (ConvSpec(transpose=True, op="conv"), [[4, 11, 6], [14, 30, 14], [6, 11, 4]]),
        # stride 2: four copies side by side
        (ConvSpec(transpose=True, stride=Pair(2, 2)), [[1, 2, 2, 4], [3, 4, 6, 8], [3, 6, 4, 8], [9, 12, 12, 16]]),
        # stride 3: a gap of zeros between them; output_padding 1,2 adds a row below and two columns to the right
        (
            ConvSpec(transpose=True, stride=Pair(3, 3), output_padding=Pair(1, 2)),
            [
                [1, 2, 0, 2, 4, 0, 0],
                [3, 4, 0, 6, 8, 0, 0],
                [0, 0, 0, 0, 0, 0, 0],
                [3, 6, 0, 4, 8, 0, 0],
                [9, 12, 0, 12, 16, 0, 0],
                [0, 0, 0, 0, 0, 0, 0],
            ],
        ),
        # padding 1 crops the stride-2 result all around; output_padding keeps its last row and column
        (ConvSpec(transpose=True, stride=Pair(2, 2), padding=Pads(1, 1, 1, 1)), [[4, 6], [6, 4]]),
        (
            ConvSpec(transpose=True, stride=Pair(2, 2), padding=Pads(1, 1, 1, 1), output_padding=Pair(1, 1)),
            [[4, 6, 8], [6, 4, 8], [12, 12, 16]],
        ),
        # dilation 2, stride 1: taps two apart
        (ConvSpec(transpose=True, dilation=Pair(2, 2)), [[1, 2, 2, 4], [3, 4, 6, 8], [3, 6, 4, 8], [9, 12, 12, 16]]),
    ],
    ids=lambda value: "" if isinstance(value, list) else None,
)
def test_hand_computed_transposed(backend: str, spec: ConvSpec, expected: Plane) -> None:
    image, weight = np.array([[[1, 2], [3, 4]]]), np.array([[KERNEL]], float)
    assert transpose_convolve(image, weight, spec, Compute(backend)).array[0].tolist() == expected


@everywhere
def test_hand_computed_channels_groups_and_bias(backend: str) -> None:
    """Two channels of 1×2 pixels, 1×2 kernels."""
    image = np.array([[[1, 2]], [[3, 4]]])
    compute = Compute(backend)
    # one output: 1·1 + 10·2 + 100·3 + 1000·4, and a bias of 5
    weight = np.array([[[[1, 10]], [[100, 1000]]]], float)
    assert convolve(image, weight, ConvSpec(), compute, np.array([5.0])).array.tolist() == [[[4326]]]
    # two groups, two outputs each: every channel meets its own kernels only
    weight = np.array([[[[1, 10]]], [[[2, 20]]], [[[3, 30]]], [[[4, 40]]]], float)
    out = convolve(image, weight, ConvSpec(groups=2), compute, np.array([0, 1, 2, 3.0])).array
    assert out.tolist() == [[[21]], [[43]], [[131]], [[175]]]
    # transposed, two groups, one output each: [1, 2] spread by (1, 10), [3, 4] by (2, 20)
    weight = np.array([[[[1, 10]]], [[[2, 20]]]], float)
    out = transpose_convolve(image, weight, ConvSpec(groups=2), compute, np.array([0, 1.0])).array
    assert out.tolist() == [[[1, 12, 20]], [[7, 69, 81]]]
    # transposed, one group: both channels add up in both outputs
    weight = np.array([[[[1, 10]], [[5, 50]]], [[[2, 20]], [[6, 60]]]], float)
    out = transpose_convolve(image, weight, ConvSpec(), compute).array
    assert out.tolist() == [[[7, 80, 100]], [[23, 264, 340]]]


@everywhere
def test_a_batch_is_its_images_one_by_one(backend: str) -> None:
    layer = Layer(ConvSpec(padding="same"), Size(4, 5), Size(3, 2), batch=3, channels=2, filters=2, biased=True)
    array = layer.run(backend).array
    for number in range(3):
        alone = convolve(layer.image[number], layer.weight, layer.spec, Compute(backend), layer.bias).array
        np.testing.assert_allclose(array[number], alone, rtol=1e-14, atol=1e-12)


@everywhere
@pytest.mark.parametrize("spec", [ConvSpec(padding_mode="reflect", padding=Pads(1, 1, 1, 1)), ConvSpec(transpose=True)])
@pytest.mark.parametrize("kind", ["uint8", "float64"])
def test_a_batch_of_no_image(backend: str, spec: ConvSpec, kind: str) -> None:
    act = transpose_convolve if spec.transpose else convolve
    image, weight = np.zeros((0, 4, 4, 5), kind), np.ones((4, 2, 3, 3))
    result = act(image, weight, replace(spec, groups=2), Compute(backend), np.ones(4))
    assert result.array.shape == result.output_shape == (0, 4, *result.geometry.output)
    assert result.array.dtype == result.dtype
