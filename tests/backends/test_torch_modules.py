"""Every backend against torch's own layers: `torch.nn.Conv2d` and `torch.nn.ConvTranspose2d`.

The layers do their own padding, padding modes and sizes here; only their weights are handed to convcli.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError, GeometryError
from convcli.geometry import Pads, Pair, Size
from convcli.pointwise.finish import Finish
from support.layers import Layer, assert_close
from support.operations import BACKENDS, convolve, transpose_convolve

REFUSED = (RuntimeError, ValueError)
"""What torch raises for parameters and sizes that do not fit."""


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


def pads_of(padding: tuple[int, int]) -> Pads:
    return Pads(padding[0], padding[0], padding[1], padding[1])


def image_for(module: torch.nn.Module, batch: int | None, channels: int, size: tuple[int, int], seed: int) -> Any:
    """A random image as a tensor, and the module's parameters drawn from the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    shape = (channels, *size) if batch is None else (batch, channels, *size)
    return torch.randn(shape, generator=generator, dtype=next(module.parameters()).dtype)


def check(module: Any, image: torch.Tensor, expected: torch.Tensor, spec: ConvSpec, act: Callable[..., Any]) -> None:
    """All backends compute what the module did, in its dtype."""
    array, weight = image.numpy(), module.weight.detach().numpy()
    bias = None if module.bias is None else module.bias.detach().numpy()
    reach = act(np.abs(array), np.abs(weight), spec, Compute("reference"), None if bias is None else np.abs(bias)).array
    dtype = str(array.dtype)
    for backend in BACKENDS:
        compute = Compute(backend, dtype="float64" if backend == "reference" else dtype, threads=1)
        result = act(array, weight, spec, compute, bias)
        terms = weight[0].size if weight.shape[0] == expected.shape[-3] else weight[:, 0].size
        assert_close(result.array, expected.detach().numpy(), reach, dtype, terms)


DTYPE = st.sampled_from((torch.float32, torch.float64))
BATCH = st.sampled_from((None, 1, 2))
SEED = st.integers(0, 2**32 - 1)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # torch's own
@given(
    size=pairs(1, 9), kernel=pairs(1, 4), stride=pairs(1, 3), dilation=pairs(1, 3),
    padding=pairs(0, 6) | st.sampled_from(("valid", "same")),
    mode=st.sampled_from(("zeros", "reflect", "replicate", "circular")),
    groups=st.integers(1, 3), per_group=pairs(1, 3), bias=st.booleans(), dtype=DTYPE, batch=BATCH, seed=SEED,
)  # fmt: skip
def test_conv2d(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int],
    padding: tuple[int, int] | str, mode: str, groups: int, per_group: tuple[int, int], bias: bool, dtype: torch.dtype,
    batch: int | None, seed: int,
) -> None:  # fmt: skip
    if padding == "same":
        stride = 1, 1
    channels, filters = groups * per_group[0], groups * per_group[1]
    module = torch.nn.Conv2d(
        channels, filters, kernel, stride, padding, dilation, groups, bias, padding_mode=mode, dtype=dtype
    )
    image = image_for(module, batch, channels, size, seed)
    spec = ConvSpec(
        stride=Pair(*stride),
        padding=padding if isinstance(padding, str) else pads_of(padding),
        padding_mode=mode,
        dilation=Pair(*dilation),
        groups=groups,
    )
    try:
        with torch.no_grad():
            expected = module(image)
    except REFUSED:
        expected = None
    if expected is None and mode != "zeros":
        # torch also refuses pads that reach beyond the image, which convcli allows.
        reach = {"valid": (0, 0), "same": [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]}
        pads = reach[padding] if isinstance(padding, str) else padding
        assume(pads[0] < size[0] and pads[1] < size[1])
    if expected is None:
        with pytest.raises(GeometryError):
            convolve(image.numpy(), module.weight.detach().numpy(), spec, Compute("reference"))
        return
    check(module, image, expected, spec, convolve)


TRANSPOSED: dict[str, Any] = {
    "size": pairs(1, 6), "kernel": pairs(1, 4), "stride": pairs(1, 4), "dilation": pairs(1, 3), "padding": pairs(0, 4),
    "groups": st.integers(1, 3), "per_group": pairs(1, 3), "bias": st.booleans(), "dtype": DTYPE, "batch": BATCH,
    "seed": SEED,
}  # fmt: skip


@given(output_padding=pairs(0, 4), **TRANSPOSED)
def test_conv_transpose2d_with_output_padding(output_padding: tuple[int, int], **case: Any) -> None:
    """Whatever torch accepts comes out the same, whatever it refuses is refused: output_padding too large, nothing left."""
    module, image = conv_transpose2d(output_padding=output_padding, **case)
    try:
        with torch.no_grad():
            expected = module(image)
        if not expected.numel():
            raise ValueError("torch returns an empty tensor for some outputs of size 0, convcli never does")
    except REFUSED:
        with pytest.raises(GeometryError):
            run_transposed(module, image, case, output_padding=Pair(*output_padding))
        return
    spec = spec_of(case, output_padding=Pair(*output_padding))
    check(module, image, expected, spec, transpose_convolve)


@given(more=pairs(-2, 6), **TRANSPOSED)
def test_conv_transpose2d_with_output_size(more: tuple[int, int], **case: Any) -> None:
    """`output_size` is an argument of the call in torch: solved, or refused, for the same sizes."""
    module, image = conv_transpose2d(output_padding=(0, 0), **case)
    least = [
        (h - 1) * s - 2 * p + d * (k - 1) + 1
        for h, s, p, d, k in zip(
            *(case[name] for name in ("size", "stride", "padding", "dilation", "kernel")), strict=True
        )
    ]
    wanted = least[0] + more[0], least[1] + more[1]
    assume(min(wanted) > 0)
    try:
        with torch.no_grad():
            expected = module(image, output_size=wanted)
    except REFUSED:
        with pytest.raises(GeometryError):
            run_transposed(module, image, case, output_size=Size(*wanted))
        return
    spec = spec_of(case, output_size=Size(*wanted))
    check(module, image, expected, spec, transpose_convolve)
    assert tuple(expected.shape[-2:]) == wanted


def conv_transpose2d(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int],
    padding: tuple[int, int], groups: int, per_group: tuple[int, int], bias: bool, dtype: torch.dtype,
    batch: int | None, seed: int, output_padding: tuple[int, int],
) -> tuple[torch.nn.ConvTranspose2d, torch.Tensor]:  # fmt: skip
    channels, filters = groups * per_group[0], groups * per_group[1]
    module = torch.nn.ConvTranspose2d(
        channels, filters, kernel, stride, padding, output_padding, groups, bias, dilation, dtype=dtype
    )
    return module, image_for(module, batch, channels, size, seed)


def spec_of(case: dict[str, Any], **more: Any) -> ConvSpec:
    return ConvSpec(
        transpose=True,
        stride=Pair(*case["stride"]),
        padding=pads_of(case["padding"]),
        dilation=Pair(*case["dilation"]),
        groups=case["groups"],
        **more,
    )


def run_transposed(module: Any, image: torch.Tensor, case: dict[str, Any], **more: Any) -> None:
    transpose_convolve(image.numpy(), module.weight.detach().numpy(), spec_of(case, **more), Compute("reference"))


# --- accepted and refused together ---


WRONG: list[dict[str, Any]] = [
    {"stride": (0, 1)},
    {"stride": (1, -1)},
    {"dilation": (0, 1)},
    {"padding": (-1, 0)},
    {"groups": 0},
    {"padding_mode": "mirror"},
]
WRONG_DIRECT: list[dict[str, Any]] = [*WRONG, {"padding": "same", "stride": (2, 1)}, {"padding": "sideways"}]
WRONG_TRANSPOSED: list[dict[str, Any]] = [
    *WRONG,
    {"output_padding": (-1, 0)},
    {"output_padding": (0, 1)},
    {"output_padding": (2, 3), "stride": (3, 3)},
    {"output_padding": (2, 2), "dilation": (2, 3)},
]


@pytest.mark.parametrize("wrong", WRONG_DIRECT, ids=str)
def test_wrong_parameters_of_conv2d_are_refused_by_both(wrong: dict[str, Any]) -> None:
    with pytest.raises(REFUSED):
        torch.nn.Conv2d(1, 1, 3, **wrong)(torch.ones(1, 1, 5, 5))
    with pytest.raises(GeometryError):
        ConvSpec(**ours(wrong))


@pytest.mark.parametrize("wrong", WRONG_TRANSPOSED, ids=str)
def test_wrong_parameters_of_conv_transpose2d_are_refused_by_both(wrong: dict[str, Any]) -> None:
    with pytest.raises(REFUSED):
        torch.nn.ConvTranspose2d(1, 1, 3, **wrong)(torch.ones(1, 1, 5, 5))
    with pytest.raises(GeometryError):
        ConvSpec(transpose=True, **ours(wrong))


def ours(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a torch layer as `ConvSpec` takes them."""
    padding = parameters.get("padding")
    return {**parameters, "padding": pads_of(padding)} if isinstance(padding, tuple) else parameters


@given(
    transpose=st.booleans(),
    channels=st.integers(1, 4),
    groups=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_channels_and_groups_fit_together_as_in_torch(
    transpose: bool, channels: int, groups: int, shape: tuple[int, int]
) -> None:
    """Weights of any two channel counts on any image: the functions of torch judge."""
    import torch.nn.functional as F

    weight, image = torch.ones(*shape, 1, 1), torch.ones(1, channels, 2, 2)
    try:
        expected = (F.conv_transpose2d if transpose else F.conv2d)(image, weight, groups=groups)
    except REFUSED:
        expected = None
    act = transpose_convolve if transpose else convolve
    if expected is None:
        with pytest.raises(GeometryError) as caught:
            act(image.numpy(), weight.numpy(), ConvSpec(groups=groups), Compute("reference"))
        assert "\n" not in str(caught.value)
        return
    for backend in BACKENDS:
        array = act(image.numpy(), weight.numpy(), ConvSpec(groups=groups), Compute(backend)).array
        np.testing.assert_array_equal(array, expected.numpy())


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_a_bias_of_the_wrong_length_is_refused(transpose: bool, count: int) -> None:
    act = transpose_convolve if transpose else convolve
    with pytest.raises(GeometryError, match=f"bias has {count} values for 2 output channels: give one"):
        act(np.ones((2, 5, 5)), np.ones((2, 2, 3, 3)), ConvSpec(), bias=np.ones(count))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("transpose", [False, True])
def test_half_precision_runs_in_torch_only(dtype: str, transpose: bool) -> None:
    """Eight products of numbers below 1: within a few units of the format's last place of their sum of magnitudes."""
    generator = np.random.default_rng(3)
    image, weight = generator.random((2, 6, 6), np.float32), generator.random((2, 2, 2, 2), np.float32)
    act = transpose_convolve if transpose else convolve
    result = act(image, weight, ConvSpec(), Compute("auto", dtype=dtype))
    assert (result.backend, result.dtype) == ("torch", dtype)
    truth = act(image, weight, ConvSpec(), Compute("reference")).array
    step = {"float16": 2.0**-10, "bfloat16": 2.0**-7}[dtype]
    error = np.abs(result.array - truth)
    assert error.max() > 0
    assert (error <= 4 * step * truth).all()
    for backend in ("numpy", "reference"):
        with pytest.raises(BackendError, match=f"does not compute in {dtype}: use dtype"):
            act(image, weight, ConvSpec(), Compute(backend, dtype=dtype))


@given(
    size=pairs(1, 40), kernel=pairs(1, 5), stride=pairs(1, 3), dilation=pairs(1, 3), groups=st.integers(1, 5),
    per_group=pairs(1, 3), transpose=st.booleans(), interleaved=st.booleans(),
    mode=st.sampled_from(("zeros", "reflect")), kind=st.sampled_from(("uint8", "float32")),
    dtype=st.sampled_from(("float32", "float64")), seed=SEED,
)  # fmt: skip
def test_layers_in_any_layout(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], groups: int,
    per_group: tuple[int, int], transpose: bool, interleaved: bool, mode: str, kind: str, dtype: str, seed: int,
) -> None:  # fmt: skip
    """Where the backend asks torch for pixels side by side, and where that would crash: every size there is."""
    channels, filters = (groups * count for count in per_group)
    padding = Pads(0, 0, 0, 0) if transpose else "full"
    mode = "zeros" if transpose else mode
    spec = ConvSpec(
        transpose=transpose,
        stride=Pair(*stride),
        dilation=Pair(*dilation),
        padding=padding,
        padding_mode=mode,
        groups=groups,
    )
    layer = Layer(
        spec, Size(*size), Size(*kernel), 2, channels, filters, kind, biased=True, seed=seed, interleaved=interleaved
    )
    result = layer.run("torch", dtype)
    layer.assert_agrees(result.array, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("kernel", [3, 17])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("finish", [
    Finish(), Finish(dtype="uint8", policy="minmax", count=True), Finish(((2, "magnitude"),), "uint16"),
])  # fmt: skip
@pytest.mark.parametrize("on_device", [False, True])
def test_an_empty_batch_gives_one(
    dtype: str, kernel: int, transpose: bool, finish: Finish, on_device: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_device and not finish.joins:
        monkeypatch.setattr("convcli.backends.torch.storing.suits", lambda finish, _: finish.dtype is not None)
    act = transpose_convolve if transpose else convolve
    spec, weight = ConvSpec(transpose=transpose, padding=Pads(1, 2, 1, 0)), np.ones((2, 2, kernel, kernel), np.float32)
    empty, one = (
        act(np.zeros((count, 2, 30, 31), np.uint8), weight, spec, Compute("torch", dtype=dtype), np.ones(2), finish)
        for count in (0, 1)
    )
    assert empty.array.shape == (0, *one.array.shape[1:])
    assert empty.array.dtype == one.array.dtype
    assert empty.clipped == (0, 0, 0, 0)
