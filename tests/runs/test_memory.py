"""The memory that an operation takes: known before anything is computed, and as little as is said."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.cli import done, environment, run
from support.pictures import write


@pytest.mark.parametrize(
    ("line", "megabytes"),
    [
        # 1000 × 1000 pixels: RGB 3 MB as bytes, 12 MB as real numbers
        ("apply in.png -k identity -o out.png", 7),  # to decode it, four bytes of Pillow's and three of ours
        ("apply in.png -k identity -k box -k box -o out.npy", 36 + 36),
        ("transpose in.png -k bilinear:2 -s 4 --backend numpy -o out.png", 3 + 48),
        ("apply in.png -k box --backend torch -o out.png", 3 + 12 + 12 + 3),
        ("transpose in.png -k bilinear:2 -s 4 --linear --range minmax --backend numpy -o out.png", 3 + 48),
        ("transpose alpha.png -k bilinear:2 -s 4 --backend numpy -o out.png", 4 + 64),
        ("transpose alpha.png -k bilinear:2 -s 4 --alpha keep -o out.png", 64 + 64),
        ("apply in.png -k box --linear --backend torch -o out.png", 3 + 12 + 12 + 12 + 3),
        ("apply in.png -k identity -o out.webp", 3 + 41),
        ("apply in.png -k identity -o out.gif", 3 + 31),
    ],
)
def test_the_need_is_known_before_anything_is_computed(
    line: str, megabytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth less memory than it takes is refused, a tenth more is enough."""
    from convcli.system import memory

    write(tmp_path / "in.png", np.zeros((3, 1000, 1000), np.uint8))
    write(tmp_path / "alpha.png", np.zeros((4, 1000, 1000), np.uint8))
    monkeypatch.setattr(memory, "total_bytes", lambda: 0.9 * megabytes * 1e6)
    result = run(*line.split(), cwd=tmp_path)
    assert result.code == 2
    assert "GiB" in result.err
    assert len(result.err.splitlines()) == 1
    assert not list(tmp_path.glob("out.*"))
    monkeypatch.setattr(memory, "total_bytes", lambda: 1.1 * megabytes * 1e6)
    done(*line.split(), cwd=tmp_path)


def peak(*args: object, cwd: Path) -> int:
    """The bytes that the real program held at once."""
    command = [sys.executable, "-m", "convcli", *map(str, args), "-q"]
    code = (
        f"import os, resource, subprocess, sys; subprocess.run({command}, check=True, stdout=subprocess.DEVNULL); "
        + ("print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment(), capture_output=True, timeout=120, check=True
    )
    return int(ended.stdout) * (1 if sys.platform == "darwin" else 1024)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 20 megapixels, in colour, gray and with opacity, and a few pixels."""
    folder = tmp_path_factory.mktemp("large")
    for name, channels in (("in.ppm", 3), ("in.pgm", 1)):
        (folder / name).write_bytes(f"P{5 + (channels == 3)}\n5000 4000\n255\n".encode() + bytes(20_000_000 * channels))
    Image.new("RGBA", (5000, 4000)).save(folder / "in.tif")
    (folder / "few.ppm").write_bytes(b"P6\n2 1\n255\n" + bytes(6))
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="has no resource module")
@pytest.mark.parametrize(
    ("line", "channels"),
    [
        ("in.ppm -k identity -o out.ppm", 3 + 3),
        ("in.pgm -k identity -o out.pgm", 1 + 1),
        ("in.ppm -k identity --range minmax -o out.ppm", 3 + 3),
        ("in.ppm -k gaussian:2 --linear -o out.ppm", 3 + 3),
        ("in.ppm -k gaussian:2 --channels gray --range minmax -o out.pgm", 3 + 1),
        ("in.tif -k gaussian:2 -o out.png", 4 + 4),
        ("in.tif -k gaussian:2 --linear -o out.tif", 4 + 4),
        ("in.tif -k sobel --alpha keep -o out.png", 4 + 4),
        ("in.tif -k sharpen --alpha filter -o out.png", 4 + 4),
    ],
)
def test_a_large_image_takes_little_more_than_itself(line: str, channels: int, large: Path) -> None:
    """1.5 times its bytes as decoded and those of the result, and what the program takes for a few pixels."""
    least = peak("apply", "few.ppm", "-k", "identity", "-o", "few-out.ppm", cwd=large)
    assert peak("apply", *line.split(), "--threads", 2, cwd=large) < least + 1.5 * channels * 20e6
    (large / line.split()[-1]).unlink()


def test_gray_takes_less_than_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte of Pillow's and one of ours for each pixel, against four and three."""
    from convcli.system import memory

    for name, channels, megabytes in (("gray.png", 1, 2), ("colour.png", 3, 7)):
        write(tmp_path / name, np.zeros((channels, 1000, 1000), np.uint8))
        command = ("apply", name, "-k", "identity", "-o", "out.png")
        monkeypatch.setattr(memory, "total_bytes", lambda megabytes=megabytes: (megabytes - 0.1) * 1e6)
        result = run(*command, cwd=tmp_path)
        assert result.code == 2
        assert "GiB" in result.err
        assert not (tmp_path / "out.png").exists()
        monkeypatch.setattr(memory, "total_bytes", lambda megabytes=megabytes: (megabytes + 0.1) * 1e6)
        done(*command, cwd=tmp_path)
        (tmp_path / "out.png").unlink()
