"""One picture through one operation: light, channels, alpha, the engine, the bank's combination, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convcli import engine
from convcli.engine import ConvResult
from convcli.errors import ImageError
from convcli.geometry import ConvSpec
from convcli.images import Picture, alpha, light
from convcli.images.save import with_colour
from convcli.kernels import combine
from convcli.operation import Operation

LUMA = (0.299, 0.587, 0.114)
"""Gray of red, green and blue, ITU-R BT.601: the weights of Pillow, OpenCV and libjpeg."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An operation fitted to a picture: what the engine is called with, and how its result is read."""

    image: NDArray[np.generic]
    weight: NDArray[np.floating]
    spec: ConvSpec
    bias: NDArray[np.float64] | None
    parts: tuple[tuple[int, str], ...]
    blocks: int


def run(picture: Picture, operation: Operation) -> tuple[Picture, ConvResult]:
    """Apply an operation to a picture.

    Returns
    -------
    picture : Picture
        Real values in the input's units, before the range policy.
    result : ConvResult
        What the engine says of the colours.

    Raises
    ------
    ConvError
        An operation that does not fit this picture.
    """
    if operation.linear:
        if picture.space == "cmyk" or picture.space == "tensor":
            raise ImageError(f"--linear is for gray and RGB images, this is {picture.space}: leave it out")
        picture = replace(picture, colour=light.to_linear(picture.colour, picture.full_scale))
    if operation.channels == "gray" and picture.colour.shape[-3] > 1:
        picture = with_colour(picture, to_gray(picture), picture.alpha)
    policy = _alpha_policy(picture, operation)
    opacity: NDArray[np.floating] | None = None
    if policy == "filter" and picture.alpha is not None:
        planes = np.concatenate([picture.colour, picture.alpha[np.newaxis]])
        out, result = _filter(replace(picture, colour=planes, alpha=None), operation)
        if out.shape[0] == planes.shape[0]:  # else the outputs of a layer, which are no colours
            out, opacity = out[:-1], out[-1]
        return _finish(picture, operation, out, opacity), result
    if policy == "premultiply" and picture.alpha is not None:
        out, opacity, result = _premultiplied(picture, operation)
        return _finish(picture, operation, out, opacity), result
    out, result = _filter(picture, operation)
    if policy == "keep" and picture.alpha is not None:
        opacity = alpha.resample(picture.alpha, result.geometry).astype(out.dtype)
    return _finish(picture, operation, out, opacity), result


def to_gray(picture: Picture) -> NDArray[np.floating]:
    """Luma ``(1, H, W)`` of an RGB image; the mean of the channels of anything else but CMYK."""
    colour, channels = picture.colour, picture.colour.shape[-3]
    if picture.space == "cmyk":
        raise ImageError("--channels gray is for RGB images, this is CMYK: convert it to RGB first")
    weights = np.array(LUMA if channels == 3 else [1 / channels] * channels)
    kind = np.float64 if colour.dtype == np.float64 else np.float32
    out: NDArray[np.floating] = np.einsum("c,...chw->...hw", weights.astype(kind), colour.astype(kind))
    return out[..., np.newaxis, :, :]


def prepare(picture: Picture, operation: Operation) -> Prepared:
    """Fit the kernels, groups and bias of an operation to a picture's channels."""
    channels = picture.colour.shape[-3]
    spec = operation.spec
    parts: tuple[tuple[int, str], ...] = ()
    if operation.bank is None:
        assert operation.weight is not None
        weight, blocks = operation.weight, 1
    else:
        weight, groups = operation.bank.weight(channels, operation.channels, spec.groups, spec.transpose)
        spec, parts = replace(spec, groups=groups), operation.bank.parts
        blocks = channels if operation.channels == "each" else 1
    filters = engine.check_channels(channels, weight.shape, spec)
    bias = None if operation.bias is None else operation.bias.array(filters, picture.full_scale)
    return Prepared(picture.colour, weight, spec, bias, parts, blocks)


def _filter(picture: Picture, operation: Operation) -> tuple[NDArray[np.floating], ConvResult]:
    job = prepare(picture, operation)
    act = engine.transpose if job.spec.transpose else engine.convolve
    result = act(job.image, job.weight, job.spec, operation.compute, job.bias)
    return combine(result.array, job.parts, job.blocks), result


def _premultiplied(
    picture: Picture, operation: Operation
) -> tuple[NDArray[np.floating], NDArray[np.floating], ConvResult]:
    """Filter colours by their opacity, and the opacity with the same kernel; bias is added to the colours after."""
    assert picture.alpha is not None
    assert operation.bank is not None
    kind = "float64" if operation.compute.dtype == "float64" else "float32"
    weighted = alpha.premultiply(picture.colour, picture.alpha, picture.full_scale, kind)
    opaque = replace(picture, colour=weighted, alpha=None)
    out, result = _filter(opaque, replace(operation, bias=None))
    stride = operation.spec.stride
    gain = float(operation.bank.values.sum()) / (stride.rows * stride.columns if operation.spec.transpose else 1)
    colour, opacity = alpha.unpremultiply(out, picture.full_scale, gain)
    if operation.bias is not None:
        colour += operation.bias.array(colour.shape[0], picture.full_scale)[:, np.newaxis, np.newaxis].astype(out.dtype)
    return colour, opacity, result


def _alpha_policy(picture: Picture, operation: Operation) -> str:
    """Resolve ``auto``: weight by opacity where a single kernel averages; else keep alpha, resampled."""
    if picture.alpha is None:
        return "keep"
    bank, channels = operation.bank, picture.colour.shape[0]
    averages = bank is not None and bank.averages and operation.channels == "each"
    if operation.alpha == "auto":
        if averages:
            return "premultiply"
        if operation.weight is not None and operation.channels != "gray":
            taken = operation.weight.shape[0 if operation.spec.transpose else 1]
            if taken * (1 if operation.spec.transpose else operation.spec.groups) == channels + 1:
                return "filter"
        return "keep"
    if operation.alpha == "filter" and bank is not None and (operation.channels != "each" or len(bank.parts) > 1):
        raise ImageError("--alpha filter wants one kernel or combination on each channel: use --alpha keep or drop")
    if operation.alpha == "premultiply" and not averages:
        raise ImageError(
            "--alpha premultiply wants a single kernel that does not sum to zero, on each channel: use --alpha keep or filter"
        )
    return operation.alpha


def _finish(
    picture: Picture, operation: Operation, colour: NDArray[np.floating], opacity: NDArray[np.floating] | None
) -> Picture:
    if operation.linear:
        colour = light.to_srgb(colour, picture.full_scale)
    return with_colour(picture, colour, opacity)
