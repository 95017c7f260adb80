"""What Pillow's decoders do otherwise: files of plain samples are read past them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from convcli.images.reading.quirks import count_of, plain_white, transparent_value


@pytest.mark.parametrize(
    ("mode", "extension"), [("L", "pgm"), ("RGB", "ppm"), ("L", "tif"), ("RGB", "tif"), ("RGBA", "tif")]
)
def test_files_of_plain_rows_are_read_past_pillow(
    mode: str, extension: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.random.default_rng(1).integers(0, 255, (300, 200, len(mode)), np.uint8)
    path = tmp_path / f"in.{extension}"
    Image.fromarray(values[..., 0] if mode == "L" else values, mode).save(path)
    with Image.open(path) as image:
        assert plain_white(image) == (None if extension == "tif" else 255)  # which tifffile reads
    monkeypatch.setattr(Image.Image, "load", None)
    picture = images.load(str(path))
    found = [*picture.colour] if picture.alpha is None else [*picture.colour, picture.alpha]
    np.testing.assert_array_equal(np.stack(found, -1), values)


@pytest.mark.parametrize("white", [256, 1000, 65535])
def test_so_are_colours_of_16_bits(white: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).integers(0, white + 1, (30, 20, 3)).astype(np.uint16)
    path = tmp_path / "in.ppm"
    path.write_bytes(b"P6\n20 30\n%d\n" % white + values.astype(">u2").tobytes())
    monkeypatch.setattr(Image.Image, "load", None)
    picture = images.load(str(path))
    assert (picture.colour.dtype, picture.full_scale, picture.notes) == (np.uint16, 65535.0, ())
    np.testing.assert_array_equal(np.moveaxis(picture.colour, 0, -1), np.rint(values * (65535 / white)))


def test_those_of_letters_are_not(tmp_path: Path) -> None:
    """Pillow decodes them, with 8 bits."""
    (tmp_path / "in.ppm").write_bytes(b"P3\n1 1\n65535\n65535 32768 0\n")
    picture = images.load(str(tmp_path / "in.ppm"))
    assert picture.colour.ravel().tolist() == [255, 128, 0]
    assert picture.notes == ("PPM of this kind with more than 8 bits per channel is read with 8",)


@pytest.mark.parametrize(("mode", "extension"), [("L", "pgm"), ("RGB", "ppm")])
def test_one_transparent_colour_is_not_plain(mode: str, extension: str, tmp_path: Path) -> None:
    """Should Pillow come to say that of such files: their alpha is not among the samples."""
    Image.new(mode, (20, 30)).save(tmp_path / f"in.{extension}")
    with Image.open(tmp_path / f"in.{extension}") as image:
        assert plain_white(image) == 255
        image.info["transparency"] = 0
        assert plain_white(image) is None


@pytest.mark.parametrize("white", [255, 65535])
def test_plain_rows_that_are_cut_off_are_an_error(white: int, tmp_path: Path) -> None:
    (tmp_path / "in.ppm").write_bytes(b"P6\n20 30\n%d\n" % white + bytes(1000))
    with pytest.raises(ImageError, match="cannot be decoded"):
        images.load(str(tmp_path / "in.ppm"))


def test_damaged_counts_are_errors_but_of_layers() -> None:
    class Damaged(Image.Image):
        @property
        def n_frames(self) -> int:
            raise SyntaxError

    image = Damaged()
    image.format = "PSD"
    assert count_of(image) == 1
    image.format = "GIF"
    with pytest.raises(SyntaxError):
        count_of(image)


def test_a_transparent_colour_of_8_bits_is_left_to_pillow() -> None:
    image = Image.new("L", (2, 2))
    image.info["transparency"] = 3
    assert transparent_value(image) is None
    assert image.info["transparency"] == 3
