"""A file and an object with the same bytes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.servers import DATA


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with `DATA`."""
    (tmp_path / "data").write_bytes(DATA)
    return tmp_path / "data"


@pytest.fixture
def memory() -> Iterator[Any]:
    """A store with `DATA` at ``/folder/data``."""
    system = pytest.importorskip("fsspec").filesystem("memory")
    system.pipe_file("/folder/data", DATA)
    yield system
    system.rm("/folder", recursive=True)
