"""Layers drawn from the whole parameter space, and how far two results of one sum may lie apart."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli.convspec import ConvSpec
from convcli.engine import Compute, ConvResult
from convcli.geometry import Pads, Pair, Size
from convcli.layer import Layer as Weights
from convcli.vocabulary import PADDING_MODES, PADDING_RULES
from support.operations import convolve, transpose_convolve

KINDS = ("uint8", "uint16", "float32", "float64")
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23}


@dataclass(frozen=True)
class Layer:
    """One operation with its data, which a seed determines: short to print, whole to run.

    `filters` and `channels` count all groups; `batch` None stands for a 3-D image. `interleaved` images lie in memory as
    decoded pictures do; `alike` gives every group the kernels of the first; `flat` makes them integers times a unit.
    """

    spec: ConvSpec
    size: Size
    kernel: Size
    batch: int | None = None
    channels: int = 1
    filters: int = 1
    kind: str = "float64"
    weight_kind: str = "float64"
    biased: bool = False
    seed: int = 0
    interleaved: bool = False
    alike: bool = False
    flat: bool = False

    @cached_property
    def image(self) -> NDArray[np.generic]:
        shape = (*([] if self.batch is None else [self.batch]), self.channels, *self.size)
        generator = np.random.default_rng(self.seed)
        if self.kind.startswith("uint"):
            image = generator.integers(0, np.iinfo(self.kind).max, shape, self.kind, endpoint=True)
        else:
            image = (100 * generator.standard_normal(shape)).astype(self.kind)
        if not self.interleaved:
            return image
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(image, -3, -1)), -1, -3)

    @cached_property
    def weight(self) -> NDArray[np.floating]:
        """Normally distributed; about one tap in five is zero, as backends may skip these."""
        outer, inner = (self.channels, self.filters) if self.spec.transpose else (self.filters, self.channels)
        shape = (outer, inner // self.spec.groups, *self.kernel)
        generator = np.random.default_rng([self.seed, 1])
        weight = (generator.standard_normal(shape) * (generator.random(shape) < 0.8)).astype(self.weight_kind)
        if self.flat:
            least = int(generator.integers(-2, 1))
            weight = 0.37 * generator.integers(least, 3, shape).astype(np.float64)
        if self.alike:
            return np.concatenate([weight[: shape[0] // self.spec.groups]] * self.spec.groups)
        return weight

    @cached_property
    def bias(self) -> NDArray[np.float64] | None:
        return 50 * np.random.default_rng([self.seed, 2]).standard_normal(self.filters) if self.biased else None

    @property
    def layer(self) -> Weights:
        """As it is applied."""
        return Weights.of(self.weight, self.spec, self.bias)

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """What the reference returns."""
        return self.run("reference").array

    @cached_property
    def magnitude(self) -> NDArray[np.float64]:
        """Σ|x·w| + |bias| of every output: what rounding errors are relative to."""
        act = transpose_convolve if self.spec.transpose else convolve
        bias = None if self.bias is None else np.abs(self.bias)
        image, weight = np.abs(self.image.astype(np.float64)), np.abs(self.weight.astype(np.float64))
        return act(image, weight, self.spec, Compute("reference"), bias).array

    @property
    def terms(self) -> int:
        """Products that one output sums, at most."""
        return (self.channels // self.spec.groups) * self.kernel.height * self.kernel.width

    def run(self, backend: str, dtype: str | None = None, threads: int = 1, plan: str | None = None) -> ConvResult:
        act = transpose_convolve if self.spec.transpose else convolve
        compute = Compute(backend, dtype=dtype, threads=threads, plan=plan)
        return act(self.image, self.weight, self.spec, compute, self.bias)

    def assert_agrees(self, array: NDArray[np.floating], dtype: str, everywhere_alike: bool = False) -> None:
        """Compare what some code computed in `dtype` with the reference.

        The rounding of a transform is relative to all that it sums: it is `everywhere_alike`.
        """
        magnitude: NDArray[np.floating] | float = self.magnitude
        if everywhere_alike:
            most = 0.0 if self.bias is None else float(np.abs(self.bias).max())
            weight = np.abs(self.weight.astype(np.float64))
            if self.spec.transpose:
                weight = (
                    weight.reshape(self.spec.groups, -1, *weight.shape[1:]).swapaxes(1, 2).reshape(self.filters, -1)
                )
            magnitude = (
                float(np.abs(self.image).max()) * float(weight.reshape(self.filters, -1).sum(axis=1).max()) + most
            )
        assert_close(array, self.truth, magnitude, dtype, self.terms)


def assert_close(
    array: NDArray[np.floating],
    truth: NDArray[np.floating],
    magnitude: NDArray[np.floating] | float,
    dtype: str,
    terms: int,
) -> None:
    """Compare two results of one sum, element by element, with a tolerance relative to `magnitude` = Σ|x·w| (+ |bias|).

    Rounding the factors, the products and a sum of n terms is at most n + 4 half units of error for each of the two
    results (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 3.1); random signs need only
    the root of n, of which four times are allowed.
    """
    assert array.shape == truth.shape
    allowed = EPSILON[dtype] * min(terms + 4, 4 * sqrt(terms + 4)) * np.asarray(magnitude, np.float64)
    error = np.abs(array.astype(np.float64) - truth)
    assert np.isfinite(array).all()
    worst = np.unravel_index(np.argmax(error - allowed), error.shape)
    assert (error <= allowed).all(), f"at {worst}: {array[worst]!r}, not {truth[worst]!r}"


@st.composite
def layers(draw: st.DrawFn, transpose: bool | None = None, explicit: bool = False, modes: Any = PADDING_MODES) -> Layer:
    """A valid layer: every padding rule and mode, pads beyond the image, even and rectangular kernels, 1-pixel images.

    With `explicit`, the padding is given in pixels and output_padding is 0.
    """
    if transpose is None:
        transpose = draw(st.booleans())
    pairs = lambda low, high: st.builds(Pair, st.integers(low, high), st.integers(low, high))
    kernel, dilation = Size(*draw(pairs(1, 5))), draw(pairs(1, 3))
    even = st.builds(lambda y, x: Pads(y, y, x, x), st.integers(0, 4), st.integers(0, 4))
    pads = st.builds(Pads, *[st.integers(0, 12)] * 4) | st.builds(Pads, *[st.integers(7, 12)] * 4) | even
    padding: Pads | str = draw(pads if explicit or draw(st.booleans()) else st.sampled_from(PADDING_RULES))
    stride = Pair(1, 1) if padding == "same" else draw(pairs(1, 4))
    output_padding = Pair(0, 0)
    if transpose and not explicit and draw(st.booleans()):
        limits = [max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)]
        output_padding = Pair(*(draw(st.integers(0, limit)) for limit in limits))
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    spec = ConvSpec(
        op=draw(st.sampled_from(("corr", "conv"))),
        transpose=transpose,
        stride=stride,
        padding=padding,
        padding_mode="zeros" if transpose else draw(st.sampled_from(modes)),
        dilation=dilation,
        groups=groups,
        output_padding=output_padding,
    )
    spare = st.integers(0, draw(st.sampled_from((1, 7))))
    size = Size(*(smallest_input(spec, axis, kernel[axis]) + draw(spare) for axis in (0, 1)))
    if transpose and not explicit and not any(output_padding) and draw(st.booleans()):
        least = spec.resolve(size, kernel).output
        spec = replace(
            spec, output_size=Size(*(least[axis] + draw(st.integers(0, stride[axis] - 1)) for axis in (0, 1)))
        )
    return Layer(
        spec,
        size,
        kernel,
        batch=draw(st.sampled_from((None, 1, 2))),
        channels=groups * draw(st.integers(1, 3)),
        filters=groups * draw(st.integers(1, 3)),
        kind=draw(st.sampled_from(KINDS)),
        weight_kind=draw(st.sampled_from(("float64", "float32", "float16"))),
        biased=draw(st.booleans()),
        seed=draw(st.integers(0, 2**32 - 1)),
        interleaved=draw(st.booleans()),
        alike=draw(st.booleans()),
    )


def smallest_input(spec: ConvSpec, axis: int, k: int) -> int:
    """The smallest input size along an axis that leaves at least one output pixel."""
    s, d, p2 = spec.stride[axis], spec.dilation[axis], spec.output_padding[axis]
    span = d * (k - 1) + 1
    if isinstance(spec.padding, str):
        both = {"valid": 0, "full": 2 * (span - 1)}.get(spec.padding)
        if both is None:  # the "same" rules fit every size
            return 1
    else:
        both = spec.padding[2 * axis] + spec.padding[2 * axis + 1]
    if spec.transpose:  # (h - 1)s - both + span + p2 ≥ 1
        return max(1, 1 - (span + p2 - both - 1) // s)
    return max(1, span - both)
