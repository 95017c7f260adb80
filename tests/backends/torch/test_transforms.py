"""Large kernels through transforms in torch: the reference's results, and what they take in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convcli.backends import spectra
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Size
from support.layers import Layer, layers
from support.operations import convolve


def transforms_of(
    image: np.ndarray[Any, Any], weight: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch, groups: int = 1
) -> tuple[list[int], list[int]]:
    """How many planes each transform there and back took, of a layer that is checked against the reference."""
    there: list[int] = []
    back: list[int] = []
    real, inverse = torch.fft.rfft2, torch.fft.irfft2

    def rfft2(x: torch.Tensor, *others: Any) -> torch.Tensor:
        there.append(x.shape[:-2].numel())
        return real(x, *others)

    def irfft2(x: torch.Tensor, *others: Any) -> torch.Tensor:
        back.append(x.shape[:-2].numel())
        return inverse(x, *others)

    monkeypatch.setattr(torch.fft, "rfft2", rfft2)
    monkeypatch.setattr(torch.fft, "irfft2", irfft2)
    result = convolve(image, weight, ConvSpec(groups=groups), Compute("torch"))
    truth = convolve(image, weight, ConvSpec(groups=groups), Compute("reference"))
    np.testing.assert_allclose(result.array, truth.array, rtol=1e-4)
    return there, back


def test_like_kernels_are_transformed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    image, pair = generator.random((3, 40, 40), np.float32), generator.random((2, 1, 16, 16), np.float32)
    there, back = transforms_of(image, np.concatenate([pair] * 3), monkeypatch, groups=3)
    assert (there, back) == ([3, 2], [6])


def test_so_many_spectra_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    image, weight = generator.random((5, 2, 40, 40), np.float32), generator.random((3, 2, 16, 16), np.float32)
    each = spectra.COPIES * spectra.plane_bytes(Size(40, 40), 4)
    monkeypatch.setattr(spectra, "HELD", 4 * each)
    there, back = transforms_of(image, weight, monkeypatch)
    assert there == [4, 4, 2, 4, 2]  # images of two channels each; kernels of two
    assert sum(back) == 5 * 3
    assert max(back) == 4


@pytest.mark.parametrize(("count", "filters", "same"), [(1, 3, False), (1, 12, False), (4, 3, True), (1, 1, True)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("held", [1, 1 << 21, 1 << 27])
def test_transforms_take_no_more_than_is_counted(
    count: int, filters: int, same: bool, dtype: str, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's own record of what it holds at most, beside the padded image and the output."""
    from convcli.backends.torch import transforms

    monkeypatch.setattr(spectra, "HELD", held)
    kind = getattr(torch, dtype)
    x, weight = torch.rand(count, 3, 200, 180, dtype=kind), torch.rand(filters, 3, 24, 25, dtype=kind)
    weight = weight[:1].expand(filters, -1, -1, -1) if same else weight
    geometry = ConvSpec().resolve((200, 180), (24, 25))
    with torch.inference_mode():
        transforms.correlate(x, weight, None, geometry, 1, kind)  # makes the plans
        with torch.profiler.profile(profile_memory=True) as profile:
            out = transforms.correlate(x, weight, None, geometry, 1, kind)
    level = most = 0
    memory = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(memory, key=lambda event: event.start_ns()):
        level += event.nbytes()
        most = max(most, level)
    small = 1 << 18  # kernels, and what sorts them
    counted = spectra.working_bytes(x.shape, weight.shape, geometry, kind.itemsize)
    assert most - out.nbytes <= counted + small
    assert most - out.nbytes > counted / 3


@given(layer=layers(transpose=False), held=st.sampled_from((1, 5000, 20000, 1 << 27)))
def test_torch_by_transforms_agrees_with_the_reference(layer: Layer, held: int) -> None:
    """The path of large kernels, taken for any, in blocks of any size: kernels of one column stay with torch's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("convcli.backends.spectra.TAPS", 0)
        patch.setattr("convcli.backends.spectra.TAPS_EACH", 0)
        patch.setattr("convcli.backends.spectra.HELD", held)
        result = layer.run("torch")
    expected = min(layer.kernel) > 1
    assert result.plan.startswith("conv2d by fft") == expected
    layer.assert_agrees(result.array, result.dtype, everywhere_alike=expected)


def test_large_kernels_go_through_transforms_unless_a_value_would_spread() -> None:
    image = np.random.default_rng(1).random((3, 40, 50), np.float32)
    weight = np.random.default_rng(2).random((3, 1, 17, 15), np.float32)
    spec = ConvSpec(groups=3, padding="same", padding_mode="circular")
    result = convolve(image, weight, spec, Compute("torch"))
    assert result.plan.startswith("conv2d by fft")
    truth = convolve(image, weight, spec, Compute("reference")).array
    np.testing.assert_allclose(result.array, truth, rtol=1e-4)
    image[0, 3, 4] = np.nan
    result = convolve(image, weight, spec, Compute("torch"))
    assert result.plan.startswith("conv2d, ")
    assert np.isnan(result.array).sum() == 17 * 15
