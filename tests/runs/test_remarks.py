"""Values that mean no data, and NaN, are averaged with their neighbours: that is said, with their number."""

from pathlib import Path

import numpy as np
import pytest

from support.cli import done, run
from support.pictures import tags_of, tiff

H, W = 12, 13
NODATA = 42113


def raster(
    path: Path, kind: str, said: str, value: float, count: int = 5, channels: int = 1, **options: object
) -> Path:
    pixels = np.full((H, W, channels), 7, kind)
    pixels.reshape(-1)[:count] = np.array(value).astype(kind)
    return tiff(path, pixels[..., 0] if channels == 1 else pixels, extratags=[(NODATA, "s", 0, said, True)], **options)


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("int16", "-9999", -9999), ("uint8", "255", 255), ("uint16", "0 ", 0),
        ("float32", "-3.4028234663852886e+38", -3.4028234663852886e38),
        ("float64", "1e-300", 1e-300), ("uint32", "4294967295", 4294967295), ("int8", "-128", -128),
    ],
)  # fmt: skip
def test_values_of_no_data_are_counted(kind: str, said: str, value: float, tmp_path: Path) -> None:
    source = raster(tmp_path / "in.tif", kind, said, value)
    result = done("apply", source, "-k", "box:3", "-o", tmp_path / "out.tif", "--json")
    assert f"values of no data ({value:.10g}) are averaged in: 5 of 156" in result.json["notes"]
    assert tags_of(source)[NODATA] == tags_of(tmp_path / "out.tif")[NODATA]
    result = done("apply", source, "-k", "box:3", "-o", tmp_path / "out.npy", "-q")
    assert f"in.tif: values of no data ({value:.10g}) are averaged in: 5 of 156" in result.err


@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        ("uint8", "-9999", 255),
        ("uint8", "0.5", 0),
        ("uint8", "nan", 0),
        ("int16", "none", 0),
        ("uint8", "1e40", 255),
        ("uint16", "", 0),
    ],
)
def test_values_that_are_not_there(kind: str, said: str, value: float, tmp_path: Path) -> None:
    """No pixel of this type can have the value, or the tag has no number."""
    source = raster(tmp_path / "in.tif", kind, said, value)
    assert done("apply", source, "-k", "box:3", "--range", "raw", "-o", tmp_path / "out.tif").err == ""


@pytest.mark.parametrize("kernel", ["identity", "2.0"])
def test_a_kernel_of_one_value_averages_nothing(kernel: str, tmp_path: Path) -> None:
    source = raster(tmp_path / "in.tif", "int16", "-9999", -9999)
    assert done("apply", source, "-k", kernel, "--range", "raw", "-o", tmp_path / "out.tif").err == ""


def test_all_bands_and_the_transposed_operation(tmp_path: Path) -> None:
    source = raster(
        tmp_path / "in.tif",
        "int16",
        "-9999",
        -9999,
        count=8,
        channels=5,
        photometric="minisblack",
        planarconfig="contig",
    )
    said = "values of no data (-9999) are averaged in: 8 of 780"
    assert said in done("apply", source, "-k", "box:3", "-o", tmp_path / "out.tif").err
    assert said in done("transpose", source, "-k", "bilinear:2", "-s", "2", "-o", tmp_path / "out.tif").err


def test_where_white_is_0_and_bits_are_spread(tmp_path: Path) -> None:
    """The value is the file's own."""
    source = raster(tmp_path / "in.tif", "uint8", "3", 3, photometric="miniswhite")
    assert "are averaged in: 5 of 156" in done("apply", source, "-k", "box:3", "-o", tmp_path / "out.tif").err
    source = raster(tmp_path / "in.tif", "uint8", "3", 3, bitspersample=4)
    assert "are averaged in: 5 of 156" in done("apply", source, "-k", "box:3", "-o", tmp_path / "out.tif").err


@pytest.mark.parametrize("name", ["in.tif", "in.npy"])
@pytest.mark.parametrize("said", ["nan", "-1"])
def test_nan_is_counted(name: str, said: str, tmp_path: Path) -> None:
    values = np.ones((H, W), np.float32)
    values[3, 3:6] = np.nan
    if name == "in.npy":
        np.save(tmp_path / name, values)
    else:
        tiff(tmp_path / name, values, extratags=[(NODATA, "s", 0, said, True)])
    result = done("apply", name, "-k", "box:3", "-o", "out.npy", cwd=tmp_path)
    assert f"{name}: NaN values are averaged in: 3 of 156" in result.err
    assert np.isnan(np.load(tmp_path / "out.npy")).sum() == 3 * 5
    assert done("apply", name, "-k", "identity", "-o", "out.npy", cwd=tmp_path).err == ""


def test_every_file_of_a_batch_says_it(tmp_path: Path) -> None:
    for number in (1, 2):
        raster(tmp_path / f"{number}.tif", "int16", "-9999", -9999, count=number)
    result = run("apply", "1.tif", "2.tif", "-k", "box:3", "-o", "out/", cwd=tmp_path)
    assert "1.tif: values of no data (-9999) are averaged in: 1 of 156" in result.err
    assert "2.tif: values of no data (-9999) are averaged in: 2 of 156" in result.err
