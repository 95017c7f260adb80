"""What a decoded picture is called."""

from pathlib import Path

import pytest
from PIL import Image

from support.cli import done


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "gray"), ("LA", "gray-alpha"), ("RGB", "rgb"), ("RGBA", "rgba"), ("CMYK", "cmyk")]
)
def test_the_table_names_the_mode(mode: str, name: str, tmp_path: Path) -> None:
    Image.new(mode, (9, 7)).save(tmp_path / "in.tif")
    table = done("apply", tmp_path / "in.tif", "-k", "box", "-o", tmp_path / "out.tif").table
    assert table["input"].split()[-1] == name
