"""C libraries are kept quiet."""

import os
from pathlib import Path

import numpy as np
import pytest

from convcli.system.context import Context
from convcli.system.silence import silent
from support.cli import binary
from support.pictures import write

PIXELS = np.random.default_rng(5).integers(0, 256, (12, 10, 3), dtype=np.uint8)


def test_c_libraries_do_not_talk_before_the_error(tmp_path: Path) -> None:
    """libtiff writes to the process's standard error, past Python."""
    path = write(tmp_path / "in.tif", np.moveaxis(PIXELS, -1, 0), compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    data[8:60] = bytes([255]) * 52
    path.write_bytes(data)
    result = binary("apply", path, "-k", "box", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_silent_keeps_and_restores_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with Context(owns_process=True):
        with silent():
            os.write(2, b"of a library")
        os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"
