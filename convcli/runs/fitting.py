"""An operation fitted to a picture: channels, groups, bias, light, alpha and storage are decided, nothing is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli import images
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import ImageError, param
from convcli.images import Picture, Storage
from convcli.images.picture import SPACES, joined
from convcli.layer import Layer
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift, Restore
from convcli.runs.operation import Operation
from convcli.system import memory
from convcli.windows import Held, Source


class Fitted(NamedTuple):
    """An operation for a number of channels: the layer and its specification, and what combines the outputs of a bank."""

    layer: Layer
    spec: ConvSpec
    finish: Finish


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
        layer = replace(layer, bias=np.array(operation.bias.of(layer.outputs, white)))
    return Fitted(layer, spec, Finish(parts))


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A picture and an operation before the computation: everything is decided, nothing is computed."""

    picture: Picture  # as loaded
    source: Source  # the pixels before the lift. The last channel is alpha if it is needed for the computation.
    space: str  # the colour space that the kernel reads: gray if the operation converts colours to gray
    colours: int  # number of channels in this space, without alpha
    layer: Layer
    spec: ConvSpec
    lift: Lift | None  # what happens to the pixels before the kernel
    finish: Finish  # what happens to the results after it
    storage: Storage  # how the file will store the result
    alpha: str  # the alpha policy; ``drop`` if there is no alpha
    has_alpha: bool  # whether the result has alpha

    @property
    def computes_alpha(self) -> bool:
        """Whether the last channel of the computed result is alpha."""
        return self.has_alpha and self.alpha in COMPUTED

    def with_result(self, colour: NDArray[Any], alpha: NDArray[Any] | None) -> Picture:
        """The picture with the pixels of the result. If the colour space changes, metadata for the old one is dropped."""
        space, metadata = _space_of(colour.shape[-3], self.space, self.colours), self.picture.metadata
        if not space == self.space == self.picture.space:
            metadata = replace(metadata, icc_profile=None, chunks=())
        return replace(self.picture, colour=colour, alpha=alpha, space=space, metadata=metadata)


COMPUTED = {"premultiply": "weighs", "filter": "beside"}
"""The alpha policies under which the kernel reads alpha, as the last channel, and what it is for the `Lift`."""


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
    gray: tuple[float, ...] = ()
    if operation.channels == "gray" and colours > 1:
        gray = picture.gray_weights(linear)
        colours, space = 1, SPACES[1]
    rule, taken = "drop", operation
    if picture.alpha is not None:
        from convcli.runs import alpha

        rule = alpha.policy_for(colours, operation)
        if rule == "premultiply":
            taken = replace(operation, bias=None, channels="each")
        elif rule == "filter":
            taken = alpha.for_colours(operation, colours)
    computed = rule in COMPUTED
    layer, spec, finish = fit(colours + computed, white, taken)
    channels = finish.outputs(layer.outputs)
    # outputs of a layer are not colours: with them, there is no alpha
    has_alpha = (
        channels == colours + 1 if computed else rule == "keep" and _space_of(channels, space, colours) != "tensor"
    )
    channels -= computed and has_alpha
    shape = (*picture.colour.shape[:-3], channels, *spec.resolve(picture.size, layer.kernel).output)
    kept = images.storage_for(
        picture, _space_of(channels, space, colours), shape, has_alpha,
        container, policy, _fewer(operation, space, colours, picture.size),
    )  # fmt: skip
    _check_memory(kept, (*shape[:-3], channels + has_alpha, *shape[-2:]), rule == "keep" and has_alpha, operation)
    lift, restore = None, None
    if linear or gray or rule == "premultiply":
        wide = _wide(picture.colour.dtype, linear or rule == "premultiply", operation.compute)
        lift = Lift("float64" if wide else "float32", white, linear, gray, COMPUTED.get(rule, ""))
    if linear or (computed and has_alpha):
        restore = Restore(white, linear, computed and has_alpha)
    if restore is not None and rule == "premultiply":
        bias = () if operation.bias is None else operation.bias.of(channels, white)
        restore = restore._replace(gain=alpha.gain_of(operation), bias=bias)
    finish = replace(finish, restore=restore)
    if kept.dtype in ("uint8", "uint16"):
        finish = replace(
            finish, dtype=kept.dtype, full_scale=kept.full_scale, policy=kept.policy, count=True, scale=kept.scale,
            real=operation.compute.dtype or ("float64" if kept.dtype == "uint16" else "float32"),
            noise=_noise(layer, finish, white * kept.scale) if kept.policy == "minmax" else 0.0,
        )  # fmt: skip
    pixels: NDArray[Any] = picture.colour
    if picture.alpha is not None and computed:
        pixels = joined(pixels, picture.alpha)
    source = Held(pixels if pixels.ndim == 4 else pixels[np.newaxis])
    return Prepared(picture, source, space, colours, layer, spec, lift, finish, kept, rule, has_alpha)


def _noise(layer: Layer, finish: Finish, white: float) -> float:
    """How far rounding can move results apart that should be equal: a few units of float32, in the largest possible sums."""
    together = max((count for count, rule in finish.parts if rule != "none"), default=1)
    return 2 * float(np.finfo(np.float32).eps) * layer.largest_sum * together * white


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
