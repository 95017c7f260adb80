"""Descriptions by OME, ImageJ and tifffile follow the result, and what cannot is left out with a remark."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli.images.directories import Entry
from support.cli import done
from support.pictures import tags_of, tiff

H, W = 24, 30


def described(path: Path) -> str:
    found = tags_of(path)[270]
    assert isinstance(found, Entry)
    return found.data.rstrip(b"\0").decode()


def ome(path: Path, pixels: np.ndarray, **metadata: Any) -> Path:
    tifffile.imwrite(path, pixels, ome=True, metadata={"PhysicalSizeX": 0.325, "PhysicalSizeY": 0.5, **metadata})
    return path


def attributes(text: str) -> dict[str, str]:
    """Those of the first Pixels and its channels."""
    found = re.search(r"<Pixels[^>]*>", text)
    assert found is not None
    return dict(re.findall(r'(\w+)="([^"]*)"', found[0]))


@pytest.mark.parametrize(
    ("line", "size", "physical"),
    [
        ("apply -k box:3", (22, 28), (0.5, 0.325)),
        ("apply -k box:3 -s 2,3", (11, 10), (1, 0.975)),
        ("apply -k identity -p 2,0,1,0", (26, 31), (0.5, 0.325)),
        ("transpose -k bilinear:2 -s 2 -p 1", (48, 60), (0.25, 0.1625)),
    ],
)
def test_ome_sizes(line: str, size: tuple[int, int], physical: tuple[float, float], tmp_path: Path) -> None:
    source = ome(tmp_path / "in.ome.tif", np.zeros((3, H, W), np.uint8), axes="CYX")
    command, *options = line.split()
    result = done(command, source, *options, "-o", tmp_path / "out.ome.tif")
    assert "left out" not in result.err
    found = attributes(described(tmp_path / "out.ome.tif"))
    assert (int(found["SizeY"]), int(found["SizeX"])) == size
    assert (float(found["PhysicalSizeY"]), float(found["PhysicalSizeX"])) == physical
    assert (found["SizeC"], found["Type"]) == ("3", "uint8")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert file.is_ome
        assert file.series[0].shape == (3, *size)


def test_ome_stays_byte_for_byte(tmp_path: Path) -> None:
    source = ome(tmp_path / "in.ome.tif", np.zeros((3, H, W), np.uint16), axes="CYX")
    done("apply", source, "-k", "box:3", "-p", "same", "-o", tmp_path / "out.ome.tif")
    assert tags_of(source)[270] == tags_of(tmp_path / "out.ome.tif")[270]


@pytest.mark.parametrize(
    ("options", "channels", "samples"), [(("--channels", "gray"), 2, 1), (("-k", "identity"), 12, 6)]
)
def test_ome_of_another_number_of_channels(
    options: tuple[str, ...], channels: int, samples: int, tmp_path: Path
) -> None:
    """Two pages of RGB, channels of three samples."""
    source = ome(tmp_path / "in.ome.tif", np.zeros((2, H, W, 3), np.uint8), axes="CYXS", photometric="rgb")
    assert attributes(described(source))["SizeC"] == "6"
    done("apply", source, "-k", "identity", *options, "-o", tmp_path / "out.ome.tif")
    text = described(tmp_path / "out.ome.tif")
    assert attributes(text)["SizeC"] == str(channels)
    assert re.findall(r'SamplesPerPixel="(\d+)"', text) == [str(samples)] * 2
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert int(np.prod(file.series[0].shape)) == channels * H * W


def test_ome_of_channels_without_samples(tmp_path: Path) -> None:
    """Where none is written there is one."""
    text = '<OME><Image><Pixels SizeX="30" SizeY="24" SizeC="1" Type="uint8"><Channel ID="C:0"/></Pixels></Image></OME>'
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), description=text)
    done("apply", source, "-k", "identity", "-k", "identity", "-o", tmp_path / "out.tif")
    assert '<Channel ID="C:0" SamplesPerPixel="2"/>' in described(tmp_path / "out.tif")


def test_the_type_in_ome_is_that_of_the_file(tmp_path: Path) -> None:
    source = ome(tmp_path / "in.ome.tif", np.zeros((H, W), np.int16), axes="YX", SignificantBits=12)
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.ome.tif")
    found = attributes(described(tmp_path / "out.ome.tif"))
    assert found["Type"] == "float"
    assert "SignificantBits" not in found


REGIONS = '<ROIRef ID="ROI:0"/></Image><ROI ID="ROI:0"><Union><Shape><Rectangle X="1" Y="2"/></Shape></Union></ROI>'
OME = '<?xml version="1.0"?><OME><Image><Pixels SizeX="30" SizeY="24"/>{}</OME>'


@pytest.mark.parametrize("options", [("-k", "box:3"), ("-k", "box:2", "-p", "same"), ("-k", "identity")])
def test_regions_of_interest(options: tuple[str, ...], tmp_path: Path) -> None:
    """They lie elsewhere in the result, by half a pixel too."""
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), description=OME.format(REGIONS))
    result = done("apply", source, *options, "-o", tmp_path / "out.tif")
    moved = "identity" not in options
    assert ("its regions of interest are left out" in result.err) == moved
    assert ("ROI" in described(tmp_path / "out.tif")) == (not moved)


def test_images_of_several_sizes_cannot_follow(tmp_path: Path) -> None:
    text = OME.format('</Image><Image><Pixels SizeX="3" SizeY="2"/></Image>')
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), description=text)
    result = done("apply", source, "-k", "box:3", "-o", tmp_path / "out.tif")
    assert "its description is left out: it has other sizes than the result" in result.err
    assert 270 not in tags_of(tmp_path / "out.tif")
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert described(tmp_path / "out.tif") == text


def test_imagej(tmp_path: Path) -> None:
    """The size of a pixel is in the resolution, of no unit; the origin is in pixels, counted from the corner of the first."""
    source = tmp_path / "in.tif"
    metadata = {"unit": "um", "spacing": 0.5, "axes": "ZYX"}
    tifffile.imwrite(source, np.zeros((4, H, W), np.uint16), imagej=True, resolution=(3.0, 2.0), metadata=metadata)
    text = source.read_bytes().replace(b"spacing=0.5\n", b"xorigin=10.\n", 1)
    source.write_bytes(text)
    assert "xorigin=10" in described(source)
    done("apply", source, "-k", "box:3", "-s", "2", "-o", tmp_path / "out.tif")
    assert "xorigin=4.75" in described(tmp_path / "out.tif")  # (10 - 0.5) / 2
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_imagej
        assert file.series[0].shape[-2:] == (11, 14)
        assert [file.pages[0].tags[tag].value for tag in (282, 283, 296)] == [(3, 2), (1, 1), 1]


@pytest.mark.parametrize(
    ("shape", "photometric", "config", "after"),
    [
        ((5, H, W), "minisblack", None, [5, 11, 14]),
        ((2, H, W, 3), "rgb", "contig", [2, 11, 14, 3]),
        ((2, 3, H, W), "rgb", "separate", [2, 3, 11, 14]),
        ((H, W), "minisblack", None, [11, 14]),
    ],
)
def test_the_shape_that_tifffile_writes(
    shape: tuple[int, ...], photometric: str, config: str | None, after: list[int], tmp_path: Path
) -> None:
    source = tmp_path / "in.tif"
    tifffile.imwrite(
        source, np.zeros(shape, np.uint8), photometric=photometric, planarconfig=config, metadata={"by": "hand"}
    )
    done("apply", source, "-k", "box:3", "-s", "2", "-o", tmp_path / "out.tif")
    assert described(tmp_path / "out.tif") == f'{{"shape": {after}, "by": "hand"}}'


def test_a_shape_of_other_channels_is_left_out(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", np.zeros((H, W, 3), np.uint8), photometric="rgb")
    result = done("apply", tmp_path / "in.tif", "-k", "box:3", "--channels", "sum", "-o", tmp_path / "out.tif")
    assert "its description is left out" in result.err
    assert 270 not in tags_of(tmp_path / "out.tif")


@pytest.mark.parametrize(
    "text", ['{"shape": 5}', '{"shape": []}', '{"shape": ', "<OME><Pixels SizeX='x' SizeY='24'/></OME>"]
)
def test_damage(text: str, tmp_path: Path) -> None:
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), description=text)
    assert "its description is left out" in done("apply", source, "-k", "box:3", "-o", tmp_path / "out.tif").err
