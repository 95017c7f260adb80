"""The subject of an explanation: an operation fitted to a picture exactly as `apply` and `transpose` fit it."""

from dataclasses import replace

import numpy as np

from convcli import images
from convcli.engine import Compute
from convcli.errors import ConvError, GeometryError, ImageError, param, shown
from convcli.geometry import Geometry
from convcli.images import Picture
from convcli.images.formats import TENSOR
from convcli.layer import Layer
from convcli.records import NamedTuple
from convcli.runs import pipeline
from convcli.runs.operation import Operation
from convcli.system.names import STDIO, ending_of
from convcli.windows import Array

_COLOURS = {"gray": ("gray",), "rgb": ("red", "green", "blue"), "cmyk": ("cyan", "magenta", "yellow", "black")}


class Channel(NamedTuple):
    """One channel of the result: the filters that make it, and the rule that combines them."""

    rule: str
    filters: tuple[int, ...]


class Subject(NamedTuple):
    """An operation on a picture, ready for questions about any pixel."""

    source: str  # what the picture was loaded from
    picture: Picture
    operation: Operation  # with a float64 computation
    ready: pipeline.Prepared  # fitted to the picture, or to one image of a batch, and how the result would be stored
    # ``(C_in, H, W)``: what the kernel reads. If alpha is filtered, it is one of the channels.
    image: Array
    geometry: Geometry
    layer: Layer  # the weights, in float64
    item: int = 0  # which image of a batch it is
    notes: tuple[str, ...] = ()  # for the user

    @property
    def outputs(self) -> list[Channel]:
        """The channels of the result that are computed, in order."""
        filters, finish = self.layer.outputs, self.ready.finish
        out = []
        start = 0
        while start < filters:
            for length, rule in finish.parts if finish.joins else ((1, "none"),):
                members = tuple(range(start, start + length))
                out += [Channel(rule, (one,)) for one in members] if rule == "none" else [Channel(rule, members)]
                start += length
        return out

    @property
    def whole(self) -> str:
        """The channels of the result, in words."""
        count = len(self.outputs)
        copied = self.ready.alpha == "keep" and self.ready.has_alpha
        return f"the output of {count} channel{'s' * (count != 1)}" + (
            "; alpha is copied and not computed" if copied else ""
        )

    def input_name(self, channel: int) -> str:
        """``input channel 0 (red)``."""
        return f"input channel {channel}{self._colour(channel, self.layer.inputs)}"

    def output_name(self, channel: int) -> str:
        """``channel 0 (red)``."""
        return f"channel {channel}{self._colour(channel, len(self.outputs))}"

    def _colour(self, channel: int, count: int) -> str:
        """The colour of a channel, in brackets, if there are as many channels as the kernel reads colours."""
        names = _COLOURS.get(self.ready.space, ())
        if self.ready.alpha in pipeline.COMPUTED:
            names = (*names, "alpha")
        return f" ({names[channel]})" if count == len(names) == self.layer.inputs else ""

    def filter_name(self, number: int) -> str:
        """The kernel's name, or ``filter 3``."""
        bank = self.operation.bank
        if bank is None:
            return f"filter {number}"
        names = [kernel.name for kernel in bank.kernels]
        return names[number % len(names)]


def load(
    source: str, operation: Operation, container: str | None = None, policy: str | None = None, item: int | None = None,
    max_pixels: int | None = None, full_scale: float | None = None,
) -> Subject:  # fmt: skip
    """Load a picture from a path or from ``-`` and fit an operation to it.

    The result has the format `container`; by default that of the input, or .npy if it cannot hold the result. `policy` is the
    range policy, `item` the image of a batch ``(N, C, H, W)``; `max_pixels` and `full_scale` are as for `images.load`.

    Raises
    ------
    ConvError
        The image cannot be read, the operation does not fit it, or the named format cannot hold the result.
    """
    picture = images.load(source, max_pixels, full_scale)
    batch = picture.colour.ndim == 4
    if item is not None and not batch:
        raise ConvError(param("item", item), "is for a batch (N, C, H, W), and this is one image", "leave it out")
    count = len(picture.colour) if batch else 1
    if item is None and count > 1:
        remedy = f"name one of them with {param('item', f'0 to {count - 1}')}"
        raise ConvError("the input", f"is a batch of {count} images", remedy)
    item = index(item or 0, count, "image", "the batch")
    operation = operation._replace(compute=Compute(dtype="float64"))
    notes = (*operation.notes, *picture.notes)
    one = replace(picture, colour=picture.colour[item : item + 1]) if batch else picture
    source = shown(source)
    target = source.removesuffix("?…")
    target = target if target == STDIO or ending_of(target) else f"{target}.png"
    try:
        name = images.format_of(target, container, picture.metadata.format)
        ready = pipeline.prepare(replace(one, full_scale=images.white_of(one, name)), operation, name, policy)
        pipeline.check_memory(ready, operation)
    except ImageError:
        if container is not None:
            raise
        ready = pipeline.prepare(one, operation, TENSOR, policy)
        pipeline.check_memory(ready, operation)
        notes += (f"{source}: the result does not fit into the input's format; the explanation is for .npy",)
    return fitted(source, picture, one, operation, ready, item, notes)


def fitted(
    source: str, picture: Picture, one: Picture, operation: Operation, ready: pipeline.Prepared, item: int = 0,
    notes: tuple[str, ...] = (),
) -> Subject:  # fmt: skip
    """An operation that is fitted to a picture: to `one` of a batch, or to all of it."""
    layer = replace(ready.layer, weight=ready.layer.weight.astype(np.float64))
    geometry = ready.spec.resolve(picture.size, layer.kernel)
    image = ready.source(one).read(0)
    if ready.lift is not None:
        image = ready.lift.whole(image)
    picture = replace(picture, full_scale=ready.full_scale)  # as it is computed with
    return Subject(source, picture, operation, ready, image, geometry, layer, item, notes)


def index(number: int, count: int, what: str, whole: str) -> int:
    """An index from 0 to `count` - 1; negative numbers count from the end. A GeometryError if it is not in `whole`."""
    if not -count <= number < count:
        places = f"0 to {count - 1}, or -{count} to -1 from the end" if count > 1 else "0"
        raise GeometryError(f"{what} {number}", f"is not in {whole}", f"use {places}")
    return number % count
