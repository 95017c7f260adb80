"""The journal of a picture that is written behind an address: objects beside it, as objects cannot be appended to.

``.NAME.convcli/facts`` says what the run is about. ``lines-…`` are the lines of about `EVERY` seconds each. ``run`` says which run
is at work, and when it last said so: an object store has no locks.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from time import monotonic, time
from typing import Any

from convcli.errors import ImageError, shown
from convcli.system import stores

EVERY = 30.0
"""After so many seconds the lines that have come since are written."""

ALIVE = 120.0
"""A run that has said nothing for so many seconds has ended."""


class Objects:
    """See `convcli.runs.journal.Lines`."""

    def __init__(self, target: str) -> None:
        folder, _, name = target.rstrip("/").rpartition("/")
        self._target, self.place = target, f"{folder}/.{name}.convcli"
        self._name = os.urandom(8).hex()
        self._waiting: list[bytes] = []
        self._number, self._saved, self._begun = 0, 0.0, False

    def _url(self, name: str) -> str:
        return f"{self.place}/{name}"

    def exists(self) -> bool:
        """See `convcli.runs.journal.Lines.exists`."""
        return stores.exists(self._url("facts"))

    def check(self) -> None:
        """See `convcli.runs.journal.Lines.check`."""
        ago = abs(time() - self._run().get("time", 0))
        if ago < ALIVE:
            why = f"it was at work {ago:.0f} s ago"
            remedy = f"wait until it ends, or {ALIVE / 60:.0f} minutes if it was killed"
            raise ImageError(f"output '{shown(self._target)}'", "is being written by another run", remedy, why)

    def _run(self) -> dict[str, Any]:
        """What the run says that is at work."""
        if not stores.exists(self._url("run")):
            return {}
        with suppress(ValueError):
            return dict(json.loads(stores.contents(self._url("run"))))
        return {}

    def _say(self, when: float) -> None:
        stores.put(self._url("run"), json.dumps({"run": self._name, "time": when}).encode())

    def first(self) -> bytes:
        """See `convcli.runs.journal.Lines.first`."""
        with suppress(ImageError):
            return stores.contents(self._url("facts")) if self.exists() else b""
        return b""

    def begin(self, first: bytes) -> None:
        """See `convcli.runs.journal.Lines.begin`."""
        stores.remove(self.place)
        self._take()
        stores.put(self._url("facts"), first)

    def _take(self) -> None:
        self._say(time())
        self._begun, self._saved = True, monotonic()

    def read(self) -> list[bytes]:
        """See `convcli.runs.journal.Lines.read`."""
        found = sorted(entry.name for entry in stores.entries(self.place) if entry.name.startswith("lines-"))
        lines = [stores.contents(self._url(name)) for name in ("facts", *found)]
        self._take()
        return b"".join(lines).split(b"\n")

    def append(self, line: bytes) -> None:
        """See `convcli.runs.journal.Lines.append`."""
        self._waiting.append(line)
        if monotonic() - self._saved >= EVERY:
            self.save()

    def save(self) -> None:
        """See `convcli.runs.journal.Lines.save`."""
        if self._run().get("run") != self._name:
            self._begun = False
            raise ImageError(f"output '{shown(self._target)}'", "was begun anew by another run", "use another name")
        if self._waiting:
            stores.put(self._url(f"lines-{self._name}-{self._number:06}"), b"".join(self._waiting))
            self._number += 1
            self._waiting = []
        self._take()

    def close(self) -> None:
        """See `convcli.runs.journal.Lines.close`."""
        if self._begun:
            stores.patiently(self._end)
            self._begun = False

    def _end(self) -> None:
        with suppress(ImageError):
            self.save()
            self._say(0.0)

    def remove(self) -> None:
        """See `convcli.runs.journal.Lines.remove`."""
        if self._begun:
            self._begun = False
            stores.remove(self.place)
