"""What happens to pixels before the kernel reads them, and how this is undone.

Each output pixel of a `Lift` depends only on the channels of one input pixel, and zeros stay zeros. So it can be
applied to a picture or to a padded part of it. `Restore` undoes it in the kernel's results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.pointwise import gray, light, opacity
from convcli.pointwise.bands import NEAR_VALUES, bands


class Lift(NamedTuple):
    """How stored pixels become the pixels that a kernel reads.

    Attributes
    ----------
    dtype : str
        ``float32`` or ``float64``, of the pixels that the kernel reads.
    full_scale : float
        The value of white.
    linear : bool
        Whether colours are converted to linear light.
    gray : tuple of float
        Weights of the colours: the kernel reads their weighted sum. Empty: it reads all colours.
    opacity : str
        What the last channel is. Empty: a colour like the others. ``beside``: the opacity, which is read as it is.
        ``weighs``: the opacity, which also weights the colours.
    """

    dtype: str
    full_scale: float
    linear: bool = False
    gray: tuple[float, ...] = ()
    opacity: str = ""

    @property
    def mixes(self) -> bool:
        """Whether channels are combined, or are not treated alike."""
        return bool(self.gray or self.opacity)

    def outputs(self, channels: int) -> int:
        """Number of channels that `channels` channels become."""
        return 1 + bool(self.opacity) if self.gray else channels

    def apply(self, values: NDArray[Any], out: NDArray[np.floating]) -> None:
        """Lift a block.

        Parameters
        ----------
        values : ndarray
            ``(C, rows, line)``, as stored. Lines may hold interleaved channels, unless the lift `mixes` them.
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
        """Linear light of one colour after the other, always in the same buffer."""
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
    """How results of lifted pixels become colours as they are stored. They are still real values.

    Attributes
    ----------
    full_scale : float
        The value of white.
    linear : bool
        Whether colours are in linear light, and are to be encoded as sRGB.
    opacity : bool
        Whether the last channel is the opacity, to which the range policy of the colours does not apply.
    gain : float or None
        The sum of the kernel's values, if colours were weighted by their opacity and are to be divided by it again;
        else None.
    bias : tuple of float
        Added to the colours after the division.
    """

    full_scale: float
    linear: bool = False
    opacity: bool = False
    gain: float | None = None
    bias: tuple[float, ...] = ()

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Restore a block ``(C, rows, line)`` in place. Lines may hold interleaved channels if only the light is restored."""
        colours = values[:-1] if self.opacity else values
        if self.gain is not None:
            opacity.divide(values, self.full_scale, self.gain)
        if self.bias:
            colours += np.array(self.bias, colours.dtype)[:, np.newaxis, np.newaxis]
        if self.linear:
            light.to_srgb(colours, self.full_scale)
        return values
