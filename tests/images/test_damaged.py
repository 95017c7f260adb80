"""Files that are not as they should be: one line, or a picture without what was damaged."""

import io
import struct
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from convcli import images
from convcli.errors import ConvError, ImageError
from convcli.images import directories
from support.cli import done, run
from support.pictures import read, write

PIXELS = np.random.default_rng(5).integers(0, 256, (12, 10, 3), dtype=np.uint8)
FORMATS = ["AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "QOI", "SGI",
           "SPIDER", "TGA", "TIFF", "WEBP"]  # fmt: skip


def encoded(container: str) -> bytes:
    """A small picture, with EXIF data where the format has it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:01 00:00:00"
    image = Image.fromarray(PIXELS)
    stream = io.BytesIO()
    if container == "ICNS":
        image = image.resize((16, 16))
    with_exif = container in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF")
    image.save(stream, container, **({"exif": exif.tobytes()} if with_exif else {}))
    return stream.getvalue()


@pytest.mark.parametrize("container", FORMATS)
def test_damaged_files_are_read_or_refused(container: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever a decoder raises becomes an `ImageError` of one line; metadata that was read can be written."""
    try:
        whole = encoded(container)
    except (KeyError, OSError):
        pytest.skip(f"this Pillow does not write {container}")
    folder = tmp_path_factory.mktemp("damaged")
    path, target = folder / "file", str(folder / "out.png")
    path.write_bytes(whole)
    images.load(str(path))

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.integers(1, len(whole)),
        st.lists(st.tuples(st.integers(0, min(len(whole), 400) - 1), st.integers(0, 255)), max_size=6),
    )
    def damage(length: int, changes: list[tuple[int, int]]) -> None:
        data = bytearray(whole)
        for place, value in changes:
            data[place] = value
        path.write_bytes(data[: length if not changes else None])
        try:
            picture = images.load(str(path))
            if max(picture.size) > 2000:
                return
            shape, transparent = picture.colour.shape, picture.alpha is not None
            with np.errstate(all="ignore"):
                images.save(
                    picture, target, images.storage_for(picture, picture.space, shape, transparent, "PNG", None)
                )
        except ConvError as error:
            assert "\n" not in str(error)  # noqa: PT017
        except MemoryError:
            pass  # a header that promises too much

    damage()


@pytest.mark.parametrize("name", ["photo.jpg", "photo.tif"])
def test_broken_exif_does_not_spoil_the_picture(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "words"
    exif[0x0110] = "more words than fit into an entry"
    path = write(tmp_path / name, np.moveaxis(PIXELS, -1, 0), exif=exif)
    before = read(path)
    data = path.read_bytes()
    # the second text is said to be a number of a length that it has not
    order = ">" if b"MM\0*" in data else "<"
    entry = struct.pack(f"{order}HH", 0x0110, 2)
    assert entry in data
    path.write_bytes(data.replace(entry, struct.pack(f"{order}HH", 0x0110, 5)))
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), before)


def test_exif_that_cannot_be_written_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: directories.Directory) -> bytes:
        raise struct.error("argument out of range")

    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded("JPEG"))
    monkeypatch.setattr(directories, "exif_of", fail)
    picture = images.load(str(path))
    assert picture.metadata.exif is None
    assert picture.size == (10, 12)  # upright all the same
    assert any("EXIF" in note for note in picture.notes)


@pytest.mark.parametrize("error", [RuntimeError, NotImplementedError, struct.error, ZeroDivisionError])
def test_any_exception_of_a_decoder_is_one_line(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Image.Image) -> None:
        raise error("odd")

    path = write(tmp_path / "in.png", np.moveaxis(PIXELS, -1, 0))
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(ImageError, match=r"in\.png' cannot be decoded: odd; is it truncated, damaged"):
        images.load(str(path))


def test_an_input_that_fails_while_it_is_read(tmp_path: Path) -> None:
    result = run("apply", "/proc/self/mem", "-k", "box", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert "input '/proc/self/mem' cannot be read: Input/output error; check the path" in result.err


def test_our_own_bugs_keep_their_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in.png", np.moveaxis(PIXELS, -1, 0))
    monkeypatch.setattr(import_module("convcli.images.reading.pillow_file"), "upright", lambda *_: [][0])
    with pytest.raises(IndexError):
        images.load(str(path))
