"""The range policy: how real results become the integers of a file. Round half to even, then the policy, then the cast."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RANGES = ("clip", "abs", "offset", "minmax", "raw")


class Quantised(NamedTuple):
    """Integers, and how many values lay below and above the range (NaN counts as below)."""

    array: NDArray[np.generic]
    below: int
    above: int


def quantise(values: NDArray[np.floating], full_scale: float, policy: str, dtype: str) -> Quantised:
    """Map real values to the integers ``0 … full_scale``.

    Parameters
    ----------
    values : ndarray
        Any shape, in units where `full_scale` is white.
    full_scale : float
        The value of white.
    policy : {"clip", "abs", "offset", "minmax"}
        ``clip`` keeps the values; ``abs`` their magnitude; ``offset`` puts 0 at mid-gray ``(full_scale + 1)/2``;
        ``minmax`` stretches the smallest to 0 and the largest to full scale. What still lies outside is clipped.
    dtype : str
        An unsigned integer dtype that holds `full_scale`.
    """
    mapped = apply_policy(values, full_scale, policy)
    rounded = np.rint(mapped)
    above = int(np.count_nonzero(rounded > full_scale))
    inside = int(np.count_nonzero((rounded >= 0) & (rounded <= full_scale)))
    np.clip(rounded, 0, full_scale, out=rounded)
    np.nan_to_num(rounded, copy=False, nan=0.0)
    return Quantised(rounded.astype(dtype), rounded.size - inside - above, above)


def apply_policy(values: NDArray[np.floating], full_scale: float, policy: str) -> NDArray[np.floating]:
    """The real-valued part of a range policy; ``clip`` and ``raw`` leave the values as they are."""
    if policy == "abs":
        magnitudes: NDArray[np.floating] = np.abs(values)
        return magnitudes
    if policy == "offset":
        return values + values.dtype.type((full_scale + 1) / 2 if full_scale > 1 else full_scale / 2)
    if policy == "minmax":
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        stretched: NDArray[np.floating] = (values - low) * (full_scale / (high - low) if high > low else 0.0)
        return stretched
    return values
