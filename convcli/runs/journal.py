"""The journal of a picture that is written in blocks: what is done, so that another run can go on after any end.

It is a file beside the target: a line of JSON about the run, then one for each block. Lines are appended whole. A last line that
is torn is no line: its block is done again, which gives the same bytes. Behind an address it is several objects, see
`convcli.runs.journal_objects`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from convcli.errors import ImageError, param, shown
from convcli.geometry import Size
from convcli.system.addresses import place_of
from convcli.system.files import refusal

VERSION = 1
"""Of the journal's form."""


class Lines(Protocol):
    """Where the lines of a journal are kept. Errors are `ImageError`."""

    place: str  # its path or address

    def exists(self) -> bool:
        """Whether an earlier run has left any."""
        ...

    def check(self) -> None:
        """Raise if another run is at work, where nothing else tells."""
        ...

    def first(self) -> bytes:
        """The first line of an earlier run; empty if there is none, or if it cannot be read."""
        ...

    def begin(self, first: bytes) -> None:
        """Begin with a first line. What there was is deleted."""
        ...

    def read(self) -> list[bytes]:
        """All lines of an earlier run, to be continued."""
        ...

    def append(self, line: bytes) -> None:
        """Add a line."""
        ...

    def save(self) -> None:
        """Keep all lines. Raise if another run has taken the place of this one."""
        ...

    def close(self) -> None:
        """Keep all lines, and let go."""
        ...

    def remove(self) -> None:
        """Delete all."""
        ...


class Journal:
    """The journal of a target.

    Parameters
    ----------
    target : str
        The path or the address of the output.
    facts : mapping
        All that the blocks depend on. A run goes on only if they are the same.
    """

    def __init__(self, target: str, facts: Mapping[str, Any]) -> None:
        self.target, self._lines = target, _lines_of(target)
        self.facts = {"journal": VERSION, **json.loads(json.dumps(facts))}

    def exists(self) -> bool:
        """Whether an earlier run has left one. Raises `ImageError` if another run is at work there."""
        self._lines.check()
        return self._lines.exists()

    def begin(self) -> None:
        """Begin a new one. One that an earlier run has left is replaced.

        Raises `ImageError` if it cannot be written.
        """
        self._lines.begin(_line(self.facts))

    def go_on(self) -> dict[str, Any]:
        """The lines of an earlier run, by block, to be continued.

        Raises
        ------
        ImageError
            It cannot be read or written, or it is of another operation, input or version.
        """
        place = shown(self._lines.place)
        first, *lines = self._lines.read()
        found = _parsed(first)
        if found != self.facts:
            self._lines.close()
            if found is None:
                raise ImageError(
                    f"journal '{place}'", "is damaged", f"delete it, or leave out {param('skip_existing')}"
                )
            rule = f"was begun with {' and '.join(_differences(found, self.facts))}"
            remedy = f"type the same command, delete '{place}', or leave out {param('skip_existing')}"
            raise ImageError(f"output '{shown(self.target)}'", rule, remedy)
        entries = filter(None, map(_parsed, lines))
        return {str(entry["block"]): entry for entry in entries}

    def add(self, block: str, **entry: Any) -> None:
        """Add a line about a block."""
        self._lines.append(_line({"block": block, **entry}))

    def save(self) -> None:
        """Keep all that was added. Raises `ImageError` if another run has begun anew."""
        self._lines.save()

    def close(self) -> None:
        """Close it, and leave it there."""
        self._lines.close()

    def remove(self) -> None:
        """Close and delete it: the target is complete."""
        self._lines.remove()


CAUSES = {
    "version": "another version of convcli", "journal": "another version of convcli",
    "input": "another input, or before it was changed", "weights": "another kernel or bias",
    "combination": f"another {param('combine')}", "range": f"another {param('range')} or full scale",
    "operation": "another choice of channels, alpha, light or precision",
}  # fmt: skip
"""What may differ between two runs, by the name of the fact, in words."""

EFFECTS = {
    "geometry": "another stride, padding or dilation", "output": f"another format, {param('compression')} or {param('pyramid')}",
    "plan": f"another {param('plan')}", "block": "blocks of another size",
}  # fmt: skip
"""What differs by itself only where nothing of `CAUSES`, and none before it, does."""


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What another run has done differently, in words."""
    names = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    causes = [text for name, text in CAUSES.items() if name in names]
    effects = [text for name, text in EFFECTS.items() if name in names]
    return list(dict.fromkeys(causes)) or effects[:1] or ["another version of convcli"]


def begun_blocks(target: str) -> Size | None:
    """The size of the blocks of an earlier run; None if there was none."""
    found = (_parsed(_lines_of(target).first()) or {}).get("block")
    return Size(*found) if isinstance(found, list) and len(found) == 2 else None


def _lines_of(target: str) -> Lines:
    place = place_of(target)
    if place.is_local:
        return _File(place.name)
    from convcli.runs.journal_objects import Objects

    return Objects(target)


class _File:
    """A file beside the target, which is locked by itself: see `Lines`."""

    def __init__(self, target: str) -> None:
        path = Path(target)
        self._path = path.with_name(f".{path.name}.convcli")
        self.place = str(self._path)
        self._descriptor: int | None = None

    def exists(self) -> bool:
        return self._path.exists()

    def check(self) -> None:
        pass

    def first(self) -> bytes:
        with suppress(OSError), self._path.open("rb") as file:
            return file.readline()
        return b""

    def begin(self, first: bytes) -> None:
        self._open(os.O_TRUNC)
        self.append(first)

    def read(self) -> list[bytes]:
        try:
            found = self._path.read_bytes()
        except OSError as error:
            raise refusal(f"journal '{self.place}'", "cannot be read", error) from None
        self._open(os.O_APPEND)
        if not found.endswith(b"\n"):  # torn: the next line begins on a line of its own
            self.append(b"\n")
        return found.split(b"\n")

    def _open(self, flag: int) -> None:
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | flag, 0o666)
        except OSError as error:
            raise self._refusal(error) from None

    def append(self, line: bytes) -> None:
        assert self._descriptor is not None
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> ImageError:
        return refusal(f"journal '{self.place}'", "cannot be written", error, self._path.parent)

    def save(self) -> None:
        pass

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        self.close()
        with suppress(OSError):
            self._path.unlink()


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line; None if it is torn."""
    with suppress(ValueError):
        found = json.loads(line)
        return found if isinstance(found, dict) else None
    return None
