"""Contact sheets: how tiles lie and captions are wrapped."""

from pathlib import Path

import pytest

from convcli.drawing.scene import Pixels, Text, text_width, wrapped
from convcli.drawing.sheet import GAP, PLAIN, Thumbnail, columns_of, lay_out
from support.cli import SAMPLES, done


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (3, 3), (7, 3), (8, 4), (20, 5), (64, 8), (2048, 64)])
def test_columns(count: int, columns: int) -> None:
    assert columns_of(count) == columns


def test_captions_are_wrapped() -> None:
    text = "0 is mid-gray where a channel has both signs, else black"
    lines = wrapped(text, 150, 12)
    assert " ".join(lines) == text
    assert all(text_width(line, 12) <= 150 for line in lines)
    assert wrapped("a " + "b" * 45, 150, 12) == ["a", "b" * 20, "b" * 20, "b" * 5]  # 20 letters fit


def test_ranges_stand_below_the_names_where_there_is_no_room_beside(tmp_path: Path) -> None:
    """Tiles of 96 pixels hold "R sobel-x" at 12 and "−876…824" at 11 pixels, but not beside each other."""
    picture = done("apply", SAMPLES / "tiny.png", "-k", "sobel-x", "--montage", "-o", tmp_path / "m.png", "--json").json
    assert picture["output"] == str(tmp_path / "m.png")
    tiles = [Thumbnail("R sobel-x", None, "−876…824"), Thumbnail("G", None, "0…1")]
    laid = lay_out(tiles, (90, 96), "title", "caption", 2)
    placed = {shape.text: shape for shape in laid.scene.shapes if isinstance(shape, Text)}
    assert placed["−876…824"].y > placed["R sobel-x"].y + 8
    assert placed["−876…824"].y + 4 < laid.places[0][1]
    wide = lay_out(tiles, (90, 200), "title", "caption", 2)
    texts = {shape.text: shape for shape in wide.scene.shapes if isinstance(shape, Text)}
    assert texts["−876…824"].y == texts["R sobel-x"].y


def sizes(width: int) -> tuple[float, float]:
    """The font sizes of the title and of a label on a sheet of two tiles of this width."""
    laid = lay_out([Thumbnail("R sobel-x"), Thumbnail("G")], (90, width), "title", "caption", 2)
    placed = {shape.text: shape.size for shape in laid.scene.shapes if isinstance(shape, Text)}
    return placed["title"], placed["R sobel-x"]


def test_texts_grow_with_the_sheet() -> None:
    """Made smaller to the same width, a wide sheet has texts of the same size."""
    assert sizes(200) == sizes(300) == (16, 12)
    title, label = sizes(900)
    inner = 2 * 900 + GAP
    assert title == pytest.approx(16 * inner / PLAIN)
    assert label == pytest.approx(12 * inner / PLAIN)


def test_icons_grow_and_keep_off_the_label() -> None:
    """A 3×3 icon in a line of 18 pixels is 15 wide, in one of 51 pixels 48."""
    tile = Thumbnail("name", icon=(("#000000",) * 3,) * 3)
    for width, wide in ((200, 15), (900, 48)):
        shapes = lay_out([tile, tile], (90, width), "title", "caption", 2).scene.shapes
        icon = next(shape for shape in shapes if isinstance(shape, Pixels))
        label = next(shape for shape in shapes if isinstance(shape, Text) and shape.text == "name")
        assert (icon.width, icon.height) == (wide, wide)
        assert label.x - icon.x - icon.width >= wide / 4
