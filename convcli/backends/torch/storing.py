"""A finish on tensors: results are rounded where they were computed, and only the integers are copied back.

The rules for each value are those of `convcli.pointwise.ranges`: the policy, then round half to even, then the cast.
"""

from __future__ import annotations

import torch

from convcli.backends import only_stores
from convcli.pointwise.finish import Finish
from convcli.pointwise.ranges import Clipped


def suits(finish: Finish, device: torch.device) -> bool:
    """Whether to make the integers on a device.

    The CPU needs no copies, and the host's own finish takes a fifth of the time, because it works in bands that stay in
    the cache.
    """
    return device.type != "cpu" and only_stores(finish)


def store(values: torch.Tensor, finish: Finish) -> tuple[torch.Tensor, Clipped]:
    """Finish a whole result of any shape: the integers in the layout of the values, and counts of those that were clipped.

    `finish` must only store, see `convcli.backends.only_stores`. float16 and bfloat16 are widened to float32 first,
    other tensors are overwritten.
    """
    white = finish.full_scale
    if values.dtype.itemsize == 2:  # float16 cannot hold 65535
        values = values.float()
    if finish.scale != 1:
        values.mul_(finish.scale)
    if finish.policy == "abs":
        values.abs_()
    elif finish.policy == "offset":
        values.add_((white + 1) / 2 if white > 1 else white / 2)
    values.round_()
    clipped = Clipped()
    if finish.count:
        counts = [torch.count_nonzero(flags) for flags in (values < 0, values > white, values.isnan())]
        below, above, nan = torch.stack(counts).tolist()
        clipped = Clipped(below, above, values.numel(), nan)
    values.clamp_(0, white).nan_to_num_(0.0)
    return values.to(getattr(torch, str(finish.dtype))), clipped
