"""Limits for transforms and for sums in another order than the definition's. All backends share them.

The rounding errors of a transform are relative to the largest value that it reads: one very large value would hide
small ones. Sums of pixels that are not multiplied yet could overflow if the pixels are near the end of their type's
range. A NaN or an infinity spreads to everything that is mixed with it.
"""

from __future__ import annotations

from math import floor, log2
from typing import Final

BLOCK: Final = 16
"""The most rows and columns of a block over which faint values are averaged (see `block`): a single faint pixel does
not make a faint region."""

WIDE: Final = 2.0**8
"""The range of values is the largest magnitude over the mean of the faintest block that is not all zeros. Above this
range, float32's transform is not accurate enough (it leaves 24 - 8 = 16 bits for the faintest window), and float64's
is used."""

TOO_WIDE: Final = 2.0**32
"""Above this range, float64's transform is not accurate enough either (it leaves 53 - 32 = 21 bits for the faintest
window), and no transform is used."""

SMALL: Final = 2.0**-32
"""Values must lie below this share of their type's largest number before they are transformed, or summed before they
are multiplied: then a sum of 2**32 of them does not overflow. NaN and infinity do not lie below it either, so one
comparison finds all three cases."""


def block(taps: int) -> int:
    """Rows or columns of a block, for a kernel with so many taps along this axis: every window contains a whole block."""
    return min(BLOCK, (taps + 1) // 2)


def scale_of(total: float) -> float:
    """A power of two: kernels with this Σ|k| are divided by it before they are transformed, and results are multiplied by it.

    It is 1 except for kernels so large that spectra could overflow although results do not.
    """
    return 2.0 ** floor(log2(total)) if total > 1 / SMALL else 1.0
