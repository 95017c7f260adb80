"""The border index map in NumPy: the source index of padded positions.

With large strides a padded axis may be far longer than the part of it that is read. So the map of a whole axis is never
made, only the part that is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convcli.geometry import ZERO, Geometry, repeated

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sources(positions: NDArray[np.intp], size: int, mode: str) -> NDArray[np.intp]:
    """The source index of each position of an axis of `size` pixels, or `ZERO`: see `convcli.geometry.source_at`."""
    if mode == "zeros":
        return np.where((positions >= 0) & (positions < size), positions, ZERO)
    if mode == "replicate":
        return np.clip(positions, 0, size - 1)
    folded: NDArray[np.intp] = repeated(positions, size, mode)
    return folded


class PaddedAxis:
    """An axis of `size` pixels with `before` padded positions ahead of them.

    Only some of its positions may be kept: stretches of `kept` positions each, which begin `apart` positions from each
    other. `length` is the number of kept positions.
    """

    def __init__(self, size: int, before: int, length: int, mode: str = "zeros", kept: int = 1, apart: int = 1) -> None:
        self.size, self.before, self.length = size, before, length
        self.mode, self.kept, self.apart = mode, kept, apart

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, part: slice) -> NDArray[np.intp]:
        """The source index of each position of a slice, or `ZERO`."""
        stretch, ahead = np.divmod(np.arange(*part.indices(self.length)), self.kept)
        return sources(stretch * self.apart + ahead - self.before, self.size, self.mode)

    def near(self, taps: int, kept: int, dilation: int) -> tuple[PaddedAxis, int]:
        """The axis without the positions that no tap reads, and the dilation on it.

        Each of `taps` reads `kept` positions in a row, and `dilation` is the distance from one tap to the next.
        """
        if dilation <= kept:
            return self, dilation
        return PaddedAxis(self.size, self.before, taps * kept, self.mode, kept, dilation), kept


def padded_axis(geometry: Geometry, axis: int) -> PaddedAxis:
    """The padded rows (axis 0) or columns (1) of a direct operation's input."""
    at = geometry.along(axis)
    return PaddedAxis(at.h, at.before, at.before + at.h + at.after, geometry.padding_mode)
