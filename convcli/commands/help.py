"""Help texts that need more than a docstring: sections of text and tables, and examples kept line by line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from convcli.errors import as_options
from convcli.folding import WORDS
from convcli.vocabulary import BORDERS


class Section(NamedTuple):
    """A section of a command's help and man page: a title, a paragraph, and terms with their meanings."""

    title: str
    text: str = ""
    rows: Callable[[], list[tuple[str, str]]] = list


class Documented(click.Command):
    """A command whose help ends in sections and examples."""

    def __init__(
        self, *args: Any, sections: tuple[Section, ...] = (), examples: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse. Every error knows the command, so that it can name its help."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections and the examples."""
        for section in self.sections:
            with formatter.section(section.title):
                if section.text:
                    formatter.write_text(section.text)
                if rows := section.rows():
                    formatter.write_dl(rows)
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


def unknown_option(error: click.UsageError) -> str | None:
    """The message for an option that the command does not have; None for any other error."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return None
    name, command = error.option_name, error.ctx.command_path
    if name in _TRANSPOSED and command.endswith(" apply"):
        return f"No such option '{name}': output padding belongs to the transposed operation; use 'convcli transpose'"
    known = [option for parameter in error.ctx.command.params for option in parameter.opts]
    if isinstance(error.ctx.command, click.Group):
        return f"No such option '{name}': name a command first, as in 'convcli apply IMAGE -k SPEC'"
    if re.match(r"-[.\d]", name) and "--kernel" in known:
        words = error.ctx.meta.get(WORDS, ())
        literal = next((word for word in words if word.startswith(name)), f"{name},…")
        return f"No such option '{name}': a kernel that begins with a minus is written --kernel='{literal}'"
    from convcli.commands.synonyms import option_for

    if found := option_for(name, command.rpartition(" ")[2], known):
        return f"No such option '{name}': {found}"
    longer = [option for option in known if len(name) > 3 and option.startswith(name)]
    return f"No such option '{name}': did you mean {' or '.join(longer)}?" if longer else None


_TRANSPOSED = ("--op2", "--p2", "--output-padding", "--output-size")


def kernel_table() -> list[tuple[str, str, str, str]]:
    """Usage, description, scale and source of every named kernel."""
    import convcli.kernels  # noqa: F401  (enters the kernels)
    from convcli.kernels.named import REGISTRY

    return [(recipe.usage, as_options(recipe.about), recipe.scale, recipe.source) for recipe in REGISTRY.values()]


def kernel_rows() -> list[tuple[str, str]]:
    """The same in two columns: usage, and the rest as one text."""
    return [(usage, f"{about} Scale: {scale}. Source: {source}.") for usage, about, scale, source in kernel_table()]


def _borders() -> list[tuple[str, str]]:
    libraries, rows = ("PyTorch", "NumPy", "SciPy", "OpenCV"), []
    for name, picture, *others in BORDERS:
        names = "; ".join(f"{library}: {other}" for library, other in zip(libraries, others, strict=True) if other)
        rows.append((name, f"{picture}. {names}"))
    return rows


KERNELS = Section(
    "Kernels",
    "A pair or compass has members of its own, with its arguments: sobel-x and sobel-y:5, and so prewitt, scharr, roberts, "
    "farid, isotropic, diff, gradient and gaussian-gradient; kirsch-n, -ne, -e, -se, -s, -sw, -w and -nw, and so robinson and "
    "compass; frei-chen-1 to -4 and frei-chen-line-5 to -8; hessian-xx, -xy and -yy, and so diff2 and sobel2; "
    "gabor-energy-real and -imag; haar-x, -y and -xy. x grows to the right, y downwards, and the kernel is not flipped "
    "(--op corr): sobel-x is positive where brightness grows to the right, sobel-y where it grows downwards, and a "
    "Laplacian has a negative centre. --op conv flips the kernel, and with it the sign of a derivative. A library's kernel "
    "that has other values than ours of that name has a name of its own: pillow-sharpen, log-unit, motion-nearest.",
    kernel_rows,
)
MODES = Section(
    "Borders",
    "Names of --padding-mode, the image being abcd; other libraries' names are taken in upper or lower case. reflect is "
    "PyTorch's and NumPy's; SciPy's reflect and OpenCV's BORDER_REFLECT are symmetric here, SciPy's mirror is reflect.",
    _borders,
)
STRIDED_SUM = Section(
    "A stride that thins the kernel",
    "--stride thins the output, as in PyTorch. In print one also finds "
    "R(x,y) = bias + Σ_{m=-a/s..a/s} Σ_{n=-b/s..b/s} k(sn,sm) I(x+sn, y+sm), where s thins the kernel and leaves the output grid "
    "alone: a correlation with every s-th tap of the kernel, counted from its centre, and --dilation s. For s = 2 and a 5×5 "
    "kernel, give its taps 0, 2 and 4 as a 3×3 kernel with --dilation 2 and --stride 1.",
)
