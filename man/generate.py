"""Generate the man pages and the completion scripts from the command line itself.

``python man/generate.py`` writes them. A test fails if the committed files differ from these.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from convcli import __version__
from convcli.cli import main as cli
from convcli.commands.completion import script
from convcli.commands.help import PAGES, Documented, Section
from convcli.commands.kernel_texts import ARGUMENTS, NAMES
from convcli.errors import as_options
from convcli.kernels.named import FAMILIES, REGISTRY
from convcli.vocabulary import BORDERS

ROOT = Path(__file__).resolve().parent.parent
COMPLETIONS = {"bash": "convcli", "zsh": "_convcli", "fish": "convcli.fish"}
EXIT_STATUS = (
    ("0", "done; compare: all backends agree"),
    (
        "1",
        "compare found a difference, doctor found a problem, or one or more of several images or commands failed, even all",
    ),
    ("2", "wrong usage or data, or shape found no solution: one line on standard error says what, why and what to do"),
    ("130", "interrupted"),
    ("129, 143", "ended by SIGHUP, by SIGTERM; no half-written file is left"),
)


FAMILY_TITLES = {
    "smoothing": "Everyday kernels",
    "gaussians": "More Gaussians and blurs",
    "shapes": "Means over a shape",
    "pillow": "Pillow's filters",
    "edges": "Edges",
    "laplacians": "Laplacians",
    "waves": "Waves",
    "upsampling": "Enlarging, with transpose",
}
"""The headings of the kernels' families in their page."""


def commands_of(group: click.Group) -> dict[str, click.Command]:
    """The subcommands by name."""
    context = click.Context(group)
    found = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return {name: command for name, command in found if command is not None}


def pages() -> dict[str, str]:
    """All man pages: file names and their roff source."""
    commands = commands_of(cli)
    names = list(commands)
    out = {"convcli.1": _page(cli, "convcli", [f"convcli-{name}" for name in names])}
    for name, command in commands.items():
        others = ["convcli", *(f"convcli-{other}" for other in names if other != name)]
        out[f"convcli-{name}.1"] = _page(command, f"convcli {name}", others)
    return out | {"convcli-kernels.7": _kernels_page(), "convcli-borders.7": _borders_page()}


def completions() -> dict[str, str]:
    """The completion script of each shell, under the name that the shell looks for."""
    return {name: f"{script(cli, shell)}\n" for shell, name in COMPLETIONS.items()}


def _page(command: click.Command, name: str, see_also: list[str]) -> str:
    """The page of a command."""
    assert isinstance(command, Documented)
    context = click.Context(command, info_name=name)
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    page = name.replace(" ", "-")
    lines = _head(page, 1, command.get_short_help_str().rstrip("."))
    lines += [".SH SYNOPSIS", rf".B {_roff(name)}", _roff(" ".join(command.collect_usage_pieces(context)))]
    lines += _section("Description", *paragraphs)
    if isinstance(command, click.Group):
        children = commands_of(command).items()
        lines += _section("Commands", rows=[(f"convcli {sub}", child.get_short_help_str()) for sub, child in children])
    lines.append(".SH OPTIONS")
    for group, params in command.groups().items():
        lines += [f".SS {group}", *_terms(filter(None, (param.get_help_record(context) for param in params)))]
    for section in command.sections:
        lines += _written(section)
    lines += [".SH EXAMPLES", ".in 2n", ".nf", *_roff("\n".join(command.examples)).splitlines(), ".fi"]
    lines += _section("Exit status", rows=EXIT_STATUS)
    pages = PAGES if isinstance(command, click.Group) else command.pages()
    return _ended(lines, [*((other, 1) for other in see_also), *((other, 7) for other in pages)])


def _kernels_page() -> str:
    """The page of all named kernels."""
    lines = _head("convcli-kernels", 7, "the named kernels of convcli, their arguments, signs and sources")
    lines += _section(
        "Description",
        "The option -k takes a kernel in one of these forms. 'convcli kernel' lists the names, 'convcli kernel NAME' shows the "
        "values of one, what they sum to, and how it treats each frequency.",
        rows=(
            ("NAME", "One of the names below: sobel."),
            ("NAME:ARGUMENTS", "With arguments: gaussian:2, shift:dy=-1,dx=4."),
            ("VALUES", "A matrix, rows separated by semicolons: '0,1,0;1,-4,1;0,1,0'. Fractions may be written as 1/9. A matrix "
             "that begins with a minus is written --kernel='-1,0,1'."),
            ("WxH: VALUES", "ImageMagick's notation: '3x3: 0,1,0 1,-4,1 0,1,0'."),
            ("FILE", "A file: .npy, .json, .csv, .txt, or .mat (vips)."),
        ),
    )  # fmt: skip
    lines += [*_written(ARGUMENTS), *_written(NAMES), ".SH KERNELS"]
    for family, names in FAMILIES.items():
        lines += [f".SS {_roff(FAMILY_TITLES[family])}", *_terms(_kernel(name) for name in names.split())]
    return _ended(lines, [("convcli", 1), ("convcli-kernel", 1), ("convcli-apply", 1), ("convcli-borders", 7)])


def _kernel(name: str) -> tuple[str, str]:
    recipe = REGISTRY[name]
    members = f" Members: {', '.join(recipe.members)}." if recipe.members else ""
    return recipe.usage, f"{as_options(recipe.about)}{members} Scale: {recipe.scale}. Source: {recipe.source}."


def _borders_page() -> str:
    """The page of the padding modes."""
    libraries, rows = ("PyTorch", "NumPy", "SciPy", "OpenCV"), []
    for name, picture, *others in BORDERS:
        names = "; ".join(f"{library}: {other}" for library, other in zip(libraries, others, strict=True) if other)
        rows.append((name, f"{picture}\n{names}."))
    lines = _head("convcli-borders", 7, "what convcli takes to lie beyond the border of an image")
    lines += _section(
        "Description",
        "Near the border, a kernel reaches beyond the image. --padding says by how many pixels the image grows, --padding-mode "
        "what is there. The default, zeros, makes the border dark. Padding may be larger than the image.",
        "convcli transpose has other rules: the input continues beyond its border as far as the kernel reaches, whatever "
        "--padding says, and the output's size stays the same.",
    )
    lines += _section("Modes", "The pictures show two pixels on each side of the image abcd.", rows=rows)
    lines += _section(
        "Names in other libraries",
        "--padding-mode takes the names of other libraries too. Upper and lower case, _ and - make no difference, and "
        "BORDER_REFLECT_101 works without BORDER_.",
        "Beware of reflect: here it is PyTorch's and NumPy's. SciPy's reflect and OpenCV's BORDER_REFLECT are symmetric here, and "
        "SciPy's mirror is reflect.",
    )
    return _ended(lines, [("convcli", 1), ("convcli-apply", 1), ("convcli-transpose", 1), ("convcli-kernels", 7)])


def _head(page: str, section: int, about: str) -> list[str]:
    kind = "User Commands" if section == 1 else "Reference"
    title = f'.TH "{page.upper()}" "{section}" "" "convcli {__version__}" "{kind}"'
    return [title, ".nh", ".ad l", ".SH NAME", _roff(f"{page} - {about}")]


def _written(section: Section) -> list[str]:
    return _section(section.title, *section.text.split("\n\n"), rows=section.rows)


def _section(title: str, *paragraphs: str, rows: Iterable[tuple[str, str]] = ()) -> list[str]:
    lines = [f'.SH "{_roff(title.upper())}"']
    for paragraph in filter(None, paragraphs):
        lines += [".PP", _roff(paragraph)]
    return [*lines, *_terms(rows)]


def _terms(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Terms and their meanings; a line that ends within a meaning stays one."""
    lines = []
    for term, meaning in rows:
        lines += [".TP", rf"\fB{_roff(term)}\fR", _roff(meaning).replace("\n", "\n.br\n")]
    return lines


def _ended(lines: list[str], see_also: list[tuple[str, int]]) -> str:
    others = ", ".join(rf"\fB{_roff(other)}\fR({section})" for other, section in see_also)
    return "\n".join([*lines, ".SH SEE ALSO", others]) + "\n"


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


def main() -> None:
    """Write the pages and the scripts."""
    for folder, files in (("man", pages()), ("distribution/completions", completions())):
        for name, text in files.items():
            (ROOT / folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
