"""What `compare` runs on every backend: an image, weights and a bias, from files or random."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.convspec import Bias, ConvSpec
from convcli.errors import GeometryError, param
from convcli.images import Picture
from convcli.images.picture import joined
from convcli.layer import Layer
from convcli.records import NamedTuple
from convcli.runs import alpha
from convcli.runs.operation import Operation
from convcli.runs.pipeline import fit
from convcli.system import memory


class Compared(NamedTuple):
    """The arguments of the engine: an image ``(C_in, H, W)`` or ``(N, C_in, H, W)``, a layer, and a specification."""

    image: NDArray[Any]
    layer: Layer
    spec: ConvSpec


def of_operation(picture: Picture, operation: Operation) -> Compared:
    """The arguments of the engine for an operation on a picture, as in `pipeline.run` before a bank's outputs are combined.

    Alpha is a channel if it is filtered like the colours. Otherwise it is left out.
    """
    if operation.channels == "gray" and picture.colour.shape[-3] > 1:
        picture = picture.with_pixels(picture.gray(), picture.alpha)
    image = picture.colour
    if picture.alpha is not None and alpha.policy_for(image.shape[-3], operation) == "filter":
        image = joined(image, picture.alpha)
    layer, spec, _ = fit(image.shape[-3], picture.full_scale, operation)
    return Compared(image, layer, spec)


def of_random_weights(
    picture: Picture, filters: int | None, kernel: tuple[int, int], spec: ConvSpec, bias: Bias | None
) -> Compared:
    """Random weights for a picture's colours, with `filters` output channels (by default as many as there are colours)."""
    channels = picture.colour.shape[-3]
    filters = filters or channels
    weight = random_weights(channels, filters, kernel, spec)
    offsets = None if bias is None else np.array(bias.of(filters, picture.full_scale))
    return Compared(picture.colour, Layer.of(weight, spec, offsets), spec)


def random_picture(size: tuple[int, int], channels: int, seed: int = 0) -> Picture:
    """Normally distributed values ``(channels, height, width)``, float32, full scale 1; a GeometryError if they are too many."""
    shape = (channels, *size)
    _check_memory("a tensor", shape, f"a smaller {param('size')}, or fewer {param('in_channels')}")
    return Picture(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32), None, "tensor", 1.0)


def random_weights(
    in_channels: int, out_channels: int, kernel: tuple[int, int], spec: ConvSpec, seed: int = 1
) -> NDArray[np.float32]:
    """Normally distributed weights, 4-D, float32, which keep an image's variance, as the initial weights of layers do.

    Raises
    ------
    GeometryError
        The groups do not divide the channels, or there are more values than this machine can hold.
    """
    for count, what in ((in_channels, "input"), (out_channels, "output")):
        if count % spec.groups:
            rule = f"does not divide the {count} {what} channels"
            raise GeometryError(f"groups {spec.groups}", rule, f"use {param('groups', 1)}")
    outer, inner = (in_channels, out_channels) if spec.transpose else (out_channels, in_channels)
    shape = (outer, inner // spec.groups, *kernel)
    _check_memory("weights", shape, f"a smaller {param('kernel_size')}, or fewer channels")
    weight = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    weight /= np.float32(sqrt(in_channels // spec.groups * prod(kernel)))
    return weight


def _check_memory(what: str, shape: tuple[int, ...], remedy: str) -> None:
    """Refuse an array that cannot be held twice: in float32 as drawn, and in float64 for the reference."""
    need = 12 * prod(shape)
    have = memory.total_bytes()
    if need > have:
        rule = f"need {need / 2**30:.1f} GiB, this machine has {have / 2**30:.1f}"
        raise GeometryError(f"{what} of shape {shape} and its float64 copy", rule, f"use {remedy}")
