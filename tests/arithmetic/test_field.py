"""Receptive fields against gradients, and by hand."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convcli.arithmetic import chain, layers
from convcli.errors import GeometryError
from convcli.geometry import Size
from support.chains import walk, words


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
    assert walk("conv:k5,s2,c8 save:x conv:k3 cat:x,crop", 64).steps[-1].field.size == (9, 9)


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
