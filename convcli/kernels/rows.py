"""Numbers in rows, as spreadsheets, programs and people write them.

A row is a line. Numbers are separated by ``,``, by ``;``, by tabs or by spaces, and may be fractions. Where ``;`` and ``,`` are
in one line, the commas are decimal commas if every cell is a number then. A single line may also be a matrix literal, with
``;`` between its rows. What can be read in two ways is refused.
"""

import io
import re
from typing import TYPE_CHECKING

import numpy as np

from convcli.errors import KernelError, param
from convcli.kernels.spec import DIVIDED, MOST_SIDE, MOST_VALUES, half_divided, literal, number, one_row
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIMAL = re.compile(r"\s*[+-]?\d+(,\d+)?([eE][+-]?\d+)?\s*")
"""A number with a decimal comma, or a whole number."""


class Rows(NamedTuple):
    """The numbers of a text, and remarks about them."""

    values: "list[NDArray[np.float64]]"
    notes: tuple[str, ...] = ()


def parse(text: str, source: str) -> Rows:
    """The numbers of every line that is neither empty nor a comment, up to the limits.

    A line may end with separators or with a comment, which begins with ``#``. Cells may be quoted.

    Raises
    ------
    KernelError
        There is something that is not a number, or a line can be read in two ways.
    """
    lines = []
    for place, whole in enumerate(io.StringIO(text, None), 1):
        line = whole.partition("#")[0].rstrip(",; \t\r\n").lstrip()
        if line:
            lines.append((place, line))
        if len(lines) > MOST_SIDE:
            raise _too_many(source)
    if len(lines) == 1 and re.fullmatch(DIVIDED, lines[0][1]):
        return Rows([*literal(lines[0][1])])
    rows: list[NDArray[np.float64]] = []
    count = 0
    for place, line in lines:
        for cells in _cells(line, place, len(lines) == 1, source):
            try:
                rows.append(np.array([number(cell) for cell in cells]))
            except (ValueError, ZeroDivisionError):
                raise _refused(cells, place, not rows, source) from None
            count += len(cells)
            if max(len(rows), len(cells)) > MOST_SIDE or count > MOST_VALUES:
                raise _too_many(source)
    return Rows(rows, _notes(lines, rows, source))


def _cells(line: str, place: int, alone: bool, source: str) -> list[list[str]]:
    """The cells of the row in a line, or of the rows of a literal. `alone`: there is no other line."""
    if '"' in line:
        import csv  # few kernels have quotes

        between = ";" if ";" in re.sub('"[^"]*"', "", line) else ","
        cells = next(csv.reader([line], delimiter=between, skipinitialspace=True))
        return [[cell.replace(",", ".") if DECIMAL.fullmatch(cell) else cell for cell in cells]]
    between = ";" if ";" in line else "\t"
    if between in line and "," in line:
        parts = line.split(between)
        if all(map(DECIMAL.fullmatch, parts)):
            if alone and between == ";" and _is_literal(parts):
                raise _two_readings(parts, source)
            return [[part.replace(",", ".") for part in parts]]
        if between == ";" and alone and all("," in part for part in parts):
            return [part.split(",") for part in parts]
        if between == ";":
            raise _mixed(parts, place, source)
    if ";" in line:
        parts = line.split(";")
        several = any(len(part.split()) > 1 for part in parts)
        return [part.split() for part in parts] if several else [parts]
    return [line.split(",") if "," in line else line.split()]


def _is_literal(parts: list[str]) -> bool:
    """Whether cells with decimal commas may also be rows of two whole numbers, which do not begin with a 0."""
    seconds = [part.partition(",")[2].strip() for part in parts]
    return all(second and (second == "0" or second[0] != "0") for second in seconds)


def _two_readings(parts: list[str], source: str) -> KernelError:
    one, other = (" ".join(part.strip().replace(",", sign) for part in parts[:3]) for sign in (".", ","))
    why = f"the row {one} with decimal commas, or rows of two numbers, {other}"
    remedy = "write decimals with a point, or each row on a line"
    return KernelError(f"kernel {source}", "can be read in two ways", remedy, why)


def _mixed(parts: list[str], place: int, source: str) -> KernelError:
    """The error for a line with ``;`` and ``,`` among others."""
    rows = [part.split(",") for part in parts]
    if len({len(row) for row in rows}) == 1 and all(all(map(_is_number, row)) for row in rows):
        rule, remedy = (
            "has a whole kernel in each line",
            f"give each with its own {param('kernel')}, or in a file of its own",
        )
        return KernelError(f"kernel {source}", rule, remedy)
    bad = next(part.strip() for part in parts if not DECIMAL.fullmatch(part))
    rule = f"has both ; and , in line {place}, and '{bad}' is not a number with a decimal comma"
    remedy = "write decimals with a point and each row on a line, with commas between its numbers"
    return KernelError(f"kernel {source}", rule, remedy)


def _too_many(source: str) -> KernelError:
    rule = f"has more than {MOST_SIDE} rows or columns, or more than {MOST_VALUES} numbers"
    return KernelError(f"kernel {source}", rule, "is it a kernel?")


def _refused(cells: list[str], place: int, first: bool, source: str) -> KernelError:
    """The error for a line with something that is not a number."""
    bad = next(cell.strip() for cell in cells if not _is_number(cell))
    remedy = "write numbers, a row on each line"
    if first and not any(map(_is_number, cells)):
        remedy = "leave out the header, or begin it with #"
    return KernelError(f"kernel {source}", f"contains '{bad}' in line {place}, not a number", remedy)


def _is_number(cell: str) -> bool:
    try:
        number(cell)
    except (ValueError, ZeroDivisionError):
        return False
    return True


def _notes(lines: list[tuple[int, str]], rows: "list[NDArray[np.float64]]", source: str) -> tuple[str, ...]:
    """Remarks on what may not be meant."""
    if not rows:
        return ()
    last, size = lines[-1][1], sum(len(row) for row in rows)
    if ";" in last and len(rows) == len(lines) == 1 and "," not in last:
        return (f"kernel {source} is one row, with ; between its numbers: for a column, write each number on a line",)
    told = half_divided(last, size) if sum(line.count("/") for _, line in lines) == 1 else ()
    return told + (
        one_row(source.strip("'"), rows[0][np.newaxis], "write each row on a line") if len(rows) == 1 else ()
    )
