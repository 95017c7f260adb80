"""PGM and PPM."""

from pathlib import Path

import numpy as np
import pytest

from convcli.pointwise.lift import LUMA
from support.cli import done
from support.pictures import RGB, read, write

IDENTITY = ("apply", "in.png", "-k", "identity")


def test_colours_under_a_name_for_gray_become_gray(tmp_path: Path) -> None:
    write(tmp_path / "in.png", RGB)
    expected = np.rint(np.tensordot(np.array(LUMA), RGB.astype(float), 1))
    assert "its colours became gray" in done(*IDENTITY, "-o", "out.pgm", cwd=tmp_path).err
    np.testing.assert_array_equal(read(tmp_path / "out.pgm")[0], expected)
    assert (tmp_path / "out.pgm").read_bytes().startswith(b"P5\n")
    shapes = done(*IDENTITY, "-o", "out.pgm", "--json", cwd=tmp_path).json
    assert (shapes["input_shape"][0], shapes["output_shape"]) == (3, [1, *shapes["input_shape"][1:]])
    streamed = done(*IDENTITY, "-o", "-", "--format", "pgm", cwd=tmp_path)
    assert streamed.out == (tmp_path / "out.pgm").read_bytes()
    assert "its colours became gray" in streamed.err


@pytest.mark.parametrize("more", [("-o", "out.ppm"), ("-o", "out.pnm"), ("--channels", "gray", "-o", "out.pgm")])
def test_other_names_and_gray_need_no_remark(more: tuple[str, ...], tmp_path: Path) -> None:
    write(tmp_path / "in.png", RGB)
    assert done(*IDENTITY, *more, cwd=tmp_path).err == ""
    assert (tmp_path / more[-1]).read_bytes().startswith(b"P5" if "gray" in more else b"P6")
