"""An operation for many images, and the documents that are printed for them."""

import json

from convcli.convspec import ConvSpec
from convcli.runs.operation import assemble
from support.cli import Result


def lines(result: Result) -> list[dict]:
    """The documents on stdout, one a line."""
    return [json.loads(line) for line in result.text.splitlines()]


OPERATION = assemble(ConvSpec(), ["box"])
