"""One picture through one operation: light, channels, alpha, the engine, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli import engine, images
from convcli.convspec import ConvSpec
from convcli.engine import Compute, ConvResult
from convcli.errors import ImageError
from convcli.images import Picture, Storage, alpha
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift, Restore
from convcli.runs import transparency
from convcli.runs.operation import Operation, largest_sum
from convcli.runs.remarks import remarks
from convcli.system import memory


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """An operation fitted to a picture: what the engine is called with.

    `lift` and `finish` say what becomes of the image's pixels, as stored, before the kernel, and of results after it.
    """

    image: NDArray[Any]
    weight: NDArray[Any]
    spec: ConvSpec
    bias: NDArray[np.float64] | None
    finish: Finish
    lift: Lift | None = None

    @property
    def channels(self) -> int:
        """Channels of the result."""
        filters = self.weight.shape[1] * self.spec.groups if self.spec.transpose else self.weight.shape[0]
        return self.finish.outputs(filters)

    def run(self, operation: Operation) -> ConvResult:
        """Compute."""
        act = engine.transpose if self.spec.transpose else engine.convolve
        return act(self.image, self.weight, self.spec, operation.compute, self.bias, self.finish, self.lift)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A picture that went through an operation.

    Attributes
    ----------
    picture : Picture
        Its colours are real values in the input's units, or, where the engine could do it, the file's integers.
    result : ConvResult
        What the engine says of the colours.
    storage : Storage
        How the file will keep it.
    groups : int
        Of the layer that the operation is on this picture.
    alpha : str or None
        The alpha policy that was followed; None where there is no alpha.
    """

    picture: Picture
    result: ConvResult
    storage: Storage
    groups: int
    alpha: str | None


class Prepared(NamedTuple):
    """A picture and an operation up to the computation: everything is decided, nothing computed.

    Attributes
    ----------
    picture : Picture
        Its colours are stand-ins, zeros without memory, where the operation makes gray of them.
    fitted : Fitted
        What the engine is called with; its last channel is the opacity where that is filtered.
    storage : Storage
        How the file will keep the result.
    alpha : str
        The alpha policy; ``drop`` also where there is no alpha.
    transparent : bool
        Whether the result has alpha.
    """

    picture: Picture
    fitted: Fitted
    storage: Storage
    alpha: str
    transparent: bool

    @property
    def opaque(self) -> bool:
        """Whether the last channel that is computed is the opacity."""
        return self.transparent and self.alpha in ("premultiply", "filter")


def prepare(picture: Picture, operation: Operation, container: str, policy: str | None = None) -> Prepared:
    """Decide everything before the computation; parameters and errors are those of `run`."""
    given, linear = picture, operation.linear
    if linear and not picture.has_light:
        unknown = picture.space == "tensor" and picture.assumed
        remedy = "say with --full-scale what white is, or leave it out" if unknown else "leave it out"
        raise ImageError(f"--linear is for gray and RGB images, this is {picture.space}: {remedy}")
    weights: tuple[float, ...] = ()
    if operation.channels == "gray" and picture.colour.shape[-3] > 1:
        weights = picture.gray_weights(linear)
        picture = picture.with_pixels(_stand_in(picture, 1), picture.alpha)
    rule = transparency.policy_for(picture, operation)
    colours = picture.colour.shape[-3]
    if rule == "premultiply":
        averaged = replace(operation, bias=None, channels="each")
        fitted = fit(replace(picture, colour=_stand_in(picture, colours + 1)), averaged)
        channels, transparent = fitted.channels - 1, True
    elif rule == "filter":
        both = replace(picture, colour=_stand_in(picture, colours + 1))
        fitted = fit(both, transparency.for_colours(operation, colours))
        transparent = fitted.channels == colours + 1  # else the outputs of a layer, which are no colours
        channels = fitted.channels - transparent
    else:
        fitted = fit(picture, operation)
        channels = fitted.channels
        transparent = rule == "keep" and picture.space_of(channels) != "tensor"  # the outputs of a layer are no colours
    size = fitted.spec.resolve(picture.size, fitted.weight.shape[2:]).output
    shape = (*picture.colour.shape[:-3], channels, *size)
    kept = images.storage_for(
        replace(given, space=picture.space), picture.space_of(channels), shape, transparent, container, policy,
        _fewer(operation, picture),
    )  # fmt: skip
    whole = (*shape[:-3], channels + transparent, *size)
    _check_memory(kept, whole, rule == "keep" and transparent, operation)
    lift, restore = _both_ways(given, operation, weights, rule, channels, transparent)
    finish = replace(fitted.finish, restore=restore)
    if kept.dtype in ("uint8", "uint16"):
        finish = replace(
            finish, dtype=kept.dtype, full_scale=kept.full_scale, policy=kept.policy, count=True, scale=kept.scale,
            real=operation.compute.dtype or ("float64" if kept.dtype == "uint16" else "float32"),
            noise=_noise(fitted, given.full_scale * kept.scale) if kept.policy == "minmax" else 0.0,
        )  # fmt: skip
    image = given.colour
    if rule in ("premultiply", "filter"):
        assert given.alpha is not None
        image = alpha.joined(image, given.alpha)
    return Prepared(picture, replace(fitted, image=image, lift=lift, finish=finish), kept, rule, transparent)


def _noise(fitted: Fitted, white: float) -> float:
    """How far rounding can bring results of a picture apart that are all one: a few units of float32 in sums as large as can be."""
    together = max((count for count, rule in fitted.finish.parts if rule != "none"), default=1)
    return 2 * float(np.finfo(np.float32).eps) * largest_sum(fitted.weight, fitted.spec) * together * white


def _both_ways(
    given: Picture, operation: Operation, gray: tuple[float, ...], rule: str, channels: int, transparent: bool
) -> tuple[Lift | None, Restore | None]:
    """What becomes of a picture's pixels before the kernel, and of the results after it.

    `gray` is what makes gray of its colours, `rule` the alpha policy; the result has `channels` colours.
    """
    white, linear, weighs = given.full_scale, operation.linear, rule == "premultiply"
    opacity = "weighs" if weighs else "beside" if rule == "filter" else ""
    lift, restore = None, None
    if linear or gray or weighs:
        wide = _wide(given.colour.dtype, linear or weighs, operation.compute)
        lift = Lift("float64" if wide else "float32", white, linear, gray, opacity)
    if linear or (opacity and transparent):
        restore = Restore(white, linear, bool(opacity) and transparent)
    if weighs and restore is not None:
        bias = () if operation.bias is None else tuple(operation.bias.array(channels, white).tolist())
        restore = restore._replace(gain=transparency.gain_of(operation), bias=bias)
    return lift, restore


def _wide(colour: np.dtype[Any], curved: bool, compute: Compute) -> bool:
    """Whether lifted colours are float64: as asked for, as they are, or, of 16 bits, as numpy reads them.

    `curved` says that they become linear light, or are weighed by their opacity.
    """
    if compute.dtype is not None:
        return compute.dtype == "float64"
    if colour == np.uint16:
        return compute.device == "cpu" and compute.backend != "torch"
    return colour == np.float64 and not curved


def _stand_in(picture: Picture, channels: int) -> NDArray[Any]:
    """Colours of a count of channels for a picture whose own are not yet computed: their shape alone counts."""
    *batch, _, height, width = picture.colour.shape
    return np.broadcast_to(picture.colour.dtype.type(0), (*batch, channels, height, width))


def run(picture: Picture, operation: Operation, container: str, policy: str | None = None) -> Outcome:
    """Apply an operation to a picture.

    Parameters
    ----------
    picture : Picture
        What was loaded.
    operation : Operation
        What is done to it.
    container : str
        The format that will hold the result: checked before anything is computed.
    policy : str, optional
        The range policy.

    Raises
    ------
    ConvError
        An operation that does not fit this picture, or a result that does not fit the format.
    """
    ready = prepare(picture, operation, container, policy)
    fitted, kept, rule = ready.fitted, ready.storage, ready.alpha
    result = fitted.run(operation)
    colour: NDArray[Any] = result.array
    opacity: NDArray[Any] | None = None
    if ready.opaque:
        colour, opacity = colour[:-1], colour[-1]
    elif rule == "keep" and ready.transparent:
        assert picture.alpha is not None
        opacity = alpha.resample(picture.alpha, result.geometry)
        if colour.dtype.kind == "f":
            opacity = opacity.astype(colour.dtype)
    if kept.container == "NPY":  # a tensor keeps its dtype
        own = picture.colour.dtype.kind == "f" and operation.compute.dtype is None
        kept = replace(kept, dtype=picture.colour.dtype.name if own else colour.dtype.name)
    kept = replace(kept, notes=(*kept.notes, *remarks(picture.colour, colour, result.dtype)))
    followed = None if picture.alpha is None else rule
    return Outcome(ready.picture.with_pixels(colour, opacity), result, kept, fitted.spec.groups, followed)


def _check_memory(kept: Storage, shape: tuple[int, ...], joined: bool, operation: Operation) -> None:
    """Refuse a result of `shape` that cannot fit into memory while it is brought into a file's order, or encoded.

    What computing takes, the engine counts. `joined` says that an opacity that was not computed is put beside the colours.
    """
    tensor = kept.container == "NPY"
    real = 8 if operation.compute.dtype == "float64" else 4
    stored = prod(shape) * (real if tensor else np.dtype(kept.dtype).itemsize)
    encoder = images.row_of(kept.container).encoder_bytes * prod(shape[-2:])
    further = stored * (tensor or joined) + encoder
    if further and memory.refuses(stored + further):
        remedy = "write png or tif, or use a smaller image" if encoder else "use fewer kernels, or a smaller image"
        raise ImageError(
            f"an output of shape {shape} needs {(stored + further) / 2**30:.1f} GiB on its way to {kept.container}, "
            f"{memory.share()}: {remedy}"
        )


def _fewer(operation: Operation, picture: Picture) -> str:
    """How an operation could give as many channels as an image has; empty if by none of its options."""
    *_, channels, height, width = picture.colour.shape
    if picture.space == "tensor" and channels > 4 and width in (1, 3, 4):
        return f"transpose the input, a .npy is (C, H, W) and ({channels}, {height}, {width}) looks like (H, W, C)"
    if operation.bank is None:
        return ""
    each = operation.channels == "each"
    several = sum(count for count, _ in operation.bank.parts) > 1
    if several and (not each or channels in (1, 3)):
        return "join them with --combine"
    return "sum the channels with --channels sum" + (" and --combine sum" if several else "") if each else ""


def fit(picture: Picture, operation: Operation) -> Fitted:
    """Fit the kernels, groups and bias of an operation to a picture's channels."""
    channels = picture.colour.shape[-3]
    spec = operation.spec
    parts: tuple[tuple[int, str], ...] = ()
    if operation.bank is None:
        assert operation.weight is not None
        weight = operation.weight
    else:
        weight, groups = operation.bank.weight(channels, operation.channels, spec.groups, spec.transpose)
        spec, parts = replace(spec, groups=groups), operation.bank.parts
    filters = engine.check_channels(channels, weight.shape, spec)
    bias = None if operation.bias is None else operation.bias.array(filters, picture.full_scale)
    return Fitted(picture.colour, weight, spec, bias, Finish(parts))
