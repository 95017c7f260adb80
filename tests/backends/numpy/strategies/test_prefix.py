"""Flat kernels by prefix sums: exact, whatever the type of the sums has room for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli.backends.numpy.job import FilterJob, direct
from convcli.backends.numpy.strategies import flat, prefix
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError
from convcli.geometry import Pair, Size
from convcli.kernels import parse
from support.layers import Layer
from support.operations import convolve


def job_of(kernel: NDArray[np.float64], kind: str = "uint8") -> FilterJob:
    geometry = ConvSpec(padding="same-upper").resolve((40, 50), kernel.shape)
    return direct(kernel[np.newaxis, np.newaxis], None, geometry, 1, np.dtype(kind), interleaved=False)


def layouts(kernel: NDArray[np.float64], kind: str = "uint8") -> list[flat.Layout]:
    job = job_of(kernel, kind)
    found = flat.units(job)
    assert found is not None
    return flat.layouts(job, found[1])


@pytest.mark.parametrize("apart", [1, 2, 3, 50])
@pytest.mark.parametrize("rows", [1, 15, 16, 17, 33, 80])
def test_prefix_sums(rows: int, apart: int) -> None:
    lines = np.random.default_rng(0).integers(0, 60000, (rows, 7)).astype(np.uint16)  # they wrap around
    out = np.empty((rows + apart, 7), np.uint16)
    for function, arguments in prefix.prefix_sums(lines, apart, out):
        function(*arguments)
    truth = np.zeros_like(out)
    for row in range(rows):
        truth[row + apart] = truth[row] + lines[row]
    np.testing.assert_array_equal(out, truth)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("name", ["box:3", "box:31", "box:64", "disk:5", "disk:15", "ring:4,9", "diamond:6"])
@pytest.mark.parametrize("threads", [1, 2])
def test_white_and_noise_are_those_of_the_definition(kind: str, name: str, threads: int) -> None:
    """White is the largest sum that there can be."""
    kernel = parse(name).kernels[0].values[np.newaxis, np.newaxis]
    spec = ConvSpec(padding="same-upper", padding_mode="reflect")
    white = np.iinfo(kind).max
    noise = np.random.default_rng(1).integers(0, white, (1, 90, 75), kind, endpoint=True)
    found = layouts(kernel[0, 0], kind)
    assert "int32" in {layout.kind for layout in found}
    for image in (np.full((1, 80, 90), white, kind), noise):
        for layout in found:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(flat, "layouts", lambda *_, only=layout: [only])
                compute = Compute("numpy", plan="prefix", threads=threads)
                result = convolve(image, kernel, spec, compute)
            assert f"exact in {layout.kind}" in result.plan
            truth = convolve(image, kernel, spec, Compute("reference")).array
            np.testing.assert_allclose(result.array, truth, rtol=1e-6, atol=1e-3 * float(np.abs(truth).max() == 0))


def test_sums_are_taken_in_as_many_parts_as_the_type_asks_for() -> None:
    narrow, wide = layouts(np.ones((31, 31)))
    assert (narrow.kind, wide.kind, wide.puts) == ("uint16", "int32", 0)
    assert narrow.puts == 3  # 961 · 255 in parts of at most 65535, of 8 columns each
    (only,) = wide.outputs[0][0]
    assert [piece.columns for piece in only.pieces] == [1, 2, 4, 8, 16]
    assert only.passes == 1 + 4 + 5
    assert layouts(np.ones((3, 3)))[0].puts == 0
    assert layouts(-np.ones((3, 3)))[0].kind == "int16"


def test_parts_are_only_added_up_where_that_does_not_round() -> None:
    assert [layout.kind for layout in layouts(np.ones((300, 300)))] == ["int32"]
    assert [layout.kind for layout in layouts(np.ones((9, 9)), "uint16")] == ["int32"]
    assert layouts(np.ones((200, 200)), "uint16") == []


def test_columns_side_by_side_are_summed_no_further_than_the_type_goes() -> None:
    """A hundred ones above a -1, eight columns: 100 · 255 of each is the most that fits, -255 would fit 128 times."""
    kernel = np.repeat(np.array([1.0] * 100 + [-1.0])[:, np.newaxis], 8, axis=1)
    narrow, _ = layouts(kernel)
    assert narrow.kind == "int16"
    assert {piece.columns for piece in narrow.outputs[0][0][0].pieces} == {1}
    assert narrow.puts == 7
    image = np.full((1, 120, 40), 255, np.uint8)
    weights = kernel[np.newaxis, np.newaxis]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flat, "layouts", lambda *_: [narrow])
        result = convolve(image, weights, ConvSpec(), Compute("numpy", plan="prefix"))
    truth = convolve(image, weights, ConvSpec(), Compute("reference")).array
    np.testing.assert_array_equal(result.array, truth)


def test_columns_that_are_alike_share_their_sums() -> None:
    kernel = parse("disk:15").kernels[0].values
    for layout in layouts(kernel):
        distinct = {column.tobytes() for column in kernel.T}
        assert layout.total(lambda each: 1) == len(distinct)
        assert all(len(each.steps) == 2 for planes in layout.outputs for plane in planes for each in plane)


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    kernel=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    blocks=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    values=st.lists(st.integers(-9, 9), min_size=1, max_size=4),
    unit=st.floats(1e-3, 1e3),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    kind=st.sampled_from(("uint8", "uint16")),
    seed=st.integers(0, 2**32 - 1),
)
def test_runs_of_any_length_and_height(
    size: tuple[int, int], kernel: tuple[int, int], blocks: tuple[int, int], values: list[int], unit: float,
    stride: tuple[int, int], dilation: tuple[int, int], kind: str, seed: int,
) -> None:  # fmt: skip
    generator = np.random.default_rng(seed)
    coarse = generator.choice(values, (-(-kernel[0] // blocks[0]), -(-kernel[1] // blocks[1])))
    weight = unit * np.kron(coarse, np.ones(blocks))[: kernel[0], : kernel[1]].astype(np.float64)
    image = generator.integers(0, np.iinfo(kind).max, (1, *size), kind, endpoint=True)
    spec = ConvSpec(padding="full", padding_mode="replicate", stride=Pair(*stride), dilation=Pair(*dilation))
    weights = weight[np.newaxis, np.newaxis]
    result = convolve(image, weights, spec, Compute("numpy", plan="prefix"))
    truth = convolve(image, weights, spec, Compute("reference")).array
    largest = float(image.max()) * float(np.abs(weight).sum())
    np.testing.assert_allclose(result.array, truth, rtol=0, atol=2**-22 * largest)


@pytest.mark.parametrize(("kind", "weight"), [("float32", np.ones((3, 3))), ("uint8", np.array([[1.0, 0.1234]]))])
def test_what_it_cannot_do_is_refused(kind: str, weight: NDArray[np.float64]) -> None:
    layer = Layer(ConvSpec(), Size(9, 9), Size(*weight.shape), kind=kind)
    layer.__dict__["weight"] = weight[np.newaxis, np.newaxis]
    assert "prefix" not in {plan.name for plan in layer.run("numpy", plan="taps").considered}
    with pytest.raises(BackendError, match="plan 'prefix' cannot do this: it needs 8- or 16-bit pixels"):
        layer.run("numpy", plan="prefix")
