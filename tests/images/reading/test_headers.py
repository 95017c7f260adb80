"""What headers declare and Pillow does not read: it is kept, refused, or said in one remark."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from convcli.images.formats import row_of
from convcli.images.reading.headers import Declared, declared
from support.pictures import chunk

GENERATOR = np.random.default_rng(0)
RGB = GENERATOR.integers(0, 256, (10, 16, 3), np.uint8)
CUT = "with more than 8 bits per channel is read with 8"


def coded(pixels: np.ndarray, form: str, **options: Any) -> bytearray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return bytearray(file.getvalue())


def header(data: bytes, form: str) -> Declared:
    return declared(row_of(form), io.BytesIO(data))


def loaded(data: bytes, tmp_path: Path) -> images.Picture:
    (tmp_path / "in").write_bytes(data)
    return images.load(str(tmp_path / "in"))


def test_nothing_is_declared_by_what_has_no_header() -> None:
    assert header(b"", "GIF") == Declared()
    assert header(b"no file at all", "JPEG") == Declared()
    assert header(b"8BPS", "PSD") == Declared()


@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_of_12_bits_are_refused_as_such(progressive: bool, tmp_path: Path) -> None:
    data = coded(RGB, "JPEG", progressive=progressive)
    assert header(data, "JPEG") == Declared(8, channels=3, lossy=True)
    place = data.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    data[place + 4] = 12
    with pytest.raises(ImageError, match="is a JPEG file of 12 bits per sample, which Pillow does not read"):
        loaded(data, tmp_path)
    data[place + 4], data[place + 9] = 8, 2
    with pytest.raises(ImageError, match="is a JPEG file of 2 channels"):
        loaded(data, tmp_path)


def test_jpegs_without_loss_are_known() -> None:
    data = coded(RGB, "JPEG")
    data[data.index(b"\xff\xc0") + 1] = 0xC3
    assert header(data, "JPEG").lossy is False


def test_webps_say_what_they_lose(tmp_path: Path) -> None:
    for lossless in (False, True):
        assert loaded(coded(RGB, "WEBP", lossless=lossless), tmp_path).metadata.lossy is not lossless


def jpeg2000(values: np.ndarray, bits: int, signed: bool = False) -> bytes:
    """A codestream of the values, which Pillow codes with 8 or 16 bits: the level that is taken off before is half of these."""
    held = 8 if values.dtype == np.uint8 else 16
    data = coded(values, "JPEG2000", no_jp2=True)
    for channel in range(1 if values.ndim == 2 else values.shape[2]):
        assert data[42 + 3 * channel] == held - 1
        data[42 + 3 * channel] = bits - 1 | signed << 7
    return bytes(data)


@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 15, 16])
def test_gray_of_any_bits_has_its_own_values(bits: int, tmp_path: Path) -> None:
    held = 8 if bits <= 8 else 16
    values = GENERATOR.integers(0, 1 << bits, (32, 32))
    level = (1 << held - 1) - (1 << bits - 1)
    picture = loaded(jpeg2000((values + level).astype(f"u{held // 8}"), bits), tmp_path)
    white = 255 if bits in (1, 2, 4) else (1 << bits) - 1
    assert (picture.full_scale, picture.real, picture.assumed, picture.notes) == (white, False, False, ())
    np.testing.assert_array_equal(picture.colour[0], values * (white // ((1 << bits) - 1)))


@pytest.mark.parametrize("bits", [5, 8, 12, 16])
def test_signed_gray_keeps_its_sign(bits: int, tmp_path: Path) -> None:
    held = 8 if bits <= 8 else 16
    values = GENERATOR.integers(-(1 << bits - 1), 1 << bits - 1, (32, 32))
    picture = loaded(jpeg2000((values + (1 << held - 1)).astype(f"u{held // 8}"), bits, True), tmp_path)
    assert (picture.full_scale, picture.real, picture.notes) == ((1 << bits - 1) - 1, True, ())
    np.testing.assert_array_equal(picture.colour[0], values)


def test_colours_of_few_bits_reach_white(tmp_path: Path) -> None:
    values = GENERATOR.integers(0, 32, (32, 32, 3))
    values[0, 0], values[0, 1] = 0, 31
    picture = loaded(jpeg2000((values + 128 - 16).astype(np.uint8), 5), tmp_path)
    assert picture.full_scale == 31
    if np.array_equal(np.moveaxis(picture.colour, 0, -1), values):
        return
    assert np.abs(np.moveaxis(picture.colour, 0, -1).astype(int) - values).max() <= 1  # coded as luma and chroma


def test_colours_of_few_bits_and_alpha_are_spread(tmp_path: Path) -> None:
    values = np.full((8, 8, 4), 31)
    values[0, 0, 3] = 0
    picture = loaded(jpeg2000((values + 128 - 16).astype(np.uint8), 5), tmp_path)
    assert (picture.full_scale, picture.alpha is not None) == (255, True)
    assert picture.alpha is not None
    assert picture.alpha[0, :2].tolist() == [0, 255]
    assert (picture.colour == 255).all()


def test_deep_colours_and_signed_colours_are_said(tmp_path: Path) -> None:
    assert loaded(jpeg2000(RGB, 8, True), tmp_path).notes == (
        "its values have a sign, and are read with half of their range added",
    )
    assert header(jpeg2000(RGB, 12), "JPEG2000") == Declared(12, channels=3, widened=True)
    picture = loaded(jpeg2000(RGB, 12), tmp_path)
    assert picture.notes == (f"JPEG2000 of this kind {CUT}",)


def test_five_components_are_refused_as_such(tmp_path: Path) -> None:
    data = bytearray(jpeg2000(RGB, 8))
    data[41] = 5
    with pytest.raises(ImageError, match="is a JPEG2000 file of 5 channels"):
        loaded(data, tmp_path)


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


def jp2(codestream: bytes, channels: int, *boxes: bytes) -> bytes:
    first = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    sizes = box(b"ihdr", struct.pack(">IIHBBBB", 10, 16, channels, 7, 7, 0, 0))
    return first + box(b"jp2h", sizes + b"".join(boxes)) + box(b"jp2c", codestream)


def test_a_fourth_channel_that_nobody_calls_alpha_is_said(tmp_path: Path) -> None:
    """RGB and infrared, as satellites have it: Pillow takes it for RGBA."""
    stream = jpeg2000(np.dstack([RGB, RGB[..., :1]]), 8)
    space = box(b"colr", b"\1\0\0" + struct.pack(">I", 16))
    assert loaded(jp2(stream, 4, space), tmp_path).notes == ("the file does not say that its last channel is alpha",)
    said = box(b"cdef", struct.pack(">H12H", 4, 0, 0, 1, 1, 0, 2, 2, 0, 3, 3, 1, 0))
    assert loaded(jp2(stream, 4, space, said), tmp_path).notes == ()


def test_a_profile_in_a_jp2_is_kept(tmp_path: Path) -> None:
    data = jp2(jpeg2000(RGB, 8), 3, box(b"colr", b"\2\0\0" + b"a profile"))
    assert loaded(data, tmp_path).metadata.icc_profile == b"a profile"


def psd(
    planes: np.ndarray, mode: int, bits: int = 8, packed: bool = False, version: int = 1, merged: bool = True
) -> bytes:
    """Photoshop's file of planes ``(C, H, W)``: no layers, samples as they are, or each row as PackBits of one literal run."""
    channels, height, width = planes.shape
    head = struct.pack(">4sH6xHIIHH", b"8BPS", version, channels, height, width, bits, mode)
    info = struct.pack(">4sHHIIBBBx", b"8BIM", 1057, 0, 8, 1, merged, 0, 0)
    samples = np.packbits(planes, axis=2) if bits == 1 else planes.astype(f">u{bits // 8}")
    rows = [row.tobytes() for plane in samples for row in plane]
    body = b"".join(rows)
    if packed:
        rows = [bytes([len(row) - 1]) + row for row in rows]
        body = struct.pack(f">{len(rows)}H", *map(len, rows)) + b"".join(rows)
    return head + bytes(4) + struct.pack(">I", len(info)) + info + bytes(4) + struct.pack(">H", packed) + body


@pytest.mark.parametrize("packed", [False, True])
def test_bitmaps_of_photoshop_are_black_where_they_are_1(packed: bool, tmp_path: Path) -> None:
    bits = GENERATOR.integers(0, 2, (1, 5, 21), np.uint8)
    np.testing.assert_array_equal(loaded(psd(bits, 0, 1, packed), tmp_path).colour, 255 * (1 - bits))


@pytest.mark.parametrize(
    ("mode", "channels", "space", "notes"),
    [
        (1, 1, "gray", ()), (1, 2, "gray", ("1 of its 2 channels are read",)), (3, 3, "rgb", ()), (3, 4, "rgb", ()),
        (3, 6, "rgb", ("3 of its 6 channels are read",)), (4, 4, "cmyk", ()), (4, 5, "cmyk", ("4 of its 5 channels are read",)),
        (7, 3, "gray", ("1 of its 3 channels are read",)), (8, 1, "gray", ("its inks are not used: it is read as gray",)),
    ],
)  # fmt: skip
def test_channels_that_are_not_read_are_said(
    mode: int, channels: int, space: str, notes: tuple[str, ...], tmp_path: Path
) -> None:
    planes = GENERATOR.integers(0, 256, (channels, 5, 7), np.uint8)
    picture = loaded(psd(planes, mode), tmp_path)
    assert (picture.space, picture.notes) == (space, notes)


@pytest.mark.parametrize(
    ("bits", "version", "why"),
    [(16, 1, "16 bits per sample"), (32, 1, "32 bits per sample"), (8, 2, r"large documents \(PSB\)")],
)
def test_photoshop_files_that_pillow_does_not_read(bits: int, version: int, why: str, tmp_path: Path) -> None:
    with pytest.raises(
        ImageError, match=f"is a PSD file of {why}, which Pillow does not read: convert it to png or tif"
    ):
        loaded(psd(np.zeros((3, 5, 7), np.uint8), 3, bits, version=version), tmp_path)


def test_layers_without_their_picture_are_said(tmp_path: Path) -> None:
    data = psd(np.full((3, 5, 7), 255, np.uint8), 3, merged=False)
    assert "saved without the picture" in loaded(data, tmp_path).notes[0]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_of_sgi_are_said(channels: int, tmp_path: Path) -> None:
    head = struct.pack(">HBBHHHH", 474, 0, 2, 3 if channels > 1 else 2, 7, 5, channels)
    data = head.ljust(512, b"\0") + bytes(2 * 5 * 7 * channels)
    assert loaded(data, tmp_path).notes == (f"SGI of this kind {CUT}",)
    assert loaded(coded(RGB, "SGI"), tmp_path).notes == ()


def test_a_mask_of_alpha_in_16_bits_is_said(tmp_path: Path) -> None:
    def bmp(alpha: int) -> bytes:
        masks = struct.pack("<4I", 0x7C00, 0x3E0, 0x1F, alpha)
        head = struct.pack("<IiiHHIIiiII", 56, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0) + masks
        return struct.pack("<2sIHHI", b"BM", 78, 0, 0, 70) + head + bytes(8)

    assert loaded(bmp(0x8000), tmp_path).notes == ("3 of its 4 channels are read",)
    assert loaded(bmp(0), tmp_path).notes == ()


def dds(
    flags: int, code: bytes, caps: int = 0, depth: int = 0, masks: tuple[int, ...] = (), more: bytes = b""
) -> bytes:
    head = struct.pack("<4s7I44x", b"DDS ", 124, 0x1007, 4, 4, 0, depth, 1)
    kind = struct.pack("<2I4s5I", 32, flags, code, 32 if masks else 0, *(*masks, 0, 0, 0, 0)[:4])
    return head + kind + struct.pack("<5I", 0x1000, caps, 0, 0, 0) + more + bytes(1024)


@pytest.mark.parametrize(
    ("data", "notes"),
    [
        (dds(0x40, bytes(4), masks=(0xFF0000, 0xFF00, 0xFF)), ()),
        (dds(4, b"DXT1"), ()),
        (dds(4, b"DXT1", caps=0xFE00), ("one of its 6 pictures is read",)),
        (dds(4, b"DXT1", caps=0x200000, depth=3), ("one of its 3 pictures is read",)),
        (dds(0x41, bytes(4), masks=(0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000)), (f"DDS of this kind {CUT}",)),
        (dds(4, b"BC5S"), ("its values have a sign, and are read with half of their range added",)),
        (dds(4, b"DX10", more=struct.pack("<5I", 95, 3, 0, 1, 0)), (f"DDS of this kind {CUT}",)),
        (dds(4, b"DX10", more=struct.pack("<5I", 98, 3, 4, 2, 0)), ("one of its 12 pictures is read",)),
    ],
)
def test_what_textures_have_beside_one_picture(data: bytes, notes: tuple[str, ...], tmp_path: Path) -> None:
    assert loaded(data, tmp_path).notes == notes


def test_icons_of_several_sizes_are_counted(tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), "red")
    for sizes, notes in (([(64, 64)], ()), ([(16, 16), (32, 32), (64, 64)], ("one of its 3 pictures is read",))):
        image.save(tmp_path / "in.ico", sizes=sizes)
        picture = images.load(str(tmp_path / "in.ico"))
        assert (picture.size, picture.notes) == ((64, 64), notes)


def with_aperture(data: bytes, *values: int) -> bytes:
    """An AVIF of Pillow's with one more property, a clean aperture, of its only picture; what follows moves."""
    meta = data.index(b"meta") - 4
    added = box(b"clap", struct.pack(">8i", *values))
    grown = len(added) + 1
    found = bytearray(data)

    def grow(kind: bytes, by: int, start: int = meta) -> int:
        place = found.index(kind, start) - 4
        found[place : place + 4] = struct.pack(">I", struct.unpack_from(">I", found, place)[0] + by)
        return place

    grow(b"meta", grown)
    grow(b"iprp", grown)
    ipma = grow(b"ipma", 1)
    count, number = found[ipma + 15], found[ipma + 18]
    assert count == 1
    ipco = grow(b"ipco", len(added))
    end = ipco + struct.unpack_from(">I", found, ipco)[0] - len(added)
    last = max(index & 127 for index in found[ipma + 19 : ipma + 19 + number])
    found[ipma + 18] += 1
    found.insert(ipma + 19 + number, 0x80 | (last + 1))
    found[end:end] = added
    iloc = found.index(b"iloc", meta) - 4
    sizes, items = found[iloc + 12], struct.unpack_from(">H", found, iloc + 14)[0]
    assert (sizes, items) == (0x44, 1)
    place = iloc + 16 + 6
    found[place : place + 4] = struct.pack(">I", struct.unpack_from(">I", found, place)[0] + grown)
    return bytes(found)


AVIF = pytest.mark.skipif("AVIF" not in images.formats.readable(), reason="Pillow is built without AVIF")


@AVIF
def test_the_clean_aperture_of_an_avif_is_shown(tmp_path: Path) -> None:
    data = bytes(coded(RGB, "AVIF", quality=100))
    whole = loaded(data, tmp_path)
    assert (whole.size, whole.notes) == ((10, 16), ())
    cut = loaded(with_aperture(data, 12, 1, 6, 1, -1, 1, 2, 2), tmp_path)  # 2 of 4 columns to the left, 1 row lower
    assert cut.notes == ("its clean aperture is used: 6×12 of 10×16 pixels",)
    np.testing.assert_array_equal(cut.colour, whole.colour[:, 3:9, 1:13])
    assert np.moveaxis(cut.colour, 0, -1).flags.c_contiguous


@AVIF
@pytest.mark.parametrize(
    "values",
    [(12, 1, 6, 1, 9, 1, 0, 1), (11, 1, 6, 1, 0, 1, 0, 1), (17, 1, 6, 1, 0, 1, 0, 1), (0, 1, 6, 1, 0, 1, 0, 1)],
)
def test_an_aperture_beyond_the_picture_or_between_pixels_is_said(values: tuple[int, ...], tmp_path: Path) -> None:
    picture = loaded(with_aperture(bytes(coded(RGB, "AVIF")), *values), tmp_path)
    assert (picture.size, picture.notes) == (
        (10, 16),
        ("its clean aperture is damaged, and all of its pixels are read",),
    )


@AVIF
def test_avifs_of_10_bits_are_said_and_their_light_is_kept(tmp_path: Path) -> None:
    data = coded(RGB, "AVIF")
    place = data.index(b"av1C") + 6
    data[place] |= 0x40
    assert header(data, "AVIF").bits == 10
    data[place] |= 0x20
    assert header(data, "AVIF").bits == 12
    nclx = data.index(b"nclx") + 4
    data[nclx : nclx + 4] = struct.pack(">HH", 9, 16)
    assert header(data, "AVIF").chunks == ((b"cICP", b"\x09\x10\0\1"),)


def png(rows: bytes, width: int, height: int, bits: int, colours: int, interlaced: int = 0, more: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlaced)
    body = chunk(b"IHDR", head) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("bits", "colours", "row", "more"),
    [
        (1, 0, 2, b""), (8, 0, 9, b""), (16, 0, 18, b""), (8, 2, 27, b""), (16, 2, 54, b""), (8, 4, 18, b""),
        (16, 4, 36, b""), (8, 6, 36, b""),
        (4, 3, 5, chunk(b"PLTE", bytes([9, 8, 7, 0, 0, 0]))),
    ],
)  # fmt: skip
def test_a_png_whose_pixels_end_early_is_refused(
    bits: int, colours: int, row: int, more: bytes, tmp_path: Path
) -> None:
    """Its last rows are there as bytes of 0, or not at all, which Pillow shows as 0."""
    rows = (b"\0" + bytes([1]) * row) * 6
    assert loaded(png(rows + bytes(1 + row), 9, 7, bits, colours, more=more), tmp_path).size == (7, 9)
    for missing in (rows, rows[:-row]):
        with pytest.raises(ImageError, match="cannot be decoded: image file is truncated"):
            loaded(png(missing, 9, 7, bits, colours, more=more), tmp_path)


def test_so_is_one_in_seven_passes(tmp_path: Path) -> None:
    passes = [(1, 2), (1, 1), (1, 3), (2, 2), (2, 5), (4, 4), (3, 9)]  # rows and columns of 9×7 pixels in each
    rows = b"".join((b"\0" + bytes([7]) * columns) * count for count, columns in passes)
    assert loaded(png(rows, 9, 7, 8, 0, 1), tmp_path).colour.tolist() == [[[7] * 9] * 7]
    with pytest.raises(ImageError, match="truncated"):
        loaded(png(rows[:-10], 9, 7, 8, 0, 1), tmp_path)


@pytest.mark.parametrize("frame", [0, 1, 2])
def test_so_is_an_animation_with_such_a_frame(frame: int, tmp_path: Path) -> None:
    def control(number: int) -> bytes:
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 5, 4, 0, 0, 1, 10, 0, 0))

    def film(short: int) -> bytes:
        parts = [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 4, 8, 0, 0, 0, 0)),
            chunk(b"acTL", struct.pack(">II", 3, 0)),
        ]
        for index in range(3):
            data = zlib.compress((b"\0" + bytes([index + 1]) * 5) * (2 if index == short else 4))
            place = struct.pack(">I", 2 * index) if index else b""
            parts += [control(max(0, 2 * index - 1)), chunk(b"fdAT" if index else b"IDAT", place + data)]
        return b"".join([*parts, chunk(b"IEND", b"")])

    (tmp_path / "in.png").write_bytes(film(3))
    with images.opened(str(tmp_path / "in.png")) as file:
        assert (file.frames, file.picture().colour[0, 0, 0]) == (3, 1)
    (tmp_path / "in.png").write_bytes(film(frame))
    with pytest.raises(ImageError, match="truncated"):
        images.load(str(tmp_path / "in.png"))
