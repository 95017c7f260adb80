"""Published figures of known networks, with their sources: networks.toml."""

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from support.cli import done

NETWORKS = tomllib.loads((Path(__file__).with_name("networks.toml")).read_text(encoding="utf-8"))["networks"]
FIGURES = {
    "outputs", "parameters", "published_parameters", "others", "giga_macs", "giga_macs_cut", "mega_macs",
    "receptive_field", "receptive_fields", "jump", "convolutions",
}  # fmt: skip


def document(network: dict[str, Any]) -> Any:
    options = ["--hin", network["size"], "--in-channels", network.get("in_channels", 3)]
    return done("shape", *options, "--layers", network["layers"], "--json").json


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network["name"])
def test_published_figures(network: dict[str, Any]) -> None:
    assert network["sources"]
    assert network.keys() <= FIGURES | {"name", "sources", "size", "in_channels", "layers"}
    found = document(network)
    for number, channels, size in network.get("outputs", ()):
        assert found["layers"][number - 1]["output"] == {"channels": channels, "height": size, "width": size}, number
    totals, last = found["totals"], found["layers"][-1]
    if "parameters" in network:
        assert totals["parameters"] == network["parameters"]
        assert totals["parameters"] + network.get("others", 0) == network["published_parameters"]
    if "giga_macs" in network:
        assert f"{totals['macs'] / 1e9:.2f}" == network["giga_macs"]
    if "giga_macs_cut" in network:
        assert str(totals["macs"] // 10**8 / 10) == network["giga_macs_cut"]
    if "mega_macs" in network:
        assert f"{totals['macs'] / 1e6:.0f}" == network["mega_macs"]
    for number, field in network.get("receptive_fields", ()):
        assert found["layers"][number - 1]["receptive_field"] == field, number
    for name in ("receptive_field", "jump"):
        assert last[name] == network.get(name, last[name])
    if "convolutions" in network:
        assert sum(layer["kind"] in ("conv", "transpose") for layer in found["layers"]) == network["convolutions"]
    assert totals["flops"] == 2 * totals["macs"]


def test_a_network_of_torchs_has_as_many_parameters() -> None:
    """The generator of DCGAN, built as its authors' example builds it."""
    widths = (100, 512, 256, 128, 64, 3)
    built = nn.Sequential(
        *(
            nn.ConvTranspose2d(inputs, outputs, 4, 1 if not number else 2, 0 if not number else 1, bias=False)
            for number, (inputs, outputs) in enumerate(pairwise(widths))
        )
    )
    network = next(network for network in NETWORKS if network["name"].startswith("DCGAN"))
    assert sum(weights.numel() for weights in built.parameters()) == network["parameters"]
    with torch.no_grad():
        assert built(torch.zeros(1, 100, 1, 1)).shape == (1, *network["outputs"][-1][1:], 64)


def test_which_tiles_a_padded_unet_returns() -> None:
    """Four poolings by two: "multiples of 16"."""
    unet = next(network for network in NETWORKS if network["name"] == "U-Net")
    padded = {**unet, "size": 512, "layers": unet["layers"].replace("conv:k3", "conv:k3,p1")}
    found = document(padded)
    assert found["returns"] is True
    assert found["returning_sizes"]["height"] == {
        "period": 16,
        "remainders": [0],
        "first": 16,
        "text": "multiples of 16",
    }
    assert document(unet)["returning_sizes"]["height"]["text"] == "no size"
