"""Checkpoints with other things than tensors: inert ones are allowed, nothing is executed."""

from __future__ import annotations

import argparse
import collections
import os
import pathlib
import pickle
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convcli.kernels import weights
from support.kernels import Pickled, message

WEIGHT = torch.arange(36.0).reshape(2, 2, 3, 3)

INERT: dict[str, Any] = {
    "Namespace": argparse.Namespace(rate=0.1, names=["a"], nested=argparse.Namespace(x=1)),
    "SimpleNamespace": types.SimpleNamespace(a=1),
    "NumPy scalars": [np.float32(1.5), np.float64(2), np.int64(3), np.bool_(True), np.uint8(7), np.str_("text")],
    "an array": np.arange(6.0).reshape(2, 3),
    "an OrderedDict": collections.OrderedDict(a=1),
    "a set": {1, 2},
    "a path": pathlib.Path("/data/x"),
    "a size": torch.Size([1, 2]),
    "a dtype": [torch.float32, np.dtype("float32")],
    "a parameter": torch.nn.Parameter(torch.ones(3)),
}


@pytest.mark.parametrize("name", INERT)
@pytest.mark.parametrize("zipped", [True, False])
def test_inert_types_beside_the_tensors(name: str, zipped: bool, tmp_path: Path) -> None:
    state = {"state_dict": {"weight": WEIGHT}, "other": INERT[name], "epoch": 3}
    torch.save(state, tmp_path / "w.ckpt", _use_new_zipfile_serialization=zipped)
    assert torch.equal(torch.from_numpy(weights.load(f"{tmp_path}/w.ckpt").weight), WEIGHT)


def test_names_of_older_numpy(tmp_path: Path) -> None:
    torch.save({"weight": WEIGHT, "best": np.float64(1.5)}, tmp_path / "w.pt", _use_new_zipfile_serialization=False)
    data = (tmp_path / "w.pt").read_bytes()
    assert b"cnumpy._core.multiarray\n" in data
    (tmp_path / "w.pt").write_bytes(data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
    assert weights.load(f"{tmp_path}/w.pt").weight.shape == (2, 2, 3, 3)


class Config:
    pass


class Calls:
    """Calls something when it is unpickled."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call, self.arguments


def test_a_type_that_is_not_allowed_is_named(tmp_path: Path) -> None:
    torch.save({"weight": WEIGHT, "config": Config()}, tmp_path / "w.pt")
    text = message(lambda: weights.load(f"{tmp_path}/w.pt"))
    assert "hold pickled objects, which can run code (" in text
    assert "Config)" in text


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "evil",
    ["touch", "system", "eval", "getattr", "numpy", "namespace", "map"],
)
def test_nothing_is_executed(evil: str, zipped: bool, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    made: dict[str, Any] = {
        "touch": Pickled(ran),
        "system": Calls(os.system, f"touch {ran}"),
        "eval": Calls(eval, f"open({str(ran)!r}, 'w')"),
        "getattr": Calls(getattr, Path, "touch"),
        "numpy": Calls(np.load, str(ran)),
        "namespace": argparse.Namespace(inner=Pickled(ran)),
        "map": Calls(map, Path.touch, [ran]),
    }
    state = {"weight": WEIGHT, "x": made[evil]}
    torch.save(state, tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    assert f"{tmp_path}/w.pt" in message(lambda: weights.load(f"{tmp_path}/w.pt"))
    assert not ran.exists()


def test_what_is_allowed_is_taken_back(tmp_path: Path) -> None:
    torch.save({"weight": WEIGHT, "args": argparse.Namespace(a=1)}, tmp_path / "w.pt")
    before = set(torch.serialization.get_safe_globals())
    weights.load(f"{tmp_path}/w.pt")
    assert set(torch.serialization.get_safe_globals()) == before


def test_a_checkpoint_that_holds_itself(tmp_path: Path) -> None:
    state: dict[str, Any] = {"weight": WEIGHT}
    state["again"] = state
    torch.save(state, tmp_path / "w.pt")
    text = message(lambda: weights.load(f"{tmp_path}/w.pt"))
    assert "4-D arrays" in text
    assert weights.load(f"{tmp_path}/w.pt:weight").weight.shape == (2, 2, 3, 3)


def test_a_plain_pickle_of_arrays_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps({"weight": WEIGHT.numpy()}))
    assert "model.pkl" in message(lambda: weights.load(f"{tmp_path}/model.pkl"))
