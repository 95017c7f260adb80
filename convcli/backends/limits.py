"""The limits of transforms, and of sums that are not those of the definition, which the backends share.

Rounding in a transform is relative to the largest value of all that it reads: one value far above the rest would drown it.
A product of sums is safe only far from the end of a type, and a NaN or an infinity spreads over all that is mixed with it.
"""

from __future__ import annotations

from math import floor, log2
from typing import Final

BLOCK: Final = 16
"""Rows and columns over which faint values are averaged, at most (see `block`): a single faint pixel is not a faint region."""

WIDE: Final = 2.0**8
"""Range of values (the largest over the mean of the faintest block that is not all zeros) above which float32's transform,
which leaves the faintest window 24 - 8 = 16 bits, would not do: it is done in float64."""

TOO_WIDE: Final = 2.0**32
"""Range above which float64's, which leaves the faintest 53 - 32 = 21 bits, would not do either: there is no transform."""

SMALL: Final = 2.0**-32
"""The share of a type's largest number that values must lie below before they are summed ahead of their weights, or transformed:
a sum of 2**32 of them does not overflow. A NaN and an infinity do not, so that one comparison finds all three."""


def block(taps: int) -> int:
    """Rows or columns of the blocks for a kernel of so many taps: every window has one all to itself, wherever it lies."""
    return min(BLOCK, (taps + 1) // 2)


def scale_of(total: float) -> float:
    """What kernels of this Σ|k| are divided by before they are transformed, and results multiplied by: a power of two.

    It is 1 but for kernels so large that spectra could overflow where results do not.
    """
    return 2.0 ** floor(log2(total)) if total > 1 / SMALL else 1.0
