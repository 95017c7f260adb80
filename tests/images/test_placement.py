"""Where pixels lie: a picture whose values are its coordinates on the map says of every result whether its tags are right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.images import directories
from convcli.images.directories import DOUBLE, EXIF, RATIONAL, SHORT, TEXT, Entry, entry
from support.cli import done
from support.pictures import GRAY, opened, tags_of, tiff, write

H, W = 24, 30
SCALE, TIES, MATRIX, KEYS, RPC = 33550, 33922, 34264, 34735, 50844
Place = Callable[[float, float], tuple[float, float]]


def area_or_point(points: bool) -> tuple[int, str, int, Any, bool]:
    return KEYS, "H", 8, (1, 1, 0, 1, 1025, 0, 1, 2 if points else 1), True


def scaled(points: bool, first: tuple[float, float] = (0, 0)) -> list[tuple[int, str, int, Any, bool]]:
    tie = (*first, 0, 500_000, 4_600_000, 0)
    return [(SCALE, "d", 3, (10, 5, 0), True), (TIES, "d", 6, tie, True), area_or_point(points)]


def turned(points: bool) -> list[tuple[int, str, int, Any, bool]]:
    return [(MATRIX, "d", 16, (8, 3, 0, 1000, -2, 6, 0, 2000, 0, 0, 0, 0, 0, 0, 0, 1), True), area_or_point(points)]


def tied(points: bool) -> list[tuple[int, str, int, Any, bool]]:
    """Points on the ground alone, of the map that is scaled."""
    places = [(0, 0), (W, 0), (0, H), (W, H)]
    ties = [number for x, y in places for number in (x, y, 0, 500_000 + 10 * x, 4_600_000 - 5 * y, 0)]
    return [(TIES, "d", len(ties), tuple(ties), True), area_or_point(points)]


def place_of(tags: directories.Directory) -> Place:
    """The place on the map of the centre of a pixel (row, column), as the standard says."""
    numbers = {
        tag: value.numbers
        for tag, value in tags.items()
        if isinstance(value, Entry) and tag in (SCALE, TIES, MATRIX, KEYS)
    }
    points = numbers[KEYS][-1] == 2

    def place(row: float, column: float) -> tuple[float, float]:
        x, y = (column, row) if points else (column + 0.5, row + 0.5)
        if MATRIX in numbers:
            a, b, _, c, d, e, _, f, *_ = numbers[MATRIX]
            return a * x + b * y + c, d * x + e * y + f
        ties = np.array(numbers[TIES]).reshape(-1, 6)
        if SCALE in numbers:
            (i, j, _, east, north, _), (across, down, _) = ties[0], numbers[SCALE]
            return east + (x - i) * across, north - (y - j) * down
        known = np.column_stack([ties[:, 0], ties[:, 1], np.ones(len(ties))])
        east, north = np.array([x, y, 1]) @ np.linalg.lstsq(known, ties[:, 3:5], rcond=None)[0]
        return float(east), float(north)

    return place


OPERATIONS = [
    ("apply", "-k box:3"), ("apply", "-k box:3 -s 2"), ("apply", "-k box:3 -s 3,2 -p same-upper"), ("apply", "-k box:2 -p same"),
    ("apply", "-k box:4 -s 2 -p 3,1,2,4"), ("apply", "-k box:3 -d 2 -p full"), ("apply", "-k 1 -s 5"),
    ("apply", "-k gaussian:1 -p 2"), ("apply", "-k box:2,5 -s 1,3 -d 3,1"), ("transpose", "-k bilinear:2 -s 2 -p 1"),
    ("transpose", "-k bilinear:3 -s 3 -p 1"),
    ("transpose", "-k bilinear:2 -s 2 -p 0,1,2,1 --output-padding 1"), ("transpose", "-k box:3 -p 1 --bias 0"),
    ("transpose", "-k bilinear:4 -s 4 -p same-upper"),
]  # fmt: skip


@pytest.mark.parametrize("tags", [scaled, turned, tied])
@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize(("command", "options"), OPERATIONS)
def test_a_map_of_its_own_coordinates(
    tags: Callable[[bool], Any], points: bool, command: str, options: str, tmp_path: Path
) -> None:
    """Means, and linear interpolation, keep a plane as it is: away from borders, values are still the places of their pixels."""
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.float32), extratags=tags(points))
    place = place_of(tags_of(source))
    grid = np.array([[place(row, column) for column in range(W)] for row in range(H)])
    for axis in (0, 1):
        offset = grid[..., axis].min()
        tiff(tmp_path / "in.tif", (grid[..., axis] - offset).astype(np.float64), extratags=tags(points))
        line = [command, tmp_path / "in.tif", *options.split(), "--padding-mode", "replicate", "--dtype", "float64"]
        result = done(*line, "-o", tmp_path / "out.tif", "-q")
        assert "left out" not in result.err
        with Image.open(tmp_path / "out.tif") as image:
            found = np.asarray(image)
        there = place_of(tags_of(tmp_path / "out.tif"))
        expected = np.array(
            [
                [there(*at)[axis] for at in ((row, column) for column in range(found.shape[1]))]
                for row in range(len(found))
            ]
        )
        rows, columns = (slice(size // 2 - size // 8, size // 2 + size // 8) for size in found.shape)
        np.testing.assert_allclose(found[rows, columns] + offset, expected[rows, columns], atol=2e-3)


@pytest.mark.parametrize("first", [(0, 0), (7, 3), (-2.5, 0.5)])
def test_a_tie_point_anywhere(first: tuple[float, float], tmp_path: Path) -> None:
    """Its place in the raster stays, and the map's moves: by half a pixel of the input and less half one of the output."""
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), extratags=scaled(False, first))
    done("apply", source, "-k", "1", "-s", "2", "-o", tmp_path / "out.tif")
    before, after = place_of(tags_of(source)), place_of(tags_of(tmp_path / "out.tif"))
    assert after(3, 4) == pytest.approx(before(6, 8))
    assert tags_of(tmp_path / "out.tif")[TIES].numbers[:2] == first  # type: ignore[union-attr]


@pytest.mark.parametrize("options", ["-k identity", "-k box:3 -p same", "-k gaussian:2 -p same", "-k box:3 -d 2 -p 2"])
def test_what_does_not_move_stays_byte_for_byte(options: str, tmp_path: Path) -> None:
    more = [
        *scaled(True), (34736, "d", 2, (6378137.0, 298.25), True), (34737, "s", 0, "WGS 84|", True),
        (42112, "s", 0, "<GDALMetadata/>", True),
        (42113, "s", 0, "nan", True), (RPC, "d", 92, tuple(range(92)), True),
        (65000, "f", 2, (1.5, 2.5), True), (65001, "Q", 1, 5, True),
    ]  # fmt: skip
    settings = {"resolution": (118.11, 59.5), "resolutionunit": 3, "description": "a field", "software": "by hand"}
    source = tiff(
        tmp_path / "in.tif", GRAY.repeat(3, 0), extratags=more, bigtiff=True, planarconfig="separate", **settings
    )
    done("apply", source, *options.split(), "-o", tmp_path / "out.tif")
    before, after = tags_of(source), tags_of(tmp_path / "out.tif")
    assert before.keys() - after.keys() == set()
    kept = {270, 282, 283, 296, 305, SCALE, TIES, KEYS, 34736, 34737, 42112, 42113, RPC, 65000}
    assert {tag: before[tag] for tag in kept} == {tag: after[tag] for tag in kept}
    assert after[65001] == entry(directories.LONG, 5)


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        ("apply -s 2,3", (1 / 3, 1 / 2)),
        ("transpose -s 2,3", (3, 2)),
        ("apply -p 4", (1, 1)),
        ("apply -s 7,1", (1, 1 / 7)),
    ],
)
@pytest.mark.parametrize("unit", [1, 2, 3])
def test_the_resolution_of_a_tiff(options: str, factor: tuple[float, float], unit: int, tmp_path: Path) -> None:
    """Of any unit, of none too, which ImageJ writes; fractions stay exact."""
    settings = {"resolution": ((1181102, 10000), (65536, 771)), "resolutionunit": unit}
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), **settings)
    command, *rest = options.split()
    done(command, source, "-k", "identity", *rest, "-o", tmp_path / "out.tif")
    after = tags_of(tmp_path / "out.tif")
    assert after[296] == entry(SHORT, unit)
    for tag, before, times in zip((282, 283), (118.1102, 65536 / 771), factor, strict=True):
        value = after[tag]
        assert isinstance(value, Entry)
        assert value.numbers[0] == pytest.approx(before * times, rel=1e-12)


def test_a_resolution_that_no_fraction_of_32_bits_holds(tmp_path: Path) -> None:
    source = tiff(
        tmp_path / "in.tif",
        np.zeros((H, W), np.uint8),
        resolution=((4294967291, 4294967279), (1, 4294967295)),
        resolutionunit=2,
    )
    done("apply", source, "-k", "identity", "-s", "3,7", "-o", tmp_path / "out.tif")
    across, down = (tags_of(tmp_path / "out.tif")[tag] for tag in (282, 283))
    assert isinstance(across, Entry)
    assert isinstance(down, Entry)
    assert across.numbers[0] == pytest.approx(4294967291 / 4294967279 / 7)
    assert down.numbers[0] < 1e-9


@pytest.mark.parametrize("extension", ["png", "jpg", "bmp"])
@pytest.mark.parametrize(("command", "expected"), [("apply", (100, 150)), ("transpose", (900, 600))])
def test_pixels_per_inch_of_other_formats(
    extension: str, command: str, expected: tuple[float, float], tmp_path: Path
) -> None:
    source = write(tmp_path / f"in.{extension}", GRAY, dpi=(300, 300))
    done(command, source, "-k", "identity", "-s", "2,3", "-o", tmp_path / f"out.{extension}")
    assert opened(tmp_path / f"out.{extension}").info["dpi"] == pytest.approx(expected, abs=0.5)


def test_a_resolution_that_a_format_cannot_hold_is_left_out(tmp_path: Path) -> None:
    """JPEG's has 16 bits."""
    source = write(tmp_path / "in.jpg", GRAY, dpi=(30000, 30000))
    result = done("transpose", source, "-k", "identity", "-s", "3", "-o", tmp_path / "out.jpg")
    assert "its resolution does not fit into JPEG and is left out" in result.err
    assert "dpi" not in opened(tmp_path / "out.jpg").info


def test_a_picture_that_was_turned_loses_its_place(tmp_path: Path) -> None:
    more = [*scaled(False), (274, "H", 1, 6, True)]
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), extratags=more)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert "its place on the map is left out" in result.err
    assert not {SCALE, TIES} & tags_of(tmp_path / "out.tif").keys()


@pytest.mark.parametrize(("tag", "values"), [(MATRIX, (1.0, 2.0)), (SCALE, (1.0,)), (TIES, (1.0, 2.0)), (RPC, (1.0,))])
def test_damaged_tags_are_left_out_with_a_remark(tag: int, values: tuple[float, ...], tmp_path: Path) -> None:
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), extratags=[(tag, "d", len(values), values, True)])
    result = done("apply", source, "-k", "identity", "-s", "2", "-o", tmp_path / "out.tif")
    assert f"its tag {tag}, which says where pixels lie, is damaged and left out" in result.err
    assert tag not in tags_of(tmp_path / "out.tif")
    assert done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif").err == ""
    assert tag in tags_of(tmp_path / "out.tif")


def test_polynomials_of_a_satellite(tmp_path: Path) -> None:
    """Line 100 of 10 to the left and right of it, seen by every third pixel of a kernel of 5: its middle is 2 pixels further."""
    values = [0.0] * 92
    values[2:4], values[7:9] = [100.0, 200.0], [90.0, 180.0]
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), extratags=[(RPC, "d", 92, tuple(values), True)])
    done("apply", source, "-k", "box:5", "-s", "3,2", "-o", tmp_path / "out.tif")
    found = tags_of(tmp_path / "out.tif")[RPC]
    assert isinstance(found, Entry)
    assert found.numbers[2:4] + found.numbers[7:9] == pytest.approx((98 / 3, 99, 30, 90))


def test_where_a_camera_saw_its_subject(tmp_path: Path) -> None:
    exif = directories.exif_of(
        {EXIF: {0xA20E: entry(RATIONAL, 1000), 0xA20F: entry(RATIONAL, 500), 0x9214: entry(SHORT, 10, 6, 4, 2)}}
    )
    path = tmp_path / "in.jpg"
    Image.new("RGB", (32, 24)).save(path, exif=exif)
    done("apply", path, "-k", "box:3", "-s", "2", "-o", tmp_path / "out.jpg")
    found = tags_of(tmp_path / "out.jpg")[EXIF]
    assert isinstance(found, dict)
    assert [found[tag].numbers for tag in (0xA20E, 0xA20F)] == [(500,), (250,)]  # type: ignore[union-attr]
    assert found[0x9214] == entry(SHORT, 4, 2, 2, 1)  # (10 - 1) / 2, (6 - 1) / 2


def test_tags_in_other_formats_follow_as_well(tmp_path: Path) -> None:
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), extratags=scaled(False))
    done("apply", source, "-k", "1", "-o", tmp_path / "same.png")
    done("apply", tmp_path / "same.png", "-k", "1", "-s", "2", "-o", tmp_path / "half.png")
    assert tags_of(tmp_path / "half.png")[SCALE] == entry(DOUBLE, 20, 10, 0)


def test_every_page_has_its_own_place(tmp_path: Path) -> None:
    import tifffile

    with tifffile.TiffWriter(tmp_path / "in.tif") as to:
        for number in (1, 2):
            tie = (0, 0, 0, 1000 * number, 0, 0)
            more = [(SCALE, "d", 3, (1.0, 1.0, 0), True), (TIES, "d", 6, tie, True)]
            to.write(
                np.zeros((H, W), np.uint8), photometric="minisblack", metadata=None, contiguous=False, extratags=more
            )
    done("apply", tmp_path / "in.tif", "-k", "box:3", "-o", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert [page.tags[TIES].value[3] for page in file.pages] == [1001, 2001]


def test_texts_are_untouched(tmp_path: Path) -> None:
    source = tiff(tmp_path / "in.tif", np.zeros((H, W), np.uint8), description="SizeX=30")
    done("apply", source, "-k", "1", "-s", "2", "-o", tmp_path / "out.tif")
    assert tags_of(tmp_path / "out.tif")[270] == Entry(TEXT, b"SizeX=30\0")
