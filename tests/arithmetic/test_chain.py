"""Chains of layers: sizes and parameters against torch's own modules, costs by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convcli.arithmetic import chain, layers
from convcli.errors import GeometryError
from convcli.geometry import Size
from support.chains import walk, words


def module(layer: layers.Layer, channels: int) -> nn.Module:
    """The same as PyTorch has it."""
    spec, pads = layer.spec, layer.spec.padding
    assert not isinstance(pads, str)
    padding = pads[0], pads[2]
    if layer.kind == "upsample":
        return nn.Upsample(scale_factor=tuple(map(float, spec.stride)))
    if layer.kind == "pool":
        return nn.MaxPool2d(layer.kernel, spec.stride, padding, spec.dilation, ceil_mode=layer.ceil)
    out = layer.channels or channels
    if layer.kind == "transpose":
        return nn.ConvTranspose2d(
            channels,
            out,
            layer.kernel,
            spec.stride,
            padding,
            spec.output_padding,
            spec.groups,
            layer.bias,
            spec.dilation,
        )
    return nn.Conv2d(channels, out, layer.kernel, spec.stride, padding, spec.dilation, spec.groups, layer.bias)


@settings(deadline=None)
@given(st.lists(words(), min_size=1, max_size=5), st.integers(6, 40), st.integers(6, 40))
def test_sizes_and_parameters_are_torchs(text: list[str], height: int, width: int) -> None:
    parsed = layers.from_words(text)
    tensor = torch.zeros(1, 6, height, width)
    try:
        result = chain.walk(parsed, Size(height, width), 6)
    except GeometryError:
        return
    for layer, step in zip(parsed, result.steps, strict=True):
        theirs = module(layer, tensor.shape[1])
        with torch.no_grad():
            tensor = theirs(tensor)
        assert tuple(tensor.shape) == (1, step.channels, *step.size), layer.text
        assert sum(weights.numel() for weights in theirs.parameters()) == step.parameters
        assert step.activation_bytes == tensor.numel() * tensor.element_size()
        if tensor.numel() > 1 << 22:
            return


def test_costs_by_hand() -> None:
    """8×8 outputs of 4 channels, each 3·9 products; the transposed layer meets 4×4 inputs with 4·6/2 kernels of 16."""
    direct, pooled, transposed, grouped = walk(
        "conv:k3,p1,c4 pool:k2 transpose:k4,s2,p1,c6,g2 conv:k1,g3,c3,nobias", 8
    ).steps
    assert (direct.parameters, direct.macs, direct.flops) == (4 * 27 + 4, 8 * 8 * 4 * 27, 2 * 8 * 8 * 4 * 27)
    assert (pooled.parameters, pooled.macs, pooled.flops) == (0, 0, 0)
    assert (transposed.parameters, transposed.macs) == (4 * 3 * 16 + 6, 4 * 4 * 4 * 3 * 16)
    assert (grouped.parameters, grouped.macs) == (3 * 2, 8 * 8 * 3 * 2)
    assert [step.activation_bytes for step in (direct, pooled)] == [4 * 4 * 64, 4 * 4 * 16]


def test_macs_are_the_products_that_are_made() -> None:
    """Of a layer without padding and cropping, all of whose values are 1, the sum of the outputs is the number of products."""
    for text, layer in (
        ("conv:k3x2,s2,c4,g2,nobias", nn.Conv2d(6, 4, (3, 2), 2, groups=2, bias=False)),
        ("transpose:k3x2,s2,c4,g2,nobias", nn.ConvTranspose2d(6, 4, (3, 2), 2, groups=2, bias=False)),
    ):
        nn.init.ones_(layer.weight)
        with torch.no_grad():
            assert walk(text, 9, 7, 6).total("macs") == int(layer(torch.ones(1, 6, 9, 7)).sum())


@pytest.mark.parametrize("size", range(3, 12))
def test_pools_that_round_up(size: int) -> None:
    for k, s, p, d in ((2, 2, 0, 1), (3, 2, 1, 1), (2, 3, 1, 1), (3, 2, 1, 2), (1, 2, 0, 1)):
        if size + 2 * p < d * (k - 1) + 1:
            continue
        theirs = nn.MaxPool2d(k, s, p, d, ceil_mode=True)(torch.zeros(1, 1, size, size))
        assert walk(f"pool:k{k},s{s},p{p},d{d},ceil", size).steps[0].size == tuple(theirs.shape[2:])


def test_documents_say_what_words_do() -> None:
    tables = [
        {"type": "conv", "kernel_size": [7, 5], "stride": 2, "padding": [3, 2], "channels": 64, "bias": False},
        {"type": "pool", "kernel_size": 3, "stride": 2, "padding": 1, "ceil": True},
        "save:a",
        {"type": "conv", "kernel_size": 3, "padding": "same", "dilation": 2, "groups": 4},
        {"type": "cat", "name": "a"},
        {"type": "transpose", "kernel_size": 3, "stride": 2, "output_padding": 1, "in_channels": 128, "channels": 8},
        {"type": "upsample", "scale": [2, 1]},
    ]
    text = (
        "conv:k7x5,s2,p3x2,c64,nobias pool:k3,s2,p1,ceil save:a conv:k3,psame,d2,g4 cat:a "
        "transpose:k3,s2,op2=1,in128,c8 upsample:2x1"
    )
    found, channels, _ = layers.from_document({"in_channels": 1, "layers": tables})
    assert channels == 1
    plain = lambda layer: {name: getattr(layer, name) for name in layer.__slots__ if name != "text"}
    assert [plain(layer) for layer in found] == [plain(layer) for layer in layers.parse(text)]
    assert layers.from_document(text.split())[0] == layers.parse(text)


def test_chains_beyond_any_tensor_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"layer 2 .*larger than any tensor"):
        walk("upsample:2147483647 upsample:2147483647", 8)
    with pytest.raises(GeometryError, match=r"layer 3 .*strides together"):
        walk("conv:k1,s2147483647 " * 500, 1)
    primes = [n for n in range(2, 60) if all(n % m for m in range(2, n))][:8]
    branches = " ".join(f"save:a conv:k1,s{prime} add:a" for prime in primes)
    with pytest.raises(GeometryError, match="more than 64 different strides"):
        walk(branches, 1)
