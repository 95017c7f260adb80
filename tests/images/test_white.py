"""White of real values, NaN, and transparency that a format cannot keep: nothing is lost without a word."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.cli import SAMPLES, done
from support.pictures import read, write

RAMP = np.arange(63, dtype=np.float32).reshape(1, 7, 9)


def test_raw_values_keep_their_white(tmp_path: Path) -> None:
    """Two steps through a float TIFF are the same as one, and the values in it are as they are."""
    done("apply", SAMPLES / "ramp.png", "-k", "sobel-x", "--range", "raw", "-o", tmp_path / "raw.tif")
    assert read(tmp_path / "raw.tif").max() == 8
    done("apply", tmp_path / "raw.tif", "-k", "box", "-o", tmp_path / "again.tif")
    for source in ("raw.tif", "again.tif"):
        result = done("apply", tmp_path / source, "-k", "identity", "-o", tmp_path / "out.png")
        assert result.err == ""
    done("apply", SAMPLES / "ramp.png", "-k", "sobel-x", "-o", tmp_path / "direct.png")
    done("apply", tmp_path / "raw.tif", "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), read(tmp_path / "direct.png"))


def test_raw_values_of_16_bits_come_back_as_16_bits(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (1, 7, 9), dtype=np.uint16)
    write(tmp_path / "in.png", deep)
    done("apply", tmp_path / "in.png", "-k", "identity", "--range", "raw", "-o", tmp_path / "raw.tif")
    done("apply", tmp_path / "raw.tif", "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), deep)


def test_a_tensor_becomes_the_same_picture_through_a_tiff(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", RAMP)
    done("apply", tmp_path / "in.npy", "-k", "identity", "--range", "raw", "-o", tmp_path / "raw.tif")
    done("apply", tmp_path / "raw.tif", "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), RAMP)


def test_the_white_lies_beside_a_cameras_data(tmp_path: Path) -> None:
    """EXIF data with a directory of its own goes into TIFFs of both kinds."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    write(tmp_path / "in.jpg", np.full((1, 8, 8), 99, np.uint8), exif=exif)
    for policy in ("clip", "raw"):
        done("apply", tmp_path / "in.jpg", "-k", "identity", "--range", policy, "-o", tmp_path / "out.tif")
        with Image.open(tmp_path / "out.tif") as image:
            found = image.getexif()
            assert found[0x010F] == "Maker"
            assert found.get_ifd(0x8769)[0x9003] == "2026:01:01 00:00:00"
            assert found.get(341) == (255.0 if policy == "raw" else None) or found.get(341) == (255.0,)


def test_32_bit_integers(tmp_path: Path) -> None:
    """White is the largest of their type, and values that are far from it are remarked on; a second step knows what it was."""
    values = (np.arange(63).reshape(7, 9) * 2000).astype(np.int32)
    Image.fromarray(values).save(tmp_path / "in.tif")
    result = done("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "out.png")
    assert (
        "the largest value is 124000, and white is 2147483647: if white is another value, use --full-scale"
        in result.err
    )
    np.testing.assert_array_equal(read(tmp_path / "out.png")[0], np.rint(values * (65535 / 2147483647)))
    done("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "same.tif")
    np.testing.assert_array_equal(read(tmp_path / "same.tif")[0], values)
    done("apply", tmp_path / "same.tif", "-k", "identity", "-o", tmp_path / "again.png")
    np.testing.assert_array_equal(read(tmp_path / "again.png"), read(tmp_path / "out.png"))


def test_a_white_that_does_not_fit_the_values_is_said(tmp_path: Path) -> None:
    np.save(tmp_path / "unit.npy", RAMP / 62)
    write(tmp_path / "bytes.tif", RAMP * 4)
    for name in ("unit.npy", "bytes.tif"):
        result = done("apply", tmp_path / name, "-k", "identity", "-o", tmp_path / "out.png")
        assert name in result.err
        assert "--range minmax" in result.err
        assert done("apply", tmp_path / name, "-k", "box", "--range", "minmax", "-o", tmp_path / "out.png").err == ""
    np.save(tmp_path / "bytes.npy", RAMP)
    assert done("apply", tmp_path / "bytes.npy", "-k", "identity", "-o", tmp_path / "out.png").err == ""


@pytest.mark.parametrize(
    ("name", "peak", "said"),
    [
        ("in.tif", 1.0, False),  # a white of 1 that nobody has said
        ("in.tif", 1.01, True),
        ("in.tif", 1 / 256, False),
        ("in.tif", 0.0039, True),
        ("in.tif", 0.0, False),
        ("in.npy", 0.0, False),
        ("in.npy", 0.01, True),
        ("in.npy", 1.0, True),  # a tensor from 0 to 1, though the white of a picture is 255
        ("in.npy", 1.01, False),
        ("in.npy", 600.0, False),
    ],
)
def test_from_which_value_on_a_white_is_said_to_be_odd(name: str, peak: float, said: bool, tmp_path: Path) -> None:
    values = np.array([[[0, peak / 2, peak]]], np.float32)
    write(tmp_path / name, values) if name.endswith("tif") else np.save(tmp_path / name, values)
    result = done("apply", name, "-k", "identity", "-o", "out.png", "--json", cwd=tmp_path)
    assert any("the largest value is" in note for note in result.json["notes"]) == said


@pytest.mark.parametrize(
    "options", [[], ["--backend", "torch"], ["-k", "identity", "-k", "identity", "-k", "identity"]]
)
def test_nan_is_counted_apart(options: list[str], tmp_path: Path) -> None:
    values = RAMP.copy()
    values[0, 3, 3], values[0, 0, 0] = np.nan, -5
    np.save(tmp_path / "in.npy", values)
    kernel = options if "-k" in options else [*options, "-k", "identity"]
    result = done("apply", tmp_path / "in.npy", *kernel, "-o", tmp_path / "out.png", "--json")
    again = done("apply", tmp_path / "in.npy", *kernel, "-o", tmp_path / "out.png", "-q")
    count = max(1, options.count("-k"))
    assert result.json["clipped"] == {"below": count, "above": 0, "nan": count, "of": 63 * count}
    assert f"{count} NaN {'was' if count == 1 else 'were'} written as 0" in again.err
    assert read(tmp_path / "out.png")[0, 3, 3] == 0
