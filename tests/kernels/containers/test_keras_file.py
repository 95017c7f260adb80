"""What Keras saves, against its own layers; and other files of HDF5."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from convcli.kernels import weights
from convcli.kernels.containers import archives
from support import keras_layers
from support.cli import done, run
from support.kernels import message

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras on torch

X = np.random.default_rng(0).normal(size=(3, 9, 10)).astype(np.float32)


def model() -> Any:
    keras = keras_layers.imported()
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((9, 10, 3)),
            layers.Conv2D(4, (3, 2), name="first", bias_initializer="random_normal"),
            layers.BatchNormalization(name="norm"),
            layers.DepthwiseConv2D(3, depth_multiplier=2, bias_initializer="random_normal"),
            layers.Conv2DTranspose(5, 3, bias_initializer="random_normal"),
        ]
    )


def check(spec: str, layer: Any, x: Any, command: str, folder: Path) -> str:
    """A layer in a file is what Keras makes of it. Returns what was said."""
    np.save(folder / "x.npy", x)
    said = done(command, "x.npy", "--weights", spec, "-o", "y.npy", "-q", cwd=folder).err
    np.testing.assert_allclose(np.load(folder / "y.npy"), keras_layers.output(layer, x), atol=1e-5)
    return said


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "renamed.bin", "m.h5"])
def test_layers_of_a_saved_model(name: str, tmp_path: Path) -> None:
    made = model()
    if name.endswith("weights.h5"):
        made.save_weights(tmp_path / name)
    elif name == "renamed.bin":
        made.save(tmp_path / "m.keras")
        (tmp_path / "m.keras").rename(tmp_path / name)
    else:
        made.save(tmp_path / name)
    found = [one["name"] for one in done("kernel", "--weights", name, "--json", cwd=tmp_path).json["tensors"]]
    assert len(found) == 3
    by_layer = {
        part: next(key for key in found if part in key and (part != "conv2d" or "depthwise" not in key))
        for part in ("depthwise", "transpose")
    }
    [first] = [key for key in found if key not in by_layer.values()]
    said = check(f"{name}:{first}", made.layers[0], X, "apply", tmp_path)
    assert "are taken as hwio, as Keras saves them; see --layout" in said
    assert "is added" in said
    deeper = np.random.default_rng(1).normal(size=(4, 7, 7)).astype(np.float32)
    assert "hwcm" in check(f"{name}:{by_layer['depthwise']}", made.layers[2], deeper, "apply", tmp_path)
    deepest = np.random.default_rng(2).normal(size=(8, 5, 5)).astype(np.float32)
    assert "hwoi" in check(f"{name}:{by_layer['transpose']}", made.layers[3], deepest, "transpose", tmp_path)


def test_separable_layers(tmp_path: Path) -> None:
    """The bias belongs to the second kernel."""
    keras = keras_layers.imported()
    layer = keras.layers.SeparableConv2D(4, 3, bias_initializer="random_normal")
    made = keras.Sequential([keras.Input((9, 10, 3)), layer])
    made.save(tmp_path / "m.keras")
    found = done("kernel", "--weights", "m.keras", "--json", cwd=tmp_path).json["tensors"]
    first, second = sorted(one["name"] for one in found)
    np.save(tmp_path / "x.npy", X)
    done("apply", "x.npy", "--weights", f"m.keras:{first}", "-o", "y.npy", "-q", cwd=tmp_path)
    done("apply", "y.npy", "--weights", f"m.keras:{second}", "-o", "z.npy", "-q", cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), keras_layers.output(layer, X), atol=1e-5)


def test_layers_of_one_dimension(tmp_path: Path) -> None:
    keras = keras_layers.imported()
    layer = keras.layers.Conv1D(4, 3, bias_initializer="random_normal")
    keras.Sequential([keras.Input((10, 3)), layer]).save(tmp_path / "m.keras")
    x = np.random.default_rng(3).normal(size=(3, 1, 10)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    said = done("apply", "x.npy", "--weights", "m.keras", "-o", "y.npy", "-q", cwd=tmp_path).err
    expected = keras_layers.array(layer(np.moveaxis(x[:, 0], 0, -1)[None]))[0].T[:, None]
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-5)
    assert "with one row" in said


def test_other_hdf5_is_in_pytorchs_order(tmp_path: Path) -> None:
    stored = np.arange(36.0).reshape(2, 2, 3, 3).astype(">f4")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["net/conv/weight"], file["net/conv/bias"], file["epoch"] = stored, np.ones(2), 3
    made = weights.load(f"{tmp_path}/w.h5")
    np.testing.assert_array_equal(made.weight, stored)
    assert (made.notes, made.bias_name) == ((), "net/conv/bias")
    assert made.weight.dtype.isnative
    assert "did you mean net/conv/weight?" in message(lambda: weights.load(f"{tmp_path}/w.h5:conv/weight"))


def test_what_is_in_other_files_is_not_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["weight"] = np.ones((1, 1, 3, 3))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("secret.h5", "weight")
        file["soft"] = h5py.SoftLink("/linked")
        layout = h5py.VirtualLayout((1, 1, 3, 3), "f8")
        layout[...] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "weight", (1, 1, 3, 3))
        file.create_virtual_dataset("virtual", layout)
        outside = [(str(tmp_path / "secret.h5"), 0, 72)]
        file.create_dataset("external", (1, 1, 3, 3), "f8", external=outside)
        group = file.create_group("group")
        group["again"] = group  # has itself
    assert [one.name for one in weights.stored(tmp_path / "w.h5")] == ["external", "virtual"]
    for key in ("external", "virtual"):
        assert "have their values in other files" in message(lambda: weights.load(f"{tmp_path}/w.h5:{key}"))  # noqa: B023


def test_bombs_are_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_INFLATED", 1 << 20)
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("weight", data=np.zeros((512, 512, 3, 3)), compression="gzip")
    assert "may be a decompression bomb" in message(lambda: weights.load(f"{tmp_path}/w.h5"))
    with zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(8 << 20))
    assert "may be a decompression bomb" in message(lambda: weights.load(f"{tmp_path}/m.keras"))


def test_values_that_are_not_numbers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["weight"] = np.array(["a"] * 4, "S1").reshape(1, 1, 2, 2)
    assert "save real numbers" in message(lambda: weights.load(f"{tmp_path}/w.h5"))


@pytest.mark.parametrize("size", [8, 100, 1000])
def test_damaged_files(size: int, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        file["weight"] = np.ones((4, 4, 3, 3))
    (tmp_path / "w.h5").write_bytes((tmp_path / "whole.h5").read_bytes()[:size])
    assert "are not a valid HDF5 file" in message(lambda: weights.load(f"{tmp_path}/w.h5"))


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["weight"] = np.ones((1, 1, 3, 3))
    monkeypatch.setitem(sys.modules, "h5py", None)
    refused = run("kernel", "--weights", tmp_path / "w.h5")
    assert refused.code == 2
    assert (
        "need h5py, which is not installed: pip install 'convcli[keras]', or save them as .safetensors" in refused.err
    )
