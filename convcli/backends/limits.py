"""The limits of transforms, and of sums that are not those of the definition, which the backends share.

Rounding in a transform is relative to the largest value of all that it reads: one value far above the rest would drown it.
A product of sums is safe only far from the end of a type, and a NaN or an infinity spreads over all that is mixed with it.
"""

from __future__ import annotations

from typing import Final

BLOCK: Final = 16
"""Rows and columns over which faint values are averaged: a single pixel that happens to be faint is not a faint region."""

WIDE: Final = 2.0**8
"""Range of values (the largest over the mean of the faintest block that is not all zeros) above which float32's transform,
which leaves the faintest 24 - 8 = 16 bits, would not do: it is done in float64."""

TOO_WIDE: Final = 2.0**32
"""Range above which float64's, which leaves the faintest 53 - 32 = 21 bits, would not do either: there is no transform."""

SMALL: Final = 2.0**-32
"""The share of a type's largest number that values must lie below before they are summed ahead of their weights, or transformed:
a sum of 2**32 of them does not overflow. A NaN and an infinity do not, so that one comparison finds all three."""
