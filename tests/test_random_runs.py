"""Random command lines against torch and SciPy: a short run of support/random_runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.random_runs import judge


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_a_short_run(first: int, tmp_path: Path) -> None:
    verdicts = [judge(seed, tmp_path) for seed in range(first, first + 50)]
    assert [verdict.text for verdict in verdicts if verdict.kind == "differs"] == []
    assert sum(verdict.kind == "agrees" for verdict in verdicts) > 30
