"""The JSON of solutions and of chains. Standard library only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from convcli.arithmetic.chain import Chain, Step
from convcli.arithmetic.chain_inputs import Returning
from convcli.arithmetic.solve import Answer, Query, Solution
from convcli.convspec import ConvSpec
from convcli.geometry import Geometry, Pads, Pair, Size

Inputs = Sequence[tuple[int, Size]]
"""Heights of an input, and the outputs that they lead to."""

OPTIONS = {
    "input": "--hin", "kernel_size": "--k", "stride": "--s", "padding": "--p", "dilation": "--d", "output_padding": "--op2",
}  # fmt: skip


def of_answer(query: Query, answer: Answer) -> dict[str, Any]:
    """What was asked, within which bounds, and what was found."""
    limits = [query.limit(axis) for axis in (0, 1)]
    return {
        "op": "transpose" if query.transpose else "direct",
        "output": query.output._asdict(),
        "unknown": list(query.unknown),
        "bounds": {
            **{name: [1, max(limits)] for name in ("kernel_size", "stride", "dilation") if name in query.unknown},
            **({"padding": "0 to d(k-1)"} if "padding" in query.unknown else {}),
            **({"output_padding": "below stride or dilation"} if "output_padding" in query.unknown else {}),
        },
        "count": answer.count,
        "solutions": [_solution(query, found) for found in answer.solutions],
        "nearest": [_solution(query, found) for found in answer.nearest],
    }


def _solution(query: Query, found: Solution) -> dict[str, Any]:
    geometry = resolved(query, found)
    return {
        "input": geometry.input._asdict(),
        "output": geometry.output._asdict(),
        "kernel_size": list(geometry.kernel),
        "stride": list(geometry.stride),
        "padding": geometry.pads._asdict(),
        "dilation": list(geometry.dilation),
        "output_padding": list(geometry.output_padding),
        "options": as_options(query, found),
        "score": found.score,
    }


def resolved(query: Query, found: Solution) -> Geometry:
    """A solution as the geometry that the other commands would make of it."""
    rows, columns = found.pair("padding")
    padding = rows if isinstance(rows, str) else Pads(*rows, *columns)
    spec = ConvSpec(
        transpose=query.transpose, stride=Pair(*found.pair("stride")), padding=padding,
        dilation=Pair(*found.pair("dilation")), output_padding=Pair(*found.pair("output_padding")),
    )  # fmt: skip
    return spec.resolve(found.pair("input"), found.pair("kernel_size"))


def as_options(query: Query, found: Solution) -> str:
    """What was solved for, as the options of a command: ``--k 3 --s 2 --p 1``."""
    words = []
    for name in ("kernel_size", "stride", "padding", "dilation", "output_padding", "input"):
        if name not in query.unknown:
            continue
        rows, columns = found.pair(name)
        if name == "input":
            words.append(f"--hin {rows}" + (f" --win {columns}" if rows != columns or name not in query.shared else ""))
        elif name == "padding":
            even = rows[0] == rows[1] and columns[0] == columns[1]
            parts = (rows[0], columns[0]) if even else (*rows, *columns)
            words.append(f"--p {parts[0] if len(set(parts)) == 1 else ','.join(map(str, parts))}")
        else:
            words.append(f"{OPTIONS[name]} {rows if rows == columns else f'{rows},{columns}'}")
    return " ".join(words)


def of_inputs(wanted: Size, found: Inputs, nearest: Inputs, shape: Callable[[int], Size]) -> dict[str, Any]:
    """The inputs of a chain that lead to a wanted output."""

    def rows(ones: Inputs) -> list[dict[str, Any]]:
        return [
            {"input": shape(height)._asdict(), "output": size._asdict(), "options": f"--hin {height}"}
            for height, size in ones
        ]

    return {
        "output": wanted._asdict(),
        "unknown": ["input"],
        "count": len(found),
        "solutions": rows(found),
        "nearest": rows(nearest),
    }


def of_chain(chain: Chain, returning: tuple[Returning, Returning] | None) -> dict[str, Any]:
    """Every layer, the totals, and whether the input's size comes back.

    What belongs to rows and columns is one number if the two are alike in the whole chain, else [height, width].
    """
    both = any(
        len(set(pair)) > 1 for step in chain.steps for pair in (step.field.size, step.field.jump, step.field.start)
    )
    last = chain.steps[-1]
    return {
        "input": {"channels": chain.channels, **chain.size._asdict()},
        "output": {"channels": last.channels, **last.size._asdict()},
        "layers": [_step(step, both) for step in chain.steps],
        "totals": {
            "parameters": chain.parameters,
            "macs": chain.macs,
            "flops": chain.flops,
            "activation_bytes": chain.activation_bytes,
        },
        "returns": last.size == chain.size,
        "returning_sizes": None if returning is None else {
            name: {"period": one.period, "remainders": list(one.remainders), "first": one.first, "text": str(one)}
            for name, one in zip(("height", "width"), returning, strict=True)
        },
    }  # fmt: skip


def _step(step: Step, both: bool) -> dict[str, Any]:
    return {
        "layer": step.layer.text,
        "kind": step.layer.kind,
        "output": {"channels": step.channels, **step.size._asdict()},
        "parameters": step.parameters,
        "macs": step.macs,
        "flops": step.flops,
        "activation_bytes": step.activation_bytes,
        "receptive_field": _axes(step.field.size, both),
        "jump": _axes(step.field.jump, both),
        "start": _axes(step.field.start, both),
    }


def _axes(values: Sequence[int | Fraction], both: bool) -> Any:
    numbers = [int(value) if value == int(value) else float(value) for value in values]
    return numbers if both else numbers[0]
