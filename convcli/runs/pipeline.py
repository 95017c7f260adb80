"""One picture and one operation: fitted to each other, computed by the engine, and made a picture again."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import prod
from typing import Any, TypeAlias

import numpy as np

from convcli import engine, images
from convcli.backends import Task, Watch
from convcli.convspec import ConvSpec
from convcli.engine import ConvResult
from convcli.errors import GeometryError, ImageError, param
from convcli.images import Metadata, Picture, Storage, row_of
from convcli.images.picture import SPACES, Described, joined
from convcli.layer import Layer
from convcli.pointwise.finish import Finish
from convcli.pointwise.lift import Lift, Restore
from convcli.pointwise.ranges import rule_of
from convcli.records import NamedTuple
from convcli.runs.operation import Operation
from convcli.system import memory
from convcli.windows import Held, Source


class Outcome(NamedTuple):
    """The result of an operation on a picture."""

    # its colours are real values in the input's units, or the file's integers if the engine could make them
    picture: Picture
    result: ConvResult  # the engine's result for the colours
    storage: Storage  # how the file will store the picture
    groups: int  # of the layer
    alpha: str | None  # the alpha policy that was used; None if there is no alpha
    layer_shape: tuple[int, ...] | None = None  # of the channels that a contact sheet shows; None without a sheet


Begin: TypeAlias = Callable[[Storage, tuple[int, int, int], Metadata], Watch | None]
"""Begins to write a result that is not computed yet: called with how it is stored, its shape ``(C, H, W)`` and its metadata.
Returns the function to call for finished rows; None if the format is not encoded in strips."""


def run(
    picture: Picture, operation: Operation, container: str, policy: str | None = None, begin: Begin | None = None
) -> Outcome:
    """Apply an operation to a picture. `container` is the format for the result, `policy` the range policy: one of
    `convcli.vocabulary.RANGES`, or ``LO,HI``. `begin` is called if the file stores the values of the engine without a change.

    Raises
    ------
    ConvError
        The operation does not fit this picture, or the result does not fit the format. Nothing is computed then.
    """
    ready = prepare(picture, operation, container, policy)
    check_memory(ready, operation)
    watch = None if begin is None or picture.colour.ndim != 3 else partial(_watch, ready, picture, begin)
    result = engine.run(
        ready.source(picture), ready.layer, ready.spec, operation.compute, ready.finish, ready.lift,
        watch,
    )  # fmt: skip
    colour = result.array if picture.colour.ndim == 4 else result.array[0]
    alpha = None
    if ready.computes_alpha:
        colour, alpha = colour[:-1], colour[-1]
    elif ready.has_alpha:
        assert picture.alpha is not None
        from convcli.runs.alpha import picked, under_centres

        alpha = picked(picture.alpha, *(under_centres(result.geometry, axis) for axis in (0, 1)))
        if colour.dtype.kind == "f":
            alpha = alpha.astype(colour.dtype)
    kept = ready.kept_as(picture, operation, colour.dtype, result.dtype)
    if picture.dtype != np.uint8 or picture.metadata.nodata is not None:
        from convcli.runs.remarks import Lookout, infinite  # which most pictures do not need

        lookout = Lookout(picture, kept, ready.layer.kernel != (1, 1), result.dtype)
        remarks = (*lookout.remarks(lookout.look(picture.colour)), *infinite(picture.colour, colour, result.dtype))
        kept = kept._replace(notes=(*kept.notes, *remarks))
    made = replace(picture, colour=colour, alpha=alpha, space=ready.result_space, metadata=ready.metadata_for(picture))
    return Outcome(made, result, kept, ready.layer.groups, None if picture.alpha is None else ready.alpha)


def fit(channels: int, white: float, operation: Operation) -> tuple[Layer, ConvSpec, Finish]:
    """Fit the kernels, groups and bias of an operation to a number of channels and a value of white, or raise a ConvError.

    Returns the layer, its specification, and what combines the outputs of a bank.
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
    try:
        layer.check(channels)
    except GeometryError as error:
        raise _of_another_layout(error, operation) or error from None
    if operation.bias is not None:
        kernels = sum(count for count, _ in parts)
        each = (
            f" ({channels} channels × {kernels} kernels)" if layer.outputs == channels * kernels > channels > 1 else ""
        )
        layer = replace(layer, bias=np.array(operation.bias.of(layer.outputs, white, each)))
    return layer, spec, Finish(parts, real=operation.compute.dtype or "float32")


def _of_another_layout(error: GeometryError, operation: Operation) -> GeometryError | None:
    """The error of weights that do not fit, if their axes may be in another order; else None."""
    if operation.weight is None:
        return None
    from convcli.kernels.layouts import suspected

    said = suspected(tuple(operation.weight.shape))
    return GeometryError(error.value, error.rule, said) if said and said in operation.notes else None


def _watch(ready: "Prepared", picture: Picture, begin: Begin, _: Task) -> Watch | None:
    """What encodes finished rows, if the file stores the values of the engine without a change; else None."""
    kept = ready.storage
    converted = kept.space == "cmyk" and not row_of(kept.container).cmyk
    if ready.finish.dtype != kept.dtype or ready.has_alpha or converted:
        return None
    channels, height, width = ready.shape[-3:]
    return begin(kept, (channels, height, width), ready.metadata_for(picture))


class Prepared(NamedTuple):
    """Everything that is decided before the computation."""

    full_scale: float  # white of the picture
    space: str  # the colour space that the kernel reads: gray if the operation converts colours to gray
    result_space: str  # the colour space of the result
    layer: Layer
    spec: ConvSpec
    lift: Lift | None  # what happens to the pixels before the kernel
    finish: Finish  # what happens to the results after it
    storage: Storage  # how the file will store the result
    alpha: str  # the alpha policy; ``drop`` if there is no alpha
    has_alpha: bool  # whether the result has alpha
    shape: tuple[int, ...]  # of the result, ``(C, H, W)`` or ``(N, C, H, W)``, with alpha

    @property
    def reads_alpha(self) -> bool:
        """Whether the kernel reads alpha, as the last channel."""
        return self.alpha in COMPUTED

    @property
    def computes_alpha(self) -> bool:
        """Whether the last channel of the computed result is alpha."""
        return self.has_alpha and self.reads_alpha

    def source(self, picture: Picture) -> Source:
        """The pixels before the lift. The last channel is alpha if the kernel reads it."""
        pixels = picture.colour
        if picture.alpha is not None and self.reads_alpha:
            pixels = joined(pixels, picture.alpha)
        return Held(pixels if pixels.ndim == 4 else pixels[np.newaxis])

    def metadata_for(self, picture: Described) -> Metadata:
        """The metadata of the result: without what belongs to another colour space than its own."""
        same = self.result_space == self.space == picture.space
        return picture.metadata if same else picture.metadata.of_other_colours

    def kept_as(self, picture: Described, operation: Operation, given: np.dtype[Any], computed: str) -> Storage:
        """How the file stores results that are given in one dtype and were computed in another: a tensor keeps its own.

        Results of float16 that were scaled are given in float32.
        """
        if not row_of(self.storage.container).tensor:
            return self.storage
        own = picture.dtype.kind == "f" and operation.compute.dtype is None
        kind = picture.dtype.name if own else computed if computed == "float16" else given.name
        return self.storage._replace(dtype=kind)


COMPUTED = {"premultiply": "weighs", "filter": "beside"}
"""The alpha policies with which the kernel reads alpha as the last channel, and their names in `Lift`."""


def prepare(picture: Described, operation: Operation, container: str, policy: str | None = None) -> Prepared:
    """Decide everything before the computation. Parameters and errors are those of `run`."""
    linear = operation.linear
    if linear and not picture.has_light:
        unknown = picture.space == "tensor" and picture.assumed
        remedy = f"give the value of white with {param('full_scale')}, or leave it out" if unknown else "leave it out"
        raise ImageError(param("linear"), f"is for gray and RGB images, this is {picture.space}", remedy)
    gamma = images.gamma_of(picture.metadata) if linear else 0.0
    if gamma is None:
        rule = "needs values of sRGB or of a gamma, and those of this picture are coded in another way"
        raise ImageError(
            param("linear"), rule, "convert it to sRGB first, or leave it out", "it says so, as HDR pictures do"
        )
    white, colours, space = picture.full_scale, picture.channels, picture.space
    gray: tuple[float, ...] = ()
    if operation.channels == "gray" and colours > 1:
        gray = picture.gray_weights(linear)
        colours, space = 1, SPACES[1]
    rule, taken = "drop", operation
    if picture.has_alpha:
        from convcli.runs import alpha

        rule = alpha.policy_for(colours, operation)
        if rule == "premultiply":
            taken = operation._replace(bias=None, channels="each")
        elif rule == "filter":
            taken = alpha.for_colours(operation, colours)
    computed = rule in COMPUTED
    layer, spec, finish = fit(colours + computed, white, taken)
    channels = finish.outputs(layer.outputs)
    has_alpha = computed and channels == colours + 1  # otherwise these are outputs of a layer, not colours
    channels -= has_alpha
    made = space if channels == colours else SPACES.get(channels, "tensor")
    has_alpha |= rule == "keep" and made != "tensor"
    last = _channels_last(picture)
    try:
        output = spec.resolve(picture.size, layer.kernel).output
    except GeometryError as error:
        raise GeometryError(error.value, error.rule, error.remedy, last) if last and not error.why else error from None
    shape = (*picture.colour_shape[:-3], channels, *output)
    fewer = _fewer(operation, picture, colours)
    whole = (*shape[:-3], channels + has_alpha, *shape[-2:])
    kept = images.storage_for(picture, made, shape, has_alpha, container, policy, fewer)
    if last:
        kept = kept._replace(notes=(*kept.notes, last))
    curved = linear or rule == "premultiply"
    lift = None
    if curved or gray:
        dtype = "float64" if _is_wide(picture.dtype, curved, operation) else "float32"
        lift = Lift(dtype, white, linear, gray, COMPUTED.get(rule, ""), gamma)
    if linear or (computed and has_alpha):
        finish = finish._replace(restore=Restore(white, linear, computed and has_alpha, gamma=gamma))
    if rule == "premultiply":
        bias = () if operation.bias is None else operation.bias.of(channels, white)
        finish = finish._replace(restore=Restore(white, linear, True, alpha.gain_of(operation), bias, gamma))
    if kept.dtype in ("uint8", "uint16"):
        how, span = rule_of(kept.policy, kept.scale)
        noise = 0.0
        if kept.policy == "minmax":  # a few units of float32 in the largest possible sums can make equal results differ
            together = max((count for count, rule in finish.parts if rule != "none"), default=1)
            noise = 2 * float(np.finfo(np.float32).eps) * layer.largest_sum * together * white * kept.scale
        finish = finish._replace(
            dtype=kept.dtype, full_scale=kept.full_scale, policy=how, count=True, scale=kept.scale, span=span,
            real=operation.compute.dtype or ("float64" if kept.dtype == "uint16" else "float32"), noise=noise,
        )  # fmt: skip
    return Prepared(white, space, made, layer, spec, lift, finish, kept, rule, has_alpha, whole)


def _is_wide(colour: np.dtype[Any], curved: bool, operation: Operation) -> bool:
    """Whether lifted colours are float64: if asked for, if the pixels are float64, or if they have 16 bits and numpy computes.

    The reference is in float64 throughout. `curved` says that colours are converted to linear light, or weighted by their alpha.
    """
    compute = operation.compute
    if compute.backend == "reference":
        return True
    if compute.dtype is not None:
        return compute.dtype == "float64"
    if colour == np.uint16:
        return compute.device == "cpu" and compute.backend != "torch"
    return colour == np.float64 and not curved


def check_memory(ready: Prepared, operation: Operation) -> None:
    """Raise an ImageError if a result does not fit into memory while it is reordered for a file, or encoded.

    The engine checks the memory for the computation.
    """
    kept, shape = ready.storage, ready.shape
    joined = ready.has_alpha and not ready.reads_alpha  # alpha that was not computed is added to the colours
    row, real = row_of(kept.container), 8 if operation.compute.dtype == "float64" else 4
    stored = prod(shape) * (real if row.tensor else np.dtype(kept.dtype).itemsize)
    encoder = row.encoder_bytes * prod(shape[-2:])
    further = stored * (row.tensor or joined) + encoder
    if further and memory.refuses(stored + further):
        remedy = "write png or tif, or use a smaller image" if encoder else "use fewer kernels, or a smaller image"
        rule = f"needs {(stored + further) / 2**30:.1f} GiB on its way to {kept.container}, {memory.share()}"
        raise ImageError(f"an output of shape {shape}", rule, remedy)


def _channels_last(picture: Described) -> str:
    """What a tensor looks like whose channels come last; empty for others."""
    channels, (height, width) = picture.channels, picture.size
    if not row_of(picture.metadata.format).tensor or channels <= 4 or width not in (3, 4) or height <= 4:
        return ""
    shape, meant = f"({channels}, {height}, {width})", f"({width}, {channels}, {height})"
    return f"{shape} is {channels} channels of {height}×{width}, as a .npy is (C, H, W): if (H, W, C) is meant, save {meant}"


def _fewer(operation: Operation, picture: Described, channels: int) -> str:
    """How the user can get as many channels as the image has; empty if no option does this."""
    if last := _channels_last(picture):
        return f"transpose the input: {last}"
    if operation.bank is None:
        return ""
    each = operation.channels == "each"
    several = sum(count for count, _ in operation.bank.parts) > 1
    if several and (not each or channels in (1, 3)):
        return f"join them with {param('combine')}"
    more = f" and {param('combine', 'sum')}" if several else ""
    return f"sum the channels with {param('channels', 'sum')}{more}" if each else ""
