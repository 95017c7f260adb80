"""Tensors keep their dtype."""

from pathlib import Path

import numpy as np
import pytest

from support.cli import done


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
