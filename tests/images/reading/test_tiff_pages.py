"""What counts as a page of a TIFF: no copies, no masks, and all pictures that lie behind one directory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli import images
from convcli.errors import ImageError
from support.cli import done, run

H, W = 40, 50
STACK = np.random.default_rng(21).integers(0, 60000, (5, H, W), np.uint16)


def pages_of(path: Path) -> list[np.ndarray]:
    with tifffile.TiffFile(path) as file:
        return [page.asarray() for page in file.pages]


def identity(source: Path, target: Path) -> tuple[list[np.ndarray], list[str]]:
    """The pages of the result, and the remarks."""
    result = done("apply", source, "-k", "identity", "-o", target, "--json")
    return pages_of(target), result.json["notes"]


def written(path: Path, *pages: tuple[np.ndarray, dict[str, Any]]) -> Path:
    with tifffile.TiffWriter(path) as to:
        for pixels, options in pages:
            to.write(pixels, **{"photometric": "minisblack", "metadata": None, "contiguous": False, **options})
    return path


def planes_behind(path: Path, stack: np.ndarray, **options: Any) -> Path:
    """A stack as MetaMorph writes it: one directory, in which a tag has six numbers for each plane."""
    tags = [(33628, 4, 1, 0, True), (33629, 5, len(stack), [0, 1] * len(stack), True)]
    written(path, (stack[0], {"extratags": tags, "rowsperstrip": 10, **options}))
    with path.open("ab") as stream:
        stream.write(stack[1:].tobytes())
    return path


@pytest.mark.parametrize(
    ("kinds", "notes"),
    [
        ([0], []),
        ([2, 2], []),  # pages of a document
        ([0, 1, 1], ["2 reduced copies of the picture are left out"]),
        ([1, 0], ["1 reduced copy of the picture is left out"]),  # the thumbnail is first
        ([0, 4], ["1 transparency mask is left out"]),
        ([0, 1, 4, 5], ["1 reduced copy of the picture is left out", "2 transparency masks are left out"]),
        ([2, 1, 2, 1], ["2 reduced copies of the picture are left out"]),  # a thumbnail for each
        ([1], []),  # which is all that there is
        ([1, 1], []),
    ],
)
@pytest.mark.parametrize("coding", ["zlib", "lzw"])
def test_copies_and_masks_are_no_pages(kinds: list[int], notes: list[str], coding: str, tmp_path: Path) -> None:
    made, kept = [], []
    for number, kind in enumerate(kinds):
        step = 2 if kind & 1 and 0 in kinds else 1
        pixels = STACK[number, ::step, ::step]
        made.append((pixels > 30000 if kind & 4 else pixels, {"subfiletype": kind, "compression": coding}))
        kept += [pixels] * (not kind & 5 or set(kinds) == {1})
    found, said = identity(written(tmp_path / "in.tif", *made), tmp_path / "out.tif")
    assert said == notes
    np.testing.assert_array_equal(found, kept)


def test_the_old_tag_of_a_reduced_copy(tmp_path: Path) -> None:
    """SubfileType, 255: 1 is a whole picture, 2 a reduced copy, 3 a page."""
    made = [(STACK[number], {"extratags": [(255, 3, 1, kind, True)]}) for number, kind in enumerate((1, 2, 3))]
    found, said = identity(written(tmp_path / "in.tif", *made), tmp_path / "out.tif")
    assert said == ["1 reduced copy of the picture is left out"]
    np.testing.assert_array_equal(found, STACK[[0, 2]])


def test_a_picture_and_its_mask_are_one_in_any_format(tmp_path: Path) -> None:
    source = written(tmp_path / "in.tif", (STACK[0], {}), (STACK[0] > 30000, {"subfiletype": 4}))
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    assert "1 transparency mask is left out" in result.err
    assert "frames" not in result.err


def test_levels_within_a_page(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "in.ome.tif", ome=True) as to:
        to.write(STACK, photometric="minisblack", subifds=2)
        for step in (2, 4):
            to.write(STACK[:, ::step, ::step], photometric="minisblack", subfiletype=1)
    found, said = identity(tmp_path / "in.ome.tif", tmp_path / "out.tif")
    assert said == ["10 reduced copies of the picture are left out"]
    np.testing.assert_array_equal(found, STACK)


def test_a_thumbnail_with_the_picture_within_it(tmp_path: Path) -> None:
    """As in raw files of cameras."""
    with tifffile.TiffWriter(tmp_path / "in.tif") as to:
        to.write(STACK[0, ::4, ::4], photometric="minisblack", subfiletype=1, subifds=1, metadata=None)
        to.write(STACK[0], photometric="minisblack", metadata=None)
    found, said = identity(tmp_path / "in.tif", tmp_path / "out.tif")
    assert said == ["1 picture in a directory of its own (SubIFD) is left out"]
    np.testing.assert_array_equal(found, STACK[:1, ::4, ::4])


def test_a_slide_has_one_picture(tmp_path: Path) -> None:
    """Aperio's program declares levels as pages."""
    pixels = STACK.astype(np.uint8)[0]
    sizes = (1, 4, 2), ("a slide", "its thumbnail", "a level")
    made = [
        (pixels[::step, ::step], {"description": f"Aperio Image Library\n{what}"})
        for step, what in zip(*sizes, strict=True)
    ]
    made.append((pixels[::3, ::3], {"subfiletype": 9, "description": "Aperio Image Library\nmacro"}))
    found, said = identity(written(tmp_path / "in.svs", *made), tmp_path / "out.tif")
    assert said == ["1 reduced copy of the picture is left out", "2 smaller pictures of the slide are left out"]
    np.testing.assert_array_equal(found, [pixels])


@pytest.mark.parametrize("kind", ["imagej", "rgb", "shaped", "planes"])
def test_pictures_behind_one_directory(kind: str, tmp_path: Path) -> None:
    stack, source = STACK, tmp_path / "in.tif"
    if kind == "rgb":
        stack = np.stack([STACK, STACK // 2, STACK // 3], -1).astype(np.uint8)
    if kind in ("imagej", "rgb"):
        tifffile.imwrite(source, stack, imagej=True, truncate=True)
    elif kind == "shaped":
        tifffile.imwrite(source, stack, photometric="minisblack", truncate=True)
    else:
        planes_behind(source, stack)
    assert len(pages_of(source)) == 1
    found, said = identity(source, tmp_path / "out.tif")
    assert said == []
    np.testing.assert_array_equal(found, stack)
    again, said = identity(tmp_path / "out.tif", tmp_path / "again.tif")
    assert said == []
    np.testing.assert_array_equal(again, stack)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        np.testing.assert_array_equal(file.asarray(), stack)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.npy")
    assert "the first of 5 frames is used" in result.err
    small = done("apply", source, "-k", "box:3", "-s", "2", "-o", tmp_path / "small.tif", "--json")
    assert small.json["notes"] == []
    assert [page.shape[:2] for page in pages_of(tmp_path / "small.tif")] == [(19, 24)] * 5


@pytest.mark.parametrize("kind", ["short", "compressed", "copied"])
def test_pictures_that_are_declared_but_not_there(kind: str, tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    if kind == "compressed":
        planes_behind(source, STACK, compression="zlib")
    else:
        description = "ImageJ=1.54f\nimages=5\nslices=5\nloop=false\n"
        written(source, (STACK[0], {"description": description}))
    if kind == "short":
        source.write_bytes(source.read_bytes() + STACK[1:4].tobytes())
    found, said = identity(source, tmp_path / "out.tif")
    assert said == ["it declares 5 pictures behind one directory, and only the first is read"]
    np.testing.assert_array_equal(found, STACK[:1])


def test_samples_that_are_counted_as_pictures(tmp_path: Path) -> None:
    """Bio-Formats counts the samples of colours among ImageJ's images."""
    pixels = np.stack([STACK[0], STACK[1], STACK[2]], -1).astype(np.uint8)
    description = "ImageJ=1.54f\nimages=3\nchannels=3\nmode=composite\n"
    source = written(tmp_path / "in.tif", (pixels, {"description": description, "photometric": "rgb"}))
    found, said = identity(source, tmp_path / "out.tif")
    assert said == []
    np.testing.assert_array_equal(found, [pixels])


def test_pictures_behind_a_directory_are_counted_for_the_limit(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "in.tif", STACK, imagej=True, truncate=True)
    images.load(str(tmp_path / "in.tif"), STACK.size)
    with pytest.raises(ImageError, match=f"has {STACK.size} pixels in 5 frames"):
        images.load(str(tmp_path / "in.tif"), STACK.size - 1)


def test_a_file_without_pages(tmp_path: Path) -> None:
    (tmp_path / "in.tif").write_bytes(b"II*\0" + bytes(4))
    result = run("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "out.tif")
    assert result.code == 2
    assert "cannot be decoded: it has no page" in result.err
