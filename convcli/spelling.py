"""How a face spells the parameters in errors and notes: the command line as options, the library as arguments."""

from convcli.errors import PARAMETER

_SHORT = {"kernel": "-k", "output": "-o", "null": "-0"}
"""Parameters whose option is known by its short name."""


def as_options(text: str) -> str:
    """``padding_mode zeros`` is ``--padding-mode zeros``."""
    return PARAMETER.sub(lambda found: _option(found[1]) + (f" {found[2]}" if found[2] else ""), text)


def as_arguments(text: str) -> str:
    """``padding_mode zeros`` is ``padding_mode=zeros``."""
    return PARAMETER.sub(lambda found: found[1] + (f"={found[2]}" if found[2] else ""), text)


def _option(name: str) -> str:
    return _SHORT.get(name, "--" + name.replace("_", "-"))
