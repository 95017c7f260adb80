"""How results are told: as a table or a picture on a terminal, as plain text, as JSON. Only this package knows Rich."""

from convcli.report.terminal import (
    Lines,
    Piece,
    Table,
    block,
    choose_color,
    colourful,
    picture,
    play,
    progress,
    table,
    width,
)
from convcli.report.text import Encoded, give_up, json, lines, note, pair, pieces, seconds, shape, shown

__all__ = [
    "Encoded",
    "Lines",
    "Piece",
    "Table",
    "block",
    "choose_color",
    "colourful",
    "give_up",
    "json",
    "lines",
    "note",
    "pair",
    "picture",
    "pieces",
    "play",
    "progress",
    "seconds",
    "shape",
    "shown",
    "table",
    "width",
]
