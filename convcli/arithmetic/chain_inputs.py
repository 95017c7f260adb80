"""Input sizes for a chain of layers: those that come out again, and those that lead to a wanted output. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import lcm, prod

from convcli.arithmetic.chain import Chain, trace
from convcli.arithmetic.kinds import FIXED, MOST, Layer
from convcli.errors import ConvError
from convcli.geometry import Size
from convcli.records import NamedTuple


class Returning(NamedTuple):
    """The sizes of one axis that go in and come out unchanged: ``period·n + remainder`` for every remainder, from `first` on."""

    period: int
    remainders: tuple[int, ...]
    first: int | None

    def __str__(self) -> str:
        if not self.remainders:
            return "no size"
        listed = [f"{self.period}n + {rest}" if rest else f"{self.period}n" for rest in self.remainders[:6]]
        sizes = ", ".join(listed) + (f" and {len(self.remainders) - 6} more" if len(self.remainders) > 6 else "")
        if self.period == 1:
            sizes = "every size"
        elif self.remainders == (0,):
            sizes = f"multiples of {self.period}"
        elif self.period == 2:
            sizes = "odd sizes"
        return sizes + (f" from {self.first} on" if self.first is not None and self.first > max(1, self.period) else "")


SEARCHED = 1 << 16
"""The most steps of a chain that are worked out in a search, over all sizes together."""


def returning(layers: Sequence[Layer], chain: Chain) -> tuple[Returning, Returning] | None:
    """Which input sizes come out of the chain unchanged: heights at the given width, and widths at the given height.

    If a size grows by the product of all strides, every floor in the chain grows by a whole number. So it is enough to try
    the sizes of one such period. None if the chain as a whole enlarges or shrinks, if no layer in it enlarges, if one has an
    output of its own size, or if the periods are too long to be tried.
    """
    scaled = any(jump != 1 for jump in chain.steps[-1].field.jump)
    enlarges = any(layer.spec.transpose for layer in layers)
    fixed = any(layer.kind in FIXED or layer.size for layer in layers)
    if scaled or fixed or not enlarges or sum(_periods(layers)) * len(layers) > SEARCHED:
        return None
    return _along(layers, chain, 0), _along(layers, chain, 1)


TRIED = 1 << 14
"""The most steps of a chain that are worked out to find a size that fits."""


def fitting(layers: Sequence[Layer], size: Size, channels: int) -> Size | None:
    """The input size nearest to one that does not fit a chain, for which it does; None if none is found near it."""
    most = TRIED // len(layers)

    def along(side: int) -> int | None:
        tried = (side + sign * far for far in range(most // 4) for sign in (1, -1))
        return next((one for one in tried if one > 0 and _output(layers, Size(one, one), channels) is not None), None)

    height = along(size.height)
    width = height if size.width == size.height or height is None else along(size.width)
    if height is None or width is None or _output(layers, Size(height, width), channels) is None:
        return None
    return Size(height, width)


def _output(layers: Sequence[Layer], size: Size, channels: int) -> Size | None:
    """The size that comes out of a chain; None if a layer does not fit."""
    try:
        return trace(layers, size, channels)[-1].size
    except ConvError:
        return None


def _along(layers: Sequence[Layer], chain: Chain, axis: int) -> Returning:
    """Which sizes of an axis come out unchanged, with the given size along the other axis."""
    base, length = chain.size[axis], _periods(layers)[axis]

    def returns(size: int) -> bool:
        whole = Size(size, chain.size.width) if axis == 0 else Size(chain.size.height, size)
        out = _output(layers, whole, chain.channels)
        return out is not None and out[axis] == size

    rests = {size % length for size in range(base, base + length) if returns(size)}
    divisors = (p for p in range(1, length + 1) if not length % p)
    period = next(p for p in divisors if all((rest + p) % length in rests for rest in rests))
    remainders = tuple(sorted({rest % period for rest in rests}))
    candidates = (size for size in range(1, base + 1) if size % period in remainders)
    tried = (size for _, size in zip(range(SEARCHED // len(layers)), candidates, strict=False))
    first = next(filter(returns, tried), None)
    return Returning(period, remainders, first)


def _periods(layers: Sequence[Layer]) -> tuple[int, int]:
    """The product of the strides of all direct layers, for rows and for columns."""
    direct = [layer.spec.stride for layer in layers if not layer.spec.transpose]
    return prod(stride.rows for stride in direct), prod(stride.columns for stride in direct)


def leading_to(
    layers: Sequence[Layer], channels: int, shape: Callable[[int], Size], wanted: Size
) -> tuple[list[tuple[int, Size]], list[tuple[int, Size]]]:
    """The input heights that lead to a wanted output; if there are none, the nearest ones.

    `shape` gives the input's size for a height. Heights are returned with their outputs: those that were found, among them
    first those that can be divided by the largest power of 2, and the nearest, which are none if anything is found.
    """

    def off(one: tuple[int, Size]) -> int:
        return abs(one[1].height - wanted.height) + abs(one[1].width - wanted.width)

    period = lcm(*_periods(layers))
    if period * len(layers) > SEARCHED:
        return [], []
    # Heights that are whole periods fit every joint of the chain, and a larger one never gives a smaller output: so halve
    # the interval, then look at each height around the result.
    low, high = 0, MOST // period
    while low < high:
        middle = (low + high) // 2
        size = _output(layers, shape(middle * period), channels) if middle else None
        low, high = (middle + 1, high) if size is None or size.height < wanted.height else (low, middle)
    around = range(max(1, (low - 2) * period), (low + 2) * period + 1)
    outputs = ((height, _output(layers, shape(height), channels)) for height in around)
    tried = [(height, size) for height, size in outputs if size is not None]
    found = sorted((one for one in tried if not off(one)), key=lambda one: (-(one[0] & -one[0]), one[0]))
    return found, [] if found else sorted(tried, key=lambda one: (off(one), one[0]))[:NEAREST]


NEAREST = 6
"""How many of the nearest sizes are shown if there is no solution."""
