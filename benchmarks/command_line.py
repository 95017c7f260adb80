"""The options of every benchmark."""

from __future__ import annotations

import argparse
from pathlib import Path

HERE = Path(__file__).resolve().parent


def command_line(description: str | None, output: str) -> argparse.Namespace:
    """Read ``--only TEXT``, ``--rounds N`` and ``--output FILE``, by default the file `output` beside the benchmarks."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--only", default="")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", default=str(HERE / output))
    return parser.parse_args()
