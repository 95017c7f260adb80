"""The declared type of samples decides their dtype, white and range, never the values of a picture."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from convcli import images
from convcli.images.reading.samples import samples_of
from support.cli import done, run
from support.pictures import GENERATOR, H, W, read, tiff


@pytest.mark.parametrize(
    ("kind", "bits", "dtype", "white", "real"),
    [
        ("bool", None, "uint8", 255, False), ("uint8", 1, "uint8", 255, False), ("uint8", 2, "uint8", 255, False),
        ("uint8", 4, "uint8", 255, False), ("uint8", 6, "uint8", 63, False), ("uint8", None, "uint8", 255, False),
        ("uint16", 10, "uint16", 1023, False), ("uint16", 12, "uint16", 4095, False), ("uint16", 14, "uint16", 16383, False),
        ("uint16", None, "uint16", 65535, False), ("int8", None, "float32", 127, True), ("int16", None, "float32", 32767, True),
        ("int32", None, "float64", 2**31 - 1, True), ("uint32", 24, "float64", 2**24 - 1, True),
        ("uint32", None, "float64", 2**32 - 1, True), ("int64", None, "float64", 2.0**63 - 1, True),
        ("uint64", None, "float64", 2.0**64 - 1, True), ("float16", None, "float32", 1, True),
        ("float32", None, "float32", 1, True), ("float64", None, "float64", 1, True),
    ],
)  # fmt: skip
def test_what_every_type_becomes(kind: str, bits: int | None, dtype: str, white: float, real: bool) -> None:
    """White, where it is spread, stays white."""
    largest = 1 if kind == "bool" else 2 ** (bits or 1) - 1
    found = samples_of(np.array([[0, largest]], kind), bits)
    assert (found.array.dtype, found.white, found.real, found.notes) == (dtype, white, real, ())
    assert found.array.tolist() == [[0, 255 if bits in (1, 2, 4) or kind == "bool" else largest]]


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_integers_that_nothing_holds_are_told(kind: str, tmp_path: Path) -> None:
    source = tiff(tmp_path / "in.tif", np.full((H, W), 2**53, kind))
    assert done("apply", source, "-k", "identity", "-o", tmp_path / "out.npy").err == ""
    source = tiff(tmp_path / "in.tif", np.full((H, W), 2**53 + 1, kind))
    said = "values reach 9007199254740993, and integers beyond 9007199254740992 are rounded"
    assert said in done("apply", source, "-k", "identity", "-o", tmp_path / "out.npy").err


KINDS = ["int8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("coding", [None, "zlib", "lzw", "packbits"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_type_in_a_tiff(kind: str, coding: str | None, channels: int, tmp_path: Path) -> None:
    """Values with their sign, whatever undoes the compression."""
    values = GENERATOR.integers(0 if kind[0] == "u" else -100, 100, (H, W, channels)).astype(kind)
    values[0, 0] = 99 if kind[0] == "u" else -59
    source = tiff(tmp_path / "in.tif", values[..., 0] if channels == 1 else values, compression=coding)
    picture = images.load(str(source))
    np.testing.assert_array_equal(np.moveaxis(picture.colour, 0, -1), values)
    assert picture.real
    assert picture.assumed
    assert picture.full_scale == (1 if kind[0] == "f" else float(np.iinfo(kind).max))
    rare = kind not in ("float32", "float64")
    assert picture.metadata.rare == (kind if rare else "")
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif", "--json")
    assert result.json["notes"] == ([f"{kind} samples are written as float32"] if rare else [])
    for options in (("-o", tmp_path / "out.npy"), ("--range", "raw", "-o", tmp_path / "raw.tif")):
        assert done("apply", source, "-k", "identity", *options).err == ""


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
def test_fewer_bits_than_a_byte_or_two_have(bits: int, tmp_path: Path) -> None:
    values = np.arange(H * W).reshape(H, W) % 2**bits
    pixels = values.astype(bool if bits == 1 else "uint8" if bits < 8 else "uint16")
    source = tmp_path / "in.tif"
    tifffile.imwrite(source, pixels, bitspersample=bits, photometric="minisblack", metadata=None)
    spread = 255 // (2**bits - 1) if bits in (1, 2, 4) else 1
    picture = images.load(str(source))
    np.testing.assert_array_equal(picture.colour[0], values * spread)
    assert picture.full_scale == (255 if spread > 1 or bits == 1 else 2**bits - 1)
    assert done("apply", source, "-k", "identity", "-o", tmp_path / "out.png").err == ""
    white = 65535 if bits > 8 else 255
    said = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif").err
    assert (f"values are scaled, so that white is {white}, not {2**bits - 1}" in said) == (bits in (6, 10, 12, 14))
    np.testing.assert_array_equal(read(tmp_path / "out.tif"), read(tmp_path / "out.png"))
    assert done("apply", source, "-k", "identity", "--range", "raw", "-o", tmp_path / "raw.tif").err == ""
    np.testing.assert_array_equal(read(tmp_path / "raw.tif")[0], values * spread)
    np.testing.assert_array_equal(read(tmp_path / "out.png")[0], np.rint(values * (white / (2**bits - 1))))


def test_bands_of_four_bits_are_spread_as_gray_is(tmp_path: Path) -> None:
    values = GENERATOR.integers(0, 16, (5, H, W), np.uint8)
    source = tmp_path / "in.tif"
    kept = {"photometric": "minisblack", "planarconfig": "separate", "extrasamples": (0,) * 4}
    tifffile.imwrite(source, values, bitspersample=4, metadata=None, **kept)
    np.testing.assert_array_equal(images.load(str(source)).colour, values * 17)


@pytest.mark.parametrize("target", ["tif", "png"])
def test_one_rule_for_all_pages(target: str, tmp_path: Path) -> None:
    """Only the second page has values below 0; a page alone gives what it gives among the others."""
    pages = [np.full((H, W), value, np.int16) for value in (1000, -1000, 2000)]
    for page in pages:
        page[3, 3] += 500
    line = ["-k", "laplacian", "-p", "same"]
    if target == "tif":
        done("apply", tiff(tmp_path / "in.tif", *pages), *line, "-o", tmp_path / "out.tif")
        with tifffile.TiffFile(tmp_path / "out.tif") as file:
            found = [page.asarray() for page in file.pages]
    else:
        for number, page in enumerate(pages):
            tiff(tmp_path / f"{number}.tif", page)
        names = [f"{number}.tif" for number in range(3)]
        done("apply", *names, *line, "-o", "out/{stem}.png", cwd=tmp_path)
        found = [read(tmp_path / f"out/{number}.png")[0] for number in range(3)]
    for page, made in zip(pages, found, strict=True):
        inner = page.astype(float)
        expected = inner[:-2, 1:-1] + inner[2:, 1:-1] + inner[1:-1, :-2] + inner[1:-1, 2:] - 4 * inner[1:-1, 1:-1]
        assert made.dtype == ("float32" if target == "tif" else "uint16")
        if target == "png":
            expected = np.rint(expected.clip(0, None) * (65535 / 32767))
        np.testing.assert_allclose(made[1:-1, 1:-1], expected, atol=1 if target == "png" else 0)


@pytest.mark.parametrize("options", [(), ("--full-scale", "65535")])
def test_an_outlier_does_not_change_the_other_pixels(options: tuple[str, ...], tmp_path: Path) -> None:
    """A series of 50000 with one pixel of 60000, 70000 or 140000 in each."""
    names = []
    for outlier in (60000, 70000, 140000):
        page = np.full((H, W), 50000, np.uint32)
        page[0, 0] = outlier
        names.append(tiff(tmp_path / f"{outlier}.tif", page).name)
    result = done("apply", *names, "-k", "identity", *options, "-o", "out/{stem}.png", cwd=tmp_path)
    found = {int(read(path)[0, 5, 5]) for path in (tmp_path / "out").iterdir()}
    assert found == {50000 if options else 1}
    if not options:
        assert "the largest value is 140000, and white is 4294967295" in result.err
        assert "--full-scale" in result.err


@pytest.mark.parametrize("kind", ["uint8", "uint16", 12, *KINDS])
def test_where_a_white_may_be_said(kind: str | int, tmp_path: Path) -> None:
    """Wherever the file does not say it: unsigned integers of up to 16 bits do."""
    if kind == 12:
        source = tmp_path / "in.tif"
        tifffile.imwrite(source, np.zeros((H, W), np.uint16), bitspersample=12, photometric="minisblack", metadata=None)
    else:
        source = tiff(tmp_path / "in.tif", np.zeros((H, W), kind))
    result = run("apply", source, "-k", "identity", "--full-scale", "100", "-o", tmp_path / "out.png")
    assert result.code == (2 if kind in ("uint8", "uint16", 12) else 0)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.complex64))
    result = run("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert result.code == 2
    assert "is a TIFF of complex numbers: convert it to real and imaginary parts first" in result.err
    assert len(result.err.splitlines()) == 1
