"""An input pixel and the outputs that it touches, as ``convcli explain --input-at`` shows them."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.explanation import phrases
from convcli.explanation.phrases import text
from convcli.explanation.touched import Touched
from convcli.explanation.trace import PIXEL
from convcli.presenters.explained import operation
from convcli.presenters.windows import Block

_MOST_WAYS = 40
"""The most ways that are shown. --json has all of them."""


def document(answer: Touched) -> dict[str, Any]:
    """The JSON."""
    return {
        **operation(answer.subject),
        "input_at": list(answer.at),
        "channel": answer.channel,
        "value": answer.value,
        "outputs": [
            {
                "at": list(way.at),
                "channel": channel,
                "kernel": answer.subject.filter_name(way.filter),
                "weight": way.weight,
                "tap": list(way.tap),
                "mark": way.mark,
            }
            for channel, way in answer.ways
        ],
        "notes": list(answer.subject.notes),
    }


def blocks(answer: Touched) -> list[Block]:
    """The tables."""
    subject = answer.subject
    ways = answer.ways
    several = len({way.filter for _, way in ways}) > 1
    copied = "a copy beyond the border" if subject.geometry.transpose else "a copy in the padding"
    rows = [
        (
            f"{way.at[0]},{way.at[1]}", str(channel), *((subject.filter_name(way.filter),) if several else ()),
            f"{way.tap[0]},{way.tap[1]}", text(way.weight), "itself" if way.mark == PIXEL else copied,
        )
        for channel, way in ways[:_MOST_WAYS]
    ]  # fmt: skip
    outputs = len({(channel, way.at) for channel, way in ways})
    does = f"touches {outputs} output{'' if outputs == 1 else 's'} in {len(ways)} way{'' if len(ways) == 1 else 's'}"
    if not ways:
        does = "touches no output: no tap of the kernel falls on it"
    where = f"{subject.input_name(answer.channel)} at {answer.at[0]},{answer.at[1]}"
    said = [phrases.flip(subject), f"it holds {text(answer.value, 6)} and {does}"]
    head = [[(f"convcli explain: {where}", "strong")], *([(f"  {line}", "")] for line in said)]
    if not ways:
        return [report.Lines(head)]
    header = ("output", "channel", *(("kernel",) if several else ()), "tap", "weight", "read as")
    right = frozenset({0, 1, len(header) - 3, len(header) - 2})
    blocks: list[Block] = [report.Lines([*head, []]), report.Table("", rows, header, right=right)]
    if len(ways) > _MOST_WAYS:
        line = f"  and {len(ways) - _MOST_WAYS} more ways: --json has all of them"
        blocks.append(report.Lines([[(line, "faint")]]))
    return blocks


def lines(answer: Touched) -> list[str]:
    """The lines for ``-q``: for each way the output, its channel and the weight."""
    return [f"{way.at[0]},{way.at[1]} {channel} {way.weight!r}" for channel, way in answer.ways]
