"""A command of a batch, and how it ended."""

from __future__ import annotations

import json
from typing import Any

from convcli.commandline import Answer
from convcli.errors import without_secrets
from convcli.report import SCHEMA, Encoded

_BEGINNINGS = tuple(f'{bracket}{{"schema": {SCHEMA}' for bracket in ("", "["))
"""How every document begins, alone and in a list."""

PREFIX = "convcli: "


def document(number: int, command: str, answer: Answer, out: str, err: str) -> dict[str, Any]:
    """The JSON of a command: what stands in line `number`, and what it wrote to the standard streams."""
    printed = _documents(out)
    return {
        "line": number,
        "command": without_secrets(command),
        "exit_code": answer.code,
        "result": None if printed is None else Encoded([printed]),
        "stdout": out if out and printed is None else None,
        "notes": [line.removeprefix(PREFIX) for line in err.splitlines()],
        "error": answer.error or None,
    }


def _documents(out: str) -> str | None:
    """The JSON that a command printed, as it is: a document, or a list if there are several. None if it is no JSON."""
    if not out.startswith(_BEGINNINGS):
        return None
    lines = out.removesuffix("\n").split("\n")
    text = lines[0] if len(lines) == 1 else f"[{', '.join(lines)}]"
    try:
        json.loads(text)
    except ValueError:  # the names of files may begin like this
        return None
    return text
