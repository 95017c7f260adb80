"""The cost of handing out names: a run over a list of files on two processes that do nothing with them. `scale.py` starts it.

    python benchmarks/dispatch.py COUNT FOLDER

It is the command ``convcli apply --from-file``, but for the work of the workers. The last line is JSON: files a second, from the
first answer to the last, and the client's memory in MiB when 10 %, 50 % and 100 % were told.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil

from convcli.runs import portions
from convcli.runs.batch import Finished, Outcome, Skipped
from convcli.runs.portions import Answer, Portion

TASK = 64
"""The files of a task."""


class Idle:
    """A job, and a worker, that does nothing."""

    def __init__(self, *_: Any) -> None:
        """The parameters are those of `convcli.runs.portions.FilesJob`."""

    def opened(self) -> Idle:
        """What a worker has for its tasks."""
        return self

    def seen(self) -> str:
        """A worker has all it needs."""
        return ""

    def perform(self, portion: Portion) -> Answer:
        """Say of all files that they were there."""
        return Answer([Skipped(*job) for job in portion.jobs], 1e-6, [], None)

    def close(self) -> None:
        """Nothing is held."""


class Counted(portions.Portions):
    """A run that looks at its own memory."""

    told = 0
    start = end = 0.0
    memory: dict[int, float]

    def _counted(self, number: int, outcome: Outcome) -> Finished:
        if not self.told:
            type(self).start, type(self).memory = perf_counter(), {}
        type(self).told += 1
        if self.told in MARKS:
            self.memory[MARKS[self.told]] = psutil.Process().memory_info().rss / 2**20
            type(self).end = perf_counter()
        return super()._counted(number, outcome)


MARKS: dict[int, int] = {}
"""The counts at which it is looked, with their percentage."""


def main(count: int, folder: Path) -> None:
    """Write the list, run the command, and print what was found."""
    from convcli.cli import main as command

    listed = folder / "names"
    with listed.open("w", encoding="ascii") as stream:
        for number in range(count):
            stream.write(f"in/{number // 1000:06}/{number:09}.png\n")
    MARKS.update({count * percent // 100: percent for percent in (10, 50, 100)})
    portions.MOST, portions.Portions = TASK, Counted  # type: ignore[misc]
    portions.FilesJob = Idle  # type: ignore[assignment, misc]
    line = ["apply", "--from-file", str(listed), "-k", "box", "-o", "out/{parent}/{name}", "--on", "local:2"]
    command([*line, "--skip-existing", "-q"], standalone_mode=False)
    assert Counted.told == count
    seconds = Counted.end - Counted.start
    print(json.dumps({"rate": count / seconds, "memory": [Counted.memory[percent] for percent in (10, 50, 100)]}))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
