"""The limit on pixels, and files that promise more than there is."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from support.cli import binary, done, run
from support.pictures import H, W, chunk, integers, write


def test_the_limit_counts_all_frames_and_tensors(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1)) for _ in range(3)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "in.tif", save_all=True, append_images=frames[1:])
    np.save(tmp_path / "in.npy", np.ones((3, 5, H, W), np.float32))
    for name in ("in.gif", "in.tif", "in.npy"):
        pixels = 3 * H * W
        result = run("apply", tmp_path / name, "-k", "identity", "--max-pixels", pixels - 1, "-o", tmp_path / "out.npy")
        assert result.code == 2
        assert f"{pixels} pixels" in result.err
        assert f"--max-pixels {pixels}" in result.err
        done("apply", tmp_path / name, "-k", "identity", "--max-pixels", pixels, "-o", tmp_path / "out.npy")


def test_the_limit_of_the_environment(tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", integers(3, "uint8"))
    result = binary("apply", source, "-k", "identity", "-o", tmp_path / "out.png", CONVCLI_MAX_PIXELS="0.1k")
    assert result.code == 2
    result = binary("apply", source, "-k", "identity", "-o", tmp_path / "out.png", CONVCLI_MAX_PIXELS="100")
    assert f"{H * W} pixels" in result.err
    assert binary("apply", source, "-k", "identity", "-o", tmp_path / "out.png", CONVCLI_MAX_PIXELS="1k").code == 0


def test_a_bomb_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that promises 10 gigapixels in a file of 100 bytes; beyond memory, with the limit lifted."""
    from convcli.system import memory

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda image: pytest.fail("it is decoded"))
    monkeypatch.setattr(memory, "total_bytes", lambda: 16e9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    body = header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "in.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    result = run("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert "10000000000 pixels" in result.err
    result = run("apply", tmp_path / "in.png", "-k", "identity", "--max-pixels", "900G", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert "and needs 65.2 GiB, this machine has 14.9" in result.err  # 7 bytes for each pixel


@pytest.mark.parametrize("command", ["compare in.png -k box --repeats 1", "explain in.png -k box --at 0,0"])
def test_the_limit_on_pixels_elsewhere(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in.png", np.zeros((1, 9, 9), np.uint8))
    done(*command.split(), "--max-pixels", 81, cwd=tmp_path)
    assert "use --max-pixels 81" in run(*command.split(), "--max-pixels", 80, cwd=tmp_path).err
    monkeypatch.setenv("CONVCLI_MAX_PIXELS", "80")
    assert run(*command.split(), cwd=tmp_path).code == 2
