"""``convcli doctor``: what is installed, what can compute, what can be read and written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcli import options, report
from convcli.commands.help import Documented

if TYPE_CHECKING:
    from convcli.inventory import Inventory


@click.command(
    cls=Documented,
    examples=("convcli doctor", "convcli doctor --json"),
)
@options.reporting
def doctor(as_json: bool, quiet: bool) -> None:
    """Say what is installed, which devices there are, which formats can be read and written.

    Imports PyTorch to ask it for its devices, which takes about two seconds. -q prints only what is wrong. Exit code 1 if a
    package that convcli needs is missing or older than it should be.
    """
    from convcli import inventory

    found = inventory.take()
    if as_json:
        report.json(found.document())
    elif quiet:
        report.lines(*found.problems)
    else:
        report.table(_table(found))
        for problem in found.problems:
            report.note(problem)
    if found.problems:
        click.get_current_context().exit(1)


def _table(found: Inventory) -> report.Table:
    rows = [("convcli", found.version), ("Python", found.python), ("system", found.system)]
    rows += [
        (package.name, f"{package.version or 'is not installed'}{f' ({package.detail})' if package.detail else ''}")
        for package in found.packages
    ]
    rows.append(("processors", str(found.processors)))
    rows.append(("memory", f"{found.memory / 2**30:.1f} GiB" if found.memory else "not known"))
    rows += [(f"device {device.name}", device.about) for device in found.devices]
    both = [name for name in found.readable if name in found.writable]
    rows.append(("reads and writes", " ".join(both)))
    rows.append(("reads only", " ".join(name for name in found.readable if name not in both)))
    rows.append(("writes only", " ".join(name for name in found.writable if name not in both)))
    rows += [(name, value) for name, value in found.environment.items()]
    return report.Table("convcli doctor", [row for row in rows if row[1]])
