"""Tensors in .npy files that are none."""

import struct
from pathlib import Path

from support.cli import run


def test_a_npy_header_that_is_no_header(tmp_path: Path) -> None:
    """NumPy's parser of old headers raises tokenize's own error."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2"
    (tmp_path / "in.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    result = run("apply", tmp_path / "in.npy", "-k", "box", "-o", tmp_path / "out.npy")
    assert result.code == 2
    assert "not a valid .npy file" in result.err
