"""The errors a user can cause: each message is one line with the value, the rule and the remedy."""

import re

LONG, SHORT = 100, 60
"""A quoted value of more characters than the first is shown with as many as the second."""


class ConvError(Exception):
    """Base of every error that is the input's fault, not the program's. Ends a command with exit code 2."""


class GeometryError(ConvError):
    """Sizes, strides, paddings or groups that do not fit together."""


class KernelError(ConvError):
    """A kernel or weight array that cannot be built, read or used."""


class ImageError(ConvError):
    """A picture that cannot be read, written or represented."""


class ExistsError(ImageError):
    """A result whose place is taken by a file that is not to be replaced."""


class BackendError(ConvError):
    """A backend, device or dtype that is not available here."""


def one_line(message: str) -> str:
    """A message as it is shown: on one line, its long values shortened in the middle."""
    line = " ".join(message.split()).removesuffix(".")
    # A quotation mark inside of a word is an apostrophe; words that nobody quoted are shortened, too.
    line = re.sub(rf"(?<!\w)'([^']{{{LONG + 1},}})'(?!\w)", lambda match: f"'{_shortened(match[1])}'", line)
    return re.sub(rf"\S{{{LONG + 3},}}", lambda match: _shortened(match[0]), line)


def _shortened(value: str) -> str:
    half = (SHORT - 1) // 2
    return f"{value[:half]}…{value[-half:]}"
