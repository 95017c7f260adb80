"""The doctor's facts."""

import sys
from importlib.metadata import version

from convcli import __version__
from support.cli import done


def test_versions_of_all_that_it_is_built_on() -> None:
    lines = done("--version").text.splitlines()
    assert lines[0] == f"convcli {__version__}"
    for name in ("click", "numpy", "pillow", "rich", "tifffile", "torch"):
        assert f"{name} {version(name)}" in lines
    assert f"python {sys.version.split()[0]}" in lines
