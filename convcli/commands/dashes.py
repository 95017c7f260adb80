"""Options with too few dashes, as ImageMagick has them, and options that were taken for values. Only errors need this module."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import click

CHOSEN = ("--in-place", "--overwrite")
"""Options that are suggested only if they were typed in full, as they replace files."""


def check(command: click.Command, name: str, args: Sequence[str], takes: set[str]) -> None:
    """Raise a UsageError about the first word that is an option with one dash, or one that is in the place of a value.

    `name` is the command's, and `takes` has its options that take a value.
    """
    known = [spelling for param in command.params if isinstance(param, click.Option) for spelling in param.opts]
    words = iter(args)
    for word in words:
        if word == "--" or (isinstance(command, click.Group) and not word.startswith("-")):
            return
        if word in takes:
            value = next(words, "")
            if value in known and not value[1:].isdigit():
                raise click.UsageError(f"'{word}' took '{value}' as its value: write its own value after {word}")
        elif re.match("-[A-Za-z][A-Za-z=-]", word) and (remedy := _remedy(word, known, takes, name)):
            raise click.UsageError(remedy)


def _remedy(word: str, known: list[str], takes: set[str], command: str) -> str:
    """What to write instead of a word with one dash; empty if it may be what it says."""
    short, letters = word[:2], re.split("[^a-z-]", word[1:].lower().replace("_", "-"))[0]
    if word[2:3] == "=":
        return f"'{word}' has = after a short option: write {short} {word[3:]}, with a space" if short in takes else ""
    said = f"'{word}' has one dash, and options of more than one letter begin with two"
    names = [one for one in known if one.startswith("--") and len(one) > 3]
    near = [one for one in names if one[2:] == letters]
    near = near or [one for one in names if one[2:].startswith(letters) or letters.startswith(one[2:])]
    if near:
        uses = [one for one in near if one not in CHOSEN or one[2:] == letters][:3]
        if short in takes and word[1:].lower() not in (one[2:] for one in near):
            uses.append(f"{short} {shlex.quote(word[2:])}, with a space")
        return f"{said}: {'use ' + ' or '.join(uses) if uses else 'write it in full'}"
    from convcli.commands.synonyms import is_kernel, option_for

    if found := option_for(f"--{letters}", command, known):
        return f"{said}; there is no --{letters}: {found}"
    if "-k" in known and len(letters) > 2 and is_kernel(word[1:]):
        return f"'{word}' has one dash, and a kernel is no option: use -k {word[1:]}"
    return (
        ""
        if short in known
        else f"No such option '{word}': {command or 'convcli'} has options of one letter with one dash, and longer ones with two"
    )
