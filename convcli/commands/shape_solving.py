"""``convcli shape`` with ``--hout``: solves for parameters, or checks that they give the wanted output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convcli import report
from convcli.arithmetic.kinds import Layer
from convcli.arithmetic.solve import KEPT, Query, helping
from convcli.arithmetic.solve import solve as find
from convcli.convspec import ConvSpec
from convcli.errors import ConvError, GeometryError
from convcli.geometry import Geometry, Size
from convcli.parameters.numbers import Asked, known
from convcli.presenters import solved

if TYPE_CHECKING:
    from convcli.commands.shape import ShapeOptions


def _wanted(asked: ShapeOptions) -> Size | None:
    """``--hout`` and ``--wout``."""
    height, width = asked.wanted.hout, asked.wanted.wout
    if height is None and width is not None:
        raise ConvError(f"--wout {width} is the width of an output: add --hout, its height")
    return None if height is None else Size(height, width or height)


def check(asked: ShapeOptions, spec: ConvSpec, geometry: Geometry) -> None:
    """Raise a GeometryError if a geometry does not give the wanted output."""
    wanted = _wanted(asked)
    if wanted is None or wanted == geometry.output:
        return
    remedies = []
    given = _given(spec, geometry.input, geometry.kernel)
    for name in ("padding", "kernel_size", "stride", "dilation", *["output_padding"] * spec.transpose, "input"):
        query = Query(spec.transpose, wanted, {**given, name: (None, None)}, frozenset({name}))
        if found := find(query).solutions:
            remedies.append(solved.options_of(query, found[0]))
    if asked.wanted.wout is None and wanted.height == geometry.output.height:
        remedies = [f"--wout {geometry.output.width}, which is --hout if you leave it out"]
    raise GeometryError(
        f"the output is {geometry.output}, not {wanted}: "
        + (f"use {' or '.join(remedies)}" if remedies else "use ? for two or more of --hin, --k, --s and --p")
    )


def _given(
    spec: ConvSpec, size: tuple[int | None, int | None], kernel: tuple[int, int] | None
) -> dict[str, tuple[Any, Any]]:
    pads = spec.padding
    return {
        "input": size,
        "kernel_size": (None, None) if kernel is None else kernel,
        "stride": spec.stride,
        "padding": (pads, pads) if isinstance(pads, str) else (tuple(pads[:2]), tuple(pads[2:])),
        "dilation": spec.dilation,
        "output_padding": spec.output_padding,
    }


def solve(asked: ShapeOptions) -> None:
    """Solve for what is given as ``?``."""
    wanted = _wanted(asked)
    if wanted is None:
        name = next(iter(asked.asked)).replace("_", "-")
        raise ConvError(f"--{name} ? needs an output: add its height, as in --hout 112")
    layer, reporting = asked.layer, asked.reporting
    for option, value in (("--output-size", layer.output_size), ("--output", layer.output)):
        if value is not None:
            raise ConvError(f"{option} and ? exclude each other: give --hout, or numbers instead of ?")
    query = _query(asked, wanted)
    answer = find(query)
    if reporting.as_json:
        report.json(solved.document(query, answer))
    elif reporting.quiet and answer.solutions:
        report.lines(solved.options_of(query, answer.solutions[0]))
    elif not reporting.quiet and (answer.solutions or answer.nearest):
        report.table(solved.table(query, answer, layer.everything))
        shown = len(answer.solutions) if layer.everything else solved.SHOWN
        if answer.count > shown:
            most = f" for the {KEPT} most usual" if answer.count > KEPT else ""
            rest = ", less usual" if layer.everything else f": --all or --json{most}"
            report.note(f"and {answer.count - shown} more{rest}")
    if not answer.solutions:
        text = solved.nothing_found(query, answer, helping(query))
        square = asked.win is not None and asked.wanted.wout is None
        raise GeometryError(f"{text}; the width is --hout, too, unless --wout is given" if square else text)


def _query(asked: ShapeOptions, wanted: Size) -> Query:
    layer, hin = asked.layer, known(asked.hin)
    # The solver checks the output padding: its limit may be unknown here.
    spec = layer.geometry._replace(output_padding=None).spec(layer.transpose or layer.output_padding is not None)
    given = _given(spec, (hin, hin if asked.win is None else known(asked.win)), known(layer.kernel_size))
    given["output_padding"] = (*(known(layer.output_padding) or (0, 0)),)
    shared = {"input"} if asked.win is None and hin is None else set()
    for name, value in asked.asked.items():
        if name in given:
            given[name] = (value.rows, value.columns)
            shared |= {name} if value.shared else set()
    return Query(spec.transpose, wanted, given, frozenset(shared))


def solve_chain(asked: ShapeOptions, layers: Sequence[Layer], channels: int) -> None:
    """Solve for the input of a chain: its height, and its width if that is not given."""
    from convcli.arithmetic.chain_inputs import leading_to
    from convcli.presenters import chained

    wanted, win = _wanted(asked), asked.win
    if wanted is None:
        raise ConvError("--hin ? needs an output: add its height, as in --hout 7")
    if isinstance(win, Asked):
        raise ConvError("--win ? cannot be solved for in a chain: give a number, or leave it out for a square input")

    def shape(height: int) -> Size:
        return Size(height, height if win is None else win)

    found, nearest = leading_to(layers, channels, shape, wanted)
    if asked.reporting.as_json:
        report.json(chained.inputs_document(wanted, found, nearest, shape))
    elif found and asked.reporting.quiet:
        report.lines(f"--hin {found[0][0]}")
    elif not asked.reporting.quiet and (found or nearest):
        report.table(chained.inputs_table(wanted, found, nearest, shape))
    if not found:
        near = f"; the nearest is {nearest[0][1]}, with --hin {nearest[0][0]}" if nearest else ""
        raise GeometryError(f"output {wanted} is not possible{near}: change a layer, or --hout")
