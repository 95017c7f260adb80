"""One picture through one operation: light, channels, alpha, the engine, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli import engine, images
from convcli.convspec import ConvSpec
from convcli.engine import ConvResult
from convcli.errors import ImageError
from convcli.finish import Finish
from convcli.images import Picture, Storage, alpha, light
from convcli.images.gray import to_gray
from convcli.runs import transparency
from convcli.runs.operation import Operation
from convcli.system import memory

EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24}
"""The integers up to which a dtype holds every one."""


ENCODERS = {"JPEG2000": 42, "WEBP": 41, "GIF": 31, "AVIF": 29, "JPEG": 5}
"""Bytes that encoders take for each pixel of three channels, as measured; the others write what they are given."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """An operation fitted to a picture: what the engine is called with, and how a bank's results are joined."""

    image: NDArray[Any]
    weight: NDArray[Any]
    spec: ConvSpec
    bias: NDArray[np.float64] | None
    finish: Finish

    @property
    def channels(self) -> int:
        """Channels of the result."""
        filters = self.weight.shape[1] * self.spec.groups if self.spec.transpose else self.weight.shape[0]
        return self.finish.outputs(filters)

    def run(self, operation: Operation) -> ConvResult:
        """Compute."""
        act = engine.transpose if self.spec.transpose else engine.convolve
        return act(self.image, self.weight, self.spec, operation.compute, self.bias, self.finish)


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
        As it is computed with: in linear light or gray where the operation asks for it.
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

    def parted(self, operation: Operation, computed: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Colour, encoded again if the light was linear, and the opacity, if it was filtered, of what was computed."""
        return _parted(self.picture, self.alpha, self.transparent, operation, computed)


def prepare(picture: Picture, operation: Operation, container: str, policy: str | None = None) -> Prepared:
    """Decide everything before the computation; parameters and errors are those of `run`."""
    _check_memory(picture, operation, container, policy)
    double = operation.compute.dtype == "float64"
    if operation.linear:
        if not picture.has_light:
            unknown = picture.space == "tensor" and picture.assumed
            remedy = "say with --full-scale what white is, or leave it out" if unknown else "leave it out"
            raise ImageError(f"--linear is for gray and RGB images, this is {picture.space}: {remedy}")
        kind = "float64" if double else "float32"
        picture = replace(picture, colour=light.to_linear(picture.colour, picture.full_scale, kind))
    if operation.channels == "gray" and picture.colour.shape[-3] > 1:
        picture = picture.with_pixels(to_gray(picture, operation.linear, double), picture.alpha)
    rule = transparency.policy_for(picture, operation)
    if rule == "premultiply":
        fitted = fit(
            replace(picture, colour=transparency.weighted(picture, operation), alpha=None),
            replace(operation, bias=None, channels="each"),
        )
        channels, transparent = fitted.channels - 1, True
    elif rule == "filter":
        planes = len(picture.colour) + 1
        both = replace(
            picture, colour=np.concatenate([picture.colour, transparency.opacity(picture)[np.newaxis]]), alpha=None
        )
        fitted = fit(both, transparency.for_colours(operation, planes - 1))
        del both
        transparent = fitted.channels == planes  # else the outputs of a layer, which are no colours
        channels = fitted.channels - transparent
    else:
        fitted = fit(picture, operation)
        channels = fitted.channels
        transparent = rule == "keep" and picture.space_of(channels) != "tensor"  # the outputs of a layer are no colours
    size = fitted.spec.resolve(picture.size, fitted.weight.shape[2:]).output
    shape = (*picture.colour.shape[:-3], channels, *size)
    kept = images.storage_for(
        picture, picture.space_of(channels), shape, transparent, container, policy, _fewer(operation, picture)
    )
    return Prepared(picture, fitted, kept, rule, transparent)


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
        The range policy: where nothing else remains to be done to the real values, it is applied while they are in the
        cache.

    Raises
    ------
    ConvError
        An operation that does not fit this picture, or a result that does not fit the format.
    """
    given = picture.colour
    ready = prepare(picture, operation, container, policy)
    picture, fitted, kept = ready.picture, ready.fitted, ready.storage
    rule, transparent = ready.alpha, ready.transparent
    del ready  # which holds on to copies
    if rule in ("keep", "drop") and not operation.linear and _at_once(kept):
        finish = replace(fitted.finish, dtype=kept.dtype, full_scale=kept.full_scale, policy=kept.policy, count=True)
        fitted = replace(fitted, finish=finish)
    groups = fitted.spec.groups
    result = fitted.run(operation)
    del fitted  # and with it the copies in real numbers
    colour, opacity = _parted(picture, rule, transparent, operation, result.array)
    if rule == "keep" and transparent:
        opacity = alpha.resample(transparency.opacity(picture), result.geometry)
        if colour.dtype != opacity.dtype or kept.scale != 1:  # else they are stored as they are
            opacity = opacity.astype(colour.dtype if colour.dtype.kind == "f" else np.float32)
    if kept.container == "NPY":  # a tensor keeps its dtype
        own = given.dtype.kind == "f" and operation.compute.dtype is None
        kept = replace(kept, dtype=given.dtype.name if own else colour.dtype.name)
    kept = replace(kept, notes=(*kept.notes, *_inexact(given, result.dtype)))
    followed = None if picture.alpha is None else rule
    return Outcome(picture.with_pixels(colour, opacity), result, kept, groups, followed)


def _parted(
    picture: Picture, rule: str, transparent: bool, operation: Operation, computed: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Colour, encoded again if the light was linear, and the opacity, if it was filtered, of what was computed."""
    colour, opacity = computed, None
    if rule == "premultiply":
        colour, opacity = transparency.unweighted(picture, operation, colour)
    elif rule == "filter" and transparent:
        colour, opacity = colour[:-1], colour[-1]
    if operation.linear:
        colour = light.to_srgb(colour, picture.full_scale, out=colour)
    return colour, opacity


def _check_memory(picture: Picture, operation: Operation, container: str, policy: str | None) -> None:
    """Refuse what cannot fit into memory, be it while it is computed, rounded or encoded.

    Counted are the picture, its copies in linear light and weighted by opacity, the results, and what an encoder keeps. What a
    picture takes that is computed as it is, the engine counts.
    """
    *batch, channels, height, width = picture.colour.shape
    real = 8 if operation.compute.dtype == "float64" else 4
    pixels, copies = prod(batch) * height * width, 0
    if operation.linear:
        copies += channels * pixels
    if operation.channels == "gray" and channels > 1:
        channels = 1
        copies += pixels
    shaped = replace(picture, colour=np.broadcast_to(np.float32(0), (*batch, channels, height, width)))
    rule = transparency.policy_for(shaped, operation)
    if rule in ("premultiply", "filter"):
        channels += 1
        copies += channels * pixels
        shaped = replace(shaped, colour=np.broadcast_to(np.float32(0), (channels, height, width)))
    fitted = fit(
        shaped, replace(operation, bias=None, channels="each" if rule == "premultiply" else operation.channels)
    )
    output = (fitted.channels, *fitted.spec.resolve((height, width), fitted.weight.shape[2:]).output)
    samples, tensor = prod(batch) * prod(output), container == "NPY"
    integer = 2 if picture.full_scale > 255 else 1
    late = tensor or copies > 0 or policy == "minmax"  # rounded when all is computed
    result, kept = samples * (real if late else integer), samples * (real if tensor else integer)
    given = picture.colour.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes)
    stretched = samples * (real + 1) if policy == "minmax" and not tensor else 0  # beside the flags of what is clipped
    encoder = ENCODERS.get(container, 0) * samples // output[0]
    less = "leave out --linear, " * operation.linear + "use --alpha keep, " * (rule in ("premultiply", "filter"))
    needs = {
        f"{less}use fewer kernels, or a smaller image": (given + copies * real + result) * bool(copies),
        "use another --range than minmax, fewer kernels, or a smaller image": (result + stretched + kept)
        * bool(stretched),
        "use fewer kernels, or a smaller image": 2 * kept * tensor,  # in the order of the file
        "write png or tif, or use a smaller image": (kept + encoder) * bool(encoder),
    }
    remedy = max(needs, key=lambda remedy: needs[remedy])
    if memory.refuses(needs[remedy]):
        raise ImageError(
            f"an output of shape {output} needs {needs[remedy] / 2**30:.1f} GiB on its way to {container}, {memory.share()}: "
            f"{remedy}"
        )


def _at_once(storage: Storage) -> bool:
    """Whether a tile can be stored without a look at the others."""
    return storage.dtype in ("uint8", "uint16") and storage.scale == 1 and storage.policy in ("clip", "abs", "offset")


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


def _inexact(given: NDArray[Any], dtype: str) -> tuple[str, ...]:
    """A remark that integers are too large for the dtype of the computation."""
    if given.dtype.kind not in "iu" or given.dtype.itemsize < 4 or dtype not in EXACT:
        return ()
    largest = max(-int(given.min()), int(given.max()))
    if largest <= EXACT[dtype]:
        return ()
    return (f"the values reach {largest}, and {dtype} is exact to {EXACT[dtype]} only: use --dtype float64",)


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
