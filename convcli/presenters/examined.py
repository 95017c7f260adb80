"""The installation, as ``convcli doctor`` shows it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from convcli import report
from convcli.inventory import Inventory


def document(found: Inventory) -> dict[str, Any]:
    """The JSON."""
    return asdict(found)


def table(found: Inventory) -> report.Table:
    """A row for each thing that was found."""
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
    rows.append(("reads in blocks", " ".join(found.readable_in_blocks)))
    rows += [(name, value) for name, value in found.environment.items()]
    return report.Table("convcli doctor", [row for row in rows if row[1]])
