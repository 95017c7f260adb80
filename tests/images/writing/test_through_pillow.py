"""What Pillow's encoders refuse is one line."""

from pathlib import Path

import pytest
from PIL import Image

from support.cli import SAMPLES, run


def test_any_exception_of_an_encoder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("odd\nand long")

    monkeypatch.setitem(Image.SAVE, "JPEG", fail)
    result = run("apply", SAMPLES / "tiny.png", "-k", "box", "-o", tmp_path / "out.jpg")
    assert result.code == 2
    assert "cannot be written as JPEG (odd)" in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["out.palm", "out.xbm", "out.wmf", "out.h5"])
def test_formats_without_gray_and_colour_are_refused(name: str, tmp_path: Path) -> None:
    result = run("apply", SAMPLES / "tiny.png", "-k", "box", "-o", tmp_path / name)
    assert result.code == 2
    assert "use png" in result.err
