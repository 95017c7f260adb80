"""What `auto` takes: torch where it wins with its import counted in, numpy elsewhere."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from convcli import dispatch, engine
from convcli.backends import Task
from convcli.convspec import ConvSpec
from convcli.engine import Compute


class _ChosenError(Exception):
    """Ends an operation once its backend is chosen."""


def choice(channels: int, size: int, groups: int, imported: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Backend and reason for a layer 3×3 of as many outputs as inputs, whose pixels take no memory."""
    found: list[tuple[str, str]] = []

    def choose(task: Task, wanted: str, dtype: str | None) -> tuple[str, str]:
        found.append(real(task, wanted, dtype))
        raise _ChosenError

    real = dispatch.choose_backend
    monkeypatch.setattr(dispatch, "choose_backend", choose)
    if imported:
        monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    else:
        monkeypatch.delitem(sys.modules, "torch", raising=False)
    image = np.broadcast_to(np.float32(0), (channels, size, size))
    weight = np.ones((channels, channels // groups, 3, 3), np.float32)
    with pytest.raises(_ChosenError):
        engine.convolve(image, weight, ConvSpec(padding="same", groups=groups), Compute("auto", threads=2))
    return found[0]


def test_a_large_layer_is_worth_importing_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, reason = choice(512, 512, 1, False, monkeypatch)
    assert backend == "torch", reason
    assert reason.endswith("its import included")


def test_a_smaller_layer_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, reason = choice(64, 512, 1, False, monkeypatch)
    assert backend == "numpy", reason
    assert reason.endswith("its import included")


def test_unless_torch_is_there_already(monkeypatch: pytest.MonkeyPatch) -> None:
    backend, reason = choice(64, 512, 1, True, monkeypatch)
    assert backend == "torch", reason
    assert "import" not in reason


@pytest.mark.parametrize("imported", [False, True])
def test_images_are_for_numpy(imported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choice(3, 3000, 3, imported, monkeypatch)[0] == "numpy"


def test_the_import_tips_the_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "TORCH_IMPORT_SECONDS", 1e4)
    assert choice(512, 512, 1, False, monkeypatch)[0] == "numpy"
