"""``convcli shape`` with ``--hout``: parameters solved for, or held against the output that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli import folding, report
from convcli.arithmetic import documents
from convcli.arithmetic.layers import Layer
from convcli.arithmetic.solve import KEPT, NAMES, Answer, Query
from convcli.arithmetic.solve import solve as find
from convcli.commands import shape_views
from convcli.convspec import ConvSpec
from convcli.errors import ConvError, GeometryError
from convcli.geometry import Geometry, Size
from convcli.parameters import Asked


def _wanted(values: dict[str, Any]) -> Size | None:
    """``--hout`` and ``--wout``."""
    if values["hout"] is None:
        if values["wout"] is not None:
            raise ConvError(f"--wout {values['wout']} is the width of a wanted output: add --hout, its height")
        return None
    return Size(values["hout"], values["wout"] or values["hout"])


def check(values: dict[str, Any], spec: ConvSpec, geometry: Geometry) -> None:
    """Hold a known geometry against the output that is wanted."""
    wanted = _wanted(values)
    if wanted is None or wanted == geometry.output:
        return
    remedies = []
    given = _given(geometry, spec)
    for name in ("padding", "kernel_size", "stride", "dilation", "output_padding", "input"):
        if name == "output_padding" and not spec.transpose:
            continue
        query = Query(spec.transpose, wanted, {**given, name: (None, None)}, frozenset({name}))
        if found := find(query).solutions:
            remedies.append(documents.as_options(query, found[0]))
    raise GeometryError(
        f"output {wanted} does not result, but {geometry.output}: "
        + (f"use {' or '.join(remedies)}" if remedies else "put ? for two or more of --hin, --k, --s and --p")
    )


def _given(geometry: Geometry, spec: ConvSpec) -> dict[str, tuple[Any, Any]]:
    rule = spec.padding if isinstance(spec.padding, str) else None
    return {
        "input": (*geometry.input,),
        "kernel_size": (*geometry.kernel,),
        "stride": (*geometry.stride,),
        "padding": (rule, rule) if rule else (geometry.pads[:2], geometry.pads[2:]),
        "dilation": (*geometry.dilation,),
        "output_padding": (*spec.output_padding,),
    }


def solve(values: dict[str, Any], asked: list[str]) -> None:
    """What is given as ``?``."""
    wanted = _wanted(values)
    if wanted is None:
        name = asked[0].replace("_", "-")
        raise ConvError(f"--{name} ? is to be solved for: add the output height that is wanted, as in --hout 112")
    for name, option in (("output_size", "--output-size"), ("output", "--output")):
        if values[name] is not None:
            raise ConvError(f"{option} and ? exclude each other: give --hout, or numbers instead of ?")
    query = _query(values, wanted)
    answer = find(query)
    if values["as_json"]:
        report.json(documents.of_answer(query, answer))
    elif values["quiet"]:
        if not answer.solutions:
            raise GeometryError(_none(query, answer))
        report.lines(documents.as_options(query, answer.solutions[0]))
    elif not answer.solutions and not answer.nearest:
        raise GeometryError(_none(query, answer))
    else:
        report.table(shape_views.answer_table(query, answer, values["everything"]))
        shown = len(answer.solutions) if values["everything"] else shape_views.SHOWN
        if answer.count > shown:
            most = f" for the {KEPT} most usual" if answer.count > KEPT else ""
            rest = ", less usual" if values["everything"] else f": --all or --json{most}"
            report.note(f"and {answer.count - shown} more{rest}")


def _none(query: Query, answer: Answer) -> str:
    near = ""
    if answer.nearest:
        best = answer.nearest[0]
        near = f"; the nearest is {best.output}, with {documents.as_options(query, best)}"
    return f"output {query.output} cannot be had{near}: change what is given, or put ? for more of it"


def _query(values: dict[str, Any], wanted: Size) -> Query:
    hin, win = values["hin"], values["win"]
    known = {name: None if isinstance(values[name], Asked) else values[name] for name in values}
    extra = known.pop("output_padding") or (0, 0)  # the solver's to check: its bound may be unknown
    spec = folding.fold(known, transposed=values["transpose"] or values["output_padding"] is not None)
    pads = spec.padding
    given: dict[str, tuple[Any, Any]] = {
        "padding": (pads, pads) if isinstance(pads, str) else (tuple(pads[:2]), tuple(pads[2:])),
        "stride": (*spec.stride,),
        "dilation": (*spec.dilation,),
        "output_padding": (*extra,),
        "input": (known["hin"], known["hin"] if win is None else known["win"]),
        "kernel_size": (None, None) if known["kernel_size"] is None else (*known["kernel_size"],),
    }
    shared = {"input"} if win is None and isinstance(hin, Asked) else set()
    for name in NAMES[1:]:
        if isinstance(values[name], Asked):
            given[name] = (values[name].rows, values[name].columns)
            if values[name].shared:
                shared.add(name)
    return Query(spec.transpose, wanted, given, frozenset(shared))


def solve_chain(values: dict[str, Any], layers: Sequence[Layer], channels: int) -> None:
    """The input of a chain: its height, and its width where that is not given."""
    from convcli.arithmetic.chain_inputs import leading_to

    wanted, win = _wanted(values), values["win"]
    if wanted is None:
        raise ConvError("--hin ? is to be solved for: add the output height that is wanted, as in --hout 7")
    if isinstance(win, Asked):
        raise ConvError("--win ? cannot be solved for in a chain: give a number, or leave it out for a square input")

    def shape(height: int) -> Size:
        return Size(height, height if win is None else win)

    found, nearest = leading_to(layers, channels, shape, wanted)
    if values["as_json"]:
        report.json(documents.of_inputs(wanted, found, nearest, shape))
    elif found and values["quiet"]:
        report.lines(f"--hin {found[0][0]}")
    elif values["quiet"] or not (found or nearest):
        near = f"; the nearest is {nearest[0][1]}, with --hin {nearest[0][0]}" if nearest else ""
        raise GeometryError(f"output {wanted} cannot be had{near}: change a layer, or --hout")
    else:
        report.table(shape_views.inputs_table(wanted, found, nearest, shape))
