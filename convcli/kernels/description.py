"""The properties of a kernel in words: the rows of its table, and the caption of its figure."""

from __future__ import annotations

from fractions import Fraction

from convcli.errors import param
from convcli.kernels.analysis import Analysis
from convcli.kernels.factors import Factor

FEW = 3
"""The most factors of a kernel that are written out."""


def rows(found: Analysis, room: int) -> list[tuple[str, str]]:
    """Names and texts of a kernel's properties, with parameters as `param` marks them.

    Parameters
    ----------
    room : int
        Characters in a line.
    """
    out = [
        ("sum", _number(found.sum) + (", zero-sum: flat areas become 0" if found.zero_sum else "")),
        ("Σ|k|", _number(found.abs_sum)),
        ("range", _range(found)),
        ("gain", _gain(found)),
        ("symmetry", _symmetry(found)),
        ("rank", _rank(found)),
    ]
    for number, factor in enumerate(found.factors if len(found.factors) <= FEW else (), 1):
        name = "factors" if len(found.factors) == 1 else f"factors {number}"
        out.append((name, _factor(factor, room)))
    return [*out, ("centre", _centre(found))]


def caption(found: Analysis) -> str:
    """The most important numbers, on one line."""
    height, width = found.values.shape
    rank = "" if found.rank is None else f", rank {found.rank}"
    return (
        f"{height}×{width}, sum {_number(found.sum)}, Σ|k| {_number(found.abs_sum)}, gain {_number(found.gain)}{rank}"
    )


def _range(found: Analysis) -> str:
    """The range that pixels can get, and what of it is clipped."""
    low, high = found.low, found.high
    text = f"0…1 becomes {_number(low)}…{_number(high)}, 0…255 {_number(255 * low)}…{_number(255 * high)}"
    below, above = low < -1e-9, high > 1 + 1e-9
    if not below and not above:
        return f"{text}: never clipped"
    sides = " and ".join(["below black"] * below + ["above white"] * above)
    return f"{text}: {sides} is clipped, see {param('range')}"


def _gain(found: Analysis) -> str:
    fy, fx = found.gain_at
    if not fy and not fx:
        return f"{_number(found.gain)}, of flat areas"
    return f"{_number(found.gain)}, of waves of {fy:.3g} cycles per pixel down and {fx:.3g} across"


def _symmetry(found: Analysis) -> str:
    if found.symmetric:
        text = "the same when turned by 180°: convolution = correlation"
    elif found.antisymmetric:
        text = "changes its sign when turned by 180°: convolution = −correlation"
    else:
        text = f"differs when turned by 180°: convolution and correlation differ ({param('op')})"
    mirrors = [name for name, holds in (("left-right", found.left_right), ("top-bottom", found.top_bottom)) if holds]
    return text + (f"; mirrored {' and '.join(mirrors)} the same" if mirrors else "")


def _rank(found: Analysis) -> str:
    if found.rank is None:
        return "not computed of so large a kernel"
    if found.rank == 0:
        return "0: every value is 0"
    if found.rank == 1:
        return "1: separable, a column times a row"
    return f"{found.rank}: the sum of {found.rank} separable kernels"


def _factor(factor: Factor, room: int) -> str:
    """A factor as text: ``1/4 × (1, 2, 1)ᵀ (-1, 0, 1)``."""
    near = Fraction(factor.scale).limit_denominator(10**6)
    exact = near if abs(float(near) - factor.scale) < 1e-12 * abs(factor.scale) else None
    scale = "" if factor.scale == 1 else f"{exact if exact is not None else _number(factor.scale)} × "
    column, row = (", ".join(f"{value + 0.0:.4g}" for value in values) for values in (factor.column, factor.row))
    text = f"{scale}({column})ᵀ ({row})"
    if len(text) <= 3 * room:
        return text
    return f"a column of {len(factor.column)} and a row of {len(factor.row)}: see {param('json')}"


def _centre(found: Analysis) -> str:
    """The tap that lies on the output pixel, and how an even size moves the result."""
    (y, x), (down, right) = found.centre, found.offset
    text = f"tap {y},{x} (row, column)"
    if not down and not right:
        return text
    shift = " and ".join(["½ pixel up"] * bool(down) + ["½ pixel to the left"] * bool(right))
    return f"{text} with padding same, as PyTorch; an even size has no middle: the result moves {shift}"


def _number(value: float) -> str:
    """A number with up to six digits. Rounding errors around 0 become 0."""
    return f"{0.0 if abs(value) < 1e-12 else value:.6g}"
