"""What a Zarr says of its picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.images.directories import RATIONAL, SHORT, entry
from convcli.images.picture import Metadata
from convcli.images.writing.blocks import ome
from support.blocks import layout_for, picture

INCHES = {282: entry(RATIONAL, 254), 283: entry(RATIONAL, 508), 296: entry(SHORT, 2)}


def scales(metadata: Metadata, tmp_path: Path, **more: Any) -> dict[str, Any]:
    layout = layout_for(tmp_path, "ZARR", picture(4, 4), metadata=metadata, **more)
    found = ome.attributes(layout, 3)["ome"]
    assert found["version"] == "0.5"
    (scale,) = found["multiscales"]
    return scale


@pytest.mark.parametrize(
    ("metadata", "pixel"),
    [
        (Metadata(), None),
        (Metadata(dpi=(254.0, 508.0)), (50, 100)),
        (Metadata(resolution=INCHES), (50, 100)),
        (Metadata(resolution=INCHES | {296: entry(SHORT, 3)}, dpi=(1, 1)), (10000 / 508, 10000 / 254)),
        (Metadata(resolution=INCHES | {296: entry(SHORT, 1)}), None),
        (Metadata(resolution={tag: INCHES[tag] for tag in (282, 283)}), (50, 100)),
    ],
)
def test_the_size_of_pixels(metadata: Metadata, pixel: tuple[float, float] | None, tmp_path: Path) -> None:
    found = scales(metadata, tmp_path)
    units = [axis.get("unit") for axis in found["axes"]]
    assert units == [None, *["micrometer" if pixel else None] * 2]
    assert [axis["name"] for axis in found["axes"]] == ["c", "y", "x"]
    (scale,) = found["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == pytest.approx([1, *(pixel or (1, 1))])


def test_the_size_that_is_given_comes_first(tmp_path: Path) -> None:
    found = scales(Metadata(resolution=INCHES), tmp_path, pixel=(0.5, 0.25))
    assert found["name"] == "picture"
    assert [one["path"] for one in found["datasets"]] == ["0", "1", "2"]
    scale, move = found["datasets"][2]["coordinateTransformations"]
    assert scale == {"type": "scale", "scale": [1, 2, 1]}
    # the first pixel of four times the side has its centre 1.5 pixels further
    assert move == {"type": "translation", "translation": [0, 0.75, 0.375]}


@pytest.mark.parametrize(("channels", "space", "labels"), [
    (3, "rgb", ["Red", "Green", "Blue"]), (4, "rgb", ["Red", "Green", "Blue", "Alpha"]), (3, "tensor", None), (1, "gray", None),
])  # fmt: skip
def test_colours_are_shown_as_colours(channels: int, space: str, labels: list[str] | None, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, "ZARR", np.zeros((4, 4, channels), np.uint16), space=space)
    found = ome.attributes(layout, 1)["ome"].get("omero")
    if labels is None:
        assert found is None
        return
    assert [one["label"] for one in found["channels"]] == labels
    assert [one["color"] for one in found["channels"][:3]] == ["FF0000", "00FF00", "0000FF"]
    assert found["channels"][0]["window"] == {"start": 0, "end": 65535, "min": 0, "max": 65535}
    assert [one["active"] for one in found["channels"]] == [True] * 3 + [False] * (channels - 3)
