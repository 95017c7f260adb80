"""As much memory as a test wants there to be."""

import pytest

from convcli.system import memory

MB = 1e6


def have(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    monkeypatch.setattr(memory, "total_bytes", lambda: megabytes * MB)
