"""SPECs of several lines, and byte order marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.kernels import values

# --- SPEC: literals ---


def test_a_spec_of_several_lines_is_refused_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    from convcli.cli import main

    with pytest.raises(SystemExit) as caught:
        main(["apply", "samples/tiny.png", "-k", "1,2\n3,4", "-o", "-"])
    assert caught.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# The bias beside the weight; checkpoints; byte order marks


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("k.csv", "1,2\n3,4\n"), ("k.txt", "1 2\n3 4\n"), ("k.json", "[[1,2],[3,4]]"), ("k.mat", "2 2\n1 2\n3 4\n")],
)
def test_byte_order_marks(encoding: str, name: str, text: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding.startswith("utf-16-") else ""  # the others write it themselves
    (tmp_path / name).write_bytes((mark + text).encode(encoding))
    np.testing.assert_array_equal(values(str(tmp_path / name)), [[1, 2], [3, 4]])
