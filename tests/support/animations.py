"""Geometries of animations, and the values that their steps sum up."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli.animation import stage
from convcli.animation.stage import Look
from convcli.animation.timeline import Timeline, Values, timeline_of
from convcli.convspec import ConvSpec
from convcli.drawing.reel import Reel
from convcli.errors import GeometryError
from convcli.geometry import Geometry, Pads, Pair


def geometry(draw: st.DrawFn, transposed: bool, modes: tuple[str, ...] = ("zeros",)) -> tuple[Geometry, str]:
    small = st.integers(1, 3)
    pair = lambda: Pair(draw(small), draw(small))
    stride, dilation, kernel = pair(), pair(), pair()
    pads = Pads(*(draw(st.integers(0, 4)) for _ in range(4)))
    extra = Pair(*(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)))
    op = draw(st.sampled_from(["corr", "conv"]))
    spec = ConvSpec(
        op, transposed, stride, pads, draw(st.sampled_from(modes)), dilation,
        output_padding=extra if transposed else Pair(0, 0),
    )  # fmt: skip
    try:
        return spec.resolve((draw(st.integers(1, 5)), draw(st.integers(1, 5))), kernel), op
    except GeometryError:
        assume(False)
        raise


@st.composite
def direct(draw: st.DrawFn) -> tuple[Geometry, str]:
    return geometry(draw, False, ("zeros", "reflect", "replicate", "circular", "symmetric"))


@st.composite
def transposed(draw: st.DrawFn) -> tuple[Geometry, str]:
    return geometry(draw, True)


def random(shape: tuple[int, int]) -> NDArray[np.int64]:
    return np.random.default_rng(sum(shape)).integers(-9, 10, shape)


def summed(timeline: Timeline, image: NDArray[np.int64], kernel: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the taps of every step add up to."""
    values = Values(image.tolist(), kernel.tolist())
    out = np.full(timeline.geometry.output, np.nan)
    for step in timeline.steps:
        out[step.output] = sum((timeline.value(tap, values) or 0) * kernel[tap.kernel] for tap in step.taps)
    return out


def small(title: str | None = None, theme: str = "light") -> Reel:
    timeline = timeline_of(ConvSpec(padding=Pads(1, 0, 0, 1)).resolve((3, 3), (2, 2)))
    return stage.film(timeline, Values(), Look(20, theme, title, 4))
