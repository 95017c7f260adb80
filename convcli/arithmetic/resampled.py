"""Sizes that are changed by any factor: adaptive pooling and interpolation. Standard library only."""

from __future__ import annotations

from fractions import Fraction

from convcli.geometry import Size
from convcli.records import NamedTuple


class Resampling(NamedTuple):
    """What an output reads of its input. `mode` is ``adaptive``, or one of `convcli.arithmetic.kinds.MODES`."""

    input: Size
    output: Size
    mode: str

    def along(self, axis: int) -> ResampledAxis:
        """The rows (axis 0) or the columns (1)."""
        return ResampledAxis(self.input[axis], self.output[axis], self.mode)


class ResampledAxis(NamedTuple):
    """A `Resampling` along one axis, as PyTorch computes it (with ``align_corners=False``)."""

    h: int
    out: int
    mode: str

    @property
    def factor(self) -> Fraction:
        """Pixels of the input from one output to the next."""
        return Fraction(self.h, self.out)

    def window(self, output: int) -> tuple[int, int]:
        """The first place that an output reads, and how many. The border is not looked at."""
        h, out = self.h, self.out
        if self.mode == "adaptive":
            first = output * h // out
            return first, -(-(output + 1) * h // out) - first
        if self.mode == "nearest":
            return output * h // out, 1
        middle = ((2 * output + 1) * h - out) // (2 * out)
        return (middle, 2) if self.mode == "bilinear" else (middle - 1, 4)

    @property
    def reach(self) -> tuple[int, int]:
        """How far a window extends before and after ``factor·output``, at most."""
        return {
            "adaptive": (1, -(-self.h // self.out) + 1), "nearest": (1, 0),
            "bilinear": (1, self.h // (2 * self.out) + 1), "bicubic": (2, self.h // (2 * self.out) + 2),
        }[self.mode]  # fmt: skip
