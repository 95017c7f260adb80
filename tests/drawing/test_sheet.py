"""Contact sheets: how tiles lie and captions are wrapped."""

from pathlib import Path

import pytest

from convcli.drawing.scene import Text, text_width, wrapped
from convcli.drawing.sheet import Thumbnail, columns_of, lay_out
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
