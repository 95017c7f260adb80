"""What the tests of runs share."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from support.cli import done
from support.pictures import write
from support.scenes import COUNT, OPERATION


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


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with in.tif, a picture of `COUNT` blocks."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 3000, 3), np.uint8)
    pixels[:600, :600] = 0
    tifffile.imwrite(folder / "in.tif", pixels, tile=(256, 256), photometric="rgb")
    return folder


@pytest.fixture(scope="module")
def whole(scenes: Path) -> tuple[np.ndarray, Any]:
    """The result without a cluster, and what was told of it."""
    told = done("apply", scenes / "in.tif", *OPERATION, "-o", scenes / "whole.tif", "--json").json
    assert told["blocks"]["count"] == COUNT
    return tifffile.imread(scenes / "whole.tif"), told
