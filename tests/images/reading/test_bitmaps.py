"""What the headers of plain formats declare and Pillow drops: it is kept, refused, or said in one remark."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from convcli.images.light import gamma_of

RGB = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
ALPHA = "its header says that its fourth channel is not alpha, and it is read as that"


def coded(form: str, pixels: np.ndarray = RGB, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def loaded(data: bytes, tmp_path: Path) -> images.Picture:
    (tmp_path / "in").write_bytes(data)
    return images.load(str(tmp_path / "in"))


def tga(flags: int, kind: int | None = None, padding: int = 30, pixels: bytes = b"\x10\x20\x30\x80") -> bytes:
    """A row of as many equal pixels as are needed; with the kind of its opacity (TGA 2.0, field 24) in an extension area."""
    data = struct.pack("<BBB5xHHHHBB", 0, 0, 2, 0, 0, padding, 1, 32, flags) + pixels * padding
    if kind is None:
        return data
    area = struct.pack("<H", 495) + bytes(492) + bytes([kind])
    return data + area + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"


@pytest.mark.parametrize(
    ("flags", "kind", "notes", "pixel"),
    [
        (0x28, None, (), (48, 32, 16, 128)),
        (0x20, None, (ALPHA,), (48, 32, 16, 128)),
        (0x28, 0, (), (48, 32, 16, 255)),
        (0x28, 1, (ALPHA,), (48, 32, 16, 128)),
        (0x28, 2, (ALPHA,), (48, 32, 16, 128)),
        (0x28, 3, (), (48, 32, 16, 128)),
        (0x28, 4, (), (96, 64, 32, 128)),  # multiplied by opacity
    ],
)
def test_opacity_of_tga_files(
    flags: int, kind: int | None, notes: tuple[str, ...], pixel: tuple[int, ...], tmp_path: Path
) -> None:
    picture = loaded(tga(flags, kind), tmp_path)
    assert picture.notes == notes
    assert picture.alpha is not None
    assert (*picture.colour[:, 0, 0].tolist(), picture.alpha[0, 0]) == pytest.approx(pixel, abs=1)


def test_interleaved_rows_of_tga_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ImageError, match="is a TGA file of rows that are interleaved, which Pillow does not read: convert"
    ):
        loaded(tga(0x68), tmp_path)


@pytest.mark.parametrize("kind", [1, 3])
def test_pixels_of_tga_files_that_are_not_square_are_said(kind: int, tmp_path: Path) -> None:
    data = bytearray(tga(0x28, 3))
    struct.pack_into("<HH", data, 18 + 120 + 474, kind, 1)
    notes = ("its pixels are not square, but 3:1 (width to height), which is left out",) if kind > 1 else ()
    assert loaded(bytes(data), tmp_path).notes == notes


def dds(alpha: int) -> bytes:
    """Two pixels of DXGI_FORMAT_R8G8B8A8_UNORM, with a DDS_ALPHA_MODE."""
    head = (
        b"DDS "
        + struct.pack("<7I", 124, 0x1007, 1, 2, 0, 0, 0)
        + bytes(44)
        + struct.pack("<II4s5I", 32, 4, b"DX10", *[0] * 5)
    )
    return (
        head + struct.pack("<5I", 0x1000, 0, 0, 0, 0) + struct.pack("<5I", 28, 3, 0, 1, alpha) + b"\x10\x20\x30\x80" * 2
    )


@pytest.mark.parametrize(
    ("alpha", "red", "notes"), [(0, 16, ()), (1, 16, ()), (2, 32, ()), (3, 16, (ALPHA,)), (4, 16, (ALPHA,))]
)
def test_opacity_of_dds_files(alpha: int, red: int, notes: tuple[str, ...], tmp_path: Path) -> None:
    picture = loaded(dds(alpha), tmp_path)
    assert picture.notes == notes
    assert picture.colour[0, 0, 0] == pytest.approx(red, abs=1)


def bmp(length: int, bits: int, coding: int, masks: tuple[int, ...], pixels: bytes, profile: bytes = b"") -> bytes:
    head = struct.pack("<IiiHHIIiiII", length, len(pixels) * 8 // bits, 1, 1, bits, coding, len(pixels), 0, 0, 0, 0)
    head += struct.pack("<4I", *masks) + (b"DEBM" if profile else b"BGRs")
    head = (head + bytes(52) + struct.pack("<II", length + len(pixels), len(profile))).ljust(length, b"\0")[:length]
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + length) + head + pixels + profile


def test_alpha_of_bmp_files_that_is_not_read_is_said(tmp_path: Path) -> None:
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    said = ("3 of its 4 channels are read",)
    assert loaded(bmp(108, 32, 0, masks, bytes(8)), tmp_path).notes == said
    assert loaded(bmp(108, 32, 0, (*masks[:3], 0), bytes(8)), tmp_path).notes == ()
    assert loaded(bmp(108, 32, 3, masks, bytes(8)), tmp_path).notes == ()
    assert loaded(bmp(56, 16, 3, (0x7C00, 0x3E0, 0x1F, 0x8000), bytes(4)), tmp_path).notes == said


def test_profiles_of_bmp_files_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bmp(124, 32, 3, (0xFF0000, 0xFF00, 0xFF, 0), bytes(8), b"a profile"))
    with images.opened(str(tmp_path / "a")) as file:
        assert (file.picture().metadata.icc_profile, file.unread) == (b"a profile", 0)


@pytest.mark.parametrize("form", ["BMP", "QOI"])
def test_pictures_one_after_another_are_frames(form: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(coded(form) + coded(form, 255 - RGB))
    with images.opened(str(tmp_path / "a")) as file:
        assert (file.frames, file.pages, file.unread) == (2, True, 0)
        for number, pixels in enumerate((RGB, 255 - RGB)):
            np.testing.assert_array_equal(np.moveaxis(file.picture(number).colour, 0, -1), pixels)


@pytest.mark.parametrize("form", ["BMP", "QOI", "SGI", "TGA", "ICO", "ICNS", "AVIF", "JPEG2000"])
def test_bytes_that_follow_are_said(form: str, tmp_path: Path) -> None:
    data = tga(0x28) if form == "TGA" else coded(form)
    (tmp_path / "a").write_bytes(data + b"more")
    (tmp_path / "b").write_bytes(data + bytes(4))
    with images.opened(str(tmp_path / "a")) as more, images.opened(str(tmp_path / "b")) as padded:
        assert (more.unread, padded.unread) == (4, 0)


@pytest.mark.parametrize("form", ["AVIF", "JPEG2000"])
def test_a_second_file_of_boxes_is_said(form: str, tmp_path: Path) -> None:
    data = coded(form)
    (tmp_path / "a").write_bytes(data * 2)
    with images.opened(str(tmp_path / "a")) as file:
        assert file.unread == len(data)


def test_coded_rows_of_sgi_files_end_where_their_table_says(tmp_path: Path) -> None:
    starts, lengths = (512 + 16, 512 + 20), (4, 4)
    rows = b"\x82\x01\x02\0" * 2
    data = (
        struct.pack(">HBBHHHH", 474, 1, 1, 2, 2, 2, 1).ljust(512, b"\0") + struct.pack(">4I", *starts, *lengths) + rows
    )
    (tmp_path / "a").write_bytes(data + b"more")
    with images.opened(str(tmp_path / "a")) as file:
        assert (file.unread, file.picture().colour.tolist()) == (4, [[[1, 2], [1, 2]]])


@pytest.mark.parametrize(
    ("size", "dimensions", "channels", "what"),
    [(1, 3, 5, "5 channels"), (1, 3, 2, "2 channels"), (2, 3, 1, "one channel of 16 bits in 3 dimensions")],
)
def test_sgi_files_that_are_not_read_are_refused_as_such(
    size: int, dimensions: int, channels: int, what: str, tmp_path: Path
) -> None:
    data = struct.pack(">HBBHHHH", 474, 0, size, dimensions, 2, 1, channels).ljust(600, b"\1")
    with pytest.raises(ImageError, match=f"file of {what}, which Pillow does not read: convert it to png or tif first"):
        loaded(data, tmp_path)


def gif(*blocks: bytes, ratio: int = 0) -> bytes:
    data = bytearray(coded("GIF", RGB[..., 0]))
    data[12] = ratio
    place = 13 + 3 * 2 ** (data[10] % 8 + 1)
    return bytes(data[:place]) + b"".join(blocks) + bytes(data[place:])


def test_what_gif_files_declare_beside_their_pixels(tmp_path: Path) -> None:
    text = b"!\x01\x0c" + bytes(12) + b"\x02Hi\0"
    profile = b"!\xff\x0bICCRGBG1012\x05a pro\x04file\0"
    xmp = b"!\xff\x0bXMP DataXMP<x/>\1" + bytes(range(255, -1, -1)) + b"\0"
    picture = loaded(gif(text, profile, xmp, ratio=113), tmp_path)
    assert picture.notes == (
        "its blocks of text are not drawn",
        "its pixels are not square, but 2:1 (width to height), which is left out",
    )
    assert (picture.metadata.icc_profile, picture.metadata.xmp) == (b"a profile", b"<x/>")
    assert loaded(gif(ratio=49), tmp_path).notes == ()  # square


def test_icons_of_several_sizes_are_said(tmp_path: Path) -> None:
    assert loaded(coded("ICNS"), tmp_path).notes == ("one of its 8 pictures is read",)


@pytest.mark.parametrize(
    ("bits", "notes"),
    [(32, ()), (0, ()), (8, ("its directory says 8 bits per pixel, and its picture 32: its alpha may be wrong",))],
)
def test_bits_of_icons_that_disagree_are_said(bits: int, notes: tuple[str, ...], tmp_path: Path) -> None:
    picture = struct.pack("<IiiHHIIiiII", 40, 2, 4, 1, 32, 0, 0, 0, 0, 0, 0) + bytes(16) + bytes(8)
    data = struct.pack("<HHHBBBBHHII", 0, 1, 1, 2, 2, 0, 0, 1, bits, len(picture), 22) + picture
    assert loaded(data, tmp_path).notes == notes


def pcx(bits: int, planes: int, width: int, stride: int, colours: bytes = b"") -> bytes:
    head = struct.pack("<BBBB6H", 10, 5, 1, bits, 0, 0, width - 1, 0, 72, 72) + colours.ljust(48, b"\0")
    head += bytes([0, planes]) + struct.pack("<H", stride)
    return head.ljust(128, b"\0") + b"\1" * (stride * planes) + b"\x0c" + bytes(range(256)) * 3


def test_rows_of_pcx_files_that_pillow_reads_wrong_are_refused(tmp_path: Path) -> None:
    assert loaded(pcx(1, 4, 9, 2), tmp_path).size == (1, 9)
    with pytest.raises(
        ImageError, match="is a PCX file of 4 bytes in a row, where 2 are needed, which Pillow does not read"
    ):
        loaded(pcx(1, 4, 9, 4), tmp_path)
    with pytest.raises(
        ImageError, match=r"is a PCX file of 4-bit samples \(planes: 1\), which Pillow does not read: convert"
    ):
        loaded(pcx(4, 1, 9, 5), tmp_path)


def test_two_colours_of_pcx_files_are_said(tmp_path: Path) -> None:
    assert loaded(pcx(1, 1, 8, 1, b"\0\0\0\xff\xff\xff"), tmp_path).notes == ()
    assert loaded(pcx(1, 1, 8, 1), tmp_path).notes == ()
    said = ("its two colours are read as black and white",)
    assert loaded(pcx(1, 1, 8, 1, b"\xff\0\0\0\xff\0"), tmp_path).notes == said


def test_the_scale_of_pfm_files_is_said(tmp_path: Path) -> None:
    values = np.arange(4, dtype="<f4").tobytes()
    picture = loaded(b"Pf\n2 2\n-2.5\n" + values, tmp_path)
    assert (picture.notes, picture.colour.tolist()) == (("its scale of 2.5 is not applied",), [[[2, 3], [0, 1]]])
    (tmp_path / "a").write_bytes((b"Pf\n2 2\n-1\n" + values) * 2)
    with images.opened(str(tmp_path / "a")) as file:
        assert (file.unread, file.picture().notes) == (26, ())


def test_linear_values_of_qoi_files_are_known(tmp_path: Path) -> None:
    data = bytearray(coded("QOI"))
    data[13] = 1
    assert gamma_of(loaded(bytes(data), tmp_path).metadata) == 1.0


def psd(mode: int, *resources: tuple[int, bytes]) -> bytes:
    parts = [
        b"8BIM" + struct.pack(">HH", number, 0) + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)
        for number, data in resources
    ]
    colours = bytes(768) if mode == 2 else b""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 1, 1, 2, 8, mode) + struct.pack(">I", len(colours)) + colours
    block = b"".join(parts)
    return head + struct.pack(">I", len(block)) + block + bytes(4) + b"\0\0\1\2"


def test_metadata_of_psd_files_is_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x10E] = "a camera"
    found = loaded(
        psd(
            1,
            (1005, struct.pack(">IHHIHH", 300 << 16, 1, 1, 200 << 16, 1, 1)),
            (1058, exif.tobytes()[6:]),
            (1060, b"<x/>"),
        ),
        tmp_path,
    ).metadata
    assert (found.dpi, found.xmp) == ((300.0, 200.0), b"<x/>")
    assert found.exif is not None
    assert b"a camera" in found.exif


def test_colours_of_psd_files_that_are_not_read_are_said(tmp_path: Path) -> None:
    assert loaded(psd(2, (1047, b"\0\1")), tmp_path).notes == ("its transparent colour is read as opaque",)
    assert loaded(psd(8), tmp_path).notes == ("its inks are not used: it is read as gray",)
