"""What the tests of runs share."""

from pathlib import Path

import numpy as np
import pytest

from support.pictures import write


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with photos/: 1.png, 2.ppm, sub/1.png, sub/deep/3.png, files that are no images, and hidden ones."""
    generator = np.random.default_rng(0)
    root = tmp_path / "photos"
    (root / "sub/deep").mkdir(parents=True)
    (root / ".hidden").mkdir()
    for name in ("1.png", "2.ppm", "sub/1.png", "sub/deep/3.png", ".4.png", ".hidden/5.png"):
        write(root / name, generator.integers(0, 256, (3, 6, 7), dtype=np.uint8))
    (root / "notes.txt").write_text("no image")
    (root / "Makefile").write_text("no image")
    (root / "folder.png").mkdir()
    return tmp_path
