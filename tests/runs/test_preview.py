"""``convcli kernel NAME --on IMAGE -o FILE.png``: a picture before and after, and the kernel between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from convcli.drawing.colors import LIGHT
from convcli.drawing.scene import Text
from convcli.drawing.sheet import GAP, MARGIN
from convcli.kernels import parse
from convcli.runs import preview
from support.cli import done, run
from support.pictures import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(4).integers(0, 256, (3, 220, 260), np.uint8)
    write(tmp_path / "a.png", pixels)
    write(tmp_path / "large.png", np.random.default_rng(4).integers(0, 256, (1, 500, 700), np.uint8))
    return tmp_path


def tiles(page: Path, size: tuple[int, int], count: int = 3) -> list[NDArray[np.uint8]]:
    """The pictures of a page whose tiles are in one row, found below their labels."""
    pixels = np.asarray(Image.open(page))
    height, width = size
    frame = np.array([0x6F] * 3)
    top = next(y for y in range(pixels.shape[0]) if (pixels[y, MARGIN : MARGIN + width] == frame).all()) + 1
    lefts = [MARGIN + number * (width + GAP) for number in range(count)]
    return [pixels[top : top + height, left : left + width] for left in lefts]


def test_before_and_after(folder: Path) -> None:
    """What is shown is the picture itself, and what the command in the caption makes of it."""
    done("kernel", "gaussian:2", "--on", "a.png", "-o", "seen.png", cwd=folder)
    done("apply", "a.png", "-k", "gaussian:2", "-p", "same", "--padding-mode", "replicate", "-o", "b.png", cwd=folder)
    before, kernel, after = tiles(folder / "seen.png", (220, 260))
    np.testing.assert_array_equal(before, np.asarray(Image.open(folder / "a.png")))
    np.testing.assert_array_equal(after, np.asarray(Image.open(folder / "b.png")))
    assert len(np.unique(kernel.reshape(-1, 3), axis=0)) > 10


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        ("sobel", "apply -p same"), ("sobel-x", "apply -p same --range offset"), ("kirsch", "apply -p same"),
        ("laplacian", "apply -p same --range offset"), ("box:2", "apply -p same"),
    ],
)  # fmt: skip
def test_signs_are_seen(kernel: str, options: str, folder: Path) -> None:
    command, *rest = options.split()
    done("kernel", kernel, "--on", "a.png", "-o", "seen.png", cwd=folder)
    done(command, "a.png", "-k", kernel, *rest, "--padding-mode", "replicate", "-o", "b.png", cwd=folder)
    *_, after = tiles(folder / "seen.png", (220, 260))
    np.testing.assert_array_equal(after, np.asarray(Image.open(folder / "b.png")))


def test_a_kernel_that_enlarges_is_shown_enlarging(folder: Path) -> None:
    done("kernel", "bilinear:2", "--on", "large.png", "-o", "seen.png", cwd=folder)
    line = ("-k", "bilinear:2", "-s", "2", "-p", "same-upper", "--padding-mode", "replicate", "-o", "b.png")
    done("transpose", "large.png", *line, cwd=folder)
    before, _, after = tiles(folder / "seen.png", (400, 400))
    middle = np.asarray(Image.open(folder / "large.png"))[150:350, 250:450]
    np.testing.assert_array_equal(before[..., 0], middle.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(after[..., 0], np.asarray(Image.open(folder / "b.png"))[300:700, 500:900])


def test_kernels_that_stay_apart_have_a_tile_each(folder: Path) -> None:
    done("kernel", "frei-chen", "--on", "a.png", "-o", "seen.png", cwd=folder)
    assert Image.open(folder / "seen.png").width > 2 * 260


def test_small_pictures_are_enlarged_and_opacity_shows_the_page(tmp_path: Path) -> None:
    pixels = np.full((4, 5, 5), 255, np.uint8)
    pixels[:3, 2, 2], pixels[3, 0, 0] = 0, 0
    write(tmp_path / "icon.png", pixels)
    done("kernel", "identity", "--on", "icon.png", "-o", "seen.png", "--theme", "dark", cwd=tmp_path)
    page = np.asarray(Image.open(tmp_path / "seen.png"))
    assert page.shape[1] == 3 * 200 + 2 * GAP + 2 * MARGIN
    assert (page == [0, 0, 0]).all(-1).sum() >= 2 * 40 * 40
    assert (page == [0x16, 0x19, 0x1D]).all(-1).sum() > 2 * 40 * 40


def test_sixteen_bits_and_standard_streams(folder: Path) -> None:
    write(folder / "deep.png", np.full((1, 300, 300), 32896, np.uint16))
    data = done("kernel", "box", "--on", "deep.png", "-o", "-", "--format", "png", cwd=folder).out
    (folder / "seen.png").write_bytes(data)
    before, _, after = tiles(folder / "seen.png", (300, 300))
    assert (before == 128).all()
    assert (after == 128).all()
    again = done(
        "kernel",
        "box",
        "--on",
        "-",
        "-o",
        "-",
        "--format",
        "png",
        "-q",
        cwd=folder,
        input=(folder / "deep.png").read_bytes(),
    )
    assert again.out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sobel --on a.png", "--on a.png has no output: add -o FILE.png"),
        ("sobel --on a.png -o seen.svg", "is not a picture: use .png"),
        ("sobel --on a.png -o k.csv", "is not a picture: use .png"),
        ("sobel box --on a.png -o seen.png", "is for one kernel"),
        ("--on a.png -o seen.png", "is for one kernel"),
        ("sobel --on a.png -o a.png", "is the picture that is read"),
        ("sobel --on no.png -o seen.png", "'no.png' cannot be read"),
        ("sobel --on maps.npy -o seen.png", "is tensor: use a picture that is gray or RGB"),
        ("sobel-x --op conv --on a.png -o seen.png", "exclude each other"),
    ],
)
def test_what_is_refused(line: str, words: str, folder: Path) -> None:
    np.save(folder / "maps.npy", np.zeros((7, 9, 9)))
    before = (folder / "a.png").read_bytes()
    result = run("kernel", *line.split(), cwd=folder)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
    assert not (folder / "seen.png").exists()
    assert (folder / "a.png").read_bytes() == before


def numbers(kernel: str, size: tuple[int, int] = (200, 300)) -> dict[str, float]:
    """The texts in the tile of a kernel, and their font sizes."""
    shapes = preview._kernels(parse(kernel).kernels, (0, 0), size, LIGHT)
    return {shape.text: shape.size for shape in shapes if isinstance(shape, Text)}


def test_numbers_of_a_kernel_where_they_can_be_read() -> None:
    assert set(numbers("sharpen")) == {"−1", "0", "5"}
    assert set(numbers("sobel")) == {"−2", "−1", "0", "1", "2"}
    assert set(numbers("binomial:3")) == {"1", "2", "4", "× 1/16"}
    assert min(numbers("binomial:3").values()) >= preview.READABLE
    assert numbers("gaussian:2") == {}  # 13×13
    assert numbers("frei-chen") == {}  # nine kernels
    assert numbers("sharpen", (40, 40)) == {}
