"""What happens to results after the kernel: combine a bank's outputs, undo a lift, apply the range policy, round, cast.

A `Finish` works on any block of an output, so that a backend can apply it while the block is still in the cache.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from convcli.pointwise import Array
from convcli.pointwise.lift import Restore
from convcli.pointwise.ranges import NOTHING, NOTHING_CLIPPED, UNKNOWN, Clipped, Known, extremes, store, wider
from convcli.records import NamedTuple
from convcli.windows import NEAR_VALUES, bands


class Finish(NamedTuple):
    """How real results become the values that are kept."""

    # for each group of kernels that is combined, their number and a rule, one of `convcli.vocabulary.COMBINES`. Empty:
    # nothing is combined.
    parts: tuple[tuple[int, str], ...] = ()
    dtype: str | None = None  # the integers to round to, ``uint8`` or ``uint16``; None: values stay real
    full_scale: float = 255.0  # the value of white in this dtype
    policy: str = "clip"  # the range policy: clip, abs, offset or minmax
    count: bool = False  # type: ignore[assignment]  # whether to count clipped values
    scale: float = 1.0  # factor for the values, applied before the policy
    # for ``minmax``: what is stretched, by default the extremes of the whole result (see `extremes`). Nothing can be stored
    # before they are known.
    span: tuple[float, float] | None = None
    real: str = (
        "float32"  # the dtype that exact integers are converted to if they are scaled, stretched or made a magnitude
    )
    restore: Restore | None = None  # what happens to combined results before all this; None: nothing
    # if the extremes differ by no more than this, it is only by rounding, and nothing is stretched
    noise: float = 0.0

    @property
    def looks(self) -> bool:
        """Whether the extremes of the whole result are needed before any of it can be stored."""
        return self.dtype is not None and self.policy == "minmax" and self.span is None

    @property
    def apart(self) -> bool:
        """Whether the last output is alpha, which is treated differently."""
        return self.restore is not None and self.restore.alpha

    @property
    def joins(self) -> bool:
        """Whether it combines outputs, which changes their number or values. The magnitude of a single output is its |value|."""
        return any(rule == "magnitude" or (rule != "none" and count > 1) for count, rule in self.parts)

    def outputs(self, count: int) -> int:
        """The number of outputs after combining `count` outputs."""
        if not self.joins:
            return count
        kernels = sum(length for length, _ in self.parts)
        return count // kernels * sum(length if rule == "none" else 1 for length, rule in self.parts)

    def keeps(self, span: tuple[float, float]) -> bool:
        """Whether results within `span` need no clipping, except for their rounding."""
        low, high = (edge * self.scale for edge in span)
        plain = not self.joins and self.policy == "clip" and self.restore is None
        return plain and low > -0.25 and high < self.full_scale + 0.25

    def apply(self, values: Array, out: Array, known: Known = UNKNOWN) -> Clipped:
        """Finish a block. Returns the counts of the values that were clipped.

        Parameters
        ----------
        values : ndarray
            ``(blocks·K, rows, line)``, with K the number of kernels in the bank; real, or exact integers. Is overwritten. Values
            beyond the lines of `out` are ignored.
        out : ndarray
            ``(blocks·P, rows, line)`` of the final dtype, with P the number of combined outputs of the bank.
        known : Known
            What is known about all results.
        """
        if self.joins or self.restore is not None:
            values = self.join(values[..., : out.shape[-1]])
        if self.restore is None:
            return self._keep(values, out, self.policy, self.count, known)
        clipped = []
        for rows in bands(values, NEAR_VALUES):
            restored, place = self.restore.apply(values[:, rows]), out[:, rows]
            if self.apart:
                self._keep(restored[-1:], place[-1:], "clip", False)
                restored, place = restored[:-1], place[:-1]
            clipped.append(self._keep(restored, place, self.policy, self.count))
        return Clipped.sum(*clipped)

    def _keep(self, values: Array, out: Array, policy: str, count: bool, known: Known = UNKNOWN) -> Clipped:
        """Round restored values into `out`, or copy them if they stay real."""
        if self.dtype is None:
            np.copyto(out, values[..., : out.shape[-1]], casting="unsafe")
            return NOTHING_CLIPPED
        if self.scale != 1 or policy == "minmax":
            values = self._scaled(values[..., : out.shape[-1]])
        return store(values, self.full_scale, policy, out, count, known, self.span)

    def _scaled(self, values: Array) -> Array:
        """Real values in the units of the file; values that are real already are changed in place."""
        values = values if values.dtype.kind == "f" else values.astype(self.real)
        if self.scale == 1:
            return values
        with np.errstate(over="ignore"):  # such values are too large for the file, too
            np.multiply(values, values.dtype.type(self.scale), out=values)
        return values

    def extremes(self, values: Array) -> tuple[float, float]:
        """The smallest and the largest finite value that ``minmax`` would stretch, of a block as in `apply`.

        ``(inf, -inf)`` if there is none. `values` is overwritten.
        """
        values = self.join(values)
        found = NOTHING
        for rows in bands(values, NEAR_VALUES):
            part = values[:, rows] if self.restore is None else self.restore.apply(values[:, rows])
            found = wider(found, extremes(self._scaled(part[:-1] if self.apart else part)))
        return found

    def whole(self, values: Array) -> tuple[Array, Clipped]:
        """Finish a whole batch ``(N, C, H, W)``, which is not changed."""
        count, filters, *size = values.shape
        pieces = [(image, rows) for image in range(count) for rows in bands(values[0], NEAR_VALUES)]
        finish = self
        if self.looks:
            found = [self.extremes(values[image, :, rows].copy()) for image, rows in pieces]
            finish = self.stretching(wider(NOTHING, *found))
        out = np.empty((count, self.outputs(filters), *size), self.dtype or values.dtype)
        clipped = [finish.apply(values[image, :, rows].copy(), out[image, :, rows]) for image, rows in pieces]
        return out, Clipped.sum(Clipped(), *clipped)

    def stretching(self, span: tuple[float, float]) -> "Finish":
        """The same finish, with the extremes of the whole result."""
        low, high = span
        return self._replace(span=(low, low) if 0 < high - low <= self.noise else span)

    def join(self, values: Array) -> Array:
        """Combine outputs: ``(…, blocks·K, rows, line)`` becomes ``(…, blocks·P, rows, line)``."""
        if not self.joins:
            return values
        kernels = sum(length for length, _ in self.parts)
        *batch, count, height, width = values.shape
        blocks = values.reshape(*batch, count // kernels, kernels, height, width)
        joined = []
        start = 0
        for length, rule in self.parts:
            block = blocks[..., start : start + length, :, :]
            joined.append(block if rule == "none" else _RULES[rule](block, self.real))
            start += length
        out = np.concatenate(joined, axis=-3) if len(joined) > 1 else joined[0]
        return out.reshape(*batch, out.shape[-4] * out.shape[-3], height, width)


def _magnitude(block: Array, real: str) -> Array:
    if block.shape[-3] == 1:
        return np.asarray(np.abs(block))
    kind = _real(block.dtype, real)
    out = _root_of_squares(block, kind)
    largest = out.max(initial=0)
    if kind == np.float32 and largest != 0 and not SQUARES[0] < largest < SQUARES[1]:
        out = _root_of_squares(block, np.dtype(np.float64)).astype(kind)
    return out


SQUARES = (1e-15, 1e19)
"""float32 can hold the squares of magnitudes between these two."""


def _root_of_squares(block: Array, kind: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):  # infinities are checked for afterwards
        total: Array = np.square(block[..., :1, :, :], dtype=kind)
        for k in range(1, block.shape[-3]):
            total += np.square(block[..., k : k + 1, :, :], dtype=kind)
    np.sqrt(total, out=total)
    return total


def _real(kind: np.dtype[Any], real: str) -> np.dtype[Any]:
    """The dtype for sums of values and of squares: float64 for exact integers of more than 16 bits, which may be rounded to 16.

    It is float64 for all exact integers if that is the `real` dtype.
    """
    wide = kind.kind in "iu" and (kind.itemsize > 2 or real == "float64")
    return np.dtype(np.float64) if wide or kind == np.float64 else np.dtype(np.float32)


_RULES: dict[str, Callable[[Array, str], Array]] = {
    "magnitude": _magnitude,
    "sum": lambda block, real: block.sum(
        axis=-3, keepdims=True, dtype=_real(block.dtype, real)
    ),  # integers might not hold it
    "max": lambda block, _: block.max(axis=-3, keepdims=True),
}
