"""Parameters in texts are spelled as options where a text leaves the program, and nowhere before."""

import io
import json
import sys

import pytest

from convcli import report
from convcli.errors import ImageError, param
from convcli.presenters import applied
from convcli.runs.batch import Failed

TEXT = f"use {param('padding_mode', 'zeros')} or {param('output')} FILE"
SPELLED = "use --padding-mode zeros or -o FILE"


def test_notes_and_tables_are_spelled(capsys: pytest.CaptureFixture[str]) -> None:
    report.note(TEXT)
    report.table(report.Table("", [("remedy", TEXT)]))
    report.block(report.Lines([[(TEXT, "")]]))
    out, err = capsys.readouterr()
    assert err == f"convcli: {SPELLED}\n"
    assert out == f"  remedy  {SPELLED}\n{SPELLED}\n"


def test_the_columns_of_a_table_are_as_wide_as_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    report.table(report.Table("", [(param("op"), "a"), ("long", "b")]))
    assert capsys.readouterr().out == "  --op  a\n  long  b\n"


def test_json_is_spelled_at_any_depth() -> None:
    stream = io.StringIO()
    report.json({"notes": [TEXT, {"deep": (TEXT,)}], "value": float("nan")}, stream)
    assert json.loads(stream.getvalue()) == {"schema": 1, "notes": [SPELLED, {"deep": [SPELLED]}], "value": None}


def test_the_error_of_an_image_of_many_is_spelled() -> None:
    failed = Failed("a.png", ImageError("input 'a.png'", "is too small", f"use {param('padding', 'same')}"))
    stream = io.StringIO()
    report.json(applied.document(failed), stream)
    assert json.loads(stream.getvalue())["error"] == "input 'a.png' is too small: use --padding same"
    assert report.shown(applied.message(failed)) == "input 'a.png' is too small: use --padding same"


def test_rich_is_spelled_too(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    token = report.color.set("always")
    try:
        monkeypatch.setattr(sys, "stdout", stream)
        report.table(report.Table("", [("remedy", TEXT)]))
    finally:
        report.color.reset(token)
    assert "--padding-mode zeros" in stream.getvalue()
