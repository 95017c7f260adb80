"""``convcli animate``: a convolution at work, step by step."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convcli import options, report
from convcli.commands.help import Documented
from convcli.convspec import ConvSpec
from convcli.errors import ConvError, ImageError
from convcli.folding import GeometryOptions, ReportingOptions, folded
from convcli.geometry import Pair
from convcli.images.formats import FIGURES, animations
from convcli.parameters.names import FileType, KernelType
from convcli.parameters.numbers import CountType, IndexType, PairType, RealType, SideType
from convcli.records import NamedTuple
from convcli.runs import outputs
from convcli.system import files, names

if TYPE_CHECKING:
    from convcli.animation.timeline import Timeline, Values

_SIZE = SideType("--hin", "--win")


class AnimateOptions(NamedTuple):
    """What `animate` is asked for."""

    image: str | None
    hin: int | None
    win: int | None
    kernel: str | None
    kernel_size: Pair | None
    geometry: GeometryOptions
    channel: int | None
    output: str | None
    format_: str | None
    frame: int | None
    terminal: bool
    fps: float | None
    cell: int | None
    scale: float | None
    theme: str
    title: str | None
    reporting: ReportingOptions


@click.command(
    cls=Documented,
    examples=(
        "convcli animate --hin 5 --k 3 --s 2 --p 1 -o strided.gif",
        "convcli animate --hin 3 --k 3 --s 2 --p 1 --op2 1 -o transposed.svg",
        "convcli animate --hin 7 --k 3 --d 2 --frame 4 -o dilated.svg",
        "convcli animate small.png -k sobel-x -p 1 --padding-mode reflect -o x.webp",
        "convcli animate '1,2,3;4,5,6;7,8,9' -k '1,0;0,-1' -o sums.gif",
        "convcli animate --hin 4 --k 3 --terminal",
    ),
)
@options.argument(
    "Input", "image", required=False, metavar="[IMAGE]", type=FileType("IMAGE"), brief="A small picture, or '1,2;3,4', or -",
    help="A small picture or .npy tensor, - for standard input, or numbers as in '1,2;3,4': the cells show the values.  "
    "[default: the geometry alone]",
)  # fmt: skip
@options.option(
    "Input", "--hin", type=_SIZE, metavar="N", brief=True, help="Without IMAGE: input height in pixels.",
)  # fmt: skip
@options.option(
    "Input", "--win", type=_SIZE, metavar="N", show_default="the height", brief=True, help="Without IMAGE: input width in pixels.",
)  # fmt: skip
@options.option(
    "Input", "--channel", type=IndexType(), metavar="C", show_default="gray; in a .npy the first",
    help="The channel of IMAGE to show, from 0. Negative numbers count from the end.",
)  # fmt: skip
@options.option(
    "Kernel", "-k", "--kernel", "kernel", type=KernelType(), brief="With IMAGE: sobel-x, '1,0;0,-1', a file",
    help="With IMAGE: a kernel, as in apply. Without IMAGE: its size, or a kernel whose numbers are shown.",
)  # fmt: skip
@options.option(
    "Kernel", "--k", "--kernel-size", "kernel_size", type=PairType(1), brief=True, help="Without IMAGE: kernel size in pixels.",
)  # fmt: skip
@options.op
@options.stride
@options.padding
@options.padding_mode
@options.dilation
@options.output_padding
@options.output_size
@options.transpose
@options.option(
    "Output", "-o", "--output", type=FileType("PATH|-"), brief=True, help="A .gif, .png (APNG), .webp or .svg, - for stdout.",
)  # fmt: skip
@options.option("Output", "--format", "format_", metavar="NAME", help="Format for -o -: gif, png, webp or svg.")
@options.option(
    "Output", "--terminal", is_flag=True, brief=True, help="Play it in the terminal. Elsewhere, print one step after another.",
)  # fmt: skip
@options.option(
    "Figure", "--frame", type=CountType(least=0), metavar="N", brief=True,
    help="Draw only step N as .svg or .png. Steps are counted from 0, row by row.",
)  # fmt: skip
@options.option(
    "Figure", "--fps", type=RealType(0.1, 50), metavar="N", show_default="2, faster for many steps",
    brief=True, help="Steps per second.",
)  # fmt: skip
@options.option(
    "Figure", "--cell", type=CountType(400), metavar="N", show_default="what fits",
    help="Side of a cell in pixels.",
)  # fmt: skip
@options.option(
    "Figure", "--scale", type=RealType(0.25, 8), metavar="N", show_default="1; 2 for a still",
    help="Pixels in the file for each pixel of the drawing.",
)  # fmt: skip
@options.theme
@options.option(
    "Figure", "--title", metavar="TEXT", show_default="the operation and the sizes", help="The line at the top.",
)  # fmt: skip
@options.reporting
@folded
def animate(asked: AnimateOptions) -> None:
    """Show a convolution at work, step by step.

    The window moves over the input and the output fills: for sizes alone (--hin and --k), or for a small image with its values
    and sums. Padding is dashed. The transposed convolution is shown as the convolution that it equals: zeros between the
    pixels, output padding at the bottom and right, the kernel flipped. Steps are numbered from 0; positions are (row,column),
    from 0.

    In the terminal, [ ] is under the kernel, ■ is input or output, · padding or an output to come, 0 a zero between pixels, and
    + output padding.
    """
    spec, reporting = asked.geometry.spec(), asked.reporting
    _SIZE.check(asked.hin, asked.win)
    target, container = _target(asked)
    if target is None and not asked.terminal and not reporting.as_json:
        raise ConvError("there is no output: add -o FILE (.gif, .png, .webp, .svg), --terminal or --json")
    if asked.terminal and (reporting.as_json or target == names.STDIO):
        what = "--json" if reporting.as_json else "-o -"
        raise ConvError(f"{what} and --terminal both want standard output: leave one of them out")
    timeline, numbers, notes = _subject(asked, spec)
    frame, count = asked.frame, len(timeline.steps)
    if frame is not None and frame >= count:
        raise ConvError(f"--frame {frame} is not among the {count} steps: use 0 to {count - 1}")
    drawn = () if target is None else _write(timeline, numbers, spec.rule, asked, target, container)
    from convcli.presenters import filmed
    from convcli.runs import hints

    hinted = list(filter(None, [hints.border(spec, timeline.geometry.kernel)]))
    stream = sys.stderr if target == names.STDIO else sys.stdout
    if reporting.as_json:
        shown = filmed.document(timeline, numbers, spec.rule, frame)
        report.json({**shown, "notes": [*hinted, *notes, *drawn], "written": target}, stream)
        return
    for text in (*hinted, *(f"{asked.image}: {note}" for note in notes), *(f"{target}: {note}" for note in drawn)):
        report.note(text)
    if asked.terminal:
        from convcli.animation import letters

        steps = range(count) if frame is None else (frame,)
        report.play([letters.lines(timeline, numbers, number) for number in steps], asked.fps or 2.0)
    if target is not None and not reporting.quiet:
        report.table(filmed.table(timeline, target, frame), stream)
    elif target not in (None, names.STDIO):
        report.lines(str(target))


def _target(asked: AnimateOptions) -> tuple[str | None, str]:
    """The output file and its format, or ``(None, "")`` if there is no output."""
    target, wanted, still = asked.output, asked.format_, asked.frame is not None
    stream = target is not None and names.is_stream(target)
    if wanted is not None and not stream:
        remedy = "add it" if target is None else "leave it out, the ending of the output is the format"
        raise ImageError(f"--format {wanted} is for -o -: {remedy}")
    if target is None:
        return None, ""
    for other in (asked.image, asked.kernel):  # they may be files
        if other is not None and names.same_file(target, other):
            raise ImageError(f"output '{target}' is an input of this run: use another name")
    ending = f".{wanted.lower().lstrip('.')}" if wanted is not None else Path(target).suffix.lower()
    if stream and not ending:
        ending = ".svg" if still else ".gif"
    if still and asked.fps is not None:
        raise ImageError(f"--fps {asked.fps:g} is for an animation: leave it out, or leave out --frame")
    known = {**animations(), ".svg": "SVG"}
    if still:
        known = {name: known[name] for name in sorted(FIGURES)}
    if ending not in known:
        what = f"format '{wanted}'" if wanted is not None else f"output '{target}'"
        raise ImageError(f"{what} is not for {'a still' if still else 'an animation'}: use one of {', '.join(known)}")
    if ending == ".svg" and asked.scale is not None:
        raise ImageError(f"--scale {asked.scale:g} is for pixels, and SVG has none: use --cell")
    if target == names.STDIO:
        if ending != ".svg":
            outputs.check_terminal("an image", "use -o FILE or --terminal")
        outputs.check_closed()
    return target, known[ending]


def _subject(asked: AnimateOptions, spec: ConvSpec) -> tuple[Timeline, Values, tuple[str, ...]]:
    """The timeline, its numbers if there are any, and notes for the user."""
    from convcli.animation.timeline import Values, timeline_of

    image, text = asked.image, asked.kernel
    size: tuple[int, int] | None = asked.kernel_size
    if text is not None and size is not None:
        raise ConvError(f"-k {text} and --k {report.pair(size)} exclude each other: give one of them")
    if image is not None:
        if image.isdigit() and not os.path.exists(image):
            raise ConvError(f"'{image}' is not an image: write --hin {image} for a geometry")
        for option, value in (("--hin", asked.hin), ("--win", asked.win), ("--k", size)):
            if value is not None:
                raise ConvError(f"{option} is for a geometry without an image: leave it out, or leave out '{image}'")
        if text is None:
            raise ConvError("no kernel is given: add -k SPEC (for example -k sobel-x)")
        from convcli.animation import source

        return source.with_values(source.load(image), asked.channel, source.kernel(text), spec, image)
    if asked.channel is not None:
        raise ConvError("--channel is for an IMAGE: leave it out, or add one")
    if asked.hin is None:
        raise ConvError("there is nothing to animate: give --hin N for a geometry, or an IMAGE with -k SPEC")
    weights = None
    if text is not None:
        try:
            size = PairType(1).convert(text, None, None)  # a size, 3 or 3,5, is not a SPEC here
        except click.UsageError:
            from convcli.animation import source

            matrix = source.kernel(text)
            weights, size = matrix.tolist(), (matrix.shape[0], matrix.shape[1])
    if size is None:
        raise ConvError("no kernel is given: add its size, --k N or --k H,W")
    win = asked.hin if asked.win is None else asked.win
    timeline = timeline_of(spec.resolve((asked.hin, win), size), spec.op)
    return timeline, Values(kernel=weights), ()


def _write(
    timeline: Timeline, numbers: Values, rule: str | None, asked: AnimateOptions, target: str, container: str
) -> tuple[str, ...]:
    """Write the animation or one frame of it, completely or not at all. Returns notes on letters that are missing."""
    from convcli.animation import stage
    from convcli.drawing import reel, svg

    title = None if asked.title is None else report.shown(asked.title)
    film = stage.film(timeline, numbers, stage.Look(asked.cell, asked.theme, title, asked.fps), rule)
    still = None if asked.frame is None else film.still(asked.frame)
    if container == "SVG":
        with files.writing(target) as stream:
            stream.write((reel.render(film) if still is None else svg.render(still)).encode())
        return ()
    from convcli.images.figures import movie, raster

    with files.writing(target) as stream:
        if still is None:
            movie.write(film, stream, container, asked.scale or 1.0)
        else:
            movie.write_still(still, stream, asked.scale or 2.0)
    return raster.remarks(film.base.shapes)
