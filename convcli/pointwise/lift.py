"""What happens to pixels before the kernel reads them, and how this is undone.

Each output pixel of a `Lift` depends only on the channels of one input pixel, and zeros stay zeros. So it can be
applied to a picture or to a padded part of it. `Restore` undoes it in the kernel's results.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.pointwise import Array
from convcli.records import NamedTuple
from convcli.windows import NEAR_VALUES, bands

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Lift(NamedTuple):
    """How stored pixels become the pixels that a kernel reads."""

    dtype: str  # ``float32`` or ``float64``, of the pixels that the kernel reads
    full_scale: float  # the value of white
    linear: bool = False  # whether colours are converted to linear light
    # weights of the colours: the kernel reads their weighted sum. Empty: it reads all colours.
    gray: tuple[float, ...] = ()
    # what the last channel is. Empty: a colour like the others. ``beside``: alpha, which is read as it is.
    # ``weighs``: alpha, which also weights the colours.
    alpha: str = ""
    gamma: float = 0.0  # the exponent that makes light of colours; 0: sRGB's curve

    @property
    def mixes(self) -> bool:
        """Whether channels are combined, or are not treated alike."""
        return bool(self.gray or self.alpha)

    def outputs(self, channels: int) -> int:
        """The number of channels after the lift."""
        return 1 + bool(self.alpha) if self.gray else channels

    def apply(self, values: Array, out: Array) -> None:
        """Lift a block.

        Parameters
        ----------
        values : ndarray
            ``(C, rows, line)``, as stored. Lines may hold interleaved channels, unless the lift `mixes` them.
        out : ndarray
            ``(outputs(C), rows, line)`` of `dtype`.
        """
        colours, planes = (values[:-1], out[:-1]) if self.alpha else (values, out)
        if self.gray:
            to_gray(self._lit(colours, planes.dtype) if self.linear else colours, self.gray, planes[0])
        elif self.linear:
            for colour, plane in zip(colours, planes, strict=True):
                to_linear(colour, self.full_scale, plane, self.gamma)
        else:
            planes[...] = colours
        if self.alpha:
            out[-1] = values[-1]
        if self.alpha == "weighs":
            planes *= out[-1] / self.full_scale

    def _lit(self, colours: Array, dtype: np.dtype[Any]) -> Iterator[Array]:
        """Linear light of one colour after the other, always in the same buffer."""
        lit = np.empty(colours.shape[1:], dtype)
        for colour in colours:
            to_linear(colour, self.full_scale, lit, self.gamma)
            yield lit

    def whole(self, values: Array) -> Array:
        """Lift a whole picture ``(C, H, W)`` or batch ``(N, C, H, W)``."""
        *batch, channels, height, width = values.shape
        out = np.empty((*batch, self.outputs(channels), height, width), self.dtype)
        for picture, lifted in zip(values, out, strict=True) if batch else [(values, out)]:
            for rows in bands(picture, NEAR_VALUES):
                self.apply(picture[:, rows], lifted[:, rows])
        return out


VISIBLE = 1e-6
"""A colour is visible if its alpha is more than this share of full alpha."""


class Restore(NamedTuple):
    """How results of lifted pixels become colours as they are stored. They are still real values."""

    full_scale: float  # the value of white
    linear: bool = False  # whether colours are in linear light and have to be encoded
    # whether the last channel is alpha, to which the range policy of the colours does not apply
    alpha: bool = False
    # the sum of the kernel's values, if colours were weighted by their alpha and have to be divided by it; else None
    gain: float | None = None
    bias: tuple[float, ...] = ()  # added to the colours after the division
    gamma: float = 0.0  # as of the `Lift`

    def apply(self, values: Array) -> Array:
        """Restore a block ``(C, rows, line)`` in place. Lines may hold interleaved channels if only the light is restored."""
        colours = values[:-1] if self.alpha else values
        if self.gain is not None:
            alpha = values[-1]
            alpha /= self.gain
            visible = alpha > self.full_scale * VISIBLE
            colours /= np.where(visible, alpha / self.full_scale, 1)
            np.copyto(colours, 0, where=~visible)  # nothing opaque was under the kernel: the colour cannot be seen
        if self.bias:
            colours += np.array(self.bias, colours.dtype)[:, np.newaxis, np.newaxis]
        if self.linear:
            to_encoded(colours, self.full_scale, self.gamma)
        return values


LUMA = (0.299, 0.587, 0.114)
"""Weights of encoded red, green and blue (ITU-R BT.601), as in Pillow, OpenCV and libjpeg."""

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in linear light with sRGB's primaries (ITU-R BT.709)."""


def weights_for(channels: int, linear: bool) -> tuple[float, ...]:
    """For three channels `LUMA` or, in linear light, `LUMINANCE`; otherwise the weights of the mean."""
    if channels == 3:
        return LUMINANCE if linear else LUMA
    return (1 / channels,) * channels


def to_gray(planes: Iterable[Array], weights: tuple[float, ...], out: Array) -> None:
    """Write the weighted sum of `planes`, which are read one by one, to `out`: the same shape, floating point."""
    kind = out.dtype.type
    for number, (plane, weight) in enumerate(zip(planes, weights, strict=True)):
        if number:
            out += np.multiply(plane, kind(weight), dtype=kind)
        else:
            np.multiply(plane, kind(weight), out=out, dtype=kind)


def to_linear(values: Array, full_scale: float, out: Array, gamma: float = 0.0) -> None:
    """Convert values ``0 … full_scale`` to linear light in the same units, into `out`, floating point.

    `gamma` is the exponent that does it; 0 stands for sRGB's curve.
    """
    if values.dtype in (np.uint8, np.uint16):  # one table look-up for each value instead of a power
        np.take(_table(256**values.itemsize, full_scale, out.dtype.name, gamma), values, out=out, mode="clip")
    else:
        out[...] = _decode(values.astype(np.float64) / full_scale, gamma) * full_scale


def to_encoded(values: Array, full_scale: float, gamma: float = 0.0) -> None:
    """Undo `to_linear`, in place. The curve continues beyond the range, symmetric around 0."""
    x = values / values.dtype.type(full_scale)
    size = np.abs(x)
    curve = (
        np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)
        if not gamma
        else size ** (1 / gamma)
    )
    np.multiply(np.copysign(curve, x), full_scale, out=values)


@cache
def _table(levels: int, full_scale: float, dtype: str, gamma: float) -> Array:
    """The linear light of all integers below `levels`."""
    return (_decode(np.arange(levels, dtype=np.float64) / full_scale, gamma) * full_scale).astype(dtype)


def _decode(x: "NDArray[np.float64]", gamma: float) -> "NDArray[np.float64]":
    size = np.abs(x)
    light = size**gamma if gamma else np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.copysign(light, x))
