"""What an animation is made from: an image's channel with a kernel and the result."""

from __future__ import annotations

import os
import re

import numpy as np
from numpy.typing import NDArray

from convcli import engine, images
from convcli.animation.timeline import Timeline, Values, timeline_of
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import GeometryError, ImageError, KernelError, param
from convcli.images import Picture
from convcli.kernels import parse
from convcli.kernels.spec import literal
from convcli.layer import Layer


def kernel(spec: str) -> NDArray[np.float64]:
    """The one 2-D kernel ``(kh, kw)`` of a SPEC.

    Raises
    ------
    KernelError
        It cannot be built, or there are several.
    """
    kernels = parse(spec).kernels
    if len(kernels) > 1:
        names = ", ".join(dict.fromkeys(one.name for one in kernels))
        raise KernelError(f"kernel '{spec}'", f"is {len(kernels)} kernels", f"animate one of them: {names}")
    return kernels[0].values


_ENDING = re.compile(r"\.[A-Za-z]\w*$")
"""The ending of a file's name. Text with such an ending is not numbers."""


def load(text: str) -> Picture:
    """The picture at a path, on ``-``, or of numbers that are written like a kernel: ``1,2;3,4``.

    Raises
    ------
    ConvError
        It cannot be read.
    """
    if not re.search("[,;]", text) or _ENDING.search(text) or os.path.exists(text):
        return images.load(text)
    try:
        values = literal(text.strip())
    except KernelError as error:
        value = error.value.replace("kernel", "input", 1)
        raise ImageError(value, error.rule, error.remedy, error.why) from None
    return Picture(values[np.newaxis], None, "tensor", 1.0, 2)


def with_values(
    picture: Picture, channel: int | None, weights: NDArray[np.float64], spec: ConvSpec, name: str
) -> tuple[Timeline, Values, tuple[str, ...]]:
    """A channel of the image `name` under a kernel ``(kh, kw)``: all steps, their numbers, and notes on what they leave out.

    The reference computes the numbers in float64. `channel` counts from 0; negative numbers count from the end. None means
    gray, or the first channel of a tensor.

    Raises
    ------
    ConvError
        There is no such channel, or the animation would be too large.
    """
    plane = _plane(picture, channel, name)
    notes = picture.notes if picture.alpha is None else (*picture.notes, "alpha is left out")
    return *of_plane(plane, weights, spec), notes


def of_plane(plane: NDArray[np.float64], weights: NDArray[np.float64], spec: ConvSpec) -> tuple[Timeline, Values]:
    """A plane ``(H, W)`` under a kernel ``(kh, kw)``: all steps, and their numbers."""
    layer = Layer.of(weights[np.newaxis, np.newaxis], spec)
    steps = timeline_of(spec.resolve((plane.shape[0], plane.shape[1]), layer.kernel), spec.op)
    result = engine.run(plane[np.newaxis], layer, spec, Compute("reference"))
    return steps, Values(plane.tolist(), weights.tolist(), result.array[0].tolist())


def _plane(picture: Picture, channel: int | None, name: str) -> NDArray[np.float64]:
    """One channel ``(H, W)``, float64."""
    if picture.colour.ndim == 4 and picture.colour.shape[0] > 1:
        rule = f"is a batch of {picture.colour.shape[0]} images"
        raise ImageError(f"'{name}'", rule, "animate one of them, a .npy of (C, H, W)")
    colour = picture.colour[0] if picture.colour.ndim == 4 else picture.colour
    count = colour.shape[0]
    if channel is not None and not -count <= channel < count:
        there = f"0 to {count - 1}, or -{count} to -1 from the end" if count > 1 else "0"
        raise GeometryError(param("channel", channel), f"is not in '{name}', which has {count}", f"use {there}")
    gray = channel is None and picture.space == "rgb"
    plane: NDArray[np.float64] = (picture.gray(double=True)[0] if gray else colour[channel or 0]).astype(np.float64)
    return plane
