"""Generate the man pages and the completion scripts from the command line itself.

``python man/generate.py`` writes them. A test fails if the committed files differ from these.
"""

from __future__ import annotations

from pathlib import Path

import click

from convcli import __version__
from convcli.cli import main as cli
from convcli.commands.completion import script
from convcli.commands.help import Documented

ROOT = Path(__file__).resolve().parent.parent
COMPLETIONS = {"bash": "convcli", "zsh": "_convcli", "fish": "convcli.fish"}
EXIT_STATUS = (
    ("0", "done; compare: all backends agree"),
    ("1", "compare found a difference, doctor something that is wrong, or one or more of several images failed"),
    ("2", "wrong usage or data: one line on standard error says what, why and what to do"),
    ("130", "interrupted"),
    ("129, 143", "ended by SIGHUP, by SIGTERM; nothing half-written is left"),
)


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
    return out


def completions() -> dict[str, str]:
    """The completion script of each shell, under the name that the shell looks for."""
    return {name: f"{script(cli, shell)}\n" for shell, name in COMPLETIONS.items()}


def _page(command: click.Command, name: str, see_also: list[str]) -> str:
    context = click.Context(command, info_name=name, **cli.context_settings)
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    page = name.replace(" ", "-")
    lines = [
        f'.TH "{page.upper()}" "1" "" "convcli {__version__}" "User Commands"',
        ".SH NAME",
        _roff(f"{page} - {command.get_short_help_str(200).rstrip('.')}"),
        ".SH SYNOPSIS",
        rf".B {_roff(name)}",
        _roff(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
    ]
    for paragraph in paragraphs:
        lines += [".PP", _roff(paragraph)]
    lines.append(".SH OPTIONS")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            lines += [".TP", rf"\fB{_roff(record[0])}\fR", _roff(record[1])]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for sub, child in commands_of(command).items():
            lines += [".TP", rf"\fBconvcli {sub}\fR", _roff(child.get_short_help_str(200))]
    if isinstance(command, Documented):
        for section in command.sections:
            lines += [f'.SH "{_roff(section.title.upper())}"', *([_roff(section.text)] if section.text else [])]
            for term, meaning in section.rows():
                lines += [".TP", rf"\fB{_roff(term)}\fR", _roff(meaning)]
        lines += [".SH EXAMPLES", ".nf", *(_roff(example) for example in command.examples), ".fi"]
    lines.append(".SH EXIT STATUS")
    for code, what in EXIT_STATUS:
        lines += [".TP", rf"\fB{code}\fR", _roff(what)]
    lines += [".SH SEE ALSO", ", ".join(rf"\fB{_roff(other)}\fR(1)" for other in see_also)]
    return "\n".join(lines) + "\n"


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
