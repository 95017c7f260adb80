"""Large kernels through transforms in torch: which, and what they take in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from conftest import convolve
from hypothesis import given
from hypothesis import strategies as st

from convcli.backends import spectra
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pair, Size


def by_fft(filters: int, inputs: int, side: int, groups: int = 1, stride: tuple[int, int] = (1, 1)) -> bool:
    spec = ConvSpec(groups=groups, stride=Pair(*stride))
    return spectra.suits((filters, inputs, side, side), groups, spec.resolve((99, 99), (side, side)))


@pytest.mark.parametrize(
    ("filters", "inputs", "side", "groups", "stride", "expected"),
    [
        (3, 1, 15, 3, (1, 1), True),
        (3, 1, 14, 3, (1, 1), False),
        (1, 4, 15, 1, (1, 1), True),
        (1, 5, 15, 1, (1, 1), False),
        (3, 3, 15, 1, (1, 1), True),
        (9, 1, 15, 3, (1, 1), True),
        (4, 3, 15, 1, (1, 1), False),  # torch makes four in the time of one
        (4, 3, 18, 1, (1, 1), True),
        (16, 3, 34, 1, (1, 1), False),
        (16, 3, 35, 1, (1, 1), True),
        (768, 3, 35, 1, (1, 1), True),
        (1, 1, 21, 1, (2, 1), False),  # 441 taps, on half of the rows
        (1, 1, 22, 1, (2, 1), True),
        (1, 1, 29, 1, (2, 2), False),
        (1, 1, 30, 1, (2, 2), True),
        (768, 3, 16, 1, (16, 16), False),  # a patch embedding: one tap for each pixel
    ],
)
def test_when(filters: int, inputs: int, side: int, groups: int, stride: tuple[int, int], expected: bool) -> None:
    assert by_fft(filters, inputs, side, groups, stride) == expected


@pytest.mark.parametrize("stride", [1, 16])
def test_a_layer_goes_where_its_sizes_say(stride: int) -> None:
    image = np.random.default_rng(0).random((3, 40, 40), np.float32)
    weight = np.random.default_rng(1).random((3, 3, 16, 16), np.float32)
    spec = ConvSpec(stride=Pair(stride, stride))
    result = convolve(image, weight, spec, Compute("torch"))
    assert result.plan.startswith("conv2d by fft") == (stride == 1)
    truth = convolve(image, weight, spec, Compute("reference"))
    np.testing.assert_allclose(result.array, truth.array, rtol=1e-4)


@given(st.integers(1, 3000))
def test_sides_are_the_next_good_ones(side: int) -> None:
    (fast, _) = spectra.sides_for((side, 2))
    good = [2**a * 3**b * 5**c for a in range(1, 13) for b in range(8) for c in range(6)]
    assert fast == min(each for each in good if each >= side)


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
