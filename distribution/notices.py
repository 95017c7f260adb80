"""Print the licences and notices of all packages that are installed beside this Python, as whoever passes them on has to.

``python distribution/notices.py > NOTICES``. A package without any text of a licence is an error.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

FILE = re.compile(r"(?i)(licen[cs]e|copying|notice|authors)[^/]*(?<!\.py)(?<!\.pyc)$")
"""How files of licences are called."""


def texts_of(package: Distribution) -> dict[str, str]:
    """The texts of a package's licences by their paths."""
    paths = [path for path in package.files or () if FILE.match(path.name) or ".dist-info/licenses/" in path.as_posix()]
    return {path.as_posix(): path.read_text(encoding="utf-8").strip() for path in sorted(paths)}


def notices(folders: list[str] = sys.path) -> Iterator[str]:
    """The notices of each package in these folders."""
    yield (
        "This is what convcli is distributed with. Python and the packages of the system bring their own:\n"
        "LICENSE.txt beside Python's library, and /usr/share/doc/*/copyright."
    )
    for package in sorted(distributions(path=folders), key=lambda one: one.name.lower()):
        said = package.metadata
        keys = [key for key in ("License-Expression", "License") if key in said]
        licence = said[keys[0]].splitlines()[0] if keys else "see below"
        texts = texts_of(package)
        if not texts:
            sys.exit(f"{package.name} {package.version} has no text of a licence")
        yield f"{'=' * 100}\n{package.name} {package.version}: {licence}"
        yield from (f"{'-' * 100}\n{path}\n\n{text}" for path, text in texts.items())


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    print("\n\n".join(notices()))
