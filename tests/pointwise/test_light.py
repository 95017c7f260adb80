"""Linear light."""

from pathlib import Path

import numpy as np

from support.cli import done
from support.pictures import read, write


def test_linear_light_in_float64(tmp_path: Path) -> None:
    """Colour 128 of 255, decoded by IEC 61966-2-1, to more digits than float32 has."""
    write(tmp_path / "in.png", np.full((3, 3, 3), 128, np.uint8))
    command = ("apply", "in.png", "-k", "1", "--linear", "--dtype", "float64", "-o", "out.npy")
    done(*command, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), 128, rtol=1e-12)


def test_gray_of_linear_light_is_luminance(tmp_path: Path) -> None:
    write(tmp_path / "green.png", np.stack([np.full((3, 3), value, np.uint8) for value in (0, 255, 0)]))
    command = ("apply", "green.png", "-k", "1", "--channels", "gray", "-o", "out.png")
    done(*command, cwd=tmp_path)
    assert (read(tmp_path / "out.png") == round(0.587 * 255)).all()
    done(*command, "--linear", cwd=tmp_path)
    assert (read(tmp_path / "out.png") == round((1.055 * 0.7152 ** (1 / 2.4) - 0.055) * 255)).all()
