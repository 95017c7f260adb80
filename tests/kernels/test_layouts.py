"""Weights in other libraries' order: each layout against the layer of the library that has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from convcli.kernels import layouts, weights
from convcli.kernels.layouts import arranged, suspected
from support import keras_layers
from support.cli import done, run
from support.kernels import message

RANDOM = np.random.default_rng(0)


def test_every_layout_is_a_permutation() -> None:
    """Values say their place: output, input, row, column."""
    oihw = np.fromfunction(lambda o, i, h, w: 1000 * o + 100 * i + 10 * h + w, (4, 3, 2, 5))
    for layout, axes in (
        ("oihw", (0, 1, 2, 3)),
        ("iohw", (1, 0, 2, 3)),
        ("hwio", (2, 3, 1, 0)),
        ("hwoi", (2, 3, 0, 1)),
    ):
        stored = oihw.transpose(axes)
        np.testing.assert_array_equal(arranged(stored, layout, False, 1, "")[0], oihw)
        np.testing.assert_array_equal(arranged(stored, layout, True, 1, "")[0], oihw.swapaxes(0, 1))


@pytest.mark.parametrize("layout", ["oihw", "iohw", "hwio", "hwoi"])
@pytest.mark.parametrize("transpose", [False, True])
def test_groups_stay_groups(layout: str, transpose: bool) -> None:
    """A layer of two groups is two layers side by side, in every order of its axes."""
    blocks = RANDOM.normal(size=(2, 3, 4, 2, 2))  # group, output, input
    whole = layout in ("oihw", "hwio")
    joined = blocks.reshape(6, 4, 2, 2) if whole else blocks.swapaxes(1, 2).reshape(8, 3, 2, 2)
    stored = joined.transpose([("oihw" if whole else "iohw").index(axis) for axis in layout])
    made, _ = arranged(stored, layout, transpose, 2, "")
    expected = blocks.swapaxes(1, 2).reshape(8, 3, 2, 2) if transpose else blocks.reshape(6, 4, 2, 2)
    np.testing.assert_array_equal(made, expected)


def test_groups_that_do_not_fit(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones((3, 2, 2, 2)))
    assert "do not have 2 groups" in message(lambda: weights.load(f"{tmp_path}/w.npy", True, "oihw", 2))


KERAS = {
    "hwio": ("Conv2D", {}),
    "hwoi": ("Conv2DTranspose", {}),
    "hwcm": ("DepthwiseConv2D", {"depth_multiplier": 2}),
}


@pytest.mark.parametrize("layout", KERAS)
def test_layers_of_keras(layout: str, tmp_path: Path) -> None:
    """Their kernels as arrays, with --layout."""
    name, options = KERAS[layout]
    size = () if layout == "hwcm" else (4,)
    layer = getattr(keras_layers.imported().layers, name)(*size, kernel_size=(3, 2), **options)
    x = RANDOM.normal(size=(3, 7, 8)).astype(np.float32)
    expected = keras_layers.output(layer, x)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "w.npy", keras_layers.array(layer.weights[0]))
    command = "transpose" if layout == "hwoi" else "apply"
    done(command, "x.npy", "--weights", "w.npy", "--layout", layout, "--bias", "0", "-o", "y.npy", "-q", cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-5)


@pytest.mark.parametrize("transpose", [False, True])
def test_depthwise_layers_have_their_groups(transpose: bool, tmp_path: Path) -> None:
    stored: NDArray[np.float64] = RANDOM.normal(size=(3, 3, 4, 2))
    np.save(tmp_path / "w.npy", stored)
    x = RANDOM.normal(size=(4, 6, 6))
    np.save(tmp_path / "x.npy", x)
    command = (
        "transpose" if transpose else "apply",
        "x.npy",
        "--weights",
        "w.npy",
        "--layout",
        "hwcm",
        "-o",
        "y.npy",
        "-q",
    )
    done(*command, cwd=tmp_path)
    weight = torch.from_numpy(stored).permute(2, 3, 0, 1)
    act = F.conv_transpose2d if transpose else F.conv2d
    given = weight if transpose else weight.reshape(8, 1, 3, 3)
    expected = act(torch.from_numpy(x), given.contiguous(), groups=4).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-12)
    assert done(*command, "--groups", "4", cwd=tmp_path).code == 0
    refused = run(*command, "--groups", "2", cwd=tmp_path)
    assert refused.code == 2
    assert "--groups 2 is not the number of channels of depthwise weights, 4" in refused.err


@pytest.mark.parametrize(
    ("shape", "word"),
    [
        ((3, 3, 3, 8), "hwio"), ((3, 3, 64, 128), "hwio"), ((5, 5, 3, 32), "hwio"), ((7, 7, 3, 64), "hwio"),
        ((3, 3, 32, 1), "hwcm"), ((3, 3, 2, 4), "hwio"),
        ((3, 3, 32, 32), "hwio"), ((3, 3, 3, 3), ""), ((64, 64, 3, 3), ""), ((3, 3, 5, 5), ""), ((4, 2, 3, 5), ""),
        ((1, 1, 3, 3), ""),
        ((5, 5, 3, 3), ""), ((16, 16, 3, 5), ""),
    ],
)  # fmt: skip
def test_what_looks_like_tensorflows_order(shape: tuple[int, ...], word: str) -> None:
    said = suspected(shape)
    assert bool(said) == bool(word)
    assert word in said


def test_a_remark_where_axes_look_like_tensorflows(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones((3, 3, 3, 8)))
    np.save(tmp_path / "x.npy", np.ones((3, 9, 9)))
    command = ("apply", "x.npy", "--weights", "w.npy", "-o", "y.npy", "-q")
    said = done(*command, cwd=tmp_path).err
    assert (
        "weights of shape (3, 3, 3, 8) are 3 filters of 3×8: if rows and columns come first, use --layout hwio" in said
    )
    assert done(*command, "--layout", "oihw", cwd=tmp_path).err == ""
    assert done(*command, "--layout", "hwio", cwd=tmp_path).err == ""
    assert np.load(tmp_path / "y.npy").shape == (8, 7, 7)
    np.save(tmp_path / "w.npy", np.ones((3, 3, 2, 4)))
    np.save(tmp_path / "x.npy", np.ones((2, 9, 9)))
    refused = run(*command, cwd=tmp_path).err
    assert "expect 3 input channels, the image has 2" in refused
    assert "if rows and columns come first, use --layout hwio" in refused


def test_layouts_are_for_weights(tmp_path: Path) -> None:
    said = run("apply", "samples/tiny.png", "-k", "box", "--layout", "hwio", "-o", tmp_path / "y.png").err
    assert "--layout hwio is for --weights: leave it out" in said
    assert "--layout hwio is for --weights" in run("kernel", "box", "--layout", "hwio").err


def test_the_order_of_pytorch() -> None:
    assert (layouts.own(False), layouts.own(True)) == ("oihw", "iohw")
