"""What a result is shown as has one place: nothing but a presenter makes JSON or tables of a result."""

import ast
from pathlib import Path

import pytest

from convcli.presenters import one_or_all
from support.cli import ROOT

PACKAGE = ROOT / "convcli"
BELOW = [
    path
    for folder in ("runs", "explanation", "animation", "translate", "arithmetic", "kernels", "images", "system")
    for path in sorted((PACKAGE / folder).rglob("*.py"))
] + [PACKAGE / name for name in ("geometry.py", "inventory.py", "engine.py")]


@pytest.mark.parametrize("path", BELOW, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_results_are_plain_data(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not {name for name in names if "document" in name} - {"from_document"}


def test_commands_make_no_tables() -> None:
    for path in (PACKAGE / "commands").glob("*.py"):
        assert "report.Table(" not in path.read_text(encoding="utf-8"), path


def test_one_stands_alone() -> None:
    assert one_or_all([3]) == 3
    assert one_or_all([3, 4]) == [3, 4]
