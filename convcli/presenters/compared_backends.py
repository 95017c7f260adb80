"""The comparison of backends, as ``convcli compare`` shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli import report
from convcli.presenters import fields
from convcli.runs.comparison import Comparison, Row
from convcli.vocabulary import BACKENDS


def document(result: Comparison, notes: Sequence[str]) -> dict[str, Any]:
    """The JSON."""
    return {
        **fields(result, "auto reason missing"),
        "notes": notes,
        "rows": [row._asdict() for row in result.rows],
        "agree": result.agree,
    }


def table(result: Comparison) -> report.Table:
    """A line for each backend."""
    rows = [
        (
            _name(row),
            report.shape(row.output_shape),
            f"{row.max_abs_error:.1e}",
            f"{row.relative_error:.1e}",
            report.seconds(row.median_ms / 1e3),
            f"{100 * (row.max_ms - row.min_ms) / row.median_ms:.0f} %" if row.repeats > 1 else "once",
            f"{row.speedup:.3g}×",
            "yes" if row.agree else "NO",
        )
        for row in result.rows
    ]
    absent = [name for line in result.missing if (name := line.partition(":")[0]) in BACKENDS]
    alike = f"all that ran agree; {', '.join(absent)} did not run" if absent else "all agree"
    verdict = alike if result.agree else "they DIFFER"
    dtypes = ", ".join(dict.fromkeys(row.dtype for row in result.rows if row.backend != "reference"))
    header = ("backend", "output", "error", "relative", "median", "spread", "speed-up", "agrees")
    strong = next((i for i, row in enumerate(result.rows) if row.backend == result.auto), None)
    title = f"convcli compare: {verdict}" + (f" ({dtypes} against float64)" if dtypes else "")
    return report.Table(title, rows, header, strong, frozenset({2, 3, 4, 5, 6}))


def _name(row: Row) -> str:
    """The name of a row: ``numpy separable``, ``torch``, ``torch cuda tf32``."""
    if row.backend == "numpy":
        return f"numpy {row.plan.partition(':')[0]}"
    return row.backend + (f" {row.device}" if row.device != "cpu" else "") + (" tf32" if row.dtype == "tf32" else "")
