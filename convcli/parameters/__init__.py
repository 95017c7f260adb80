"""The parameter types of the command line: how a word becomes a value, and how a shell completes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

T = TypeVar("T")


class WordType(click.ParamType[T]):
    """Values that `_parse` makes of words."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Parse a word. A default may be a value already."""
        try:
            return self._parse(value) if isinstance(value, str) else value
        except ValueError as error:
            said = str(error)
            if self._words and ": " not in said:
                said += _remedy(value, self._words, param)
            self.fail(said, param, ctx)

    def _parse(self, text: str) -> T:
        raise NotImplementedError

    @property
    def _words(self) -> Mapping[str, str]:
        """What a shell offers: words, each with a help text or ""."""
        return {}

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin like this."""
        from click.shell_completion import CompletionItem  # its own imports take longer than the arithmetic of sizes

        found = (word for word in self._words if word.startswith(incomplete.lower()))
        return [CompletionItem(word, help=self._words[word]) for word in found]


class ChoiceType(click.Choice[str]):
    """One of a few words. An error names the nearest, or the one that another tool's word stands for."""

    further: tuple[str, ...] = ()  # what may be written that is no word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word."""
        if value in self.choices:
            return str(value)
        said = f"'{value}' is not one of {', '.join((*self.choices, *self.further))}"
        return self.fail(said + _remedy(value, self.choices, param), param, ctx)


def _remedy(text: str, words: Iterable[str], param: click.Parameter | None) -> str:
    from convcli.parameters.other_words import remedy_for

    return remedy_for(text, words, (param and param.name) or "")
