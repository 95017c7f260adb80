"""How pixels lie in memory where torch's convolutions read them: side by side where that is faster, by one copy at most."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from convcli.backends.torch import convolutions as tensors
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair
from support.operations import convolve, transpose_convolve

BESIDE, PLANAR = torch.channels_last, torch.contiguous_format


def made(x: torch.Tensor, weight: torch.Tensor, groups: int = 1, transpose: bool = False) -> torch.Tensor:
    """The pixels as a layer reads them."""
    spec = ConvSpec(groups=groups, transpose=transpose)
    geometry = spec.resolve((x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3]))
    return tensors.tensors(x, weight, None, geometry, groups).x


def picture(channels: int, kind: torch.dtype, layout: torch.memory_format, size: int = 8) -> torch.Tensor:
    values = torch.arange(channels * size * size).reshape(1, channels, size, size) % 200
    return values.to(kind).contiguous(memory_format=layout)


def weights(first: int, second: int, kind: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.ones(first, second, 3, 3, dtype=kind)


@pytest.mark.parametrize("layout", [BESIDE, PLANAR])
@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16, torch.float32])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("transpose", [False, True])
def test_few_channels_lie_side_by_side(
    layout: torch.memory_format, kind: torch.dtype, groups: int, transpose: bool
) -> None:
    x = picture(3, kind, layout)
    out = made(x, weights(3, 3 // groups), groups, transpose)
    assert out.is_contiguous(memory_format=BESIDE)
    assert out.dtype is torch.float32
    assert torch.equal(out, x.float())


def test_many_do_only_if_they_did_before() -> None:
    assert made(picture(9, torch.uint8, PLANAR), weights(1, 9)).is_contiguous()
    assert made(picture(8, torch.uint8, PLANAR), weights(1, 8)).is_contiguous(memory_format=BESIDE)
    assert made(picture(9, torch.uint8, BESIDE), weights(1, 9)).is_contiguous(memory_format=BESIDE)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_slow_types_lie_plane_by_plane(kind: torch.dtype) -> None:
    assert made(picture(3, torch.uint8, BESIDE), weights(3, 1, kind), 3).is_contiguous()


def test_sides_of_1_lie_plane_by_plane() -> None:
    assert made(picture(3, torch.uint8, BESIDE, 4)[..., :1].clone(), torch.ones(3, 1, 3, 1), 3).is_contiguous()


@pytest.mark.parametrize(("channels", "kind", "layout"), [
    (3, torch.float32, BESIDE), (9, torch.float32, PLANAR), (9, torch.float32, BESIDE), (3, torch.float64, PLANAR),
])  # fmt: skip
def test_what_lies_right_is_not_copied(channels: int, kind: torch.dtype, layout: torch.memory_format) -> None:
    x = picture(channels, kind, layout)
    assert made(x, weights(1, channels, kind)).data_ptr() == x.data_ptr()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_copy_at_most(dtype: str) -> None:
    """Of colours beside an opacity that is left out: a view with gaps."""
    kind = getattr(torch, dtype)
    for source in (torch.uint8, kind):
        x = picture(4, source, BESIDE, 64)[:, :3]
        weight = weights(3, 1, kind)
        with torch.profiler.profile(profile_memory=True) as profile:
            made(x, weight, 3)
        size = 3 * 64 * 64 * kind.itemsize
        copies = [event for event in profile.events() if event.name == "aten::copy_"]
        assert len(copies) == 1
        allocated = sum(event.self_cpu_memory_usage for event in profile.events() if event.self_cpu_memory_usage > 0)
        assert allocated < 2 * size


@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular"])
@pytest.mark.parametrize("padding", ["same", "full"])
def test_padding_leaves_pixels_side_by_side(mode: str, padding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[torch.Tensor] = []
    real = torch.nn.functional.conv2d

    def conv2d(x: torch.Tensor, *others: Any) -> torch.Tensor:
        read.append(x)
        return real(x, *others)

    monkeypatch.setattr(torch.nn.functional, "conv2d", conv2d)
    image = np.moveaxis(np.random.default_rng(0).integers(0, 255, (9, 8, 3), np.uint8), -1, 0)
    spec = ConvSpec(groups=3, padding=padding, padding_mode=mode)
    result = convolve(image, np.ones((3, 1, 3, 2)), spec, Compute("torch"))
    assert read[0].is_contiguous(memory_format=BESIDE)
    truth = convolve(image, np.ones((3, 1, 3, 2)), spec, Compute("reference"))
    np.testing.assert_array_equal(result.array, truth.array)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular", "symmetric"])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(("channels", "size"), [(1, (9, 8)), (1, (1, 8)), (3, (1, 1)), (1, (1, 1))])
def test_strides_of_sides_of_1_are_those_of_planes(
    mode: str, transpose: bool, channels: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch would read channels_last from others, and write beyond its memory: values are right until it crashes."""
    if transpose and mode != "zeros":
        return
    read: list[torch.Tensor] = []
    for name in ("conv2d", "conv_transpose2d"):

        def call(
            x: torch.Tensor,
            weight: torch.Tensor,
            *others: Any,
            real: Any = getattr(torch.nn.functional, name),
            **more: Any,
        ) -> Any:
            read.extend((x, weight))
            return real(x, weight, *others, **more)

        monkeypatch.setattr(torch.nn.functional, name, call)
    image = np.moveaxis(np.random.default_rng(0).random((*size, channels), np.float32), -1, 0)
    weight = np.moveaxis(np.ones((1, 3, channels, 1), np.float32), 2, 0)
    spec = ConvSpec(
        groups=channels, padding=Pads(1, 1, 0, 0), padding_mode=mode, stride=Pair(2, 1), transpose=transpose
    )
    act = transpose_convolve if transpose else convolve
    act(image, weight, spec, Compute("torch"))
    assert len(read) == 2
    for tensor in read:
        assert tensor.stride() == torch.empty(tensor.shape).stride()


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("size", [(3, 3), (9, 3), (5, 4)])
def test_outputs_one_pixel_wide_in_bfloat16(size: tuple[int, int], multiplier: int) -> None:
    """torch 2.13 leaves results of depthwise layers out if channels lie side by side: memory shows through."""
    spec = ConvSpec(groups=3, stride=Pair(1, 3))
    image = np.random.default_rng(0).integers(0, 9, (3, *size)).astype(np.float32)
    weight = np.random.default_rng(1).integers(-2, 3, (3 * multiplier, 1, 3, 3)).astype(np.float64)
    x, kernels, geometry = (
        torch.from_numpy(image)[None],
        torch.from_numpy(weight).bfloat16(),
        spec.resolve(size, (3, 3)),
    )
    assert tensors.tensors(x, kernels, None, geometry, 3).x.is_contiguous()
    truth = convolve(image, weight, spec, Compute("reference")).array
    for _ in range(20):
        np.testing.assert_array_equal(convolve(image, weight, spec, Compute("torch", dtype="bfloat16")).array, truth)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(
    ("white", "weight", "bias"),
    [(65535, 1.0, 0), (65535, 60000.0, 0), (255, 100.0, 1e9), (1e300, 1e-4, -1e299), (3, 1 / 3, 1e6)],
)
def test_values_beyond_float16_are_scaled(white: float, weight: float, bias: float, transpose: bool) -> None:
    """By a power of two, so that the precision is that of float16."""
    image = np.full((2, 5, 5), white, np.uint16 if white == 65535 else np.float64)
    image[0, 2, 2] = 0
    kernel, offset = np.full((2, 2, 2, 2), weight), np.full(2, float(bias))
    act = transpose_convolve if transpose else convolve
    found = act(image, kernel, ConvSpec(), Compute("torch", dtype="float16"), offset).array.astype(np.float64)
    truth = act(image, kernel, ConvSpec(), Compute("reference"), offset).array
    reach = 8 * white * weight + abs(bias)
    if reach < 3e38:  # results are real numbers of 32 bits
        assert (np.abs(found - truth) <= 2.0**-9 * reach).all()


def test_what_float16_holds_is_not_scaled() -> None:
    x, weight = torch.full((1, 1, 4, 4), 255.0), torch.ones(1, 1, 3, 3, dtype=torch.float16)
    geometry = ConvSpec().resolve((4, 4), (3, 3))
    assert tensors.tensors(x, weight, None, geometry, 1).scale == 1
    assert tensors.tensors(x * 50, weight, None, geometry, 1).scale == 2
