"""The facts behind ``convcli shape``: a geometry, its formulas with numbers, and the opposite operation. Standard library only."""

from convcli.geometry import AxisGeometry, Geometry, direct_size, inputs_sharing, transposed_size
from convcli.records import NamedTuple


class Axis(NamedTuple):
    """One axis of a resolved convolution: its sizes in pixels, and the size formulas with numbers.

    The opposite operation starts from `output`. With the same pads and without output_padding it makes `opposite` of it; None if
    nothing is left. `sharing` are the input sizes that the direct operation maps to the same output size: to `output` if the
    operation is direct, to `input` if it is transposed. A padding rule is applied to each size. `output_padding` chooses one of
    them: with it the transposed operation returns to the direct operation's input, with the same pads.
    """

    input: int
    output: int
    formula: str
    opposite: int | None
    opposite_formula: str
    sharing: range
    output_padding: int


def axis(geometry: Geometry, number: int, rule: str | None = None) -> Axis:
    """Axis 0 (rows) or 1 (columns) of a resolved geometry. `rule` is the padding rule that gave its pads, if there was one."""
    at, name = geometry.along(number), "HW"[number]
    h, out, p2, line = at.h, at.out, at.p2, at.layer
    if geometry.transpose:
        small, back = h, direct_size(out, *line)
        formula, opposite = _transposed_formula(name, at, h, p2, out), _direct_formula(name, at, out, back)
    else:
        small, back = out, transposed_size(out, *line, 0)
        formula, opposite = _direct_formula(name, at, h, out), _transposed_formula(name, at, out, 0, back)
        p2 = h - back
    sharing = inputs_sharing(small, *line)
    if rule in ("same-upper", "same-lower"):  # the output is ⌈h/s⌉, with the pads that this needs
        sharing = range((small - 1) * at.s + 1, small * at.s + 1)
    return Axis(h, out, formula, back if back > 0 else None, opposite, sharing, p2)


def _direct_formula(name: str, at: AxisGeometry, h: int, out: int) -> str:
    """``H_out = ⌊(H_in + 2·p1 - d(k-1) - 1) / s⌋ + 1`` with numbers."""
    return f"{name}_out = ⌊({h} {_padding(at, '+')} - {at.d}·({at.k} - 1) - 1) / {at.s}⌋ + 1 = {_result(out)}"


def _transposed_formula(name: str, at: AxisGeometry, h: int, p2: int, out: int) -> str:
    """``H_out = (H_in - 1)s - 2·p1 + d(k-1) + p2 + 1`` with numbers."""
    return f"{name}_out = ({h} - 1)·{at.s} {_padding(at, '-')} + {at.d}·({at.k} - 1) + {p2} + 1 = {_result(out)}"


def _padding(at: AxisGeometry, sign: str) -> str:
    return f"{sign} 2·{at.before}" if at.before == at.after else f"{sign} {at.before} {sign} {at.after}"


def _result(size: int) -> str:
    return str(size) if size > 0 else f"{size}: nothing is left"
