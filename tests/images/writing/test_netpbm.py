"""PGM and PPM."""

from pathlib import Path

import numpy as np

from support.cli import done
from support.pictures import write


def test_colours_under_a_name_for_gray(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((3, 5, 5), np.uint8))
    assert "has colours" in done("apply", "in.png", "-k", "box:3", "-o", "out.pgm", cwd=tmp_path).err
    more = ("--channels", "gray", "--overwrite")
    assert "has colours" not in done("apply", "in.png", "-k", "box:3", "-o", "out.pgm", *more, cwd=tmp_path).err
