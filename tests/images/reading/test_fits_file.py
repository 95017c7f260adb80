"""FITS files as astropy writes them: physical values, cubes, several images, and what is refused."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from convcli import extras, images
from convcli.images import formats
from support.cli import SAMPLES, binary, done, environment, run

GENERATOR = np.random.default_rng(3)


def filtered(path: Path, target: Path, *options: object) -> np.ndarray:
    done("apply", path, "-k", "identity", "-o", target, *options)
    return np.load(target)


def saved(path: Path, data: np.ndarray, **header: Any) -> Path:
    image = fits.PrimaryHDU(data)
    for key, value in header.items():
        image.header[key] = value
    image.writeto(path)
    return path


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "i8", "f4", "f8", "u2", "u4", "i1"])
def test_every_type_is_read_with_its_sign(kind: str, tmp_path: Path) -> None:
    """Unsigned integers of 16 and more bits, and signed bytes, are stored with an offset, BZERO."""
    low, high = (-1000, 1000) if kind[0] == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    data = GENERATOR.integers(low, high, (6, 5), endpoint=True, dtype="i8" if kind[0] == "f" else kind).astype(kind)
    path = saved(tmp_path / "a.fits", data)
    with images.opened(str(path)) as file:
        picture = file.picture()
    assert (picture.space, picture.real) == ("gray", kind not in ("u1", "u2"))
    assert picture.full_scale == (1 if kind[0] == "f" else float(np.iinfo(kind).max))
    np.testing.assert_array_equal(picture.colour[0], data[::-1].astype(picture.colour.dtype))


def test_the_program_itself_reads_them(tmp_path: Path) -> None:
    """In a process of its own, astropy is not imported yet, and creates a logger of its own kind."""
    path = saved(tmp_path / "a.fits", np.array([[1, 2], [3, -999]], np.int16), BLANK=-999)
    result = binary("apply", path, "-k", "identity", "-o", tmp_path / "o.npy")
    assert (result.code, result.err.count("Traceback")) == (0, 0), result.err
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), [[[3.0, np.nan], [1.0, 2.0]]])


def test_scale_and_offset_give_physical_values(tmp_path: Path) -> None:
    stored = np.arange(30, dtype=np.int16).reshape(5, 6)
    image = fits.PrimaryHDU(stored)
    image.header["BSCALE"], image.header["BZERO"] = 0.5, 100.0
    data = io.BytesIO()
    image.writeto(data)
    raw = bytearray(data.getvalue())
    raw[2880 : 2880 + 60] = stored.astype(">i2").tobytes()  # astropy may have scaled them back
    path = tmp_path / "a.fits"
    path.write_bytes(bytes(raw))
    np.testing.assert_allclose(filtered(path, tmp_path / "o.npy")[0], stored[::-1] * 0.5 + 100)


def test_cameras_write_unsigned_numbers_with_an_offset(tmp_path: Path) -> None:
    """BITPIX 16 with BZERO 32768, which read as it is has every value's highest bit inverted."""
    data = np.array([[0, 1, 32767], [32768, 40000, 65535]], np.uint16)
    path = saved(tmp_path / "a.fits", data)
    assert fits.getheader(path)["BZERO"] == 32768
    done("apply", path, "-k", "identity", "-o", tmp_path / "o.png")
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "o.png")), data[::-1])


@pytest.mark.parametrize("planes", [2, 3, 5])
def test_a_cube_is_a_picture_of_as_many_channels(planes: int, tmp_path: Path) -> None:
    data = GENERATOR.normal(size=(planes, 6, 5)).astype(np.float32)
    np.testing.assert_array_equal(filtered(saved(tmp_path / "a.fits", data), tmp_path / "o.npy"), data[:, ::-1])


def test_axes_of_length_1_are_left_out_and_others_refused(tmp_path: Path) -> None:
    data = GENERATOR.normal(size=(1, 1, 6, 5)).astype(np.float32)
    assert filtered(saved(tmp_path / "a.fits", data), tmp_path / "o.npy").shape == (1, 6, 5)
    failed = run(
        "apply", saved(tmp_path / "b.fits", np.zeros((2, 3, 6, 5))), "-k", "identity", "-o", tmp_path / "p.npy"
    )
    assert failed.code == 2
    assert "has 4 axes of 2×3×6×5" in failed.err


def test_every_image_of_a_file_is_a_page(tmp_path: Path) -> None:
    first, second = (GENERATOR.integers(0, 65535, (4 + number, 5), np.uint16) for number in range(2))
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    path = tmp_path / "a.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(first), table, fits.CompImageHDU(second)]).writeto(path)
    report = done("apply", path, "-k", "identity", "-o", tmp_path / "o.tif", "--json").json
    assert report["frames"] == 2
    with images.opened(str(tmp_path / "o.tif")) as file:
        for number, want in enumerate((first, second)):
            np.testing.assert_array_equal(file.picture(number).colour[0], want[::-1])


def test_tables_are_no_images(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "a.fits")
    failed = run("apply", tmp_path / "a.fits", "-k", "identity", "-o", tmp_path / "o.npy")
    assert failed.code == 2
    assert "is a FITS file without an image" in failed.err


def test_damage_is_one_line(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.fits", np.zeros((90, 70)))
    for length in (100, 2880, 4000):
        path.write_bytes(path.read_bytes()[:length])
        failed = run("apply", path, "-k", "identity", "-o", tmp_path / "o.npy")
        assert failed.code == 2
        assert failed.err.count("\n") == 1


def test_a_file_that_claims_to_be_enormous(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.fits", np.zeros((9, 7), np.uint8))
    data = path.read_bytes().replace(b"NAXIS1  =                    7", b"NAXIS1  =            777777701")
    path.write_bytes(data)
    failed = run("apply", path, "-k", "identity", "-o", tmp_path / "o.npy")
    assert failed.code == 2
    assert "pixels" in failed.err


def test_without_astropy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "FITS" in formats.readable()
    monkeypatch.setattr(extras, "is_installed", lambda package: package != "astropy")
    failed = run("apply", saved(tmp_path / "a.fits", np.zeros((9, 7))), "-k", "identity", "-o", tmp_path / "o.npy")
    assert failed.code == 2
    assert "pip install 'convcli[fits]'" in failed.err
    assert "FITS" not in formats.readable()


def test_nothing_is_written_as_fits(tmp_path: Path) -> None:
    failed = run("apply", saved(tmp_path / "a.fits", np.zeros((9, 7))), "-k", "identity", "-o", tmp_path / "o.fits")
    assert failed.code == 2
    assert "cannot be written" in failed.err


def test_nothing_of_the_process_is_changed(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.fits", np.zeros((9, 7)))
    code = f"""
import logging, warnings
from convcli import images
images.load({str(SAMPLES / "tiny.png")!r})
before = warnings.showwarning, warnings.filters[:], logging.getLogger().handlers[:]
with images.opened({str(path)!r}) as file:
    file.picture()
assert (warnings.showwarning, warnings.filters[:], logging.getLogger().handlers[:]) == before
"""
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)
