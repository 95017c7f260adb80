"""What `compare` runs on every backend: an image, weights and a bias; read from files, or random."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.convspec import ConvSpec
from convcli.errors import GeometryError
from convcli.images import Picture, alpha
from convcli.runs import pipeline, transparency
from convcli.runs.operation import Bias, Operation
from convcli.system import memory


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What the engine is called with.

    Attributes
    ----------
    image : ndarray
        ``(C_in, H, W)`` or ``(N, C_in, H, W)``.
    weight : ndarray
        ``(C_out, C_in/groups, kh, kw)``, transposed ``(C_in, C_out/groups, kh, kw)``.
    spec : ConvSpec
        With the groups that the channels ask for.
    bias : ndarray, optional
        ``(C_out,)``, in the image's units.
    """

    image: NDArray[Any]
    weight: NDArray[Any]
    spec: ConvSpec
    bias: NDArray[np.float64] | None = None


def of_operation(picture: Picture, operation: Operation) -> Layer:
    """The layer that an operation is on a picture, as `pipeline.run` computes it before it combines a bank.

    Opacity is a channel where it is filtered like the colours (weights of a channel more); elsewhere it is left out.
    """
    if operation.channels == "gray" and picture.colour.shape[-3] > 1:
        picture = picture.with_pixels(picture.gray(), picture.alpha)
    if picture.alpha is not None and transparency.policy_for(picture, operation) == "filter":
        picture = replace(picture, colour=alpha.joined(picture.colour, picture.alpha), alpha=None)
    fitted = pipeline.fit(picture, operation)
    return Layer(fitted.image, fitted.weight, fitted.spec, fitted.bias)


def of_random_weights(
    picture: Picture, filters: int | None, kernel: tuple[int, int], spec: ConvSpec, bias: Bias | None = None
) -> Layer:
    """Random weights on a picture's colours; `filters` output channels, by default as many as there are colours."""
    channels = picture.colour.shape[-3]
    filters = filters or channels
    weight = random_weights(channels, filters, kernel, spec)
    return Layer(picture.colour, weight, spec, None if bias is None else bias.array(filters, picture.full_scale))


def random_picture(size: tuple[int, int], channels: int, seed: int = 0) -> Picture:
    """A normally distributed tensor ``(channels, height, width)``, float32, of full scale 1.

    Raises
    ------
    GeometryError
        More values than this machine can hold.
    """
    shape = (channels, *size)
    _check_memory("a tensor", shape, "a smaller --size, or fewer --in-channels")
    return Picture(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32), None, "tensor", 1.0)


def random_weights(
    in_channels: int, out_channels: int, kernel: tuple[int, int], spec: ConvSpec, seed: int = 1
) -> NDArray[np.float32]:
    """Normally distributed weights that keep an image's variance, as layers are initialised: 4-D, float32.

    Raises
    ------
    GeometryError
        Groups that do not divide the channels, or more values than this machine can hold.
    """
    for count, what in ((in_channels, "input"), (out_channels, "output")):
        if count % spec.groups:
            raise GeometryError(f"groups {spec.groups} does not divide the {count} {what} channels: use --groups 1")
    outer, inner = (in_channels, out_channels) if spec.transpose else (out_channels, in_channels)
    shape = (outer, inner // spec.groups, *kernel)
    _check_memory("weights", shape, "a smaller --kernel-size, or fewer channels")
    weight = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    weight /= np.float32(sqrt(in_channels // spec.groups * prod(kernel)))
    return weight


def _check_memory(what: str, shape: tuple[int, ...], remedy: str) -> None:
    """Refuse what cannot be held once as drawn, in float32, and once for the reference, in float64."""
    need = 12 * prod(shape)
    have = memory.total_bytes()
    if need > have:
        raise GeometryError(
            f"{what} of shape {shape} and its float64 copy need {need / 2**30:.1f} GiB, this machine has "
            f"{have / 2**30:.1f}: use {remedy}"
        )
