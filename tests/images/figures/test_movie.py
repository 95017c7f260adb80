"""Films are what their frames are."""

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convcli.animation import stage
from convcli.animation.stage import Look
from convcli.animation.timeline import Values, timeline_of
from convcli.convspec import ConvSpec
from convcli.drawing import reel as reels
from convcli.drawing.colors import channels
from convcli.drawing.scene import Rect
from convcli.errors import ImageError
from convcli.geometry import Pads, Pair
from convcli.images.figures import movie, raster
from convcli.presenters.filmed import document
from support.animations import small
from support.figures import SVG


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("container", ["GIF", "PNG", "WEBP"])
def test_films_have_the_frames_of_the_page(container: str, theme: str) -> None:
    whole = small(theme=theme)
    stream = io.BytesIO()
    movie.write(whole, stream, container, 1.5)
    with Image.open(stream) as image:
        assert image.n_frames == 9  # type: ignore[attr-defined]
        assert image.info["loop"] == 0
        durations = []
        for number in range(9):
            image.seek(number)
            shown = np.asarray(image.convert("RGB")).astype(int)
            durations.append(image.info["duration"])
            painted = raster.paint(whole.still(number), 1.5)
            assert shown.shape == painted.shape
            assert np.abs(shown - painted).mean() < 0.5
            fill = [shape for shape in whole.frames[number].moving if isinstance(shape, Rect) and shape.fill]
            for shape in fill:
                y, x = int((shape.y + 3) * 1.5), int((shape.x + 3) * 1.5)
                assert tuple(shown[y, x]) == channels(str(shape.fill))
        assert tuple(shown[0, 0]) == channels(whole.base.background)
    assert durations == [250] * 8 + [1750]


def test_gifs_are_small() -> None:
    stream = io.BytesIO()
    movie.write(small(), stream, "GIF")
    assert len(stream.getvalue()) < 40_000
    with Image.open(stream) as image:
        assert len(image.getcolors() or []) <= movie.COLORS


def test_films_without_end_are_refused() -> None:
    with pytest.raises(ImageError, match=r"use a smaller scale or cell, or write \.svg"):
        movie.write(small(), io.BytesIO(), "GIF", 100)


def test_one_frame_is_a_film_too() -> None:
    timeline = timeline_of(ConvSpec().resolve((2, 2), (2, 2)))
    whole = stage.film(timeline, Values(), Look())
    root = ElementTree.fromstring(reels.render(whole))
    assert not root.findall(f".//{SVG}animate")
    stream = io.BytesIO()
    movie.write(whole, stream, "GIF")
    with Image.open(stream) as image:
        assert getattr(image, "n_frames", 1) == 1


def test_the_document_is_the_film() -> None:
    timeline = timeline_of(ConvSpec(stride=Pair(2, 2), padding=Pads(1, 1, 1, 1)).resolve((3, 3), (3, 3)))
    values = Values([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]], [[1.0] * 3] * 3, [[12.0, 16], [24, 28]])
    one = document(timeline, values)
    assert one["grid"]["cells"][0] == ["padding"] * 5
    assert one["grid"]["cells"][1] == ["padding", *["input"] * 3, "padding"]
    assert len(one["frames"]) == 4
    frame = document(timeline, values, frame=3)["frames"][0]
    assert frame["frame"] == 3
    assert frame["output"] == (1, 1)
    assert frame["value"] == 28
    assert frame["window"] == {"top": 2, "left": 2, "height": 3, "width": 3}
    assert sum(tap["product"] for tap in frame["taps"]) == 28
    assert frame["taps"][0] == {
        "at": [2, 2], "kind": "input", "input": (1, 1), "kernel": (0, 0), "value": 5.0, "weight": 1.0, "product": 5.0,
    }  # fmt: skip
    assert frame["taps"][8]["input"] is None
