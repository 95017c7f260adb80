"""PBM, PGM and PPM files: their own values, and the white that their header says."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from support.cli import done, run

H, W = 11, 13
WHITES = [1, 7, 100, 254, 255, 256, 1023, 4095, 16383, 65534, 65535]


def written(path: Path, values: np.ndarray, white: int, text: bool = False) -> Path:
    """Values ``(H, W)`` or ``(H, W, 3)`` as bytes, or as numbers with comments between them."""
    kind = {(2, False): 5, (3, False): 6, (2, True): 2, (3, True): 3}[values.ndim, text]
    head = b"P%d # made\n%d %d\n# by hand\n%d\n" % (kind, values.shape[1], values.shape[0], white)
    numbers = "\n".join(" ".join(map(str, row)) + " # a row" for row in values.reshape(len(values), -1)).encode()
    body = numbers if text else values.astype("u1" if white < 256 else ">u2").tobytes()
    path.write_bytes(head + body)
    return path


def drawn(white: int, *bands: int) -> np.ndarray:
    values = np.random.default_rng(white).integers(0, white + 1, (H, W, *bands))
    values.flat[:2] = 0, white
    return values


@pytest.mark.parametrize("white", WHITES)
@pytest.mark.parametrize("bands", [(), (3,)])
@pytest.mark.parametrize("text", [False, True])
def test_values_are_the_files_own(white: int, bands: tuple[int, ...], text: bool, tmp_path: Path) -> None:
    values = drawn(white, *bands)
    source = written(tmp_path / "in.ppm", values, white, text)
    picture = images.load(str(source))
    assert (picture.full_scale, picture.assumed, picture.real, picture.notes) == (white, False, False, ())
    assert picture.colour.dtype == (np.uint8 if white < 256 else np.uint16)
    np.testing.assert_array_equal(np.moveaxis(picture.colour, 0, -1).reshape(values.shape), values)


@pytest.mark.parametrize("white", WHITES)
def test_files_are_written_in_their_own_units(white: int, tmp_path: Path) -> None:
    """.npy and real TIFFs take the values as they are, PGM keeps its white, and PNG's white is that of its depth."""
    values = drawn(white)
    written(tmp_path / "in.pgm", values, white)
    for options in ("-o out.npy", "--range raw -o out.tif", "-o out.pgm", "-o out.png"):
        assert done("apply", "in.pgm", "-k", "identity", *options.split(), cwd=tmp_path).err == ""
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy")[0], values)
    with Image.open(tmp_path / "out.tif") as image:
        np.testing.assert_array_equal(np.asarray(image), values)
        assert image.tag_v2[341] == (white,)
    assert (tmp_path / "out.pgm").read_bytes().startswith(b"P5\n13 11\n%d\n" % white)
    assert (tmp_path / "out.pgm").read_bytes().endswith(values.astype("u1" if white < 256 else ">u2").tobytes())
    depth = 255 if white < 256 else 65535
    found = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert found is not None
    np.testing.assert_allclose(found, values * (depth / white), atol=0.5 + 1e-6, rtol=0)


def test_percentages_are_of_the_files_white(tmp_path: Path) -> None:
    written(tmp_path / "in.pgm", np.full((2, 2), 100), 1000)
    line = ("apply", "in.pgm", "-k", "identity", "--bias", "50%", "--json", "-o", "out.npy")
    document = done(*line, cwd=tmp_path).json
    assert (document["full_scale"], document["bias"]) == (1000.0, [500.0])
    assert np.load(tmp_path / "out.npy").tolist() == [[[600.0, 600.0], [600.0, 600.0]]]
    assert "'in.pgm' defines it as 1000" in run(*line, "--full-scale", "255", cwd=tmp_path).err


def test_a_result_is_clipped_at_the_files_white(tmp_path: Path) -> None:
    written(tmp_path / "in.pgm", np.array([[100, 900]]), 1000)
    assert "50 % of the values were clipped" in done("apply", "in.pgm", "-k", "2.0", "-o", "out.pgm", cwd=tmp_path).err
    assert (tmp_path / "out.pgm").read_bytes() == b"P5\n2 1\n1000\n" + np.array([200, 1000], ">u2").tobytes()


def test_values_beyond_white_are_white(tmp_path: Path) -> None:
    """The format forbids them. Pillow and Netpbm take them for white, too."""
    written(tmp_path / "in.pgm", np.array([[5, 12]]), 10)
    written(tmp_path / "text.pgm", np.array([[5, 12]]), 10, text=True)
    for name in ("in.pgm", "text.pgm"):
        assert images.load(str(tmp_path / name)).colour.ravel().tolist() == [5, 10]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 16, 21])
def test_bits_are_black_and_white(width: int, tmp_path: Path) -> None:
    bits = np.random.default_rng(width).integers(0, 2, (5, width))
    packed = np.packbits(bits.astype(np.uint8), axis=1).tobytes()
    spaced, dense = (sep.join("".join(map(str, row)) for row in bits).encode() for sep in ("\n# 1 0\n", ""))
    spread = b" ".join(b"%d" % bit for bit in bits.ravel())
    head = b"%d 5\n" % width
    for body in (b"P4\n" + head + packed, *(b"P1\n" + head + text for text in (spaced, dense, spread))):
        (tmp_path / "in.pbm").write_bytes(body)
        picture = images.load(str(tmp_path / "in.pbm"))
        np.testing.assert_array_equal(picture.colour[0], 255 * (1 - bits))
        with Image.open(io.BytesIO(body)) as image:
            np.testing.assert_array_equal(picture.colour[0], np.asarray(image.convert("L")))


@pytest.mark.parametrize(
    "data",
    [
        b"P5\n3 3\n255\n" + bytes(8), b"P6\n20 30\n65535\n" + bytes(1000), b"P2\n2 1\n255\n1\n",
        b"P2\n2 1\n255\n1 x\n", b"P4\n9 2\n" + bytes(3),
        b"P3\n1 1\n255\n1 -1 3\n", b"P1\n2 1\n12\n", b"P1\n3 1\n10\n", b"P5\n3 3\n0\n" + bytes(9), b"P5\n3 3\n65536\n" + bytes(18),
        b"P5\n0 3\n255\n", b"P5\n3", b"P5\n3 3 x\n", b"P5\n-3 3 255\n",
    ],
)  # fmt: skip
def test_damaged_files_are_errors(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.pgm").write_bytes(data)
    with pytest.raises(ImageError, match="cannot be decoded"):
        images.load(str(tmp_path / "in.pgm"))


def test_large_sizes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    (tmp_path / "in.pgm").write_bytes(b"P5\n99999 99999\n255\n")
    with pytest.raises(ImageError, match="decompression bomb"):
        images.load(str(tmp_path / "in.pgm"))


@pytest.mark.parametrize(
    ("data", "values", "said"),
    [
        (
            b"P5\n3 1\n100\n\x64\x65\xff",
            [100, 100, 100],
            (100, 2),
        ),
        (
            b"P2\n3 1\n300\n300 301 70000\n",
            [300, 300, 300],
            (300, 2),
        ),
        (
            b"P2\n3 1\n255\n255 256 0\n",
            [255, 255, 0],
            (255, 1),
        ),
        (b"P5\n3 1\n100\n\x64\x63\0", [100, 99, 0], None),
    ],
)
def test_values_above_white_are_said(
    data: bytes, values: list[int], said: tuple[int, int] | None, tmp_path: Path
) -> None:
    (tmp_path / "in.pgm").write_bytes(data)
    picture = images.load(str(tmp_path / "in.pgm"))
    assert picture.colour[0, 0].tolist() == values
    note = "values above {0}, the largest that its header allows, are read as {0}: {1}"
    assert picture.notes == ((note.format(*said),) if said else ())
