"""The tables of ``convcli shape``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from convcli import report
from convcli.arithmetic import losses, sizes
from convcli.geometry import Geometry, Size

if TYPE_CHECKING:
    from fractions import Fraction

    from convcli.arithmetic.chain import Chain
    from convcli.arithmetic.chain_inputs import Returning
    from convcli.arithmetic.documents import Inputs
    from convcli.arithmetic.solve import Answer, Query, Solution

SHOWN = 12
"""Solutions in the table, unless all are asked for."""


def axes_differ(geometry: Geometry) -> bool:
    """Whether rows and columns have different parameters or outputs."""
    parameters = (geometry.kernel, geometry.stride, geometry.dilation, geometry.output_padding, geometry.output)
    return any(len(set(values)) > 1 for values in parameters) or geometry.pads[:2] != geometry.pads[2:]


def sizes_table(geometry: Geometry, rule: str | None, both: bool) -> report.Table:
    """One layer: its sizes, the formulas, the way back, and what is lost."""
    axes = [sizes.axis(geometry, number, rule) for number in ((0, 1) if both else (0,))]
    direct, transposed = "direct", "transposed"
    here, there = (transposed, direct) if geometry.transpose else (direct, transposed)

    def size(value: Size) -> str:
        return str(value) if both else str(value.height)

    rows = [("input", size(geometry.input)), ("output", size(geometry.output))]
    if rule is not None or len(set(geometry.pads)) > 1:
        pads = report.pair((*geometry.pads,))
        order = " (top, bottom, left, right)" if len(set(geometry.pads)) > 1 else ""
        rows.append(("padding", (f"{rule} = " if rule else "") + pads + order))
    if geometry.transpose and max(geometry.output_padding):
        rows.append(("output_padding", f"{report.pair(geometry.output_padding)} (bottom, right)"))
    rows += [(here, part.formula) for part in axes]
    rows += [(f"{there}, back", part.opposite_formula) for part in axes]
    for number, (name, part) in enumerate(zip(("rows", "columns"), axes, strict=False)):
        if not part.sharing:  # cropped so far that no direct convolution leads here
            continue
        first, last = part.sharing[0], part.sharing[-1]
        inputs = str(first) if first == last else f"{first} and {last}" if last == first + 1 else f"{first} to {last}"
        small, large = (part.input, part.output) if geometry.transpose else (part.output, part.input)
        text = f"direct{f' with {rule}' if rule else ''}: {inputs} → {small}"
        if first != last:
            pads = f"padding {report.pair(geometry.pads[2 * number : 2 * number + 2])} and " if rule else ""
            text += f"; transposed: {small} → {large} needs {pads}output_padding {part.output_padding}"
        rows.append(("share one output", f"{name}: {text}" if both else text))
    rows += _losses(geometry)
    return report.Table(f"convcli shape: {here} convolution", rows)


def _losses(geometry: Geometry) -> list[tuple[str, str]]:
    rows = []
    if not geometry.transpose:
        down, across = losses.unused(geometry)
        real = losses.unused_pixels(geometry)
        kind = (
            ""
            if not (down or across)
            else ", of the padding"
            if not any(real)
            else f", {real[0]} and {real[1]} of the image"
        )
        unused = f"{_count(down, 'row')} at the bottom, {_count(across, 'column')} at the right{kind}"
        rows.append(("unused", unused if down or across else "nothing"))
        rows.append(("saw padding", f"{100 * losses.saw_padding(geometry):.3g} % of the outputs"))
    found = losses.overlap(geometry)
    if found is not None:
        rows.append(("overlap", overlap_text(found, geometry.transpose)))
    return rows


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def overlap_text(found: losses.Overlap, transpose: bool) -> str:
    """How many taps meet at a pixel, in words."""
    text = f"{'an output is reached' if transpose else 'an input is read'} by {_span(found.least, found.most)} tap"
    text += "" if found.most == 1 else "s"
    if found.interior is None:
        return text
    if found.checkerboard:
        return f"{text}; away from the border {_span(*found.interior)}: a checkerboard"
    return text if found.least == found.most else f"{text}; away from the border {found.interior[0]}: even"


def picture_title(geometry: Geometry) -> str:
    """The layer in words: ``transposed 8×8 → 16×16: kernel 3, stride 2, padding 1, output_padding 1``."""
    kind = "transposed" if geometry.transpose else "direct"
    words = [f"kernel {report.pair(geometry.kernel)}", f"stride {report.pair(geometry.stride)}"]
    if any(geometry.pads):
        words.append(f"padding {report.pair(geometry.pads)}")
    if max(geometry.dilation) > 1:
        words.append(f"dilation {report.pair(geometry.dilation)}")
    if any(geometry.output_padding):
        words.append(f"output_padding {report.pair(geometry.output_padding)}")
    return f"{kind} {geometry.input} → {geometry.output}: {', '.join(words)}"


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def answer_table(query: Query, answer: Answer, everything: bool) -> report.Table:
    """Solutions, the most usual first; or the nearest possibilities."""
    from convcli.arithmetic.solve import NAMES

    found = answer.solutions or answer.nearest
    shown = found if everything else found[:SHOWN]
    names = [name for name in NAMES if query.transpose or name != "output_padding"]
    both = any(one.rows != one.columns for one in found) or query.output.height != query.output.width
    header = [name.replace("kernel_size", "kernel") for name in names]
    rows = [[_cell(one, name) for name in names] for one in shown]
    if not answer.solutions:
        header.append("output")
        rows = [[*row, _sides(one.output, both)] for row, one in zip(rows, shown, strict=True)]
    wanted = _sides(query.output, both)
    if answer.solutions:
        title = (
            f"{answer.count} solutions for {wanted}, the usual first"
            if answer.count > 1
            else f"1 solution for {wanted}"
        )
    else:
        title = f"no solution for {wanted}; the nearest"
    limits = {query.limit(0), query.limit(1)}
    if {"kernel_size", "stride", "dilation"} & {*query.unknown}:
        title += f" (up to {max(limits)})"
    kind = "transposed" if query.transpose else "direct"
    right = frozenset(range(len(header)))
    return report.Table(f"convcli shape, {kind}: {title}", rows, header, 0 if answer.solutions else None, right)


def _cell(found: Solution, name: str) -> str:
    rows, columns = found.pair(name)
    if name == "padding" and not isinstance(rows, str):
        even = rows[0] == rows[1] and columns[0] == columns[1]
        return report.pair((rows[0], columns[0]) if even else (*rows, *columns))
    return str(rows) if rows == columns else f"{rows}×{columns}" if name == "input" else f"{rows},{columns}"


def _sides(size: Size, both: bool) -> str:
    return str(size) if both else str(size.height)


def inputs_table(wanted: Size, found: Inputs, nearest: Inputs, shape: Callable[[int], Size]) -> report.Table:
    """The inputs of a chain that lead to a wanted output, or near it."""
    rows = [(str(shape(height)), str(size)) for height, size in found or nearest]
    title = f"inputs that lead to {wanted}" if found else f"no input leads to {wanted}; the nearest"
    return report.Table(
        f"convcli shape, chain: {title}", rows, ("input", "output"), 0 if found else None, frozenset((0, 1))
    )


def chain_table(chain: Chain, returning: tuple[Returning, Returning] | None) -> report.Table:
    """A line for each layer, and the totals."""
    header = ("layer", "output", "params", "MACs", "FLOPs", "memory", "field", "jump", "start")
    rows: list[tuple[str, ...]] = [("input", f"{chain.channels}×{chain.size}", "", "", "", "", "1", "1", "0")]
    for step in chain.steps:
        counted = step.layer.kind in ("conv", "transpose")
        costs = (f"{step.parameters:,}", short(step.macs), short(step.flops)) if counted else ("", "", "")
        look = (_axes(step.field.size), _axes(step.field.jump), _axes(step.field.start))
        size = memory(step.activation_bytes) if step.activation_bytes else ""
        rows.append((step.layer.text, f"{step.channels}×{step.size}", *costs, size, *look))
    totals = f"{chain.parameters:,}", short(chain.macs), short(chain.flops), memory(chain.activation_bytes)
    rows.append(("total", f"{chain.steps[-1].channels}×{chain.steps[-1].size}", *totals, "", "", ""))
    return report.Table(_title(chain, returning), rows, header, len(rows) - 1, frozenset(range(1, len(header))))


def _title(chain: Chain, returning: tuple[Returning, Returning] | None) -> str:
    """Whether the input's size comes back where the chain enlarges, and which sizes do."""
    if not any(step.layer.spec.transpose for step in chain.steps):
        return "convcli shape: chain"
    last = chain.steps[-1].size
    back = last == chain.size
    text = "returns to its input size" if back else f"does not return to its input size: {chain.size} → {last}"
    if returning is not None:
        rows, columns = returning
        which = str(rows) if rows == columns else f"{rows} (rows), {columns} (columns)"
        if rows.remainders and columns.remainders:
            text += f" (as {'do' if back else 'would'} {which})"
        else:
            text += " (no size returns)" if rows == columns else f" (returning: {which})"
    return f"convcli shape: chain, {text}"


def short(count: int) -> str:
    """A count with four digits: ``118.0M``; the JSON has all of them."""
    if count < 10_000:
        return str(count)
    value = float(count)
    for unit in ("", "k", "M", "G", "T", "P"):
        if value < 999.95 or unit == "P":
            return f"{value:.{3 if value < 9.9995 else 2 if value < 99.995 else 1}f}{unit}"
        value /= 1000
    raise AssertionError


def memory(count: int) -> str:
    """Bytes with three digits and their unit."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1000 or unit == "TiB":
            return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"
        value /= 1024
    raise AssertionError


def _axes(values: tuple[int | Fraction, int | Fraction]) -> str:
    return str(values[0]) if values[0] == values[1] else f"{values[0]},{values[1]}"
