"""What surrounds every call of the library: a context that is kept between calls, and errors that name arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, Self, TypeVar

from convcli.errors import PARAMETER, ConvError, one_line
from convcli.system.blas import OneThread
from convcli.system.context import Context, within

P = ParamSpec("P")
T = TypeVar("T")

NAMES = {"weights": "kernel", "output": "target", "in_place": "another target", "on": "client", "normalize": "divisor"}
"""Parameters of the core that are other arguments here."""


class ArgumentError(ConvError, ValueError):
    """An error of the core, as the library raises it: a ValueError whose text names arguments."""

    @classmethod
    def of(cls, error: ConvError) -> Self:
        """The same error."""
        return cls(error.value, error.rule, error.remedy, error.why)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        return one_line(re.sub(PARAMETER, _argument, self.text))


def _argument(found: re.Match[str]) -> str:
    """``padding_mode='zeros'``, ``groups=2``, or the name alone."""
    name, value = NAMES.get(found[1], found[1]), found[2]
    if not value:
        return name
    word = re.fullmatch(r"[A-Za-z][\w-]*|\d+[kMGT]", value) and value not in ("None", "True", "False")
    return f"{name}='{value}'" if word else f"{name}={value}"


_own = Context()
_blas = OneThread()


def own() -> Context:
    """The library's context: recipes and fitted operations stay in it for the next call. A forked process gets a new one."""
    global _own, _blas
    if not _own.here:
        _own, _blas = Context(), _blas.forked()
    return _own


def forget() -> None:
    """Drop everything that is kept."""
    global _own
    _own = Context()


def public(function: Callable[P, T]) -> Callable[P, T]:
    """A function of the library: it runs within the library's context, and its errors are ValueErrors that name arguments."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with within(own()), _blas:
            try:
                return function(*args, **kwargs)
            except ArgumentError:
                raise
            except ConvError as error:
                raise ArgumentError.of(error) from None

    return call
