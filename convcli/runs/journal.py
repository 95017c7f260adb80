"""The journal of a picture that is written in blocks: what is done, so that another run can go on after any end.

It is a file beside the target: a line of JSON about the run, then one for each block. Lines are appended whole. A last line that
is torn is no line: its block is done again, which gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from convcli.errors import ImageError, param
from convcli.system.files import refusal

VERSION = 1
"""Of the journal's form."""


class Journal:
    """The journal of a target.

    Parameters
    ----------
    target : str
        The path of the output.
    facts : mapping
        All that the blocks depend on. A run goes on only if they are the same.
    """

    def __init__(self, target: str, facts: Mapping[str, Any]) -> None:
        path = Path(target)
        self.target, self.path = target, path.with_name(f".{path.name}.convcli")
        self.facts = {"journal": VERSION, **json.loads(json.dumps(facts))}
        self._descriptor: int | None = None

    def exists(self) -> bool:
        """Whether an earlier run has left one."""
        return self.path.exists()

    def begin(self) -> None:
        """Begin a new one. One that an earlier run has left is replaced.

        Raises `ImageError` if it cannot be written.
        """
        self._open(os.O_TRUNC)
        self._append(self.facts)

    def go_on(self) -> dict[str, Any]:
        """The lines of an earlier run, by block, to be continued.

        Raises
        ------
        ImageError
            It cannot be read or written, or it is of another operation, input or version.
        """
        try:
            first, *lines = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise refusal(f"journal '{self.path}'", "cannot be read", error) from None
        found = _parsed(first)
        if found != self.facts:
            if found is None:
                raise ImageError(f"journal '{self.path}'", "is damaged", f"delete it, or use {param('overwrite')}")
            names = sorted(name for name in {*found, *self.facts} if found.get(name) != self.facts.get(name))
            rule = f"was begun with another {' and another '.join(names)}"
            remedy = f"type the same command, delete '{self.path}', or use {param('overwrite')}"
            raise ImageError(f"output '{self.target}'", rule, remedy)
        done: dict[str, Any] = {}
        for line in lines:
            if (entry := _parsed(line)) is not None:
                done[str(entry["block"])] = entry
        self._open(os.O_APPEND)
        if lines and lines[-1]:  # torn: the next line begins on a line of its own
            self._write(b"\n")
        return done

    def add(self, block: str, **entry: Any) -> None:
        """Add a line about a block."""
        self._append({"block": block, **entry})

    def close(self) -> None:
        """Close it, and leave it there."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Close and delete it: the target is complete."""
        self.close()
        with suppress(OSError):
            self.path.unlink()

    def _open(self, flag: int) -> None:
        try:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | flag, 0o666)
        except OSError as error:
            raise refusal(f"journal '{self.path}'", "cannot be written", error, self.path.parent) from None

    def _append(self, entry: Mapping[str, Any]) -> None:
        self._write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        assert self._descriptor is not None
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            raise refusal(f"journal '{self.path}'", "cannot be written", error, self.path.parent) from None


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line; None if it is torn."""
    with suppress(ValueError):
        found = json.loads(line)
        return found if isinstance(found, dict) else None
    return None
