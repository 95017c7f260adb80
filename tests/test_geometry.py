"""The integer arithmetic: sizes, paddings and borders, against brute force, NumPy and the rules of other frameworks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.convspec import ConvSpec
from convcli.errors import GeometryError, as_options
from convcli.geometry import (
    ZERO,
    Pads,
    Pair,
    Size,
    border_indices,
    direct_size,
    extent,
    inputs_sharing,
    transposed_size,
)
from convcli.vocabulary import PADDING_MODES
from support.layers import Layer, layers

SIZE, KERNEL, STRIDE = st.integers(1, 12), st.integers(1, 6), st.integers(1, 5)
DILATION, PAD = st.integers(1, 4), st.integers(0, 15)
NUMPY_MODES = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
    "symmetric": "symmetric",
}


def positions(h: int, k: int, s: int, d: int, before: int, after: int) -> list[int]:
    """Where a kernel can be laid so that every tap falls on the padded axis: s apart, from its start."""
    padded = set(range(-before, h + after))
    starts = range(-before, h + after, s)
    return [start for start in starts if all(start + d * tap in padded for tap in range(k))]


def landings(h: int, k: int, s: int, d: int) -> set[int]:
    """The outputs that h inputs, s apart, paint with a kernel of k taps, d apart."""
    return {s * i + d * tap for i in range(h) for tap in range(k)}


@given(h=SIZE, k=KERNEL, s=STRIDE, d=DILATION, before=PAD, after=PAD)
def test_direct_size_counts_the_positions(h: int, k: int, s: int, d: int, before: int, after: int) -> None:
    count = len(positions(h, k, s, d, before, after))
    assert max(0, direct_size(h, k, s, d, before, after)) == count


@given(h=SIZE, k=KERNEL, s=STRIDE, d=DILATION, before=PAD, after=PAD, p2=st.integers(0, 4))
def test_transposed_size_spans_the_landings(h: int, k: int, s: int, d: int, before: int, after: int, p2: int) -> None:
    span = max(landings(h, k, s, d)) - min(landings(h, k, s, d)) + 1
    assert transposed_size(h, k, s, d, before, after, p2) == span - before - after + p2


@given(k=KERNEL, d=DILATION)
def test_extent_spans_the_taps(k: int, d: int) -> None:
    taps = [d * i for i in range(k)]
    assert extent(k, d) == max(taps) - min(taps) + 1


@pytest.mark.parametrize(
    ("h", "k", "s", "p", "d", "out"),
    [
        # Dumoulin and Visin (2016), the figures of chapters 2, 4 and 5
        (4, 3, 1, 0, 1, 2),
        (5, 4, 1, 2, 1, 6),
        (5, 3, 1, 1, 1, 5),
        (5, 3, 1, 2, 1, 7),
        (5, 3, 2, 0, 1, 2),
        (5, 3, 2, 1, 1, 3),
        (6, 3, 2, 1, 1, 3),
        (7, 3, 1, 0, 2, 3),
        # the stem of ResNet
        (224, 7, 2, 3, 1, 112),
    ],
)
def test_sizes_of_known_layers(h: int, k: int, s: int, p: int, d: int, out: int) -> None:
    spec = ConvSpec(stride=Pair(s, s), padding=Pads(p, p, p, p), dilation=Pair(d, d))
    assert spec.resolve((h, h), (k, k)).output == (out, out)
    back = transposed_size(out, k, s, d, p, p, 0)
    assert h - s < back <= h


def test_axes_do_not_mix() -> None:
    """Every parameter twice, all different: (64+1+2-2·2-1)/2+1 = 32 rows, (48+3+4-3·4-1)/3+1 = 15 columns."""
    spec = ConvSpec(stride=Pair(2, 3), padding=Pads(1, 2, 3, 4), dilation=Pair(2, 3))
    geometry = spec.resolve((64, 48), (3, 5))
    assert geometry.output == (32, 15)
    assert geometry.extent == (5, 13)
    assert len(geometry.indices(0)) == 67
    assert len(geometry.indices(1)) == 55
    spec = ConvSpec(transpose=True, stride=Pair(2, 3), padding=Pads(1, 2, 3, 4), output_padding=Pair(1, 2))
    # (10-1)·2 - 3 + 2 + 1 + 1 = 19 rows, (20-1)·3 - 7 + 4 + 2 + 1 = 57 columns
    assert spec.resolve((10, 20), (3, 5)).output == (19, 57)


@given(h_out=st.integers(1, 8), k=KERNEL, s=STRIDE, d=DILATION, before=PAD, after=PAD)
def test_inputs_sharing_by_brute_force(h_out: int, k: int, s: int, d: int, before: int, after: int) -> None:
    far = transposed_size(h_out, k, s, d, before, after, 0) + 2 * s
    sharing = [h for h in range(1, max(2, far)) if direct_size(h, k, s, d, before, after) == h_out]
    assert list(inputs_sharing(h_out, k, s, d, before, after)) == sharing


# --- borders ---


@given(size=st.integers(1, 9), before=st.integers(0, 30), after=st.integers(0, 30), mode=st.sampled_from(PADDING_MODES))
def test_borders_are_those_of_numpy(size: int, before: int, after: int, mode: str) -> None:
    """Pads of many times the image included; the source indices are the padded image of its own indices."""
    constant = {"constant_values": ZERO} if mode == "zeros" else {}
    expected = np.pad(np.arange(size), (before, after), NUMPY_MODES[mode], **constant)
    assert border_indices(size, before, after, mode) == expected.tolist()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("zeros", [-1, -1, -1, 0, 1, 2, -1, -1, -1, -1]),
        ("replicate", [0, 0, 0, 0, 1, 2, 2, 2, 2, 2]),
        ("reflect", [1, 2, 1, 0, 1, 2, 1, 0, 1, 2]),
        ("symmetric", [2, 1, 0, 0, 1, 2, 2, 1, 0, 0]),
        ("circular", [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]),
    ],
)
def test_borders_of_three_pixels(mode: str, expected: list[int]) -> None:
    assert border_indices(3, 3, 4, mode) == expected


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_borders_of_one_pixel(mode: str) -> None:
    outside = ZERO if mode == "zeros" else 0
    assert border_indices(1, 5, 3, mode) == [outside] * 5 + [0] + [outside] * 3


# --- padding rules ---


@pytest.mark.parametrize(
    ("h", "k", "s", "d", "upper", "out"),
    [
        # tf.nn.conv2d's documentation: out = ⌈h/s⌉, pad = max((out - 1)·s + k - h, 0), the odd one at the end
        (5, 3, 1, 1, (1, 1), 5),
        (5, 2, 1, 1, (0, 1), 5),
        (5, 3, 2, 1, (1, 1), 3),
        (4, 3, 2, 1, (0, 1), 2),
        (13, 6, 5, 1, (1, 2), 3),
        (224, 7, 2, 1, (2, 3), 112),
        (7, 3, 1, 2, (2, 2), 7),
        (8, 3, 2, 2, (1, 2), 4),
        (6, 1, 3, 1, (0, 0), 2),
        (1, 5, 4, 1, (2, 2), 1),
    ],
)
def test_same_upper_and_same_lower(h: int, k: int, s: int, d: int, upper: tuple[int, int], out: int) -> None:
    """TensorFlow's SAME and ONNX's SAME_UPPER put the odd pixel at the end, SAME_LOWER at the start."""
    for rule, pads in (("same-upper", upper), ("same-lower", upper[::-1])):
        spec = ConvSpec(stride=Pair(s, s), dilation=Pair(d, d), padding=rule)
        geometry = spec.resolve((h, h), (k, k))
        assert geometry.pads == pads * 2
        assert geometry.output == (out, out)


@given(h=SIZE, k=KERNEL, s=STRIDE, d=DILATION, rule=st.sampled_from(("same-upper", "same-lower")))
def test_same_rules_as_the_frameworks_define_them(h: int, k: int, s: int, d: int, rule: str) -> None:
    """⌈h/s⌉ outputs by the smallest padding that gives them, shared evenly."""
    geometry = ConvSpec(stride=Pair(s, s), dilation=Pair(d, d), padding=rule).resolve((h, h), (k, k))
    out = len(range(0, h, s))
    total = next(total for total in range(100) if len(positions(h, k, s, d, 0, total)) >= out)
    assert geometry.output == (out, out)
    assert geometry.pads.top + geometry.pads.bottom == total
    extra = geometry.pads.bottom - geometry.pads.top
    assert extra == (total % 2 if rule == "same-upper" else -(total % 2))


@pytest.mark.parametrize(
    ("k", "d", "pads"), [(3, 1, (1, 1)), (2, 1, (0, 1)), (4, 1, (1, 2)), (4, 3, (4, 5)), (1, 9, (0, 0))]
)
def test_same_is_that_of_pytorch(k: int, d: int, pads: tuple[int, int]) -> None:
    geometry = ConvSpec(dilation=Pair(d, d), padding="same").resolve((6, 6), (k, k))
    assert geometry.pads == pads * 2
    assert geometry.output == (6, 6)


@given(h=SIZE, k=KERNEL, s=STRIDE, d=DILATION)
def test_full_reads_every_overlap(h: int, k: int, s: int, d: int) -> None:
    """The first and the last position touch the image with one tap; valid touches nothing but the image."""
    full = ConvSpec(stride=Pair(s, s), dilation=Pair(d, d), padding="full").resolve((h, h), (k, k))
    assert full.pads == (d * (k - 1),) * 4
    assert full.output.height == len(range(0, h + d * (k - 1), s))
    if h >= extent(k, d):
        valid = ConvSpec(stride=Pair(s, s), dilation=Pair(d, d), padding="valid").resolve((h, h), (k, k))
        assert valid.pads == (0, 0, 0, 0)


@given(h=SIZE, k=KERNEL, s=STRIDE, d=DILATION, data=st.data(), rule=st.sampled_from(("same-upper", "same-lower")))
def test_transposed_same_rules_as_onnx_defines_them(
    h: int, k: int, s: int, d: int, data: st.DataObject, rule: str
) -> None:
    """ConvTranspose's auto_pad: output h·s; total = s(h-1) + output_padding + d(k-1) + 1 - h·s, halves as printed."""
    p2 = data.draw(st.integers(0, max(s, d) - 1))
    spec = ConvSpec(transpose=True, stride=Pair(s, s), dilation=Pair(d, d), padding=rule, output_padding=Pair(p2, p2))
    geometry = spec.resolve((h, h), (k, k))
    assert geometry.output == (h * s, h * s)
    total = s * (h - 1) + p2 + d * (k - 1) + 1 - h * s
    half = max(0, total) // 2
    start, end = (half, max(0, total) - half) if rule == "same-upper" else (max(0, total) - half, half)
    assert geometry.pads == (start, end, start, end)
    # Where the kernel does not reach h·s there is nothing to crop: the rest is output padding.
    assert geometry.output_padding == (p2 + max(0, -total),) * 2


@pytest.mark.parametrize(
    ("h", "k", "s", "p2", "upper", "resolved_p2"),
    [
        (3, 3, 2, 0, (0, 1), 0),
        (3, 4, 2, 0, (1, 1), 0),
        (3, 3, 2, 1, (1, 1), 1),
        (5, 5, 1, 0, (2, 2), 0),
        (3, 1, 2, 0, (0, 0), 1),
        (3, 2, 5, 0, (0, 0), 3),
    ],
)
def test_transposed_same_literals(h: int, k: int, s: int, p2: int, upper: tuple[int, int], resolved_p2: int) -> None:
    for rule, pads in (("same-upper", upper), ("same-lower", upper[::-1])):
        spec = ConvSpec(transpose=True, stride=Pair(s, s), padding=rule, output_padding=Pair(p2, p2))
        geometry = spec.resolve((h, h), (k, k))
        assert geometry.pads == pads * 2
        assert geometry.output == (h * s, h * s)
        assert geometry.output_padding == (resolved_p2, resolved_p2)


# --- output_size ---


@given(layer=layers(transpose=True, explicit=True), want=st.integers(1, 40))
def test_output_size_is_solved_exactly_or_refused(layer: Layer, want: int) -> None:
    """The sizes that can be had are the smallest one and the s - 1 after it, as ConvTranspose2d rules; the error lists them."""
    (s, _), (d, _), k, h = layer.spec.stride, layer.spec.dilation, layer.kernel.height, layer.size.height
    top, bottom = layer.spec.padding[:2]
    smallest = max(landings(h, k, s, d)) + 1 - top - bottom
    sizes = [size for size in range(smallest, smallest + s) if size >= 1]
    spec = ConvSpec(
        transpose=True,
        stride=Pair(s, 1),
        dilation=Pair(d, 1),
        padding=Pads(top, bottom, 0, 0),
        output_size=Size(want, 5),
    )
    if want in sizes:
        geometry = spec.resolve((h, 5), (k, 1))
        assert geometry.output == (want, 5)
        assert geometry.output_padding == (want - smallest, 0)
        return
    with pytest.raises(GeometryError) as caught:
        spec.resolve((h, 5), (k, 1))
    listed = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    assert f"output size {want} (rows)" in str(caught.value)
    assert f"the sizes that can be reached are {listed};" in str(caught.value)


@given(h=st.integers(1, 20), k=KERNEL, s=STRIDE, d=DILATION, pads=st.tuples(st.integers(0, 5), st.integers(0, 5)))
def test_output_size_undoes_any_direct_operation(h: int, k: int, s: int, d: int, pads: tuple[int, int]) -> None:
    """The reason that it exists: the transposed operation returns to the size that the direct one started from."""
    out = direct_size(h, k, s, d, *pads)
    if out < 1:
        return
    spec = ConvSpec(
        transpose=True, stride=Pair(s, s), dilation=Pair(d, d), padding=Pads(*pads, *pads), output_size=Size(h, h)
    )
    geometry = spec.resolve((out, out), (k, k))
    assert geometry.output == (h, h)
    assert 0 <= geometry.output_padding.rows < s


# --- errors: one line that names the value, the rule and the remedy ---


Make = Callable[[], Any]


@pytest.mark.parametrize(
    ("make", "value", "rule", "remedy"),
    [
        (lambda: ConvSpec(op="xcorr"), "'xcorr'", "unknown", "use corr"),
        (lambda: ConvSpec(stride=Pair(0, 0)), "stride 0", "below 1", "use a positive"),
        (lambda: ConvSpec(stride=Pair(2, -1)), "stride 2,-1", "below 1", "use a positive"),
        (lambda: ConvSpec(dilation=Pair(1, 0)), "dilation 1,0", "below 1", "use a positive"),
        (lambda: ConvSpec(groups=0), "groups 0", "below 1", "use a positive"),
        (
            lambda: ConvSpec(padding_mode="mirror"),
            "'mirror'",
            "unknown",
            "zeros, reflect, replicate, circular, symmetric",
        ),
        (lambda: ConvSpec(padding="SAME"), "'SAME'", "unknown", "valid, same, same-upper, same-lower, full"),
        (lambda: ConvSpec(padding=Pads(0, 0, 0, -1)), "0,0,0,-1", "negative", "use 0 or more"),
        (lambda: ConvSpec(padding="same", stride=Pair(2, 1)), "stride 2,1", "stride 1 only", "'same-upper'"),
        (lambda: ConvSpec(output_padding=Pair(0, 1)), "output_padding", "transposed", "--transpose"),
        (lambda: ConvSpec(output_size=Size(3, 3)), "output_size", "transposed", "--transpose"),
        (lambda: ConvSpec(transpose=True, output_padding=Pair(-1, 0)), "-1,0", "negative", "use 0 or more"),
        (
            lambda: ConvSpec(transpose=True, stride=Pair(2, 2), output_padding=Pair(1, 3)),
            "output_padding 3 (columns)",
            "smaller than stride 2 or dilation 1",
            "at most 1",
        ),
        (
            lambda: ConvSpec(transpose=True, output_padding=Pair(1, 0)),
            "output_padding 1 (rows)",
            "smaller than stride 1",
            "a larger stride",
        ),
        (
            lambda: ConvSpec(
                transpose=True, stride=Pair(2, 2), output_padding=Pair(1, 0), output_size=Size(10, 10)
            ).resolve((4, 4), (3, 3)),
            "output_padding 1,0",
            "gives 10×9, not output_size 10×10",
            "give one",
        ),
        (lambda: ConvSpec().resolve((0, 5), (3, 3)), "input size 0×5", "no pixels", "at least 1"),
        (lambda: ConvSpec().resolve((5, 5), (3, 0)), "kernel size 3×0", "no pixels", "at least 1"),
        (lambda: ConvSpec().resolve((2, 9), (3, 3)), "3 rows", "padded image of 2", "at least 1 more padding"),
        (
            lambda: ConvSpec(dilation=Pair(4, 4), padding=Pads(9, 9, 1, 0)).resolve((5, 5), (3, 3)),
            "3 columns (dilation 4: 9)",
            "padded image of 6",
            "at least 2 more padding",
        ),
        (
            lambda: ConvSpec(transpose=True, padding=Pads(3, 3, 0, 0)).resolve((2, 2), (3, 3)),
            "padding 3+3",
            "result of 4 rows to nothing",
            "at most 1 on each side",
        ),
        (
            lambda: ConvSpec(transpose=True, stride=Pair(3, 3), output_size=Size(7, 20)).resolve((3, 3), (3, 3)),
            "output size 7 (rows)",
            "kernel 3, stride 3, padding 0+0, dilation 1",
            "9 to 11",
        ),
        (
            lambda: ConvSpec(transpose=True, output_size=Size(5, 6)).resolve((3, 3), (3, 3)),
            "output size 6 (columns)",
            "kernel 3, stride 1",
            "sizes that can be reached are 5;",
        ),
        (
            lambda: ConvSpec(transpose=True, padding=Pads(9, 9, 0, 0), output_size=Size(1, 5)).resolve((3, 3), (3, 3)),
            "output size 1 (rows)",
            "padding 9+9",
            "use --padding 2",
        ),
    ],
)
def test_errors_name_value_rule_and_remedy(make: Make, value: str, rule: str, remedy: str) -> None:
    with pytest.raises(GeometryError) as caught:
        make()
    message = as_options(caught.value.text)
    for part in (value, rule, remedy):
        assert part in message
    assert caught.value.rule
    assert "\n" not in message
    assert not message.endswith(".")


def test_the_remedies_work() -> None:
    """What the messages about sizes advise is enough, and one pixel less is not."""
    with pytest.raises(GeometryError, match="at least 2 more padding"):
        ConvSpec().resolve((3, 9), (7, 7))
    assert ConvSpec(padding=Pads(2, 2, 0, 0)).resolve((3, 9), (7, 7)).output.height == 1
    with pytest.raises(GeometryError):
        ConvSpec(padding=Pads(1, 1, 0, 0)).resolve((3, 9), (7, 7))
    spec = ConvSpec(transpose=True, padding=Pads(9, 9, 0, 0))
    with pytest.raises(GeometryError, match="at most 1 on each side"):
        spec.resolve((2, 2), (3, 3))
    assert ConvSpec(transpose=True, padding=Pads(1, 1, 0, 0)).resolve((2, 2), (3, 3)).output.height == 2
    with pytest.raises(GeometryError):
        ConvSpec(transpose=True, padding=Pads(2, 2, 0, 0)).resolve((2, 2), (3, 3))


def test_defaults_are_those_of_pytorch() -> None:
    spec = ConvSpec()
    assert (spec.op, spec.stride, spec.padding, spec.dilation) == ("corr", (1, 1), (0, 0, 0, 0), (1, 1))
    assert (spec.groups, spec.padding_mode, spec.output_padding, spec.output_size) == (1, "zeros", (0, 0), None)
