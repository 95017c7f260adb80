"""Linear light, gray and opacity tile by tile: the whole picture's formulas, written out here, on every plan and layout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convcli.backends.numpy.strategies import STRATEGIES
from convcli.convspec import ConvSpec
from convcli.engine import Compute, ConvResult
from convcli.geometry import Pads, Pair
from convcli.pointwise import finish as finishes
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift, Restore
from convcli.pointwise.ranges import Clipped
from convcli.vocabulary import PADDING_MODES
from support.cli import done
from support.operations import ALWAYS, BACKENDS, convolve, transpose_convolve
from support.pictures import read, write

Real = NDArray[np.float64]


@contextmanager
def small_pieces(cache: int, band: int) -> Iterator[None]:
    """Tiles of so many bytes, lifted and finished so many values at a time; real results are kept where tiles are large."""
    from convcli.backends.numpy import blocks, tiles
    from convcli.backends.numpy.strategies import common

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common, "CACHE_BYTES", cache)
        patch.setattr(blocks, "KEPT_BYTES", blocks.KEPT_BYTES if cache == 1 << 20 else 0)
        patch.setattr(tiles, "NEAR_VALUES", band)
        patch.setattr(finishes, "NEAR_VALUES", band)
        yield


class Case(NamedTuple):
    """A picture, what becomes of its pixels before and after the kernel, and the operation."""

    image: NDArray[Any]
    lift: Lift
    weight: Real
    spec: ConvSpec
    bias: Real | None
    finish: Finish

    def run(self, **how: Any) -> ConvResult:
        act = transpose_convolve if self.spec.transpose else convolve
        changes = self.lift.linear or self.lift.gray or self.lift.alpha == "weighs"
        lift = self.lift if changes else None
        return act(self.image, self.weight, self.spec, Compute(**how), self.bias, self.finish, lift)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind, white = draw(st.sampled_from((("uint8", 255.0), ("uint16", 65535.0), ("float32", 1.0))))
    opacity = draw(st.sampled_from(("", "beside", "weighs")))
    linear, gray, transpose = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    colours = draw(st.sampled_from((1, 3)))
    stored = colours + bool(opacity)
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    stride = draw(st.tuples(*[st.sampled_from((1, 1, 2, 3))] * 2))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    size = draw(st.tuples(st.integers(7, 15), st.integers(7, 15)))
    pads = Pads(0, 0, 0, 0) if transpose else Pads(*draw(st.tuples(*[st.integers(0, 9)] * 4)))
    image = generator.random((*size, stored)) * white
    image[generator.random(size) < 0.3, -1] = 0
    image = np.ascontiguousarray(image if kind == "float32" else np.rint(image), kind).transpose(2, 0, 1)
    if draw(st.booleans()):
        image = np.ascontiguousarray(image)
    weights = (0.5, 0.25, 0.25)[:colours] if gray else ()
    lift = Lift("float64", white, linear, weights, opacity)
    read_ = lift.outputs(stored)
    each = draw(st.booleans())
    weight = generator.integers(1, 5, (read_, 1 if each else read_, *kernel)) / 8
    if each:
        weight[:] = weight[:1]
    if opacity != "weighs":
        weight *= generator.choice((-1, 1), kernel)
    spec = ConvSpec(
        transpose=transpose, stride=Pair(*stride), dilation=Pair(*dilation), padding=pads, groups=read_ if each else 1,
        padding_mode="zeros" if transpose else draw(st.sampled_from(PADDING_MODES)),
    )  # fmt: skip
    gain = 1.25 if opacity == "weighs" else None
    after = tuple(generator.integers(-5, 5, read_ - 1) * white / 64) if gain and draw(st.booleans()) else ()
    restore = Restore(white, linear, bool(opacity), gain, after)
    finish = Finish(restore=restore)
    if draw(st.booleans()):
        policy, scale = draw(st.sampled_from(("clip", "abs", "offset", "minmax"))), 255 / white
        span = draw(st.sampled_from((None, (-20.0, 190.0)))) if policy == "minmax" else None
        finish = Finish((), "uint8", 255.0, policy, True, scale, span, real="float64", restore=restore)
    bias = generator.integers(0, 9, read_) * white / 64 if gain is None and draw(st.booleans()) else None
    return Case(image, lift, weight, spec, bias, finish)


def decoded(x: Real) -> Real:
    """IEC 61966-2-1, of values from 0 to 1."""
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def encoded(x: Real) -> Real:
    size = np.abs(x)
    return np.sign(x) * np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)


def lifted(image: NDArray[Any], lift: Lift) -> Real:
    """What the kernel reads, of the whole picture."""
    whole = image.astype(np.float64) / lift.full_scale
    colours, alpha = (whole[:-1], whole[-1:]) if lift.alpha else (whole, whole[:0])
    if lift.linear:
        colours = decoded(colours)
    if lift.gray:
        colours = np.tensordot(lift.gray, colours, 1)[np.newaxis]
    if lift.alpha == "weighs":
        colours = colours * alpha
    return np.concatenate([colours, alpha]) * lift.full_scale


def restored(result: Real, restore: Restore) -> Real:
    """Colours as they are stored, of the whole result; the opacity behind them."""
    white = restore.full_scale
    colours, alpha = (result[:-1], result[-1:]) if restore.alpha else (result, result[:0])
    if restore.gain is not None:
        alpha = alpha / restore.gain
        seen = alpha > 1e-6 * white
        colours = np.where(seen, colours * white / np.where(seen, alpha, 1), 0)
    if restore.bias:
        colours = colours + np.reshape(restore.bias, (-1, 1, 1))
    if restore.linear:
        colours = encoded(colours / white) * white
    return np.concatenate([colours, alpha])


def in_range(values: Real, policy: str, span: tuple[float, float] | None = None) -> Real:
    """Values in units of 255, before they are rounded."""
    if policy == "minmax":
        low, high = span or (values.min(), values.max())
        return (values - low) * (255 / (high - low) if high > low else 0)
    return np.abs(values) if policy == "abs" else values + 128 * (policy == "offset")


@pytest.mark.parametrize("how", [{"plan": plan} for plan in ALWAYS] + [{"backend": name} for name in BACKENDS])
@given(
    case=cases(),
    threads=st.sampled_from((1, 2)),
    cache=st.sampled_from((1, 3000, 1 << 20)),
    band=st.sampled_from((1, 70, 1 << 16)),
)
def test_tiles_agree_with_the_whole_picture(
    how: dict[str, str], case: Case, threads: int, cache: int, band: int
) -> None:
    image, lift, weight, spec, bias, finish = case
    assert finish.restore is not None
    act = transpose_convolve if spec.transpose else convolve
    real = act(lifted(image, lift), weight, spec, Compute("reference"), bias).array
    expected = restored(real, finish.restore)
    with small_pieces(cache, band):
        result = case.run(**{"backend": "numpy", "dtype": "float64", "threads": threads, **how})
    if finish.dtype is None:
        np.testing.assert_allclose(result.array, expected, atol=1e-7 * lift.full_scale)
        return
    count = len(expected) - finish.restore.alpha
    scaled = expected * finish.scale
    scaled[:count] = in_range(scaled[:count], finish.policy, finish.span)
    near = np.abs(scaled - np.floor(scaled) - 0.5) < 1e-4  # either way of rounding is right
    np.testing.assert_array_equal(np.where(near, 0, result.array), np.where(near, 0, np.clip(np.rint(scaled), 0, 255)))
    if not near.any():
        rounded = np.rint(scaled[:count])
        below, above = int((rounded < 0).sum()), int((rounded > 255).sum())
        assert result.clipped == Clipped(below, above, rounded.size)


@pytest.mark.parametrize("plan", STRATEGIES)
def test_opacity_that_is_filtered_has_its_own_range(plan: str) -> None:
    """Though all channels have one kernel and lie interleaved, so that they could be worked on as one."""
    image = np.random.default_rng(2).integers(0, 256, (20, 30, 4), dtype=np.uint8).transpose(2, 0, 1)
    finish = Finish((), "uint8", 255.0, "offset", True, restore=Restore(255.0, alpha=True))
    spec, weight = ConvSpec(groups=4), np.full((4, 1, 1, 2), [-1.0, 1.0])
    result = convolve(image, weight, spec, Compute("numpy", plan=plan), None, finish)
    steps = np.diff(image.astype(int))
    np.testing.assert_array_equal(result.array[:3], np.clip(steps[:3] + 128, 0, 255))
    np.testing.assert_array_equal(result.array[3], np.clip(steps[3], 0, 255))
    assert result.clipped == Clipped(int((steps[:3] < -128).sum()), int((steps[:3] > 127).sum()), 3 * 20 * 29)


def test_both_ways_of_an_operation_with_everything(tmp_path: Path) -> None:
    """Light, gray, opacity and a stretch at once, against the formulas; what lies under transparency is not seen."""
    pixels = np.random.default_rng(4).integers(0, 256, (4, 40, 50), dtype=np.uint8)
    pixels[3, :20] = 0
    options = ["--linear", "--channels", "gray", "--range", "minmax", "--bias", "9"]
    done("apply", write(tmp_path / "in.png", pixels), "-k", "box:3", *options, "-o", "out.png", cwd=tmp_path)
    lift = Lift("float64", 255.0, True, (0.2126, 0.7152, 0.0722), "weighs")
    filtered = convolve(lifted(pixels, lift), np.full((2, 1, 3, 3), 1 / 9), ConvSpec(groups=2)).array
    gray, alpha = restored(filtered, Restore(255.0, True, True, 1.0, (9.0,)))
    expected = np.stack([in_range(gray, "minmax"), alpha])
    np.testing.assert_allclose(read(tmp_path / "out.png"), expected, atol=0.51)
