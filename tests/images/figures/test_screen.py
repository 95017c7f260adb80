"""A picture as it is seen on a page."""

import numpy as np

from convcli.images import Picture
from convcli.images.figures import screen


def test_gray_and_alpha_are_seen_over_the_page() -> None:
    """White is 65535. A half transparent black on a page of 200 is 100."""
    colour = np.array([[[65535, 0, 0]]], np.uint16)
    alpha = np.array([[65535, 65535 // 2, 0]], np.uint16)
    seen = screen.levels(Picture(colour, alpha, "gray", 65535.0), "#c8c8c8")
    assert seen[0, :, 0].tolist() == [255, 100, 200]
    assert (seen[..., 0] == seen[..., 2]).all()


def test_a_thumbnail_has_means_of_blocks() -> None:
    colour = np.array([[[0, 10, 20, 30, 255]] * 3], np.uint8)
    assert screen.thumbnail(Picture(colour, None, "gray", 255.0), 5, "#ffffff")[0][3] == "#1e1e1e"
    small = screen.thumbnail(Picture(colour, None, "gray", 255.0), 2, "#ffffff")
    assert small == (("#050505", "#666666"),)  # means of 0 and 10, and of 20, 30 and 255


def test_a_thumbnail_of_a_large_picture_keeps_its_shape() -> None:
    colour = np.zeros((3, 700, 1403), np.uint8)
    colour[0] = 255
    small = screen.thumbnail(Picture(colour, None, "rgb", 255.0), 20, "#ffffff")
    assert (len(small), len(small[0])) == (10, 20)
    assert {color for row in small for color in row} == {"#ff0000"}
    line = screen.thumbnail(Picture(colour[:, :1], None, "rgb", 255.0), 20, "#ffffff")
    assert (len(line), len(line[0])) == (1, 20)
