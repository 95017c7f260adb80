"""A finish on tensors: results are rounded where they were computed, and only the integers are copied back.

The rules for each value are those of `convcli.pointwise.ranges`: the policy, then round half to even, then the cast.
"""

from __future__ import annotations

from math import inf

import torch

from convcli.backends import only_stores
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import Clipped

Span = tuple[float, float]


def suits(finish: Finish, device: torch.device) -> bool:
    """Whether to make the integers on a device.

    The CPU needs no copies, and the host's own finish takes a fifth of the time, because it works in bands that stay in
    the cache.
    """
    return device.type != "cpu" and only_stores(finish)


def store(values: torch.Tensor, finish: Finish) -> tuple[torch.Tensor, Clipped]:
    """Finish a whole result.

    Parameters
    ----------
    values : Tensor
        Any shape, floating point. float16 and bfloat16 are widened to float32 first, other tensors are overwritten.
    finish : Finish
        Must only store, see `convcli.backends.only_stores`.

    Returns
    -------
    Tensor
        The integers, in the finish's dtype and the layout of the values.
    Clipped
        Counts of the values that were clipped.
    """
    if values.dtype.itemsize == 2:  # float16 cannot hold 65535
        values = values.float()
    if finish.scale != 1:
        values.mul_(finish.scale)
    values = _by_policy(values, finish).round_()
    clipped = _count(values, finish.full_scale) if finish.count else Clipped()
    values.clamp_(0, finish.full_scale).nan_to_num_(0.0)
    return values.to(getattr(torch, str(finish.dtype))), clipped


def _by_policy(values: torch.Tensor, finish: Finish) -> torch.Tensor:
    white = finish.full_scale
    if finish.policy == "abs":
        return values.abs_()
    if finish.policy == "offset":
        return values.add_((white + 1) / 2 if white > 1 else white / 2)
    if finish.policy == "minmax":
        known = finish if finish.span is not None else finish.stretching(_extremes(values))
        assert known.span is not None
        return _stretched(values, known.span, white)
    return values


def _extremes(values: torch.Tensor) -> Span:
    """The smallest and the largest finite value; ``(inf, -inf)`` if there is none."""
    if not values.numel():
        return inf, -inf
    finite = values.isfinite()
    extremes = values.where(finite, inf).amin(), values.where(finite, -inf).amax()
    low, high = torch.stack(extremes).tolist()  # both in one copy
    return low, high


def _stretched(values: torch.Tensor, span: Span, white: float) -> torch.Tensor:
    low, high = span if span[0] <= span[1] else (0.0, 0.0)
    factor = white / (high - low) if high > low else 0.0
    if _holds(values.dtype, factor) and _holds(values.dtype, high - low):
        return values.sub_(low).mul_(factor)
    # All values are halved, in float64: so no difference overflows. CUDA would multiply by the inverse of a plain number.
    whole = torch.tensor(high / 2 - low / 2, dtype=torch.float64, device=values.device)
    return values.double().div_(2).sub_(low / 2).div_(whole).mul_(white).to(values.dtype)


def _holds(dtype: torch.dtype, value: float) -> bool:
    """Whether a type holds a value with its usual number of digits: not as an infinity, and not as a subnormal number."""
    limits = torch.finfo(dtype)
    return value == 0 or limits.tiny <= abs(value) <= limits.max


def _count(values: torch.Tensor, white: float) -> Clipped:
    """Counts of the values outside the range, after rounding."""
    counts = [torch.count_nonzero(flags) for flags in (values < 0, values > white, values.isnan())]
    below, above, nan = torch.stack(counts).tolist()
    return Clipped(below, above, values.numel(), nan)
