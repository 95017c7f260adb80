"""Chains of layers: sizes and parameters against torch's own modules, receptive fields against gradients, costs by hand."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convcli.arithmetic import chain, chain_inputs, layers
from convcli.arithmetic.chain import Chain
from convcli.errors import GeometryError
from convcli.geometry import Size


def walk(text: str, height: int, width: int | None = None, channels: int = 3) -> Chain:
    return chain.walk(layers.parse(text), Size(height, width or height), channels)


@st.composite
def words(draw: st.DrawFn, kinds: tuple[str, ...] = ("conv", "transpose", "pool", "upsample")) -> str:
    """One layer, rows and columns apart."""
    kind = draw(st.sampled_from(kinds))
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))
    if kind == "upsample":
        return "upsample:{}x{}".format(*pair(1, 3))
    k, s, d = pair(1, 4), pair(1, 3), pair(1, 3)
    p = [min(pads, size // 2) for pads, size in zip(pair(0, 2), k, strict=True)]
    if kind == "pool":
        return f"pool:k{k[0]}x{k[1]},s{s[0]}x{s[1]},p{p[0]}x{p[1]},d{d[0]}x{d[1]}" + draw(
            st.sampled_from((",ceil", ""))
        )
    more = f",c{6 * draw(st.integers(1, 2))},g{draw(st.sampled_from((1, 2, 3)))}" + draw(
        st.sampled_from((",nobias", ""))
    )
    if kind == "transpose":
        more += ",op2={}x{}".format(*(draw(st.integers(0, max(a, b) - 1)) for a, b in zip(s, d, strict=True)))
    return f"{kind}:k{k[0]}x{k[1]},s{s[0]}x{s[1]},p{p[0]}x{p[1]},d{d[0]}x{d[1]}{more}"


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


@settings(deadline=None)
@given(st.lists(words(("conv", "transpose", "upsample")), min_size=1, max_size=4))
def test_receptive_fields_are_those_of_gradients(text: list[str]) -> None:
    """Which inputs move an output, with every weight 1; far from the border, at every place within a period."""
    parsed = layers.from_words(text)
    try:
        result = chain.walk(parsed, Size(150, 150), 6)
    except GeometryError:
        return
    last = result.steps[-1]
    if max(last.size) > 1500 or any(reach > 40 for reach in last.field.size):
        return
    for axis in (0, 1):
        leaf = torch.zeros(1, 1, 150, dtype=torch.float64, requires_grad=True)
        tensor: torch.Tensor = leaf
        for layer in parsed:
            spec, k = layer.spec, layer.kernel[axis]
            assert not isinstance(spec.padding, str)
            ones = torch.ones(1, 1, k, dtype=torch.float64)
            shared = {"stride": spec.stride[axis], "padding": spec.padding[2 * axis], "dilation": spec.dilation[axis]}
            if spec.transpose:
                tensor = nn.functional.conv_transpose1d(
                    tensor, ones, output_padding=spec.output_padding[axis], **shared
                )
            else:
                tensor = nn.functional.conv1d(tensor, ones, **shared)
        period = 1
        for layer in parsed:
            period *= layer.spec.stride[axis] if layer.spec.transpose else 1
        middle = round((75 - last.field.start[axis]) / last.field.jump[axis])
        centre = float(last.field.start[axis] + middle * last.field.jump[axis])
        if abs(centre - 75) > 75 - 40 - period * last.field.jump[axis]:
            continue  # no place is far from the border where outputs are so far apart
        seen = []
        for place in range(middle, middle + period):
            (gradient,) = torch.autograd.grad(tensor[0, 0, place], leaf, retain_graph=True)
            touched = gradient[0, 0].nonzero()
            seen.append((int(touched[0]), int(touched[-1])) if len(touched) else None)
        sizes = [part[1] - part[0] + 1 for part in seen if part is not None]
        assert max(sizes, default=0) == last.field.size[axis], (text, axis)
        if all(part is not None for part in seen) and not any(layer.spec.transpose for layer in parsed):
            first, final = seen[0]  # type: ignore[misc]
            assert Fraction(first + final, 2) == last.field.start[axis] + middle * last.field.jump[axis]


@pytest.mark.parametrize(
    ("text", "sizes", "jumps", "starts"),
    [
        # 11 taps around pixel 5 - 2; two pools and convolutions by hand
        ("conv:k11,s4,p2 pool:k3,s2 conv:k5,p2", [11, 19, 51], [4, 8, 8], [3, 7, 7]),
        # dilation: 3 taps 4 apart span 9 pixels
        ("conv:k3,p1 conv:k3,d2,p2 conv:k3,d4,p4", [3, 7, 15], [1, 1, 1], [0, 0, 0]),
        ("conv:k3 conv:k3,d2 conv:k3,d4", [3, 7, 15], [1, 1, 1], [1, 3, 7]),
        # an even kernel's centre lies between two pixels; 4 taps 2 apart reach back to two inputs of every output
        ("conv:k4,s2,p1 transpose:k4,s2,p1", [4, 6], [2, 1], [Fraction(1, 2), 0]),
        # every output of a 2×2 block sees one pixel, whose middle lies 1/4 of a pixel from each
        ("transpose:k2,s2", [1], [Fraction(1, 2)], [Fraction(-1, 4)]),
        ("upsample:3 conv:k3,p1", [1, 2], [Fraction(1, 3)] * 2, [Fraction(-1, 3)] * 2),
    ],
)
def test_fields_by_hand(text: str, sizes: list, jumps: list, starts: list) -> None:
    steps = walk(text, 64).steps
    assert [step.field.size for step in steps] == [(size, size) for size in sizes]
    assert [step.field.jump for step in steps] == [(jump, jump) for jump in jumps]
    assert [step.field.start for step in steps] == [(start, start) for start in starts]


def test_a_field_over_two_ways_is_that_of_the_wider() -> None:
    """A residual block: the sum sees what the two convolutions see; a concatenation likewise, wherever it is cut."""
    assert walk("save:x conv:k3,p1 conv:k3,p1 add:x", 32).steps[-1].field.size == (5, 5)
    assert walk("save:x conv:k1 add:x conv:k3", 32).steps[-1].field.size == (3, 3)
    assert walk("conv:k5,s2,c8 save:x conv:k3 cat:x", 64).steps[-1].field.size == (9, 9)


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


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("conv:k4,s2,p1 transpose:k4,s2,p1", "multiples of 2"),
        ("conv:k3,s2,p1 conv:k3,s2,p1 transpose:k3,s2,p1,op2=1 transpose:k3,s2,p1,op2=1", "multiples of 4"),
        ("conv:k3,s2,p1 transpose:k3,s2,p1", "odd sizes"),
        ("conv:k3,s2 transpose:k3,s2", "odd sizes from 3 on"),
        ("pool:k3 upsample:3 conv:k3,p1", "multiples of 3"),
        ("conv:k3,s3 transpose:k5,s3,d1", "3n + 2 from 5 on"),
        ("conv:k3 transpose:k3", "every size from 3 on"),
        ("conv:k3,s2 transpose:k4,s2,p2", "no size"),
        ("save:a pool:k2 upsample:2 add:a", "multiples of 2"),
    ],
)
def test_sizes_that_return(text: str, which: str) -> None:
    parsed = layers.parse(text)
    found = chain_inputs.returning(parsed, chain.walk(parsed, Size(24, 24), 3))
    assert found is not None
    assert {str(found[0]), str(found[1])} == {which}


@settings(deadline=None)
@given(st.lists(words(("conv", "transpose", "pool")), min_size=2, max_size=4), st.integers(20, 60))
def test_sizes_that_return_are_those_that_do(text: list[str], size: int) -> None:
    parsed = layers.from_words([*text, "conv:k1"])
    try:
        result = chain.walk(parsed, Size(size, size), 6)
    except GeometryError:
        return
    if (found := chain_inputs.returning(parsed, result)) is None:
        return
    for tried in range(40, 40 + 2 * found[0].period):
        try:
            output = chain.walk(parsed, Size(tried, size), 6).steps[-1].size
        except GeometryError:
            continue
        assert (output.height == tried) == (tried % found[0].period in found[0].remainders)


def test_each_axis_returns_by_itself() -> None:
    """The given width is even: every height returns with it, none with an odd one, which cat refuses."""
    parsed = layers.parse("save:a pool:k1x2,s1x2,ceil transpose:k1x2,s1x2 cat:a")
    found = chain_inputs.returning(parsed, chain.walk(parsed, Size(9, 8), 3))
    assert found is not None
    assert [str(axis) for axis in found] == ["every size", "multiples of 2"]


def test_chains_that_do_not_return() -> None:
    for text in ("conv:k3,p1", "conv:k3,s2 conv:k3", "transpose:k2,s2"):
        parsed = layers.parse(text)
        assert chain_inputs.returning(parsed, chain.walk(parsed, Size(24, 24), 3)) is None


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
    found, channels = layers.from_document({"in_channels": 1, "layers": tables})
    assert channels == 1
    plain = lambda layer: {name: getattr(layer, name) for name in layer.__slots__ if name != "text"}
    assert [plain(layer) for layer in found] == [plain(layer) for layer in layers.parse(text)]
    assert layers.from_document(text.split())[0] == layers.parse(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("upsample:100000", 1),
        ("upsample:10000 upsample:10000 conv:k3", 2),  # at most one edge between two pixels lies in three small ones
        ("transpose:k100000,s3", 33334),  # ⌈100000/3⌉ taps meet at an output
        ("transpose:k100000,s3 conv:k7", 33336),  # 100006 zero-stuffed places, of which every third is a pixel
        ("upsample:2048 conv:k2048,s2048 conv:k3", 3),  # back at whole pixels
        ("conv:k3,p1 " * 5000, 10001),
        ("upsample:32 " + "conv:k3,p1 " * 2000, 126),  # 4001 of the small pixels touch ⌊4000/32⌋ + 1
    ],
)
def test_fields_of_large_factors_and_long_chains(text: str, size: int) -> None:
    """Which took minutes where every tap was followed, or every layer from each one after it."""
    assert walk(text, 16).steps[-1].field.size == (size, size)


def test_a_field_over_branches_of_two_strides() -> None:
    """Of the joined, output o sees pixel o - 1 by one way (of 1 pixel, padded by 1) and 3o - 3 by the other: output 0 sees -3
    to -1."""
    steps = walk("save:a conv:k1,p1 save:b from:a conv:k1,s3,p3 add:b", 1).steps
    assert steps[-1].field.size == (3, 3)


def test_chains_beyond_any_tensor_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"layer 2 .*beyond any tensor"):
        walk("upsample:2147483647 upsample:2147483647", 8)
    with pytest.raises(GeometryError, match=r"layer 3 .*strides together"):
        walk("conv:k1,s2147483647 " * 500, 1)
    primes = [n for n in range(2, 60) if all(n % m for m in range(2, n))][:8]
    branches = " ".join(f"save:a conv:k1,s{prime} add:a" for prime in primes)
    with pytest.raises(GeometryError, match="more than 64 different strides"):
        walk(branches, 1)
