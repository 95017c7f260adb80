"""Values are kept as they are meant: transparency under gray, dtypes of tensors, luminance, large integers."""

from pathlib import Path

import numpy as np
import pytest
from cli import done, read, write


def test_gray_blur_weighs_by_opacity(tmp_path: Path) -> None:
    """White beside transparent black stays white."""
    planes = np.zeros((4, 9, 20), np.uint8)
    planes[:, :, :10] = 255
    write(tmp_path / "in.png", planes)
    options = ("-k", "gaussian:3", "--channels", "gray", "-p", "same", "--padding-mode", "replicate")
    done("apply", "in.png", *options, "-o", "out.png", cwd=tmp_path)
    gray, opacity = read(tmp_path / "out.png")
    assert (gray[opacity > 0] == 255).all()
    assert 0 < opacity[4, 10] < 255


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("backend", ["numpy", "reference"])
@pytest.mark.parametrize("channels", ["each", "gray"])
def test_a_tensor_keeps_its_dtype(dtype: str, backend: str, channels: str, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.ones((3, 9, 9), dtype))
    options = ("-k", "box", "--backend", backend, "--channels", channels)
    done("apply", "in.npy", *options, "-o", "out.npy", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy").dtype == dtype
    done("apply", "in.npy", *options, "--dtype", "float64", "-o", "out.npy", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy").dtype == np.float64


def test_values_beyond_the_dtype_are_spoken_of(tmp_path: Path) -> None:
    values = np.ones((1, 1, 9), np.float16)
    values[..., :3] = 60000
    np.save(tmp_path / "in.npy", values)
    result = done("apply", "in.npy", "-k", "2", "-o", "out.npy", "-q", cwd=tmp_path)
    assert "3 values are beyond float16 and become infinite: use --dtype float32" in result.err
    assert np.isinf(np.load(tmp_path / "out.npy")).sum() == 3


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
def test_large_integers_are_spoken_of(dtype: str, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.full((1, 3, 3), 2**24 + 1, dtype))
    command = ("apply", "in.npy", "-k", "identity", "-o", "out.npy", "-q")
    assert "--dtype float64" in done(*command, cwd=tmp_path).err
    assert done(*command, "--dtype", "float64", cwd=tmp_path).err == ""
    assert (np.load(tmp_path / "out.npy") == 2**24 + 1).all()


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
