"""An operation for many images, and the documents that are printed for them."""

import json
from collections.abc import Iterable

from convcli.convspec import ConvSpec
from convcli.runs.operation import assemble
from convcli.runs.outputs import Job
from support.cli import Result


def lines(result: Result) -> list[dict]:
    """The documents on stdout, one a line."""
    return [json.loads(line) for line in result.text.splitlines()]


def jobs(sources: Iterable[str], targets: Iterable[str]) -> list[Job]:
    """Images with their targets."""
    return [*map(Job, sources, targets)]


OPERATION = assemble(ConvSpec(), ["box"])
