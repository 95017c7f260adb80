"""GIFs: 256 colours, transparency that is all or nothing, and times in hundredths."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.images.writing import gif
from support.cli import done
from support.pictures import GENERATOR, H, W, opened, write


def test_gif_of_256_colours_is_exact_and_of_more_says_so(tmp_path: Path) -> None:
    colours = GENERATOR.integers(0, 256, (256, 3), np.uint8)
    write(tmp_path / "in.png", np.moveaxis(colours[np.arange(256).reshape(16, 16)], -1, 0))
    result = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif")
    assert result.err == ""
    np.testing.assert_array_equal(
        np.array(opened(tmp_path / "out.gif").convert("RGB")), np.array(opened(tmp_path / "in.png"))
    )
    write(tmp_path / "in.png", GENERATOR.integers(0, 256, (3, 20, 20), np.uint8))
    assert "256 colours" in done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif").err


def frames(*shades: int) -> list[Image.Image]:
    return [Image.new("L", (W, H), shade) for shade in shades]


@pytest.mark.parametrize(
    ("given", "kept", "told"),
    [
        ([5, 15, 16, 33, 7], [10, 10, 20, 30, 10], True),  # 76 in all become 80
        ([16.25, 16.25, 16.25, 16.25], [20, 10, 20, 20], True),
        ([100, 0, 40], [100, 0, 40], False),
    ],
)
def test_gif_times_are_rounded_and_keep_the_whole(
    given: list[float], kept: list[int], told: bool, tmp_path: Path
) -> None:
    first, *rest = frames(*range(1, 1 + len(given)))
    first.save(tmp_path / "in.png", save_all=True, append_images=rest, duration=given)
    result = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif")
    assert ("times of its frames are rounded" in result.err) == told
    found = []
    with Image.open(tmp_path / "out.gif") as image:
        for number in range(image.n_frames):
            image.seek(number)
            found.append(image.info.get("duration", 0))
    assert found == kept


def test_partial_transparency_in_a_gif_is_named(tmp_path: Path) -> None:
    planes = np.full((4, 7, 9), 255, np.uint8)
    planes[3, 0] = 0
    path = write(tmp_path / "in.png", planes)
    assert done("apply", path, "-k", "identity", "-o", tmp_path / "out.gif").err == ""
    planes[3, 1] = 100
    write(path, planes)
    assert "transparent" in done("apply", path, "-k", "identity", "-o", tmp_path / "out.gif").err


@pytest.mark.parametrize(("alpha", "transparent"), [(0, True), (127, True), (128, False), (255, False)])
def test_less_than_half_opaque_is_transparent(alpha: int, transparent: bool) -> None:
    pixels = np.full((2, 3, 4), 200, np.uint8)
    pixels[..., 3] = 255
    pixels[0, 1, 3] = alpha
    image, exact = gif.paletted(pixels)
    assert exact
    found = np.asarray(image.convert("RGBA"))[..., 3]
    expected = np.full((2, 3), 255)
    expected[0, 1] = 0 if transparent else 255
    np.testing.assert_array_equal(found, expected)
