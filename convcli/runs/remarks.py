"""Remarks about pixel values of the input. What they need is collected from parts of a picture, in any order."""

from __future__ import annotations

from typing import Any

import numpy as np

from convcli.errors import param
from convcli.images import Storage, row_of, white_of
from convcli.images.picture import Described
from convcli.pointwise import Array
from convcli.pointwise.ranges import rule_of
from convcli.records import NamedTuple
from convcli.windows import NEAR_VALUES, bands

EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24}
"""Each dtype holds all integers up to this one."""


class Looked(NamedTuple):
    """What was found in pixels of the input."""

    values: int = 0  # how many were looked at
    peak: float = 0.0  # the largest finite real value, at least 0
    magnitude: int = 0  # the largest one of integers
    nodata: int = 0  # how many mean no data
    nans: int = 0
    narrow: bool = True  # whether float32 holds all of them

    def and_(self, other: Looked) -> Looked:
        """What was found in both."""
        return Looked(
            self.values + other.values, max(self.peak, other.peak), max(self.magnitude, other.magnitude),
            self.nodata + other.nodata, self.nans + other.nans, self.narrow and other.narrow,
        )  # fmt: skip


class Lookout:
    """What has to be looked at in the pixels of a picture, and the remarks about it.

    Parameters
    ----------
    picture : Described
        The input.
    storage : Storage
        How the result is stored.
    mixes : bool
        Whether the kernel mixes pixels, so that values without data spread.
    dtype : str
        Of the computation.
    """

    def __init__(self, picture: Described, storage: Storage, mixes: bool, dtype: str) -> None:
        self.storage, self.picture, self.computed = storage, picture, dtype
        row, real = row_of(storage.container), picture.dtype.kind == "f"
        self.tensor = row_of(picture.metadata.format).tensor  # also if its channels are treated as colours
        self.narrows = storage.dtype == "float32" and not row.tensor and picture.dtype == np.float64
        integers = storage.dtype != "float32" and not row.tensor
        stretched = rule_of(storage.policy)[0] == "minmax"  # where white does not matter
        self.white = integers and not stretched and real and (picture.real or self.tensor)
        self.nodata = picture.metadata.nodata if mixes else None
        self.nans = mixes and real
        self.exact = EXACT[dtype] if dtype in EXACT and picture.dtype.kind in "iu" else None
        if self.exact is not None and np.iinfo(picture.dtype).max <= self.exact:
            self.exact = None

    @property
    def needed(self) -> bool:
        """Whether there can be a remark."""
        return self.narrows or self.white or self.nans or self.nodata is not None or self.exact is not None

    def look(self, colour: Array) -> Looked:
        """Look at colours ``(…, H, W)``, the whole picture or a part of it."""
        if not self.needed:
            return Looked(colour.size)
        found = Looked()
        for rows in bands(colour, NEAR_VALUES):  # nothing is copied but a few rows at a time
            found = found.and_(self._look(colour[..., rows, :]))
        return found

    def _look(self, part: Array) -> Looked:
        peak, magnitude, nodata, nans, narrow = 0.0, 0, 0, 0, True
        if self.white:
            peak = float(part.max(where=np.isfinite(part), initial=0))
        if self.exact is not None:
            magnitude = max(-int(part.min(initial=0)), int(part.max(initial=0)))
        if self.nodata is not None:
            nodata = int(np.count_nonzero(part == _as(self.nodata, part.dtype)))
        if self.nans and np.isnan(part.max(initial=-np.inf)):
            nans = int(np.count_nonzero(np.isnan(part)))
        if self.narrows:
            with np.errstate(over="ignore"):
                narrow = np.array_equal(part.astype(np.float32), part, equal_nan=True)
        return Looked(part.size, peak, magnitude, nodata, nans, narrow)

    def remarks(self, found: Looked) -> tuple[str, ...]:
        """The remarks about what was found in the whole picture."""
        said = [*self._about_white(found.peak)] if self.white else []
        if not found.narrow:
            container = self.storage.container
            said.append(
                f"values that need 64 bits are stored with 32 in {container}: write .npy to keep them",
            )
        averaged = (
            ("" if self.nodata is None else f"values of no data ({self.nodata:.10g})", found.nodata),
            ("NaN values", found.nans),
        )
        said += [f"{what} are averaged in: {many} of {found.values}" for what, many in averaged if many]
        if self.exact is not None and found.magnitude > self.exact:
            remedy = f"use {param('dtype', 'float64')}"
            said.append(
                f"the values reach {found.magnitude}, and {self.computed} is exact to {self.exact} only: {remedy}"
            )
        return tuple(said)

    def _about_white(self, peak: float) -> tuple[str, ...]:
        """A remark if the values of a real input look as if white had another value."""
        picture, container = self.picture, self.storage.container
        full_scale = white_of(picture, container)
        largest = f"{peak:.0f}" if peak >= 1000 else f"{peak:.3g}"
        remedy = f"to stretch the result over {container}'s range, use {param('range', 'minmax')}, or {param('range', 'LO,HI')}"
        if picture.assumed:
            remedy = f"if white is another value, use {param('full_scale')}; {remedy}"
        if self.tensor and picture.assumed and full_scale == 255 and 0 < peak <= 1:
            return (f"the largest value is only {largest}, and white is 255: {remedy}",)
        # a filter's results go beyond white; but if white is only assumed, another value may be meant
        least, most = (full_scale / 256, full_scale) if picture.assumed else (0, 2 * full_scale)
        if picture.real and (0 < peak < least or peak > most):
            return (f"the largest value is {largest}, and white is {full_scale:.10g}: {remedy}",)
        return ()


def _as(value: float, dtype: np.dtype[Any]) -> float:
    """A value as a dtype holds it: a real one rounded, an integer as it is, if it can be one."""
    with np.errstate(over="ignore"):
        return float(dtype.type(value)) if dtype.kind == "f" else value


def infinite(given: Array, results: Array, dtype: str) -> tuple[str, ...]:
    """A remark if finite values of 64 bits became infinite in the `dtype` of the computation. float16 is scaled instead."""
    wide = given.dtype == np.float64 and dtype in ("float32", "bfloat16") and results.dtype.kind == "f"
    if wide and np.isinf(results).any() and np.isfinite(given).all():
        limit, remedy = np.finfo(np.float32).max, f"use {param('dtype', 'float64')}"
        return (f"some results are beyond {dtype}, which ends at {limit:.2g}, and became infinite: {remedy}",)
    return ()
