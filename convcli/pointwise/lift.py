"""What becomes of pixels before they meet the kernel, and its undoing.

Each output pixel of a `Lift` depends on the channels of one input pixel alone, and zeros stay zeros: it can be done to a picture
or to a padded piece of it. `Restore` is what is left to do to the kernel's results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.pointwise import gray, light, opacity
from convcli.pointwise.bands import NEAR_VALUES, bands


class Lift(NamedTuple):
    """How pixels as stored become what a kernel reads.

    Attributes
    ----------
    dtype : str
        ``float32`` or ``float64``, of what the kernel reads.
    full_scale : float
        The value of white.
    linear : bool
        Whether colours become linear light.
    gray : tuple of float
        The weights of colours whose sum is read in their place; empty: all are read.
    opacity : str
        What the last channel is: a colour like the others (empty), the opacity, which is read as it is (``beside``), or the
        opacity, by which the colours are weighted besides (``weighs``).
    """

    dtype: str
    full_scale: float
    linear: bool = False
    gray: tuple[float, ...] = ()
    opacity: str = ""

    @property
    def mixes(self) -> bool:
        """Whether channels meet, or are not treated alike."""
        return bool(self.gray or self.opacity)

    def outputs(self, channels: int) -> int:
        """How many channels become of `channels`."""
        return 1 + bool(self.opacity) if self.gray else channels

    def apply(self, values: NDArray[Any], out: NDArray[np.floating]) -> None:
        """Lift a block.

        Parameters
        ----------
        values : ndarray
            ``(C, rows, line)``, as stored; interleaved, where channels do not meet.
        out : ndarray
            ``(outputs(C), rows, line)`` of `dtype`.
        """
        colours, planes = (values[:-1], out[:-1]) if self.opacity else (values, out)
        if self.gray:
            gray.to_gray(self._lit(colours, planes.dtype) if self.linear else colours, self.gray, planes[0])
        elif self.linear:
            for colour, plane in zip(colours, planes, strict=True):
                light.to_linear(colour, self.full_scale, plane)
        else:
            planes[...] = colours
        if self.opacity:
            out[-1] = values[-1]
        if self.opacity == "weighs":
            opacity.weigh(out, self.full_scale)

    def _lit(self, colours: NDArray[Any], dtype: np.dtype[Any]) -> Iterator[NDArray[np.floating]]:
        """Linear light of one colour after the other, in one buffer."""
        lit = np.empty(colours.shape[1:], dtype)
        for colour in colours:
            light.to_linear(colour, self.full_scale, lit)
            yield lit

    def whole(self, values: NDArray[Any]) -> NDArray[np.floating]:
        """Lift a whole picture ``(C, H, W)`` or batch ``(N, C, H, W)``."""
        *batch, channels, height, width = values.shape
        out = np.empty((*batch, self.outputs(channels), height, width), self.dtype)
        for picture, lifted in zip(values, out, strict=True) if batch else [(values, out)]:
            for rows in bands(picture, NEAR_VALUES):
                self.apply(picture[:, rows], lifted[:, rows])
        return out


class Restore(NamedTuple):
    """How results of lifted pixels become colours as they are stored, still as real values.

    Attributes
    ----------
    full_scale : float
        The value of white.
    linear : bool
        Whether colours are linear light, to be encoded as sRGB.
    opacity : bool
        Whether the last channel is the opacity: its range is not the colours'.
    gain : float or None
        What the kernel sums to, where colours were weighted by their opacity and are to be divided by it.
    bias : tuple of float
        What is added to the colours once they are divided.
    """

    full_scale: float
    linear: bool = False
    opacity: bool = False
    gain: float | None = None
    bias: tuple[float, ...] = ()

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Restore a block ``(C, rows, line)`` in place; interleaved, where nothing but the light is done."""
        colours = values[:-1] if self.opacity else values
        if self.gain is not None:
            opacity.divide(values, self.full_scale, self.gain)
        if self.bias:
            colours += np.array(self.bias, colours.dtype)[:, np.newaxis, np.newaxis]
        if self.linear:
            light.to_srgb(colours, self.full_scale)
        return values
