"""``convcli doctor``: what is installed, what can compute, what can be read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches

import click

from convcli import options, report
from convcli.commands.help import Documented
from convcli.errors import as_options, one_line
from convcli.folding import ReportingOptions, folded


@click.command(cls=Documented, examples=("convcli doctor", "convcli doctor --json"))
@options.forgiving_reporting
@folded
def doctor(asked: ReportingOptions) -> None:
    """Show what is installed: packages, devices, and formats that work.

    Exit code 1 if a package that convcli needs is missing or too old, or if a variable such as CONVCLI_THREADS has a value that
    its option does not take. An extra that is not installed is no problem. -q prints only problems. If PyTorch is installed, it
    is imported to list its devices, which takes about two seconds.
    """
    from convcli import inventory
    from convcli.presenters import examined

    found = inventory.take()
    misset = _misset(click.get_current_context(), found.environment)
    found = replace(found, problems=(*map(as_options, found.problems), *misset))
    if asked.as_json:
        report.json(examined.document(found))
    elif asked.quiet:
        report.lines(*found.problems)
    else:
        report.table(examined.table(found))
        for line in (*found.missing, *found.problems):
            report.note(line)
    if found.problems:
        click.get_current_context().exit(1)


def _misset(context: click.Context, environment: Mapping[str, str]) -> Iterator[str]:
    """A line for each variable that no option reads, or whose value its option does not take."""
    program = context.find_root().command
    assert isinstance(program, click.Group)
    commands = filter(None, (program.get_command(context, name) for name in program.list_commands(context)))
    known = {param.envvar: param for command in commands for param in command.params if isinstance(param.envvar, str)}
    for name, value in environment.items():
        if name not in known:
            near = get_close_matches(name, known, 1, cutoff=0.75)
            yield f"{name} is not a variable of convcli: " + (
                f"did you mean {near[0]}?" if near else f"use {', '.join(sorted(known))}"
            )
        elif value:  # an empty one counts as none
            try:
                known[name].type.convert(value, known[name], context)
            except click.BadParameter as error:
                yield f"{name}: {one_line(error.message)}"
