"""Files that are not as they should be: one line, or a picture without what was damaged; and sizes no format holds."""

import io
import os
import struct
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from cli import SAMPLES, binary, done, read, run, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from convcli import images
from convcli.errors import ConvError, ImageError
from convcli.system.context import Context, silent

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
    def fail(self: Image.Exif, offset: int = 8) -> bytes:
        raise struct.error("argument out of range")

    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded("JPEG"))
    monkeypatch.setattr(Image.Exif, "tobytes", fail)
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
    monkeypatch.setattr(import_module("convcli.images.reading.pillow_file"), "planes_of", lambda *_: [][0])
    with pytest.raises(IndexError):
        images.load(str(path))


def test_a_npy_header_that_is_no_header(tmp_path: Path) -> None:
    """NumPy's parser of old headers raises tokenize's own error."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2"
    (tmp_path / "in.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    result = run("apply", tmp_path / "in.npy", "-k", "box", "-o", tmp_path / "out.npy")
    assert result.code == 2
    assert "not a valid .npy file" in result.err


def test_c_libraries_do_not_talk_before_the_error(tmp_path: Path) -> None:
    """libtiff writes to the process's standard error, past Python."""
    path = write(tmp_path / "in.tif", np.moveaxis(PIXELS, -1, 0), compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    data[8:60] = bytes([255]) * 52
    path.write_bytes(data)
    result = binary("apply", path, "-k", "box", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_silent_keeps_and_restores_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with Context(owns_process=True):
        with silent():
            os.write(2, b"of a library")
        os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"


# Sizes


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("out.jpg", 65500), ("out.webp", 16383), ("out.gif", 65535), ("out.tga", 65535), ("out.pcx", 65534), ("out.sgi", 65535),
        ("out.avif", 65536),
    ],
)  # fmt: skip
def test_sides_that_a_format_cannot_hold(name: str, limit: int, tmp_path: Path) -> None:
    """The error names the limit; the limit itself is fine."""
    source = write(tmp_path / "in.png", np.zeros((1, 1, limit + 1), np.uint8))
    result = run("apply", source, "-k", "1", "-o", tmp_path / name)
    assert result.code == 2
    assert f"1×{limit + 1}" in result.err
    assert f"at most {limit}" in result.err
    assert not (tmp_path / name).exists()
    if name != "out.avif":  # slow
        done("apply", source, "-k", "1,0", "-o", tmp_path / name)


def test_icons_keep_their_size(tmp_path: Path) -> None:
    done("apply", SAMPLES / "icon.png", "-k", "box:2", "-o", tmp_path / "out.ico")
    with Image.open(tmp_path / "out.ico") as image:
        assert image.size == (63, 63)
    result = run("apply", SAMPLES / "coffee.jpg", "-k", "box", "-o", tmp_path / "large.ico")
    assert result.code == 2
    assert "at most 256" in result.err
    result = run("apply", SAMPLES / "icon.png", "-k", "box", "-o", tmp_path / "out.icns")
    assert result.code == 2
    assert "1024×1024" in result.err


def test_any_exception_of_an_encoder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("odd\nand long")

    monkeypatch.setitem(Image.SAVE, "JPEG", fail)
    result = run("apply", SAMPLES / "tiny.png", "-k", "box", "-o", tmp_path / "out.jpg")
    assert result.code == 2
    assert "cannot be written as JPEG (odd)" in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["out.palm", "out.xbm", "out.wmf", "out.h5"])
def test_formats_without_gray_and_colour_are_refused(name: str, tmp_path: Path) -> None:
    result = run("apply", SAMPLES / "tiny.png", "-k", "box", "-o", tmp_path / name)
    assert result.code == 2
    assert "use png" in result.err
