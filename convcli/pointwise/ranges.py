"""The range policy: how real results become the integers of a file. First the policy, then round half to even, then the cast."""

from typing import Any

import numpy as np

from convcli.pointwise import Array
from convcli.records import NamedTuple


class Clipped(NamedTuple):
    """Number of values below the range and above it, number of all values, and number of NaN, which are written as 0."""

    below: int = 0
    above: int = 0
    total: int = 0
    nan: int = 0

    @classmethod
    def sum(cls, *parts: "Clipped") -> "Clipped":
        """The sum of several counts."""
        return cls(*map(sum, zip(*parts, strict=True)))


NOTHING_CLIPPED = Clipped()
"""What there is where values stay real."""


class Known(NamedTuple):
    """What is known about values before they are stored."""

    within: bool = False  # they are within the range, except that rounding may have moved them at most 0.25 beyond it
    # rounding has moved them less, in any order of summation: none of them rounds to an integer beyond the range
    surely: bool = False
    finite: bool = False  # none of them is NaN


UNKNOWN = Known()


def rule_of(policy: str, scale: float = 1.0) -> tuple[str, tuple[float, float] | None]:
    """The policy that `store` and `apply_policy` follow, and its `span`: ``LO,HI`` is ``minmax`` with given extremes.

    ``LO,HI`` is in the units of the input. `scale` is the factor for the values of the file.
    """
    low, comma, high = policy.partition(",")
    return ("minmax", (float(low) * scale, float(high) * scale)) if comma else (policy, None)


def store(
    values: Array,
    full_scale: float,
    policy: str,
    out: Array,
    count: bool = True,
    known: Known = UNKNOWN,
    span: tuple[float, float] | None = None,
) -> Clipped:
    """Map real values to the integers ``0 … full_scale``. Returns the counts of the values that were clipped.

    Parameters
    ----------
    values : ndarray
        Any shape, in units where `full_scale` is white; real, or exact integers. Is overwritten. Its lines may be longer than
        those of `out`: it is faster to process all memory than only the parts that are kept.
    policy : {"clip", "abs", "offset", "minmax"}
        See `apply_policy`. Values that are still outside the range are clipped.
    out : ndarray
        An array of unsigned integers that can hold `full_scale`, of the same shape or with shorter lines.
    count : bool
        Whether to count clipped values; if not, the counts are zeros.
    known : Known
        What is known about the values and is not checked again.
    span : (float, float), optional
        What ``minmax`` stretches; by default, the `extremes` of `values`.
    """
    if values.dtype == np.float16:  # float16 cannot hold 65535
        values = values.astype(np.float32)
    if values.dtype.kind in "iu" and np.iinfo(values.dtype).max < full_scale:
        values = values.astype(np.int32)
    if not values.flags.c_contiguous or policy != "clip":
        values = values[..., : out.shape[-1]]
    values = apply_policy(values, full_scale, policy, values if values.dtype.kind == "f" else None, span)
    real = values.dtype.kind == "f"
    if real:
        values = np.rint(values, out=values)
    kind = values.dtype.type
    zero, white = kind(0), kind(full_scale)
    kept = values[..., : out.shape[-1]]
    if known.within:
        if real and not known.surely:  # otherwise, values could wrap around
            np.clip(values, zero, white, out=values)
        np.copyto(out, kept, casting="unsafe")
        return Clipped(0, 0, kept.size if count else 0)
    below = above = nan = 0
    if count:
        flags = np.less_equal(zero, kept)
        below = kept.size - int(np.count_nonzero(flags))
        above = int(np.count_nonzero(np.greater(kept, white, out=flags)))
    if below or above or not count:
        np.clip(values, zero, white, out=values)
        if not (known.finite and policy != "minmax") and real and np.isnan(kept.max(initial=zero)):
            nan = int(np.count_nonzero(np.isnan(kept, out=flags))) if count else 0
            np.nan_to_num(kept, copy=False, nan=0.0)
    np.copyto(out, kept, casting="unsafe")
    return Clipped(below - nan, above, kept.size if count else 0, nan)


def apply_policy(
    values: Array,
    full_scale: float,
    policy: str,
    out: Array | None = None,
    span: tuple[float, float] | None = None,
) -> Array:
    """Apply the real-valued part of a range policy.

    ``clip`` and ``raw`` do not change the values. ``abs`` takes their magnitude. ``offset`` puts 0 at mid-gray, which
    is ``(full_scale + 1)/2`` for integers. ``minmax`` stretches the smallest value to 0 and the largest to full scale;
    these extremes are `span`, or else those of `values`. Values beyond a given `span` are not clipped here. If values are
    real, `out` takes the result; it may be `values`.
    """
    if policy in ("clip", "raw"):
        return values
    if policy == "abs":
        return np.abs(values, out=out)
    real = values if values.dtype.kind == "f" else values.astype(np.float32)
    kind = real.dtype.type
    if policy == "offset":
        return np.add(real, kind((full_scale + 1) / 2 if full_scale > 1 else full_scale / 2), out=out)  # type: ignore[no-any-return]
    low, high = extremes(real) if span is None else span
    low, high = (low, high) if low <= high else (0.0, 0.0)
    factor = full_scale / (high - low) if high > low else 0.0
    # invalid: infinity times 0, if all finite values are equal. over: values far beyond a given span
    with np.errstate(invalid="ignore", over="ignore"):
        if not all(_holds(kind, value) for value in (low, factor, high - low)):
            # halve all values, in a wider type, so that no difference overflows
            wide = (real.astype(np.float64) / 2 - low / 2) / (high / 2 - low / 2) * full_scale
            out = np.empty_like(real) if out is None else out
            np.copyto(out, wide, casting="unsafe")
            return out
        shifted = np.subtract(real, kind(low), out=out)
        return np.multiply(shifted, kind(factor), out=shifted)  # type: ignore[no-any-return]


def _holds(kind: type[np.floating], value: float) -> bool:
    """Whether a type holds a value with its usual number of digits: not as an infinity, and not as a subnormal number."""
    limits = np.finfo(kind)
    return value == 0 or float(limits.tiny) <= abs(value) <= float(limits.max)


NOTHING = np.inf, -np.inf
"""The extremes of no values."""


def extremes(values: Array) -> tuple[float, float]:
    """The smallest and the largest finite value of real values; `NOTHING` if there is none. Values are read part by part."""
    found = NOTHING
    part: Any
    for part in np.nditer(values, flags=["external_loop", "buffered", "zerosize_ok"], buffersize=1 << 16):
        low, high = float(part.min(initial=np.inf)), float(part.max(initial=-np.inf))
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = part[np.isfinite(part)]
            low, high = float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))
        found = wider(found, (low, high))
    return found


def wider(*spans: tuple[float, float]) -> tuple[float, float]:
    """The extremes of several blocks together, from the extremes of each."""
    lows, highs = zip(*spans, strict=True)
    return min(lows), max(highs)
