"""Very many small files on a cluster whose workers are killed: 300 of them, or as many as SOAK_FILES says."""

import os
import sys
from pathlib import Path

import pytest

from support.soak import check, soak

COUNT = int(os.environ.get("SOAK_FILES", "300"))
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


def test_nothing_is_missing_and_nothing_twice(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    found = soak(tmp_path, COUNT, 10.0 if COUNT > 1000 else 1.0)
    check(tmp_path, COUNT, found)
    assert found.err == ""
    if COUNT >= 20_000:
        assert found.kills > 2
        quarter = found.memory[len(found.memory) // 4]
        assert found.memory[-1] < quarter * 1.1 + 10
