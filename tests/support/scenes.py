"""A picture that is done in blocks on a cluster, and what is expected of its result."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile

from support.cli import Result, environment, heeding
from support.clusters import write

COUNT = 8
"""Blocks of the picture."""

OPERATION = ["-k", "sobel", "-p", "same", "--memory", "200M"]
"""What is done to the picture."""


class Workers(NamedTuple):
    """A cluster that obeys orders."""

    address: str
    orders: Path

    def order(self, name: str, text: str = "") -> None:
        write(self.orders / name, text)

    def free(self) -> None:
        """Forget all orders, and what was done."""
        for path in self.orders.iterdir():
            path.unlink()


def same(result: Result, path: Path, whole: tuple[np.ndarray, Any]) -> Any:
    """What is told of a result, which has the pixels and the counts of the whole."""
    assert result.code == 0, result.err
    np.testing.assert_array_equal(tifffile.imread(path), whole[0])
    assert result.json["clipped"] == whole[1]["clipped"]
    assert [name for name in os.listdir(path.parent) if name.startswith(f".{path.name}")] == []
    return result.json


def one_line(result: Result, code: int = 2) -> str:
    """The error."""
    assert result.code == code, result.err
    (line,) = (line for line in result.err.splitlines() if "error" in line)
    assert "Traceback" not in result.err
    return line


def started(*words: object, before: str = "") -> subprocess.Popen[bytes]:
    """A client of its own process, which heeds Ctrl-C, and runs a program of Python before."""
    program = f"{before}\nfrom convcli.__main__ import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)], env=environment(), preexec_fn=heeding, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
