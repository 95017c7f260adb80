"""What a file is, by its content and not by its name; and what is found in it."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from convcli.kernels import containers, weights
from support.cli import done, run
from support.kernels import message

WEIGHT = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)


def made(kind: str, folder: Path) -> Path:
    path, tensors = folder / f"plain.{kind}", {"weight": torch.from_numpy(WEIGHT), "bias": torch.ones(4)}
    if kind == "npy":
        np.save(path, WEIGHT)
    elif kind == "npz":
        np.savez(path, **{name: one.numpy() for name, one in tensors.items()})
    elif kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save({"state_dict": tensors, "epoch": 3}, path, _use_new_zipfile_serialization=kind != "old")
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors", "pt", "old"])
@pytest.mark.parametrize(
    "name", ["model.ckpt", "model.pth.tar", "model", "model.bin", "model.npz", "model.safetensors"]
)
def test_the_name_does_not_matter(kind: str, name: str, tmp_path: Path) -> None:
    made(kind, tmp_path).rename(tmp_path / name)
    np.testing.assert_array_equal(weights.load(f"{tmp_path / name}").weight, WEIGHT)
    if kind != "npy":
        assert weights.load(f"{tmp_path / name}:weight").bias is not None


def test_packed_files_and_pointers_are_named(tmp_path: Path) -> None:
    plain = made("pt", tmp_path)
    with tarfile.open(tmp_path / "w.pth.tar", "w") as archive:
        archive.add(plain, "w.pt")
    assert "are a tar archive: unpack it" in message(lambda: weights.load(f"{tmp_path}/w.pth.tar"))
    (tmp_path / "w.pt.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert "are packed by gzip: unpack them first" in message(lambda: weights.load(f"{tmp_path}/w.pt.gz"))
    (tmp_path / "w.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert "are a pointer of Git LFS and not the weights" in message(lambda: weights.load(f"{tmp_path}/w.safetensors"))
    (tmp_path / "w").write_text("hello")
    assert "are a file of no known kind" in message(lambda: weights.load(f"{tmp_path}/w"))


def test_devices_of_any_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w").symlink_to("/dev/zero")
    for command in ("kernel", "apply samples/tiny.png -o no.png"):
        assert "are not in a file but in a device or a pipe" in run(*command.split(), "--weights", tmp_path / "w").err


@pytest.mark.parametrize("spec", ["m.ckpt:a:b/c:0", "m.ckpt:x", "m.ckpt"])
def test_where_a_key_begins(spec: str, tmp_path: Path) -> None:
    (tmp_path / "m.ckpt").touch()
    path, key = weights.split(f"{tmp_path}/{spec}")
    assert (path, key) == (tmp_path / "m.ckpt", spec.removeprefix("m.ckpt").removeprefix(":") or None)


def test_where_a_key_begins_of_a_file_that_is_not_there() -> None:
    assert weights.split("gone.safetensors:a:0") == (Path("gone.safetensors"), "a:0")
    assert weights.split("gone:a") == (Path("gone:a"), None)


@pytest.mark.parametrize(
    ("key", "near"),
    [("conv1", "backbone.conv1.weight"), ("conv1.weigth", "backbone.conv1.weight"), ("backbone.conv1", "backbone.conv1.weight"),
     ("head", "head.weight"), ("layer.7.weigh", "layer.7.weight")],
)  # fmt: skip
def test_a_missing_key_suggests_the_nearest(key: str, near: str, tmp_path: Path) -> None:
    names = ["backbone.conv1.weight", "head.weight", *(f"layer.{number}.weight" for number in range(200))]
    save_file({name: torch.zeros(1, 1, 1, 1) for name in names}, tmp_path / "w.safetensors")
    said = message(lambda: weights.load(f"{tmp_path}/w.safetensors:{key}"))
    assert f"have no key '{key}'" in said
    if key != "conv1":
        assert near in said
    assert said.count("layer.") <= 4


@pytest.mark.parametrize("name", ["w.npz", "w.pt"])
@pytest.mark.parametrize("command", ["apply", "transpose"])
def test_layers_of_one_dimension(name: str, command: str, tmp_path: Path) -> None:
    kind = torch.nn.Conv1d if command == "apply" else torch.nn.ConvTranspose1d
    layer = kind(3, 8, 3)
    if name == "w.pt":
        torch.save(layer.state_dict(), tmp_path / name)
    else:
        np.savez(tmp_path / name, **{key: one.numpy() for key, one in layer.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(3, 1, 9)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    said = done(command, "x.npy", "--weights", name, "-o", "y.npy", "-q", cwd=tmp_path).err
    shape = (8, 3, 3) if command == "apply" else (3, 8, 3)
    assert f"of shape {shape}, as a Conv1d has them, are taken as {(*shape[:2], 1, 3)}, with one row" in said
    with torch.no_grad():
        expected = layer(torch.from_numpy(x[:, 0])).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "y.npy")[:, 0], expected, atol=1e-6)
    [listed] = done("kernel", "--weights", name, "--json", cwd=tmp_path).json["tensors"]
    assert listed["shape"] == list(shape)


def test_a_script_does_not_read_what_is_not_in_the_file(tmp_path: Path) -> None:
    """Weights in another order, or computed, are not those that np.load gives."""
    np.save(tmp_path / "w.npy", np.random.default_rng(0).normal(size=(16, 3, 7, 7)))
    np.save(tmp_path / "v.npy", np.load(tmp_path / "w.npy").transpose(2, 3, 1, 0))
    command = ("explain", "samples/tiny.png", "--as", "torch", "-p", "3", "--weights")
    assert "np.load" in done(*command, tmp_path / "w.npy").text
    code = done(*command, tmp_path / "v.npy", "--layout", "hwio").text
    assert "save them, as applied" in code
    assert "v.npy" not in code


def test_flax_has_its_bias_beside_its_kernel(tmp_path: Path) -> None:
    arrays = {"params/Conv_0/kernel": WEIGHT.transpose(2, 3, 1, 0), "params/Conv_0/bias": np.ones(4, np.float32)}
    np.savez(tmp_path / "w.npz", **arrays)
    found = weights.load(f"{tmp_path}/w.npz", layout="hwio")
    np.testing.assert_array_equal(found.weight, WEIGHT)
    assert found.bias_name == "params/Conv_0/bias"
    assert found.bias is not None
    [listed] = done("kernel", "--weights", tmp_path / "w.npz", "--json").json["tensors"]
    assert listed["bias"] == "params/Conv_0/bias"


def test_a_tensor_whose_channels_come_last(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((60, 80, 3), np.uint8))
    said = done("apply", "x.npy", "-k", "box:3", "-o", "y.npy", "-q", cwd=tmp_path).err
    assert "(60, 80, 3) is 60 channels of 80×3, as a .npy is (C, H, W): if (H, W, C) is meant, save (3, 60, 80)" in said
    failed = run("apply", "x.npy", "-k", "box:5", "-o", "y.npy", cwd=tmp_path)
    assert failed.code == 2
    assert "if (H, W, C) is meant, save (3, 60, 80)" in failed.err
    np.save(tmp_path / "x.npy", np.ones((3, 60, 80), np.uint8))
    assert done("apply", "x.npy", "-k", "box:3", "-o", "y.npy", "-q", cwd=tmp_path).err == ""


def test_kinds_have_modules() -> None:
    folder = Path(containers.__file__).parent
    assert all((folder / f"{name}.py").exists() for name in containers.KINDS.values())
    assert set(containers.SUFFIXES) <= set(containers.KINDS)
