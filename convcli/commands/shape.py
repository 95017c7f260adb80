"""``convcli shape``: the size arithmetic, without pixels."""

from __future__ import annotations

from typing import Any

import click

from convcli import options, report
from convcli.arithmetic import chain, documents, layerfile, losses, sizes, solve
from convcli.arithmetic.solve import NAMES, Answer, Query
from convcli.commands import shape_views
from convcli.commands.help import Documented, Section
from convcli.convspec import ConvSpec
from convcli.drawing.palette import PALETTES
from convcli.errors import ConvError, GeometryError
from convcli.geometry import Geometry, Size
from convcli.parameters import Asked, AskedType, CountType, FileType, PairType

_SIZE = CountType()
_ASKED = ("hin", "win", "kernel_size", "stride", "padding", "dilation", "output_padding")

SOLVING = Section(
    "Solving",
    "With --hout, each of --hin, --win, --k, --s, --p, --d and --op2 may be ?, or one number of a pair as in 3,?. A single ? is "
    "one number for rows and columns, ?,? are two. Tried are kernels, strides and dilations from 1 to 64 (two unknown: 32, "
    "three: 16), paddings from 0 to d(k-1), alike at both ends, and every allowed output padding; the usual come first: odd "
    "small kernels, padding (k-1)/2·d, stride 1 then 2, transposed a kernel divisible by the stride. -q prints the first as "
    "options. Without a solution the nearest are shown. --hout without ? checks that this output results.",
)
LAYERS = Section(
    "Layers",
    "KIND:SETTING,SETTING… separated by spaces, or a .json or .toml file with a list 'layers' of such words, or of tables with "
    "type, kernel_size, stride, padding, dilation, output_padding, channels, groups, in_channels, bias, ceil, scale, name. "
    "Sizes are N or HxW. Start and jump are in pixels of the input, from the centre of its first pixel. A MAC is a "
    "multiplication with its addition, FLOPs are twice the MACs; pooling counts for neither. Memory is that of the outputs, "
    "in float32.",
    lambda: [
        ("conv:k3,s2,p1,d1,c64,g1", "Convolution: kernel, stride, padding (p1, p1x2, p1x2x1x2 or a rule: psame), dilation, output "
         "channels [as the input], groups; nobias; in=N where the input has other channels than the layer before gives."),
        ("transpose:k4,s2,p1", "Transposed convolution; also op2=1."),
        ("pool:k3,s2,p1", "Maximum or average; stride [the kernel's size]; ceil rounds sizes up, as PyTorch's ceil_mode."),
        ("upsample:2", "Every pixel repeated."),
        ("save:NAME, from:NAME", "Keep a result; go on from it, on another branch."),
        ("cat:NAME, add:NAME", "Join the channels of what is kept to those here (its centre, if it is larger); add it."),
    ],
)  # fmt: skip


@click.command(
    cls=Documented,
    sections=(SOLVING, LAYERS),
    examples=(
        "convcli shape --hin 32 --k 3 --s 2 --op2 1",
        "convcli shape --hin 224 --k 7 --s 2 --p 3",
        "convcli shape --hin 480 --win 640 --k 3,5 --s 2,1 --p same-upper",
        "convcli shape --hin 16 --k 4 --s 2 --p 1 --transpose --output-size 32,32",
        "convcli shape --hin 224 --hout 112 --k ? --s ? --p ?",
        'convcli shape --hin 224 --layers "conv:k7,s2,p3,c64 pool:k3,s2,p1 conv:k3,p1"',
        "convcli shape --hin 8 --k 3 --s 2 --p 1 --op2 1 -o checkerboard.png",
    ),
)
@click.option("--hin", type=AskedType(_SIZE), required=True, help="Input height in pixels.")
@click.option("--win", type=AskedType(_SIZE), default=None, help="Input width in pixels.  [default: the height]")
@click.option(
    "-k",
    "--k",
    "--kernel-size",
    "kernel_size",
    type=AskedType(PairType(1)),
    default=None,
    help="Kernel size in pixels.",
)
@options.asked_geometry
@options.output_size
@options.transpose
@click.option("--hout", type=_SIZE, default=None, metavar="N", help="The output height to solve for: see Solving.")
@click.option("--wout", type=_SIZE, default=None, metavar="N", help="The output width.  [default: --hout]")
@click.option("--all", "everything", is_flag=True, help="Show all solutions, not the dozen most usual.")
@click.option("--layers", type=FileType("LAYERS|FILE"), default=None, help="A chain of layers: see Layers.")
@click.option(
    "--in-channels",
    type=CountType(1 << 20),
    default=None,
    metavar="N",
    help="Channels of the chain's input.  [default: 3]",
)
@click.option(
    "-o", "--output", type=FileType("FILE.svg|png"), default=None,
    help="Draw the overlap map: how many taps reach each output of the transposed operation, or read each input of the direct one.",
)  # fmt: skip
@click.option(
    "--theme", type=click.Choice([*PALETTES]), default="light", show_default=True, help="Colours of the picture."
)
@options.reporting
def shape(**values: Any) -> None:
    """Say what size comes out, by which formula, and what goes back.

    Answers for the direct convolution, or for the transposed one with --transpose, --op2 or --output-size; always shows
    the opposite direction, which input sizes share one output size (the reason that output_padding exists), and what is
    lost: rows and columns that are not used, outputs that saw padding, outputs that fewer taps reach than others.
    With --hout it solves for what is given as ?, with --layers it works through a chain.
    """
    asked = [name for name in _ASKED if isinstance(values[name], Asked)]
    if values["layers"] is not None:
        _chain(values, asked)
    elif asked:
        _solve(values, asked)
    else:
        _size(values)


def _need_kernel(values: dict[str, Any]) -> None:
    if values["kernel_size"] is None:
        context = click.get_current_context()
        option = next(option for option in context.command.params if option.name == "kernel_size")
        raise click.MissingParameter(ctx=context, param=option)


def _size(values: dict[str, Any]) -> None:
    """One layer whose parameters are all known."""
    _need_kernel(values)
    spec = options.fold(values)
    hin, win = values["hin"], values["win"]
    geometry = spec.resolve((hin, hin if win is None else win), values["kernel_size"])
    rule = spec.padding if isinstance(spec.padding, str) else None
    _check(values, spec, geometry)
    if values["output"] is not None:
        _draw(geometry, values)
    if values["as_json"]:
        report.json({**sizes.document(geometry, rule), **losses.document(geometry)})
    elif values["quiet"]:
        report.lines(
            str(geometry.output.height) if win is None else f"{geometry.output.height} {geometry.output.width}"
        )
    else:
        report.table(shape_views.sizes_table(geometry, rule, win is not None or shape_views.axes_differ(geometry)))


def _draw(geometry: Geometry, values: dict[str, Any]) -> None:
    from convcli.drawing import heat
    from convcli.images import raster

    found = losses.overlap(geometry)
    if found is None:
        raise GeometryError("a kernel or stride of this size has no picture: use one below a thousand")
    height, width = geometry.output if geometry.transpose else geometry.input
    counts = losses.overlap_map(geometry, min(height, heat.MOST), min(width, heat.MOST))
    text = shape_views.overlap_text(found, geometry.transpose)
    title = shape_views.picture_title(geometry)
    raster.save(heat.scene(counts, (height, width), title, text, PALETTES[values["theme"]]), values["output"])


def _wanted(values: dict[str, Any]) -> Size | None:
    """``--hout`` and ``--wout``."""
    if values["hout"] is None:
        if values["wout"] is not None:
            raise ConvError(f"--wout {values['wout']} is the width of a wanted output: add --hout, its height")
        return None
    return Size(values["hout"], values["wout"] or values["hout"])


def _check(values: dict[str, Any], spec: ConvSpec, geometry: Geometry) -> None:
    """Hold a known geometry against the output that is wanted."""
    wanted = _wanted(values)
    if wanted is None or wanted == geometry.output:
        return
    remedies = []
    given = _given(geometry, spec)
    for name in ("padding", "kernel_size", "stride", "dilation", "output_padding", "input"):
        if name == "output_padding" and not spec.transpose:
            continue
        query = solve.Query(spec.transpose, wanted, {**given, name: (None, None)}, frozenset({name}))
        if found := solve.solve(query).solutions:
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


def _solve(values: dict[str, Any], asked: list[str]) -> None:
    """What is given as ``?``."""
    _need_kernel(values)
    wanted = _wanted(values)
    if wanted is None:
        name = asked[0].replace("_", "-")
        raise ConvError(f"--{name} ? is to be solved for: add the output height that is wanted, as in --hout 112")
    for name, option in (("output_size", "--output-size"), ("output", "--output")):
        if values[name] is not None:
            raise ConvError(f"{option} and ? exclude each other: give --hout, or numbers instead of ?")
    query = _query(values, wanted)
    answer = solve.solve(query)
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
            report.note(f"and {answer.count - shown} more" + ("" if values["everything"] else ": --all or --json"))


def _none(query: Query, answer: Answer) -> str:
    near = ""
    if answer.nearest:
        best = answer.nearest[0]
        near = f"; the nearest is {best.output}, with {documents.as_options(query, best)}"
    return f"output {query.output} cannot be had{near}: change what is given, or put ? for more of it"


def _query(values: dict[str, Any], wanted: Size) -> Query:
    hin, win = values["hin"], values["win"]
    known = {name: None if isinstance(values[name], Asked) else values[name] for name in values}
    spec = options.fold(known, transposed=values["transpose"] or values["output_padding"] is not None)
    pads = spec.padding
    given: dict[str, tuple[Any, Any]] = {
        "padding": (pads, pads) if isinstance(pads, str) else (tuple(pads[:2]), tuple(pads[2:])),
        "stride": (*spec.stride,),
        "dilation": (*spec.dilation,),
        "output_padding": (*spec.output_padding,),
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


def _chain(values: dict[str, Any], asked: list[str]) -> None:
    """A chain of layers."""
    context = click.get_current_context()
    for option in context.command.params:
        name = str(option.name)
        single = (*_ASKED[2:], "output_size", "transpose", "output", "hout", "wout", "everything")
        if name in single and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise ConvError(f"{option.opts[-1]} is for a single layer: leave it out, or leave out --layers")
    if asked:
        raise ConvError("--hin ? is for a single layer: give a number, or leave out --layers")
    layers, channels = layerfile.load(values["layers"])
    size = Size(values["hin"], values["hin"] if values["win"] is None else values["win"])
    result = chain.walk(layers, size, values["in_channels"] or channels or 3)
    returning = chain.returning(layers, result)
    last = result.steps[-1].size
    if values["as_json"]:
        report.json(documents.of_chain(result, returning))
    elif values["quiet"]:
        report.lines(str(last.height) if values["win"] is None else f"{last.height} {last.width}")
    else:
        report.table(shape_views.chain_table(result, returning))
