"""What pytest needs everywhere: Hypothesis profiles, one torch thread, and fixtures that several folders use."""

from __future__ import annotations

# ruff: noqa: E402
import os

import pytest

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: pytest-xdist fills the cores
pytest.register_assert_rewrite("support")  # before it is imported


import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from support.pictures import write

_COMMON: dict[str, Any] = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("ci", max_examples=60, derandomize=True, **_COMMON)  # a change lands, or not, by itself
settings.register_profile("dev", max_examples=100, **_COMMON)
settings.register_profile("full", max_examples=2000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with a.png, b.png (not alike) and bad.png (no image)."""
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        write(tmp_path / name, generator.integers(0, 256, (1, 6, 7), dtype=np.uint8))
    (tmp_path / "bad.png").write_text("no image")
    return tmp_path


@pytest.fixture
def umask() -> Iterator[None]:
    """Restores the umask that a test sets."""
    old = os.umask(0o022)
    yield
    os.umask(old)
