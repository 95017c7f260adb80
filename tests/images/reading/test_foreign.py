"""Files of formats that are not read are named, and say what to do."""

from __future__ import annotations

import gzip
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from support.cli import run

CONVERT = "which is not read here: convert it to png or tif first"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\x0a", f"is a JPEG XL file, {CONVERT}"),
        (struct.pack(">I4s4s", 24, b"ftyp", b"heic") + b"\0\0\0\0mif1heic", f"is a HEIC file, {CONVERT}"),
        (b"v/1\x01", f"is an OpenEXR file, {CONVERT}"),
        (b"#?RADIANCE\n", f"is a Radiance HDR file, {CONVERT}"),
        (b"P7\nWIDTH 2\n", f"is a PAM file, {CONVERT}"),
        (b"PF\n2 2\n-1\n", f"is a PFM file of colours, {CONVERT}"),
        (bytes(128) + b"DICM", f"is a DICOM file, {CONVERT}"),
        (struct.pack("<i", 348) + bytes(340) + b"n+1\0", f"is a NIfTI file, {CONVERT}"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", f"is an SVG file, {CONVERT}"),
        (b"%PDF-1.7", f"is a PDF file, {CONVERT}"),
        (gzip.compress(b"a picture", mtime=0), "is a gzip file, which is not read here: unpack it"),
        (
            b"nothing that anybody knows",
            "is not an image: Pillow does not know its format; name an image or a .npy file",
        ),
    ],
)
def test_the_format_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(data.ljust(600, b"\1"))
    with pytest.raises(ImageError) as caught:
        images.load(str(path))
    assert caught.value.text == f"input '{path}' {said}"


def test_an_avif_that_cannot_be_decoded_is_one(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "AVIF")
    path = tmp_path / "a.avif"
    path.write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    with pytest.raises(ImageError) as caught:
        images.load(str(path))
    assert caught.value.text == (
        f"input '{path}' is an AVIF file that cannot be decoded: is it truncated, damaged or of a rare kind?"
    )


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no such device")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_a_device_is_refused_by_its_first_bytes(device: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from convcli.system import files

    monkeypatch.setattr(files, "_BLOCK", 0)  # nothing more is read
    result = run("apply", device, "-k", "sobel", "-o", tmp_path / "o.png")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is not an image: Pillow does not know its format; name an image or a .npy file" in result.err


@pytest.mark.parametrize("form", ["AVIF", "BMP", "DIB", "ICO", "SGI", "SPIDER", "TGA", "XBM"])
def test_large_pictures_come_through_pipes(form: str, tmp_path: Path) -> None:
    """What does not begin with a mark of its format, or cannot be opened by its beginning, is read to its end."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8))
    file = io.BytesIO()
    picture.convert({"SPIDER": "F", "XBM": "1"}.get(form, "RGB")).save(
        file, form, **({"quality": 100} if form == "AVIF" else {})
    )
    assert len(file.getvalue()) > 1 << 16
    assert run("apply", "-", "-k", "identity", "-o", tmp_path / "o.npy", input=file.getvalue()).code == 0
