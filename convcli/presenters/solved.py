"""Parameters that were solved for, as ``convcli shape`` shows them and as options of a command."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.arithmetic.solve import NAMES, Answer, Query, Solution, same_fits
from convcli.convspec import ConvSpec
from convcli.geometry import Geometry, Pads, Pair, Size
from convcli.presenters import parameters

SHOWN = 12
"""The most solutions in the table, unless the user wants all."""

_OPTIONS = {"kernel_size": "--k", "stride": "--s", "padding": "--p", "dilation": "--d", "output_padding": "--op2"}


def document(query: Query, answer: Answer) -> dict[str, Any]:
    """The JSON: the question, the bounds, and what was found."""
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
    sizes = {"input": geometry.input._asdict(), "output": geometry.output._asdict()}
    return {**sizes, **parameters(geometry), "options": options_of(query, found), "score": found.score}


def resolved(query: Query, found: Solution) -> Geometry:
    """The geometry of a solution, as other commands would resolve it."""
    rows, columns = found.pair("padding")
    padding = rows if isinstance(rows, str) else Pads(*rows, *columns)
    spec = ConvSpec(
        transpose=query.transpose, stride=Pair(*found.pair("stride")), padding=padding,
        dilation=Pair(*found.pair("dilation")), output_padding=Pair(*found.pair("output_padding")),
    )  # fmt: skip
    return spec.resolve(found.pair("input"), found.pair("kernel_size"))


def _numbers(found: Solution, name: str) -> tuple[Any, ...]:
    """A parameter's values for rows and columns; all four of a padding, if the ends of an axis differ."""
    rows, columns = found.pair(name)
    if name != "padding" or isinstance(rows, str):
        return rows, columns
    return (rows[0], columns[0]) if rows[0] == rows[1] and columns[0] == columns[1] else (*rows, *columns)


def options_of(query: Query, found: Solution) -> str:
    """A solution as options of a command: ``--k 3 --s 2 --p 1``."""
    words = [
        f"{option} {report.pair(_numbers(found, name))}" for name, option in _OPTIONS.items() if name in query.unknown
    ]
    if "input" in query.unknown:
        rows, columns = found.pair("input")
        words.append(f"--hin {rows}" + (f" --win {columns}" if rows != columns or "input" not in query.shared else ""))
    return " ".join(words)


def table(query: Query, answer: Answer, everything: bool) -> report.Table:
    """The solutions, the most usual first. If there are none, the nearest possibilities."""
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
    title = f"{answer.count or 'no'} solution{'s' * (answer.count > 1)} for {wanted}"
    title += ", usual first" * (answer.count > 1) + "; the nearest" * (not answer.count)
    if tried := _tried(query):
        title += f" ({tried[0]})"
    title += f"; {same}" if not answer.count and (same := _same(query)) else ""
    kind = "transposed" if query.transpose else "direct"
    right = frozenset(range(len(header)))
    return report.Table(f"convcli shape, {kind}: {title}", rows, header, 0 if answer.solutions else None, right)


def _tried(query: Query) -> list[str]:
    """Up to where kernel sizes, strides and dilations were tried, if some are unknown."""
    names = [name.partition("_")[0] for name in ("kernel_size", "stride", "dilation") if name in query.unknown]
    return [f"{', '.join(names)} ≤ {max(query.limit(0), query.limit(1))}"] if names else []


def _cell(found: Solution, name: str) -> str:
    return report.pair(_numbers(found, name)).replace(",", "×" if name == "input" else ",")


def _sides(size: Size, both: bool) -> str:
    return str(size) if both else str(size.height)


def _same(query: Query) -> str:
    """Why there may be no solution: the rule `same` is for stride 1."""
    asked = "same" in query.given["padding"] and "stride" in query.unknown and not query.transpose
    return "--p same is for stride 1 only, use --p same-upper" if asked else ""


def nothing_found(query: Query, answer: Answer, further: tuple[str, Solution] | None = None) -> str:
    """The error for no solution. `further` is an unknown that would give one, and with what."""
    near = ""
    if answer.nearest:
        best = answer.nearest[0]
        near = f"; the nearest is {best.output}, with {options_of(query, best)}"
    remedy = _same(query) or "change a value, or use ? for more of them"
    if same_fits(query):
        remedy = "use --p same"
    elif further is not None and not _same(query):
        name, found = further
        option = _OPTIONS.get(name, "--hin")
        remedy = f"use {option} '?', which leads to {options_of(query.asking(name), found)}"
    tried = _tried(query) + ["padding ≤ d(k-1)"] * ("padding" in query.unknown)
    within = f" with {' and '.join(tried)}" if tried else ""
    return f"output {query.output} is not possible{within}{near}: {remedy}"
