"""``convcli kernel``: what a kernel is and does, the list of the named ones, and the filters in a file of weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convcli import options, report
from convcli.commands.help import KERNELS, Documented
from convcli.errors import ConvError, KernelError
from convcli.files import STDIO, is_stream, writing
from convcli.parameters import FileType, KernelType
from convcli.vocabulary import OPS

if TYPE_CHECKING:
    from convcli.drawing.scene import Scene
    from convcli.kernels import Filter
    from convcli.kernels.analysis import Analysis
    from convcli.kernels.listing import Stored

FIGURES = ("svg", "png")
THEMES = ("light", "dark")

ART = 32
"""Columns of a picture in a terminal, where there is room."""

TALL = 31
"""Rows of a matrix that is written out."""

MARGIN = 24
"""Columns of a terminal that the names in a table may take."""

THUMBNAIL = 7
"""Columns of a picture in the list of kernels."""

SHOWN = 64
"""Filters of a layer in a terminal."""

FEW = 3
"""Factors of a kernel that are written out in the table."""


@click.command(
    cls=Documented,
    sections=(KERNELS,),
    examples=(
        "convcli kernel                                    # the named kernels",
        "convcli kernel sobel                              # matrices, sums, gain, rank, frequency response",
        "convcli kernel gaussian:2 -o gaussian.svg         # heat map and frequency response as a figure",
        "convcli kernel unsharp:2 -o unsharp.mat           # for vips conv",
        "convcli kernel --weights model.safetensors        # the 4-D tensors in a file",
        "convcli kernel --weights model.safetensors:conv1.weight -o filters.png",
    ),
)
@click.argument("specs", nargs=-1, metavar="[SPEC]…", type=KernelType(), help="A kernel, as of -k.")
@options.kernel
@options.weights
@click.option(
    "--op", type=click.Choice(OPS), default="corr", show_default=True,
    help="conv: show the kernel flipped, as a convolution lays it on the image.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=FileType("PATH|-"), default=None,
    help="Write a figure (.svg, .png), or the kernel itself: .npy, .json, .csv, .mat (vips) or .txt (ImageMagick's "
    "notation). {kernel} stands for the name of each kernel of a bank.",
)  # fmt: skip
@click.option(
    "--format", "format_", metavar="NAME", default=None, help="The format of -o -: svg, png, npy, json, csv, mat, txt."
)
@click.option("--theme", type=click.Choice(THEMES), default="light", show_default=True, help="Colours of the figure.")
@options.reporting
def kernel(
    specs: tuple[str, ...], kernels: tuple[str, ...], weights: str | None, op: str,
    output: str | None, format_: str | None, theme: str, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Say what a kernel does: its sums, gain, symmetry, rank and 1-D factors, and its frequency response.

    Without arguments, lists the named kernels. The gain is the largest |H|: how much the wave grows that a kernel
    amplifies most. The range is what values from 0 to 1 can become. A kernel that stays the same when it is turned by
    180° makes convolution and correlation the same. With --weights, lists the 4-D tensors in a file, or draws the filters
    of one of them. -q prints the matrix as a SPEC that -k takes.
    """
    given = (*specs, *kernels)
    form = None if output is None else _form(output, format_)
    if weights is not None and given:
        raise ConvError(f"kernel {given[0]} and --weights {weights} exclude each other: give one of them")
    if format_ is not None and (output is None or not is_stream(output)):
        raise ConvError(f"--format {format_} is for -o -: the ending of the output's name says the format")
    if weights is not None:
        _weights(weights, output, form, theme, as_json, quiet)
    elif given:
        _kernels(given, op, output, form, theme, as_json, quiet)
    elif output is not None:
        raise ConvError(f"-o {output} has no kernel to write: name one, as in 'convcli kernel sobel-x -o {output}'")
    else:
        _list(as_json, quiet)


def _list(as_json: bool, quiet: bool) -> None:
    """The named kernels."""
    import convcli.kernels  # noqa: F401  (enters the kernels)
    from convcli.kernels.named import REGISTRY

    recipes = list(REGISTRY.values())
    if as_json:
        keys = ("name", "usage", "about", "scale", "combine", "members", "source")
        report.json([{key: getattr(recipe, key, None) for key in keys} for recipe in recipes])
    elif quiet:
        report.lines(*(recipe.name for recipe in recipes))
    else:
        from convcli.kernels import figure

        drawn = report.colourful()
        pictures = [figure.icon(recipe, THUMBNAIL) for recipe in recipes] if drawn else []
        sources = any(getattr(recipe, "source", "") for recipe in recipes)
        header = ("kernel", "what it is", "scale", *(["source"] if sources else []))
        rows = [
            (recipe.usage, recipe.about, recipe.scale, *([getattr(recipe, "source", "") or ""] if sources else []))
            for recipe in recipes
        ]
        report.table(report.Table("convcli kernel: the named kernels", rows, header, pictures=pictures))


def _kernels(
    specs: Sequence[str], op: str, output: str | None, form: str | None, theme: str, as_json: bool, quiet: bool
) -> None:
    """Everything about the kernels of some SPECs."""
    from convcli.kernels import export, parse
    from convcli.kernels.analysis import analyse
    from convcli.kernels.kernel import Kernel

    filters = [parse(spec) for spec in specs]
    if op == "conv":
        filters = [
            replace(one, kernels=tuple(Kernel(k.name, k.values[::-1, ::-1].copy()) for k in one.kernels))
            for one in filters
        ]
    found = [[analyse(one) for one in each.kernels] for each in filters]
    flat = [one for each in found for one in each]
    if output is not None and form is not None:
        _check_target(output, form, specs)
        if form in FIGURES:
            _write_figure(_figure(flat, theme), output, form)
        else:
            for target, one in zip(_targets(flat, output), flat, strict=True):
                with writing(target) as stream:
                    stream.write(export.encode(one, form))
    stream_ = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        documents = [_document(spec, one, each) for spec, one, each in zip(specs, filters, found, strict=True)]
        report.json(documents if len(documents) > 1 else documents[0], stream_)
    elif quiet:
        if output is None:
            report.lines(*(export.literal(one) for one in flat))
        elif output != STDIO:
            report.lines(*([output] if form in FIGURES else _targets(flat, output)))
    else:
        for filter_, members in zip(filters, found, strict=True):
            for member in members:
                report.table(_table(member, op, filter_), stream_)
                if output is None:
                    _art(member)


def _weights(source: str, output: str | None, form: str | None, theme: str, as_json: bool, quiet: bool) -> None:
    """The tensors in a file, and the filters of the one that a key names or that is the only one."""
    from convcli.drawing.palette import PALETTES
    from convcli.kernels import filters, listing, weights

    path, key = weights.split(source)
    found = listing.stored(path, key)
    drawn = None
    if output is not None or (len(found) == 1 and not quiet and not as_json and report.colourful()):
        layer = weights.load(source)
        drawn = filters.draw(layer.weight, PALETTES[theme], filters.MOST_TILES if output else SHOWN)
    if output is not None and form is not None and drawn is not None:
        if form not in FIGURES:
            raise ConvError(f"output '{output}' is no figure: filters are drawn as .svg or .png")
        _check_target(output, form, (str(path),))
        title = f"{found[0].name or path.name}  {report.shape(found[0].shape)}"
        _write_figure(filters.sheet(drawn, title, PALETTES[theme]), output, form)
    stream = sys.stderr if output == STDIO else sys.stdout
    if as_json:
        report.json({"file": str(path), "tensors": [one.document() for one in found]}, stream)
    elif quiet:
        if output != STDIO:
            report.lines(*((one.name or str(path) for one in found) if output is None else (output,)))
    else:
        report.table(_listing(str(path), found), stream)
        if output is None and drawn is not None:
            from convcli.kernels import figure

            tiles = [picture for _, picture in drawn.tiles]
            report.picture([*figure.rows_of_tiles(tiles, report.width() or 80), drawn.caption])


def _listing(path: str, found: Sequence[Stored]) -> report.Table:
    header = ("tensor", "shape", "dtype", "parameters", "min", "max", "mean", "bias")
    rows = [
        (
            one.name or "(the array)",
            report.shape(one.shape),
            one.dtype,
            f"{one.parameters}",
            *(f"{value:.3g}" for value in (one.low, one.high, one.mean)),
            one.bias or "none",
        )
        for one in found
    ]
    return report.Table(f"convcli kernel: {path}", rows, header, right=frozenset({3, 4, 5, 6}))


def _document(spec: str, one: Filter, found: Sequence[Analysis]) -> dict[str, Any]:
    """The JSON of a SPEC; of a bank with the largest rank and gain of its members."""
    if len(found) == 1:
        return {**found[0].document(), "spec": spec, "combine": one.combine}
    ranks = [member.rank for member in found]
    return {
        "name": one.label,
        "spec": spec,
        "combine": one.combine,
        "rank": None if None in ranks else max(rank for rank in ranks if rank is not None),
        "gain": max(member.gain for member in found),
        "kernels": [member.document() for member in found],
    }


def _art(found: Analysis) -> None:
    """Heat map and frequency response below a table on a terminal that shows colours."""
    if report.colourful():
        from convcli.kernels import figure

        side = min(ART, ((report.width() or 80) - figure.GAP) // 2 // 2 * 2)
        if side >= 8:
            report.picture([*figure.terminal(found, side), ""])


def _table(found: Analysis, op: str, one: Filter) -> report.Table:
    from convcli.kernels import figure

    height, width = found.values.shape
    room = (report.width() or 160) - MARGIN
    forms = ([" ".join(row) for row in figure.matrix(found, digits)] for digits in (4, 3, 2))
    lines = next((lines for lines in forms if len(lines[0]) <= room), []) if height <= TALL else []
    scale = figure.scale(found) if lines and figure.readable(found) else ""
    lines = lines or [f"{height}×{width} values are too many to be shown: see -q, --json and -o"]
    names = [f"matrix {scale}".strip(), *[""] * (len(lines) - 1)]
    rows = [("size", f"{height}×{width}"), *zip(names, lines, strict=True)]
    if len(one.kernels) > 1:
        rows.append(("combined", f"{len(one.kernels)} kernels of {one.label}, by {one.combine}"))
    rows += [
        ("sum", _number(found.sum) + (", zero-sum: flat areas become 0" if found.zero_sum else "")),
        ("Σ|k|", _number(found.abs_sum)),
        ("range", _range(found)),
        ("gain", _gain(found)),
        ("symmetry", _symmetry(found)),
        ("rank", _rank(found)),
    ]
    for number, factor in enumerate(found.factors if len(found.factors) <= FEW else (), 1):
        name = "factors" if len(found.factors) == 1 else f"factors {number}"
        rows.append((name, _factor(factor, room)))
    rows.append(("centre", _centre(found)))
    flipped = ", flipped" if op == "conv" else ""
    return report.Table(f"convcli kernel: {found.name}{flipped}", rows)


def _range(found: Analysis) -> str:
    """What the pixels of an image become, and which of it is clipped."""
    low, high = found.low, found.high
    text = f"0…1 becomes {_number(low)}…{_number(high)}, 0…255 {_number(255 * low)}…{_number(255 * high)}"
    below, above = low < -1e-9, high > 1 + 1e-9
    if not below and not above:
        return f"{text}: never clipped"
    sides = " and ".join(["below black"] * below + ["above white"] * above)
    return f"{text}: {sides} is clipped, see --range"


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
        text = "differs when turned by 180°: convolution and correlation differ (--op)"
    mirrors = [name for name, holds in (("left-right", found.left_right), ("top-bottom", found.top_bottom)) if holds]
    return text + (f"; mirrored {' and '.join(mirrors)} the same" if mirrors else "")


def _rank(found: Analysis) -> str:
    if found.rank is None:
        return "not computed of so large a kernel"
    if found.rank <= 1:
        return f"{found.rank}: separable, a column times a row"
    return f"{found.rank}: the sum of {found.rank} separable kernels"


def _factor(factor: Any, room: int) -> str:
    """``1/4 × (1, 2, 1)ᵀ (-1, 0, 1)``."""
    from fractions import Fraction

    near = Fraction(factor.scale).limit_denominator(10**6)
    exact = near if abs(float(near) - factor.scale) < 1e-12 * abs(factor.scale) else None
    scale = "" if factor.scale == 1 else f"{exact if exact is not None else _number(factor.scale)} × "
    column, row = (", ".join(f"{value + 0.0:.4g}" for value in values) for values in (factor.column, factor.row))
    text = f"{scale}({column})ᵀ ({row})"
    return (
        text
        if len(text) <= 3 * room
        else f"a column of {len(factor.column)} and a row of {len(factor.row)}: see --json"
    )


def _centre(found: Analysis) -> str:
    """Which tap lies on the output pixel, and what this means for even sizes."""
    (y, x), (down, right) = found.centre, found.offset
    text = f"tap {y},{x} (row, column)"
    if not down and not right:
        return text
    shift = " and ".join(["½ pixel up"] * bool(down) + ["½ pixel to the left"] * bool(right))
    return f"{text} with padding same, as PyTorch; an even size has no middle: the result moves {shift}"


def _number(value: float) -> str:
    """Up to six digits; what is 0 but for rounding is 0."""
    return f"{0.0 if abs(value) < 1e-12 else value:.6g}"


def _figure(found: Sequence[Analysis], theme: str) -> Scene:
    from convcli.drawing.palette import PALETTES
    from convcli.kernels import figure

    captions = [
        f"{one.values.shape[0]}×{one.values.shape[1]}, sum {_number(one.sum)}, Σ|k| {_number(one.abs_sum)}, "
        f"gain {_number(one.gain)}, rank {'?' if one.rank is None else one.rank}"
        for one in found
    ]
    return figure.draw(found, captions, PALETTES[theme])


def _form(output: str, wanted: str | None) -> str:
    """The format to write: what ``--format`` says, or the ending of the name."""
    from convcli.kernels.export import FORMATS

    known = (*FIGURES, *FORMATS)
    if wanted is None and output == STDIO:
        raise ConvError(f"-o - needs a format: add --format with one of {', '.join(known)}")
    form = (wanted or Path(output).suffix).lower().lstrip(".")
    if form not in known:
        what = f"format '{wanted}'" if wanted else f"output '{output}'"
        raise ConvError(f"{what} is none that a kernel can be written as: use {', '.join(known)}")
    return form


def _check_target(output: str, form: str, specs: Sequence[str]) -> None:
    from convcli.files import same_file

    if output == STDIO and form in ("png", "npy") and sys.stdout.isatty():
        raise ConvError(f"standard output is a terminal, which a {form} would garble: use -o FILE or a pipe")
    for spec in specs:
        if same_file(output, spec):
            raise KernelError(f"output '{output}' is the kernel that is read: name another")


def _targets(found: Sequence[Analysis], output: str) -> list[str]:
    """A file for each kernel."""
    from convcli.kernels.named import safe_label

    targets = [output.replace("{kernel}", safe_label(one.name)) for one in found]
    if len(set(targets)) < len(targets):
        names = ", ".join(one.name for one in found)
        raise KernelError(
            f"output '{output}' is one file for {len(found)} kernels ({names}): name one of them, or write "
            "-o '{kernel}" + Path(output).suffix + "'"
        )
    return targets


def _write_figure(scene: Scene, target: str, form: str) -> None:
    from convcli.images import raster

    raster.save(scene, target, form=form)
