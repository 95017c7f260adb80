"""A chain of layers, as ``convcli shape --layers`` shows it, and the inputs that give a wanted output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from convcli import report
from convcli.arithmetic.chain import Chain, ChainStep
from convcli.arithmetic.chain_inputs import Returning
from convcli.geometry import Size
from convcli.presenters import fields

_COSTS = "parameters macs flops activation_bytes"

Inputs = Sequence[tuple[int, Size]]
"""Heights of inputs, and the output of each."""


def inputs_document(wanted: Size, found: Inputs, nearest: Inputs, shape: Callable[[int], Size]) -> dict[str, Any]:
    """The JSON of the inputs that give a wanted output."""

    def rows(ones: Inputs) -> list[dict[str, Any]]:
        return [{"input": shape(h)._asdict(), "output": size._asdict(), "options": f"--hin {h}"} for h, size in ones]

    solutions = {"solutions": rows(found), "nearest": rows(nearest)}
    return {"output": wanted._asdict(), "unknown": ["input"], "count": len(found), **solutions}


def inputs_table(wanted: Size, found: Inputs, nearest: Inputs, shape: Callable[[int], Size]) -> report.Table:
    """The inputs that give a wanted output, or one close to it."""
    rows = [(str(shape(height)), str(size)) for height, size in sorted(found or nearest)]
    title, strong = f"no input gives {wanted}; the nearest", None
    if found:
        title, strong = f"inputs that give {wanted}", sorted(found).index(found[0])
        title += f"; {found[0][0]} can be halved most often" * (len(found) > 1)
    return report.Table(f"convcli shape, chain: {title}", rows, ("input", "output"), strong, frozenset((0, 1)))


def document(chain: Chain, returning: tuple[Returning, Returning] | None) -> dict[str, Any]:
    """The JSON: every layer, the totals, and whether the output has the input's size.

    A value for rows and columns is one number if both are the same in the whole chain, else [height, width].
    """
    both = any(
        len(set(pair)) > 1 for step in chain.steps for pair in (step.field.size, step.field.jump, step.field.start)
    )
    last = chain.steps[-1]
    return {
        "input": {"channels": chain.channels, **chain.size._asdict()},
        "output": {"channels": last.channels, **last.size._asdict()},
        "layers": [_step(step, both) for step in chain.steps],
        "totals": {name: chain.total(name) for name in _COSTS.split()},
        "returns": last.size == chain.size,
        "returning_sizes": None if returning is None else {
            name: {**fields(one, "period remainders first"), "text": str(one)}
            for name, one in zip(("height", "width"), returning, strict=True)
        },
    }  # fmt: skip


def _step(step: ChainStep, both: bool) -> dict[str, Any]:
    return {
        "layer": step.layer.text,
        "kind": step.layer.kind,
        "output": {"channels": step.channels, **step.size._asdict()},
        **({} if step.in_features is None else {"in_features": step.in_features}),
        **fields(step, _COSTS),
        "receptive_field": _numbers(step.field.size, both),
        "jump": _numbers(step.field.jump, both),
        "start": _numbers(step.field.start, both),
    }


def _numbers(values: Sequence[int | Fraction], both: bool) -> Any:
    numbers = [int(value) if value == int(value) else float(value) for value in values]
    return numbers if both else numbers[0]


def table(chain: Chain, returning: tuple[Returning, Returning] | None) -> report.Table:
    """A line for each layer, and the totals."""
    header = ("layer", "output", "params", "MACs", "FLOPs", "memory", "field", "jump", "start")
    rows = [("input", f"{chain.channels}×{chain.size}", "", "", "", "", "1", "1", "0")]
    for step in chain.steps:
        counted = step.layer.kind in ("conv", "transpose", "linear")
        costs = (
            (f"{step.parameters:,}", short(step.macs), short(step.flops))
            if counted
            else (f"{step.parameters:,}" * (step.parameters > 0), "", "")
        )
        look = (report.pair(step.field.size), report.pair(step.field.jump), report.pair(step.field.start))
        size = memory(step.activation_bytes) if step.activation_bytes else ""
        text = step.layer.text + (f" (in_features {step.in_features})" if step.in_features is not None else "")
        rows.append((text, step.shape, *costs, size, *look))
    parameters, macs, flops, activations = map(chain.total, _COSTS.split())
    totals = f"{parameters:,}", short(macs), short(flops), memory(activations)
    rows.append(("total", chain.steps[-1].shape, *totals, "", "", ""))
    return report.Table(_title(chain, returning), rows, header, len(rows) - 1, frozenset(range(1, len(header))))


def _title(chain: Chain, returning: tuple[Returning, Returning] | None) -> str:
    """The title. If a layer enlarges: whether the output has the size of the input, and for which sizes it has."""
    if not any(step.layer.spec.transpose for step in chain.steps):
        return "convcli shape: chain"
    last, back = chain.steps[-1].size, chain.steps[-1].size == chain.size
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
    """A count with four digits: ``118.0M``. The JSON has all digits."""
    value, unit = _scaled(count, 1000, 999.95, ("", "k", "M", "G", "T", "P"))
    return str(count) if count < 10_000 else f"{value:.{3 if value < 9.9995 else 2 if value < 99.995 else 1}f}{unit}"


def memory(count: int) -> str:
    """A number of bytes with three digits and a unit."""
    value, unit = _scaled(count, 1024, 1000, ("B", "KiB", "MiB", "GiB", "TiB"))
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:.0f} {unit}"


def _scaled(count: int, base: int, most: float, units: Sequence[str]) -> tuple[float, str]:
    """A number in the first unit in which it is below `most`, or else in the last."""
    power = next((n for n in range(len(units)) if count / base**n < most), len(units) - 1)
    return count / base**power, units[power]
