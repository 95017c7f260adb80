"""The table of formats: what it promises is so, and everything else asks it; names, endings and standard output."""

import io
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
import pytest
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from convcli.images import formats
from convcli.images.formats import ROWS, Format, row_of
from convcli.images.picture import Metadata, Picture
from convcli.images.writing import Frame, Job
from support.cli import SAMPLES, done, run
from support.pictures import identity, read, write

NOISE = np.random.default_rng(3).integers(0, 256, (4, 30, 40), np.uint8)
MADE = sorted(set(formats.writable()) & set(ROWS) - {"NPY", "PDF", "ICNS", "EPS", "ZARR"})
"""Formats that are written, and that Pillow reads back."""


ENDINGS = {name: ending for ending, name in Image.registered_extensions().items()} | {"NPY": ".npy", "PPM": ".ppm"}


def written(name: str, folder: Path, picture: Picture, **settings: Any) -> Path:
    """A file of a format."""
    path = folder / f"out{ENDINGS[name]}"
    shape, has_alpha = picture.colour.shape, picture.alpha is not None
    storage = images.storage_for(picture, picture.space, shape, has_alpha, name, None)
    images.save_frames(iter([(picture, storage)]), str(path), settings=images.Settings(**settings))
    return path


def test_names_and_endings_stand_once() -> None:
    assert all(name == row.name for name, row in ROWS.items())
    endings = [ending for row in ROWS.values() for ending in (*row.endings, *row.refused_endings)]
    assert len(endings) == len(set(endings))
    heads = [head for row in ROWS.values() for head in row.heads]
    assert not [one for one in heads for other in heads if one != other and one.startswith(other)]


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_readers_and_writers_are_there(row: Format) -> None:
    if row.reader:
        assert callable(import_module(f"convcli.images.reading.{row.reader}").File)
    if row.writer and not row.written_as:
        assert callable(formats.writer(row))


@pytest.mark.parametrize("name", MADE)
def test_metadata_is_kept_where_the_table_says_so(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[270] = "a field"
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    metadata = Metadata("JPEG", b"profile", (300.0, 300.0), exif.tobytes(), xmp, comment=b"said")
    with Image.open(written(name, tmp_path, Picture(NOISE[:3], None, "rgb", 255.0, metadata=metadata))) as image:
        image.load()
        dpi = image.info.get("dpi", (0, 0))
        found = {
            "exif": image.getexif().get(270) == "a field",
            "xmp": bool(image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")),
            "icc_profile": "icc_profile" in image.info,
            "comment": image.info.get("comment") == b"said",
            "dpi": round(float(dpi[0])) == 300,
        }
        assert {name for name, is_there in found.items() if is_there} == {*row_of(name).keeps} & {*found}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(("source", "quality"), [(False, None), (True, None), (False, 100), (False, 60)])
def test_it_is_lossy_where_the_table_says_so(name: str, source: bool, quality: int | None, tmp_path: Path) -> None:
    row = row_of(name)
    if quality is not None and not row.quality:
        with pytest.raises(ImageError, match=f"quality {quality} is for JPEG, WEBP, AVIF, not for {name}"):
            images.Settings(quality).check(name)
        return
    picture = Picture(NOISE[:3], None, "rgb", 255.0, metadata=Metadata("PNG", lossy=source))
    with Image.open(written(name, tmp_path, picture, quality=quality)) as image:
        same = np.array_equal(np.asarray(image.convert("RGB")), np.moveaxis(NOISE[:3], 0, -1))
    assert same == (not row.loses(source, quality))
    if row.lossy_read is not None and row.lossy_read == row.lossy_written:
        assert images.load(str(tmp_path / f"out{ENDINGS[name]}")).metadata.lossy == row.lossy_read


@pytest.mark.parametrize("name", MADE)
def test_alpha_is_kept_or_refused(name: str, tmp_path: Path) -> None:
    alpha = np.where(NOISE[3] > 99, 255, 0).astype(np.uint8)
    picture = Picture(NOISE[:3], alpha, "rgb", 255.0)
    if not row_of(name).alpha:
        with pytest.raises(ImageError, match=f"{name} cannot hold it"):
            written(name, tmp_path, picture)
        return
    found = images.load(str(written(name, tmp_path, picture)))
    assert found.alpha is not None
    np.testing.assert_allclose(found.alpha, alpha, atol=9 if row_of(name).loses(False) else 0)


@pytest.mark.parametrize("name", MADE)
def test_depth_is_kept_or_told(name: str, tmp_path: Path) -> None:
    deep = NOISE[:3].astype(np.uint16) * 257 + 1
    picture = Picture(np.minimum(deep, 65535), None, "rgb", 65535.0)
    storage = images.storage_for(picture, "rgb", deep.shape, False, name, None)
    assert any("stored with 8 bits" in note for note in storage.notes) == (row_of(name).bits == 8)
    if row_of(name).bits == 16:
        np.testing.assert_array_equal(images.load(str(written(name, tmp_path, picture))).colour, picture.colour)


@pytest.mark.parametrize("name", MADE)
def test_the_smallest_size_beyond_the_largest_is_refused(name: str) -> None:
    row = row_of(name)
    picture = Picture(NOISE[:1], None, "gray", 255.0)
    sides = (1, 100_000 if row.largest == formats.ANY else row.largest)
    images.storage_for(picture, "gray", (1, *sides), False, name, None)
    if row.largest != formats.ANY:
        with pytest.raises(ImageError, match="too large"):
            images.storage_for(picture, "gray", (1, 1, row.largest + 1), False, name, None)


def test_what_the_table_does_not_know_is_asked_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ROWS, "QOI")
    assert formats.format_of("x.qoi", None, None) == "QOI"
    assert formats.has_image_name("x.qoi")
    assert not formats.has_image_name("x.eps")


def test_a_new_format_is_a_row_and_two_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else knows of it: it is read by content, written by name, listed, and refused what it does not have."""

    class File:
        format, frames, pages, unread = "RAW3", 1, False, 0

        def __init__(self, stream: BinaryIO, source: str, limit: int, full_scale: float | None = None) -> None:
            self.data = stream.read()

        def picture(self, number: int = 0) -> Picture:
            height, width = self.data[4], self.data[5]
            colour = np.frombuffer(self.data, np.uint8, offset=6).reshape(3, height, width)
            return Picture(colour, None, "rgb", 255.0, metadata=Metadata("RAW3"))

        def timing(self) -> None:
            """Nothing moves."""

    def write(frames: Iterator[Frame], job: Job) -> None:
        pixels = next(frames).pixels
        job.write([b"RAW3", bytes(pixels.shape[:2]), np.moveaxis(pixels, -1, 0).tobytes()])

    for package, name, what in (("reading", "File", File), ("writing", "write", write)):
        module = ModuleType("raw3")
        setattr(module, name, what)
        monkeypatch.setitem(sys.modules, f"convcli.images.{package}.raw3", module)
    row = Format("RAW3", (".raw3",), heads=(b"RAW3",), reader="raw3", writer="raw3", alpha=False)
    monkeypatch.setitem(ROWS, "RAW3", row)
    monkeypatch.setitem(formats.ENDINGS, ".raw3", row)
    done("apply", SAMPLES / "tiny.png", "-k", "identity", "--alpha", "drop", "-o", tmp_path / "a.raw3")
    done("apply", tmp_path / "a.raw3", "-k", "identity", "-o", tmp_path / "b.png")
    with Image.open(SAMPLES / "tiny.png") as before, Image.open(tmp_path / "b.png") as after:
        np.testing.assert_array_equal(np.asarray(before.convert("RGB")), np.asarray(after))
    assert "RAW3" in formats.readable()
    assert "RAW3" in formats.writable()
    assert formats.has_image_name("x.raw3")
    assert "--quality 3 is for" in run("apply", tmp_path / "a.raw3", "-k", "1", "--quality", "3", "-o", "x.raw3").err


@pytest.mark.parametrize(("source", "lossy"), [("PNG", False), ("JPEG", True)])
def test_explain_calls_lossy_what_apply_writes_so(source: str, lossy: bool, tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.moveaxis(NOISE[:3], 0, -1)).save(stream, source)
    path = tmp_path / "in"
    path.write_bytes(stream.getvalue())
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.webp")
    written_lossy = b"VP8L" not in (tmp_path / "out.webp").read_bytes()
    text = done("explain", path, "-k", "identity", "--at", "1,1", "--format", "webp").text
    assert written_lossy == lossy == ("WEBP (lossy)" in text)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_a_webp_of_a_long_profile_is_as_lossy_as_it_is(lossless: bool, count: int, tmp_path: Path) -> None:
    """The pixels stand behind the profile; the other kind's name within it says nothing."""
    first, *rest = [Image.fromarray(np.moveaxis(NOISE[number : number + 3], 0, -1)) for number in range(count)]
    profile = (b"VP8L" if not lossless else b"VP8 ") * 50_000
    options = {"save_all": True, "append_images": rest} if rest else {}
    first.save(tmp_path / "in.webp", lossless=lossless, icc_profile=profile, **options)
    assert images.load(str(tmp_path / "in.webp")).metadata.lossy == (not lossless)


def test_real_values_fit_where_a_row_says_so() -> None:
    for name, row in ROWS.items():
        if row.real or row.tensor:
            images.check_policy(name, "raw")
        else:
            images.check_policy(name, "clip")
            with pytest.raises(ImageError, match="does not fit into integers"):
                images.check_policy(name, "raw")


@pytest.mark.parametrize("ending", ["pfm", "pbm"])
def test_names_that_promise_what_is_not_written(ending: str, tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((1, 5, 5), np.uint8))
    result = run("apply", "in.png", "-k", "box:3", "-o", f"out.{ending}", cwd=tmp_path)
    assert result.code == 2
    assert f"ends in '.{ending}', which cannot be written" in result.err
    assert not (tmp_path / f"out.{ending}").exists()


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("out.png", "PNG"), ("out.PNG", "PNG"), ("out.jpg", "JPEG"), ("out.jpeg", "JPEG"), ("out.tif", "TIFF"),
        ("out.tiff", "TIFF"), ("out.bmp", "BMP"), ("out.gif", "GIF"), ("out.webp", "WEBP"), ("out.ppm", "PPM"),
    ],
)  # fmt: skip
def test_format_by_extension(name: str, format_: str, tmp_path: Path) -> None:
    assert identity(SAMPLES / "tiny.png", tmp_path / name).format == format_


@pytest.mark.parametrize("name", ["png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp", "ppm", "PNG", ".png"])
def test_format_of_stdout(name: str, tmp_path: Path) -> None:
    out = done("apply", SAMPLES / "tiny.png", "-k", "identity", "-o", "-", "--format", name).out
    with Image.open(io.BytesIO(out)) as image:
        expected = {"jpg": "JPEG", "tif": "TIFF"}.get(name.lower().strip("."), name.upper().strip("."))
        assert image.format == expected
        assert image.size == (8, 8)


def test_format_npy_of_stdout() -> None:
    out = done("apply", SAMPLES / "tiny.png", "-k", "identity", "-o", "-", "--format", "npy").out
    np.testing.assert_array_equal(np.load(io.BytesIO(out)), read(SAMPLES / "tiny.png"))


def test_stdout_has_the_inputs_format() -> None:
    for name, format_ in (("tiny.png", "PNG"), ("rotated.jpg", "JPEG"), ("animation.gif", "GIF")):
        out = done("apply", "-", "-k", "identity", input=(SAMPLES / name).read_bytes()).out
        with Image.open(io.BytesIO(out)) as image:
            assert image.format == format_


def test_the_content_decides_how_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "in.jpg").write_bytes((SAMPLES / "tiny.png").read_bytes())
    identity(tmp_path / "in.jpg", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), read(SAMPLES / "tiny.png"))
