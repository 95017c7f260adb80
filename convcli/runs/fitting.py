"""An operation fitted to a picture: channels, groups, bias, light, alpha and storage are decided, nothing is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli import engine, images
from convcli.convspec import ConvSpec
from convcli.engine import Compute, ConvResult
from convcli.errors import ImageError, param
from convcli.images import Picture, Storage
from convcli.images.picture import SPACES, joined
from convcli.layer import Layer
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift, Restore
from convcli.runs.operation import Operation
from convcli.system import memory


class Fitted(NamedTuple):
    """An operation for a number of channels: everything that the engine is called with, except the pixels.

    `lift` is applied to the image's pixels, as stored, before the kernel. `finish` is applied to the results after it.
    """

    layer: Layer
    spec: ConvSpec
    finish: Finish
    lift: Lift | None = None

    @property
    def channels(self) -> int:
        """Number of channels of the result."""
        return self.finish.outputs(self.layer.outputs)

    def run(self, image: NDArray[Any], compute: Compute) -> ConvResult:
        """Compute the operation on an image; errors are those of `engine.run`."""
        return engine.run(image, self.layer, self.spec, compute, self.finish, self.lift)


def fit(channels: int, white: float, operation: Operation) -> Fitted:
    """Fit the kernels, groups and bias of an operation to a number of channels and a value of white.

    Raises
    ------
    ConvError
        They do not fit.
    """
    spec = operation.spec
    parts: tuple[tuple[int, str], ...] = ()
    if operation.bank is None:
        assert operation.weight is not None
        weight = operation.weight
    else:
        weight, groups = operation.bank.weight(channels, operation.channels, spec.groups, spec.transpose)
        spec, parts = replace(spec, groups=groups), operation.bank.parts
    layer = Layer.of(weight, spec)
    layer.check(channels)
    if operation.bias is not None:
        layer = replace(layer, bias=operation.bias.array(layer.outputs, white))
    return Fitted(layer, spec, Finish(parts))


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A picture and an operation before the computation: everything is decided, nothing is computed."""

    picture: Picture  # as loaded
    # ``(C, H, W)``, or ``(N, C, H, W)``: the pixels before the lift. The last channel is alpha if it is needed
    # for the computation.
    image: NDArray[Any]
    space: str  # the colour space that the kernel reads: gray if the operation converts colours to gray
    colours: int  # number of channels in this space, without alpha
    fitted: Fitted  # what the engine is called with
    storage: Storage  # how the file will store the result
    alpha: str  # the alpha policy; ``drop`` if there is no alpha
    has_alpha: bool  # whether the result has alpha

    @property
    def computes_alpha(self) -> bool:
        """Whether the last channel of the computed result is alpha."""
        return self.has_alpha and self.alpha in ("premultiply", "filter")

    def with_result(self, colour: NDArray[Any], alpha: NDArray[Any] | None) -> Picture:
        """The picture with the pixels of the result. If the colour space changes, metadata for the old one is dropped."""
        space, metadata = _space_of(colour.shape[-3], self.space, self.colours), self.picture.metadata
        if not space == self.space == self.picture.space:
            metadata = replace(metadata, icc_profile=None, chunks=())
        return replace(self.picture, colour=colour, alpha=alpha, space=space, metadata=metadata)


def _space_of(channels: int, space: str, colours: int) -> str:
    """The colour space of a result with `channels` channels: `space`, if it has as many channels as there were colours."""
    return space if channels == colours else SPACES.get(channels, "tensor")


def prepare(picture: Picture, operation: Operation, container: str, policy: str | None = None) -> Prepared:
    """Decide everything before the computation. Parameters and errors are those of `convcli.runs.pipeline.run`."""
    linear = operation.linear
    if linear and not picture.has_light:
        unknown = picture.space == "tensor" and picture.assumed
        remedy = f"say with {param('full_scale')} what white is, or leave it out" if unknown else "leave it out"
        raise ImageError(param("linear"), f"is for gray and RGB images, this is {picture.space}", remedy)
    white, colours, space = picture.full_scale, picture.colour.shape[-3], picture.space
    weights: tuple[float, ...] = ()
    if operation.channels == "gray" and colours > 1:
        weights = picture.gray_weights(linear)
        colours, space = 1, SPACES[1]
    rule = "drop"
    if picture.alpha is not None:
        from convcli.runs import alpha

        rule = alpha.policy_for(colours, True, operation)
    if rule == "premultiply":
        fitted = fit(colours + 1, white, replace(operation, bias=None, channels="each"))
        channels, has_alpha = fitted.channels - 1, True
    elif rule == "filter":
        fitted = fit(colours + 1, white, alpha.for_colours(operation, colours))
        has_alpha = fitted.channels == colours + 1  # otherwise, these are outputs of a layer, not colours
        channels = fitted.channels - has_alpha
    else:
        fitted = fit(colours, white, operation)
        channels = fitted.channels
        has_alpha = (
            rule == "keep" and _space_of(channels, space, colours) != "tensor"
        )  # outputs of a layer are not colours
    size = fitted.spec.resolve(picture.size, fitted.layer.kernel).output
    batch = picture.colour.shape[:-3]
    kept = images.storage_for(
        picture, _space_of(channels, space, colours), (*batch, channels, *size), has_alpha,
        container, policy, _fewer(operation, space, colours, picture.size),
    )  # fmt: skip
    _check_memory(kept, (*batch, channels + has_alpha, *size), rule == "keep" and has_alpha, operation)
    lift, restore = _both_ways(picture, operation, weights, rule, channels, has_alpha)
    finish = replace(fitted.finish, restore=restore)
    if kept.dtype in ("uint8", "uint16"):
        finish = replace(
            finish, dtype=kept.dtype, full_scale=kept.full_scale, policy=kept.policy, count=True, scale=kept.scale,
            real=operation.compute.dtype or ("float64" if kept.dtype == "uint16" else "float32"),
            noise=_noise(fitted, white * kept.scale) if kept.policy == "minmax" else 0.0,
        )  # fmt: skip
    image = picture.colour
    if rule in ("premultiply", "filter"):
        assert picture.alpha is not None
        image = joined(image, picture.alpha)
    fitted = fitted._replace(lift=lift, finish=finish)
    return Prepared(picture, image, space, colours, fitted, kept, rule, has_alpha)


def _noise(fitted: Fitted, white: float) -> float:
    """How far rounding can move results apart that should be equal: a few units of float32, in the largest possible sums."""
    together = max((count for count, rule in fitted.finish.parts if rule != "none"), default=1)
    return 2 * float(np.finfo(np.float32).eps) * fitted.layer.largest_sum * together * white


def _both_ways(
    given: Picture, operation: Operation, gray: tuple[float, ...], rule: str, channels: int, has_alpha: bool
) -> tuple[Lift | None, Restore | None]:
    """The lift for a picture's pixels before the kernel, and the restoring of the results after it.

    `gray` are the weights that make gray of the colours, `rule` is the alpha policy, and the result has `channels`
    colours.
    """
    white, linear, weighs = given.full_scale, operation.linear, rule == "premultiply"
    alpha = "weighs" if weighs else "beside" if rule == "filter" else ""
    lift, restore = None, None
    if linear or gray or weighs:
        wide = _wide(given.colour.dtype, linear or weighs, operation.compute)
        lift = Lift("float64" if wide else "float32", white, linear, gray, alpha)
    if linear or (alpha and has_alpha):
        restore = Restore(white, linear, bool(alpha) and has_alpha)
    if weighs and restore is not None:
        bias = () if operation.bias is None else tuple(operation.bias.array(channels, white).tolist())
        from convcli.runs.alpha import gain_of

        restore = restore._replace(gain=gain_of(operation), bias=bias)
    return lift, restore


def _wide(colour: np.dtype[Any], curved: bool, compute: Compute) -> bool:
    """Whether lifted colours are float64: if asked for, if the pixels are float64, or if they have 16 bits and numpy computes.

    `curved` says that colours are converted to linear light, or weighted by their alpha.
    """
    if compute.dtype is not None:
        return compute.dtype == "float64"
    if colour == np.uint16:
        return compute.device == "cpu" and compute.backend != "torch"
    return colour == np.float64 and not curved


def _check_memory(kept: Storage, shape: tuple[int, ...], joined: bool, operation: Operation) -> None:
    """Refuse a result of `shape` that does not fit into memory while its values are reordered for a file, or encoded.

    The engine checks the memory for the computation. `joined` says that alpha that was not computed is added to
    the colours.
    """
    tensor = images.row_of(kept.container).tensor
    real = 8 if operation.compute.dtype == "float64" else 4
    stored = prod(shape) * (real if tensor else np.dtype(kept.dtype).itemsize)
    encoder = images.row_of(kept.container).encoder_bytes * prod(shape[-2:])
    further = stored * (tensor or joined) + encoder
    if further and memory.refuses(stored + further):
        remedy = "write png or tif, or use a smaller image" if encoder else "use fewer kernels, or a smaller image"
        rule = f"needs {(stored + further) / 2**30:.1f} GiB on its way to {kept.container}, {memory.share()}"
        raise ImageError(f"an output of shape {shape}", rule, remedy)


def _fewer(operation: Operation, space: str, channels: int, size: tuple[int, int]) -> str:
    """How an operation could give as many channels as the image has, for the user; empty if no option does this."""
    height, width = size
    if space == "tensor" and channels > 4 and width in (1, 3, 4):
        return f"transpose the input, a .npy is (C, H, W) and ({channels}, {height}, {width}) looks like (H, W, C)"
    if operation.bank is None:
        return ""
    each = operation.channels == "each"
    several = sum(count for count, _ in operation.bank.parts) > 1
    if several and (not each or channels in (1, 3)):
        return f"join them with {param('combine')}"
    if not each:
        return ""
    return f"sum the channels with {param('channels', 'sum')}" + (f" and {param('combine', 'sum')}" if several else "")
