"""The errors that a user can cause. Each carries the value, the rule and the remedy, and is shown on one line.

The core speaks of parameters (`param`). A face, for example the command line, spells them: see `as_options` and
`as_arguments`.
"""

import re
from typing import Self

LONG, SHORT = 100, 60
"""A quoted value of more than `LONG` characters is shown with `SHORT` of them."""

_OPENS, _CLOSES = "\ufdd0", "\ufdd1"
"""Unicode noncharacters around a parameter. No text of a user contains them."""

PARAMETER = f"{_OPENS}(\\w+)(?: ([^{_CLOSES}]*))?{_CLOSES}"
"""The pattern of a parameter in a text, as `param` writes it: its name, and its value if there is one. Patterns are compiled when
they are needed, since most commands have no error."""


def param(name: str, value: object = "") -> str:
    """A parameter in the text of an error or a note, alone or with a value: ``param("stride", 2)``.

    Parameters
    ----------
    name : str
        The name that the library uses: ``padding_mode``.
    value : object
        Shown as `str` gives it; "" for the parameter alone.
    """
    return f"{_OPENS}{name}{'' if value == '' else f' {value}'}{_CLOSES}"


_SHORT = {"kernel": "-k", "output": "-o", "null": "-0"}
"""Parameters whose option is known by its short name."""


def as_options(text: str) -> str:
    """``padding_mode zeros`` is ``--padding-mode zeros``."""

    def option(found: re.Match[str]) -> str:
        name = _SHORT.get(found[1], "--" + found[1].replace("_", "-"))
        return f"{name} {found[2]}" if found[2] else name

    return re.sub(PARAMETER, option, text)


def as_arguments(text: str) -> str:
    """``padding_mode zeros`` is ``padding_mode=zeros``."""
    return re.sub(PARAMETER, lambda found: found[1] + (f"={found[2]}" if found[2] else ""), text)


_ADDRESS = r"(?<=')[A-Za-z][\w+.-]*://[^'\n]*|[A-Za-z][\w+.-]*://\S*"
_USER = r"://[^/@\s]*(?::[^@\s]*)?@"


def shown(address: str) -> str:
    """A path or a URL for a message: without user and password, and without its query, which may be a signature."""
    if "://" not in address:
        return address
    address, mark, _ = address.partition("?")
    if not address.lower().startswith(("az://", "abfs://")):  # where @ stands between container and account
        address = re.sub(_USER, "://", address)
    return address + ("?…" if mark else "")


def without_secrets(text: str) -> str:
    """A text whose URLs are as they are `shown`."""
    return re.sub(_ADDRESS, lambda found: shown(found[0]), text) if "://" in text else text


class ConvError(Exception):
    """Base of all errors that are the input's fault, not the program's. It ends a command with exit code 2.

    Parameters
    ----------
    value : str
        What is wrong, by name: ``groups 3``. Without rule and remedy, the whole text.
    rule : str
        What it breaks: ``does not divide the 4 input channels``, ``cannot be read``.
    remedy : str
        What to do about it: ``use groups 2``, with `param`.
    why : str
        The cause, if the rule does not say it: ``there is no such file``.
    """

    exit_code = 2

    def __init__(self, value: str, rule: str = "", remedy: str = "", why: str = "") -> None:
        super().__init__(value, rule, remedy, why)
        self.value, self.rule, self.remedy, self.why = value, rule, remedy, why

    @property
    def text(self) -> str:
        """``value rule: remedy``, or ``value rule: why; remedy``. Parameters are as `param` marks them; URLs have no secrets."""
        said = f"{self.value} {self.rule}" if self.rule else self.value
        further = "; ".join(filter(None, (self.why, self.remedy)))
        return without_secrets(f"{said}: {further}" if further else said)

    def within(self, place: str) -> Self:
        """The same error with `place` before its value: ``error.within("layer 3 'conv:k7': ")``."""
        return type(self)(place + self.value, self.rule, self.remedy, self.why)

    def __str__(self) -> str:
        return re.sub(PARAMETER, lambda found: " ".join(filter(None, found.groups())), self.text)


class GeometryError(ConvError):
    """Sizes, strides, paddings or groups do not fit together."""


class KernelError(ConvError):
    """A kernel or an array of weights cannot be built, read or used."""


class ImageError(ConvError):
    """An image cannot be read, written or represented."""


class ExistsError(ImageError):
    """The file that a result would be written to exists, and may not be replaced."""


class ExhaustedError(ImageError):
    """Something that every image needs has run out, such as open files: other images would fail, too."""


class BackendError(ConvError):
    """A backend, device or dtype is not available here."""


def one_line(message: str) -> str:
    """The message on one line, with long values shortened in the middle, and without a full stop."""
    line = " ".join(message.split()).removesuffix(".")
    # A quotation mark inside a word is an apostrophe. Long words without quotation marks are shortened, too.
    line = re.sub(rf"(?<!\w)'([^']{{{LONG + 1},}})'(?!\w)", lambda match: f"'{_shortened(match[1])}'", line)
    return re.sub(rf"\S{{{LONG + 3},}}", lambda match: _shortened(match[0]), line)


def _shortened(value: str) -> str:
    half = (SHORT - 1) // 2
    return f"{value[:half]}…{value[-half:]}"
