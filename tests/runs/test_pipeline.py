"""Values beyond the dtype of a computation are spoken of."""

from pathlib import Path

import numpy as np
import pytest

from support.cli import done


def test_values_beyond_the_dtype_are_spoken_of(tmp_path: Path) -> None:
    values = np.ones((1, 1, 9), np.float16)
    values[..., :3] = 60000
    np.save(tmp_path / "in.npy", values)
    result = done("apply", "in.npy", "-k", "2.0", "-o", "out.npy", "-q", cwd=tmp_path)
    assert "3 values are beyond float16 and become infinite: use --dtype float32" in result.err
    assert np.isinf(np.load(tmp_path / "out.npy")).sum() == 3


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
def test_large_integers_are_spoken_of(dtype: str, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.full((1, 3, 3), 2**24 + 1, dtype))
    command = ("apply", "in.npy", "-k", "identity", "-o", "out.npy", "-q")
    assert "--dtype float64" in done(*command, cwd=tmp_path).err
    assert done(*command, "--dtype", "float64", cwd=tmp_path).err == ""
    assert (np.load(tmp_path / "out.npy") == 2**24 + 1).all()
