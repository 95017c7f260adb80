"""Weights in several files with an index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from convcli.kernels import weights
from convcli.kernels.containers import shards
from support.cli import done
from support.kernels import message

ONE, TWO = torch.ones(2, 3, 3, 3), torch.full((4, 2, 3, 3), 2.0)


def saved(folder: Path, kind: str) -> Path:
    """Two layers, with the bias of the first in the other shard."""
    parts = {f"a.{kind}": {"one.weight": ONE}, f"b.{kind}": {"one.bias": torch.ones(2), "two.weight": TWO}}
    for name, tensors in parts.items():
        (save_file if kind == "safetensors" else torch.save)(tensors, folder / name)
    places = {key: name for name, tensors in parts.items() for key in tensors}
    path = folder / f"model.{kind}.index.json"
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return path


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_shards_are_followed(kind: str, tmp_path: Path) -> None:
    path = saved(tmp_path, kind)
    found = weights.load(f"{path}:one.weight")
    assert (found.weight == 1).all()
    assert found.bias is not None
    assert (weights.load(f"{path}:two.weight").weight == 2).all()
    assert [one["name"] for one in done("kernel", "--weights", path, "--json").json["tensors"]] == [
        "one.weight",
        "two.weight",
    ]


def test_only_shards_that_are_needed_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path, "safetensors")
    (tmp_path / "a.safetensors").unlink()
    assert (weights.load(f"{path}:two.weight").weight == 2).all()
    text = message(lambda: weights.load(f"{path}:one.weight"))
    assert "name the shard 'a.safetensors', which is not there: fetch it, too" in text


def test_a_shard_that_lacks_what_the_index_says(tmp_path: Path) -> None:
    path = saved(tmp_path, "safetensors")
    save_file({"other": ONE}, tmp_path / "a.safetensors")
    assert "lack one.weight: fetch the shard again" in message(lambda: weights.load(f"{path}:one.weight"))


@pytest.mark.parametrize("place", ["../a.safetensors", "/etc/passwd", "x/a.safetensors", "..", "", "a\\b"])
def test_shards_elsewhere_are_refused(place: str, tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(json.dumps({"weight_map": {"w": place}}))
    assert "in another folder: keep the shards beside their index" in message(lambda: weights.load(str(path)))


@pytest.mark.parametrize("value", [{}, [], {"weight_map": []}, {"weight_map": {"w": 3}}, 3, "{"])
def test_what_is_no_index(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    assert "are JSON, but no index of shards" in message(lambda: weights.load(str(path)))


def test_an_index_that_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "i.json"
    path.write_text(json.dumps({"weight_map": {"w": "i.json"}}))
    assert "i.json' are a file of no known kind" in message(lambda: weights.load(str(path)))
    (tmp_path / "i.bin").write_text(path.read_text().replace("i.json", "i.bin"))
    assert "i.bin' are a file of no known kind" in message(lambda: weights.load(str(tmp_path / "i.bin")))


def test_an_index_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "safetensors")
    monkeypatch.setattr(shards, "MOST_BYTES", 20)
    assert "is larger than 20 bytes: is it an index of shards?" in message(lambda: weights.load(str(path)))
