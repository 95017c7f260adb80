"""Packages that are not installed: how the core finds out, and what it says, without an environment that lacks them."""

import sys
from types import ModuleType

import numpy as np
import pytest

from convcli import engine, extras, inventory
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import BackendError
from convcli.geometry import Pair
from convcli.layer import Layer


def test_whether_a_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert extras.is_installed("numpy")
    assert not extras.is_installed("no_such_package_at_all")
    monkeypatch.setitem(sys.modules, "no_such_package_at_all", ModuleType("it has no spec"))
    assert extras.is_installed("no_such_package_at_all")
    monkeypatch.setitem(sys.modules, "no_such_package_at_all", None)
    assert not extras.is_installed("no_such_package_at_all")


def test_it_is_not_imported_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lzma", raising=False)
    assert extras.is_installed("lzma")
    assert "lzma" not in sys.modules


def test_one_that_a_program_forbids_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbids:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name == "forbidden":
                raise ImportError(name)

    monkeypatch.setattr(sys, "meta_path", [Forbids, *sys.meta_path])
    assert not extras.is_installed("forbidden")


def test_every_extra_is_named_and_explained() -> None:
    assert extras.how_to_get("imagecodecs") == "pip install 'convcli[tiff]'"
    assert set(inventory._USES) == set(extras.EXTRAS)


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)


def of(channels: int, compute: Compute, stride: int = 1) -> engine.Call:
    """The call of a layer 3×3 of 512² pixels that take no memory: of 512 channels torch would do it sooner."""
    image = np.broadcast_to(np.float32(0), (channels, 512, 512))
    spec = ConvSpec(stride=Pair(stride, stride))
    return engine.prepare(image, Layer.of(np.ones((channels, channels, 3, 3), np.float32), spec), spec, compute)


@pytest.mark.usefixtures("no_torch")
def test_auto_leaves_torch_out() -> None:
    call = of(512, Compute("auto", threads=2), stride=8)
    assert (call.backend, call.reason) == ("numpy", "the fastest that is installed")


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize(
    ("compute", "words"),
    [
        (
            Compute("torch"),
            "backend 'torch' needs torch, which is not installed: pip install 'convcli[torch]', or use",
        ),
        (Compute("torch", device="cuda"), "device 'cuda' needs torch, .* or use device cpu"),
        (Compute(device="cuda:1"), "device 'cuda:1' needs torch, .* or use device cpu"),
        (Compute(dtype="bfloat16"), "dtype 'bfloat16' needs torch, .* or use dtype float32"),
    ],
)
def test_what_asks_for_torch_names_the_extra(compute: Compute, words: str) -> None:
    with pytest.raises(BackendError, match=words.replace("[", r"\[")):
        of(2, compute)


@pytest.mark.usefixtures("no_torch")
def test_what_contradicts_itself_is_said_first() -> None:
    with pytest.raises(BackendError, match="runs on the CPU only"):
        of(2, Compute("numpy", device="cuda"))
    with pytest.raises(BackendError, match="plan 'taps' belongs to the numpy backend"):
        of(2, Compute(device="cuda", plan="taps"))
