"""Parameter types of names: padding modes, devices, files and kernels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from convcli.parameters import WordType
from convcli.vocabulary import BORDERS, PADDING_MODES, padding_mode, padding_rule

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class ModeType(WordType[str]):
    """A padding mode, by our name or by another library's."""

    name = "MODE"
    _words = {border.name: border.picture for border in BORDERS}  # noqa: RUF012

    def _parse(self, text: str) -> str:
        mode = padding_mode(text)
        if mode is None and (rule := padding_rule(text)) is not None:
            raise ValueError(f"'{text}' is a padding rule: use --padding {rule}")
        if mode is None:
            others = "nor a name of one in another library ('man convcli-borders' lists them)"
            raise ValueError(f"'{text}' is not one of {', '.join(PADDING_MODES)}, {others}")
        return mode


class DeviceType(WordType[str]):
    """``cpu``, ``cuda`` or ``cuda:N``. The backend checks whether there is such a device."""

    name = "DEVICE"
    _words = dict.fromkeys(("cpu", "cuda"), "")

    def _parse(self, text: str) -> str:
        if text != "cpu" and not re.fullmatch(r"cuda(:\d{1,3})?", text):
            raise ValueError(f"'{text}' is not cpu, cuda or cuda:N")
        return text


class FileType(WordType[str]):
    """A path, or a word that contains one. The code that opens the file reports what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _parse(self, text: str) -> str:
        return text

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The words that begin like this; if there are none, the shell completes files."""
        from click.shell_completion import CompletionItem

        return super().shell_complete(ctx, param, incomplete) or [CompletionItem(incomplete, type="file")]


class KernelType(FileType):
    """A kernel's SPEC, parsed when it is used."""

    def __init__(self) -> None:
        super().__init__("SPEC")

    @property
    def _words(self) -> Mapping[str, str]:
        from convcli.kernels import named

        return dict.fromkeys(named.names(), "")
