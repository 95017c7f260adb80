"""animate: films, their frames and their files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convcli

IMAGE = np.arange(12.0).reshape(3, 4)


def test_a_film_of_numbers() -> None:
    film = convcli.animate(IMAGE, "1,0;0,-1")
    assert len(film) == len(film.frames) == 6
    np.testing.assert_array_equal(film.values.output, convcli.conv2d(IMAGE, "1,0;0,-1"))
    first, last = film.frames[0], film.frames[-1]
    assert first.dtype == np.uint8
    assert first.shape == last.shape
    assert first.shape[2] == 3
    assert (first != last).any()
    assert len(film.frames[1:3]) == 2
    assert sum(1 for _ in film.frames) == 6
    with pytest.raises(IndexError):
        film.frames[6]


def test_a_film_of_sizes() -> None:
    film = convcli.animate((4, 5), (2, 3), transpose=True, stride=2)
    assert repr(film) == "Animation(4×5 → 8×11, 88 frames)"
    assert film.values.output is None
    assert film.timeline.geometry.transpose
    assert convcli.animate(5, "sobel-x").values.kernel is not None


def test_channels() -> None:
    colour = np.stack([IMAGE, 2 * IMAGE])
    np.testing.assert_array_equal(convcli.animate(colour, "box:2", channel=1).values.input, 2 * IMAGE)
    np.testing.assert_array_equal(
        convcli.animate(np.moveaxis(colour, 0, -1), "box:2", channel=-1, channel_axis=-1).values.input, 2 * IMAGE
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((IMAGE, "sobel"), "sobel-x, sobel-y"),
        ((IMAGE, 3), "is a size, and the image has values"),
        ((IMAGE, np.ones((1, 1, 3, 3))), "4-D weights are not animated"),
        ((np.stack([[IMAGE]] * 2), "box:3"), "batch of 2"),
        ((500, 3), "248004 frames"),
        ((0, 3), "size"),
    ],
)
def test_what_is_not_animated(arguments: tuple[object, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        convcli.animate(*arguments)


def test_it_shows_itself() -> None:
    film = convcli.animate(4, 3, title="a lesson")
    shown = film._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html", "image/svg+xml"}
    root = ET.fromstring(shown["image/svg+xml"])
    assert "<animate" in film.svg
    assert "a lesson" in "".join(root.itertext())
    assert "<animate" not in film.still(-1)
    with pytest.raises(ValueError, match="use 0 to 3"):
        film.still(4)


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "svg"])
def test_it_is_saved(ending: str, tmp_path: Path) -> None:
    film = convcli.animate(4, 3, fps=4)
    film.save(tmp_path / f"a.{ending}")
    if ending == "svg":
        assert (tmp_path / "a.svg").read_text() == film.svg
        return
    with Image.open(tmp_path / f"a.{ending}") as picture:
        assert picture.n_frames == 4


def test_files_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.mp4' is not for an animation"):
        convcli.animate(4, 3).save(tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())
