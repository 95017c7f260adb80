"""Where in the picture the explained pixels are."""

from pathlib import Path

import numpy as np
import pytest

from convcli.convspec import ConvSpec
from convcli.drawing.colors import LIGHT
from convcli.drawing.scene import Pixels, Rect, Text
from convcli.explanation import inset, pixel, subject
from convcli.explanation.touched import touched
from convcli.geometry import Pads, Pair
from convcli.runs.operation import assemble
from support.pictures import write


def fitted(tmp_path: Path, size: tuple[int, int], spec: ConvSpec, kernel: str = "sobel-x") -> subject.Subject:
    pixels = np.random.default_rng(1).integers(0, 256, (3, *size), dtype=np.uint8)
    return subject.load(str(write(tmp_path / "a.png", pixels)), assemble(spec, [kernel]))


def mark(answer: pixel.Pixel) -> tuple[float, float, float, float]:
    """The top, left, bottom and right of the mark, in pixels of a picture that is drawn three times as large."""
    shapes, _, _ = inset.inset(answer, 100, 50, LIGHT)
    box = shapes[-1]
    assert isinstance(box, Rect)
    return (box.y - 76) / 3, (box.x - 100) / 3, (box.y - 76 + box.height) / 3, (box.x - 100 + box.width) / 3


@pytest.mark.parametrize(
    ("spec", "at", "expected"),
    [
        (ConvSpec(), (10, 20), (10, 20, 13, 23)),
        (ConvSpec(stride=Pair(2, 3), dilation=Pair(2, 2)), (4, 5), (8, 15, 13, 20)),
        (ConvSpec(padding=Pads(1, 1, 1, 1)), (0, 0), (0, 0, 2, 2)),  # what is read of the picture itself
        (ConvSpec(padding=Pads(1, 1, 1, 1), padding_mode="reflect"), (39, 49), (38, 48, 40, 50)),
        (ConvSpec(transpose=True, stride=Pair(1, 1)), (10, 20), (8, 18, 11, 21)),
    ],
)
def test_the_window_is_marked(
    spec: ConvSpec, at: tuple[int, int], expected: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inset, "LEAST", 0)
    assert mark(pixel.explain(fitted(tmp_path, (40, 50), spec), at)) == pytest.approx(expected)


def test_a_small_mark_can_be_seen(tmp_path: Path) -> None:
    """One pixel of 600 is a quarter of a pixel of the figure."""
    shapes, right, bottom = inset.inset(touched(fitted(tmp_path, (400, 600), ConvSpec()), (200, 300)), 10, 20, LIGHT)
    title, picture, *_, box = shapes
    assert isinstance(title, Text)
    assert title.text == "where the pixel is"
    assert isinstance(picture, Pixels)
    assert (picture.width, picture.height) == (150, 100)
    assert (len(picture.rows[0]), len(picture.rows)) == (300, 200)
    assert isinstance(box, Rect)
    assert (box.width, box.height) == (inset.LEAST, inset.LEAST)
    assert (box.x + box.width / 2 - 10, box.y + box.height / 2 - 46) == pytest.approx((300.5 / 4, 200.5 / 4))
    assert right >= 160
    assert bottom == 146


@pytest.mark.parametrize(
    ("size", "spec", "at"),
    [((3, 3), ConvSpec(), (0, 0)), ((9, 9), ConvSpec(padding=Pads(5, 5, 5, 5)), (0, 0))],
    ids=["all is read", "nothing is read"],
)
def test_none_where_it_says_nothing(size: tuple[int, int], spec: ConvSpec, at: tuple[int, int], tmp_path: Path) -> None:
    assert inset.inset(pixel.explain(fitted(tmp_path, size, spec), at), 10, 20, LIGHT) == ([], 10, 20)


def test_none_for_tensors(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((5, 9, 9), np.float32))
    answer = pixel.explain(subject.load(str(tmp_path / "a.npy"), assemble(ConvSpec(), ["box:3"])), (0, 0))
    assert inset.inset(answer, 10, 20, LIGHT) == ([], 10, 20)
