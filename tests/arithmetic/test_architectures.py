"""Printed modules of known networks: every size and every number of parameters as torch has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from support.architectures import NETWORKS
from support.cli import done


def told(module: nn.Module, shape: tuple[int, int, int]) -> list[tuple[tuple[int, ...], int]]:
    """Shape of the result and number of parameters of every layer, as torch runs it."""
    found: list[tuple[tuple[int, ...], int]] = []

    def remember(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        found.append((tuple(output.shape[1:]), sum(weights.numel() for weights in layer.parameters())))

    for layer in module.modules():
        if not [*layer.children()]:
            layer.register_forward_hook(remember)
    with torch.no_grad():
        module.eval()(torch.zeros(1, *shape))
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_a_printed_module(name: str, tmp_path: Path) -> None:
    make, shape = NETWORKS[name]
    module = make()
    (tmp_path / "net.txt").write_text(repr(module))
    channels, height, width = shape
    options = ["--hin", height, "--win", width, "--in-channels", channels, "--json"]
    found = done("shape", *options, "--layers", "net.txt", cwd=tmp_path).json
    assert found == done("shape", *options, "--layers", "-", input=repr(module).encode()).json
    wanted = told(module, shape)
    assert len(found["layers"]) == len(wanted)
    for layer, (size, parameters) in zip(found["layers"], wanted, strict=True):
        output = layer["output"]
        assert (output["channels"], output["height"], output["width"]) == (size if len(size) == 3 else (*size, 1, 1)), (
            layer
        )
        assert layer["parameters"] == parameters, layer
    assert found["totals"]["parameters"] == sum(weights.numel() for weights in module.parameters())


def test_there_are_thirty() -> None:
    assert len(NETWORKS) >= 30
