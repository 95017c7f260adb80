"""Weights that a module computes, against the modules of torch: weight norm, spectral norm, pruning; and scaled integers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from convcli.kernels import weights
from support.cli import done, run
from support.kernels import message


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its old hooks deprecated
        torch.manual_seed(0)
        yield


def conv(transpose: bool) -> nn.Module:
    return nn.ConvTranspose2d(4, 4, 3) if transpose else nn.Conv2d(4, 6, 3)


NORMS: dict[str, Callable[[nn.Module], Any]] = {
    "weight norm": nn.utils.weight_norm,
    "weight norm of inputs": lambda module: nn.utils.weight_norm(module, dim=1),
    "weight norm of all": lambda module: nn.utils.weight_norm(module, dim=None),
    "spectral norm": nn.utils.spectral_norm,
    "parametrized weight norm": parametrizations.weight_norm,
    "parametrized spectral norm": parametrizations.spectral_norm,
    "pruned": lambda module: prune.l1_unstructured(module, "weight", amount=0.4),
}


@pytest.mark.parametrize("kind", NORMS)
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_layers_as_the_module_computes_them(kind: str, transpose: bool, suffix: str, tmp_path: Path) -> None:
    module = nn.Sequential(nn.Sequential(NORMS[kind](conv(transpose))))
    x = torch.randn(4, 7, 8)
    for _ in range(3):
        module(x)  # spectral norm refines its vectors while it is trained
    module.eval()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    (save_file if suffix == ".safetensors" else torch.save)(state, tmp_path / f"w{suffix}")
    np.save(tmp_path / "x.npy", x.numpy())
    command = ("transpose" if transpose else "apply", "x.npy", "-o", "y.npy", "-q", "--weights")
    with torch.no_grad():
        expected = module(x).numpy()
    for key in ("", ":0.0.weight"):
        said = done(*command, f"w{suffix}{key}", cwd=tmp_path).err
        np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=2e-6)
        assert "are computed from 0.0." in said
        assert "'0.0.bias'" in said
        assert "is added" in said


def test_they_are_listed_as_the_layers_weight(tmp_path: Path) -> None:
    torch.save(nn.utils.weight_norm(nn.Conv2d(2, 3, 3)).state_dict(), tmp_path / "w.pt")
    [one] = done("kernel", "--weights", "w.pt", "--json", cwd=tmp_path).json["tensors"]
    assert (one["name"], one["shape"], one["bias"]) == ("weight", [3, 2, 3, 3], "bias")
    assert (
        "have no key 'weight_v': did you mean weight?"
        in run("apply", "samples/tiny.png", "--weights", f"{tmp_path}/w.pt:weight_v").err
    )


class Doubled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def test_what_is_not_known_is_refused(tmp_path: Path) -> None:
    module = nn.Conv2d(2, 3, 3)
    parametrize.register_parametrization(module, "weight", Doubled())
    torch.save(module.state_dict(), tmp_path / "w.pt")
    text = message(lambda: weights.load(f"{tmp_path}/w.pt"))
    assert "computed by a parametrization that is not known here" in text
    assert "remove_parametrizations(module, 'weight')" in text
    twice = parametrizations.spectral_norm(nn.Conv2d(2, 3, 3))
    parametrize.register_parametrization(twice, "weight", Doubled())
    torch.save(twice.state_dict(), tmp_path / "w.pt")
    assert len(weights.stored(tmp_path / "w.pt")) == 1  # Doubled has no tensors: it leaves no trace


def test_parts_without_their_other_parts_are_refused(tmp_path: Path) -> None:
    torch.save({"weight_orig": torch.ones(1, 1, 3, 3), "weight_u": torch.ones(1)}, tmp_path / "w.pt")
    assert "are not what the layer uses" in message(lambda: weights.load(f"{tmp_path}/w.pt"))


def test_names_that_only_look_like_parts(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", weight_v=np.ones((1, 1, 2, 2)), image_orig=np.ones((3, 3)))
    assert weights.load(f"{tmp_path}/w.npz:weight_v").notes == ()


SCALES = {"one": torch.tensor(0.5), "row": torch.tensor([0.5, 1, 2]), "column": torch.tensor([[0.5], [1], [2]])}


@pytest.mark.parametrize("name", SCALES)
@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.float8_e4m3fn])
@pytest.mark.parametrize("zero", [False, True])
def test_scaled_integers(name: str, kind: torch.dtype, zero: bool, tmp_path: Path) -> None:
    stored = torch.randint(0, 8, (3, 2, 3, 3)).to(kind)
    state = {"c.weight": stored, "c.weight_scale": SCALES[name], "c.bias": torch.ones(3)}
    if zero:
        state["c.weight_zero_point"] = torch.full(SCALES[name].shape, 3, dtype=torch.int8)
    save_file(state, tmp_path / "w.safetensors")
    made = weights.load(f"{tmp_path}/w.safetensors")
    scale = SCALES[name].numpy().reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(made.weight, (stored.float().numpy() - 3 * zero) * scale)
    assert made.bias is not None
    assert "dequantized" in made.notes[0]
    assert not made.plain


@pytest.mark.parametrize(
    ("part", "said"), [("weight_scale_inv", "a way that is not known"), ("SCB", "a way that is not known")]
)
def test_other_scales_are_refused(part: str, said: str, tmp_path: Path) -> None:
    save_file(
        {"c.weight": torch.ones(3, 2, 3, 3, dtype=torch.int8), f"c.{part}": torch.ones(3)}, tmp_path / "w.safetensors"
    )
    assert said in message(lambda: weights.load(f"{tmp_path}/w.safetensors"))


def test_scales_of_blocks_are_refused(tmp_path: Path) -> None:
    state = {"c.weight": torch.ones(4, 2, 3, 3, dtype=torch.int8), "c.weight_scale": torch.ones(2, 1)}
    save_file(state, tmp_path / "w.safetensors")
    assert "have scales of shape (2, 1)" in message(lambda: weights.load(f"{tmp_path}/w.safetensors"))


def test_floats_beside_a_scale_are_as_they_are(tmp_path: Path) -> None:
    save_file({"c.weight": torch.ones(1, 1, 3, 3), "c.weight_scale": torch.ones(1)}, tmp_path / "w.safetensors")
    assert weights.load(f"{tmp_path}/w.safetensors").notes == ()
