"""Which curve a file's values follow, and computing in linear light with it."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from convcli.images.light import SRGB, gamma_of
from convcli.images.picture import Metadata
from support.cli import done, run
from support.pictures import read

GAMMA = {g: (b"gAMA", struct.pack(">I", g)) for g in (45455, 45000, 100_000, 50_000, 55_556, 0)}
VALUES = np.array([[0, 50, 100, 255]], np.uint8)


def profile(curve: bytes, name: bytes = b"rTRC") -> bytes:
    return bytes(128) + struct.pack(">I4sII", 1, name, 144, len(curve)) + curve


def curve(*points: int) -> bytes:
    return struct.pack(f">4s4xI{len(points)}H", b"curv", len(points), *points)


def parametric(kind: int, *values: float) -> bytes:
    return struct.pack(f">4s4xHH{len(values)}i", b"para", kind, 0, *(round(65536 * value) for value in values))


@pytest.mark.parametrize(
    ("metadata", "gamma"),
    [
        (Metadata(), SRGB),
        (Metadata(chunks=(GAMMA[45455],)), SRGB),
        (Metadata(chunks=(GAMMA[45000],)), SRGB),
        (Metadata(chunks=(GAMMA[0],)), SRGB),
        (Metadata(chunks=((b"gAMA", struct.pack(">I", 1)),)), SRGB),
        (Metadata(chunks=((b"gAMA", b"\xff" * 4),)), SRGB),
        (Metadata(chunks=(GAMMA[50_000],)), 2.0),
        (Metadata(chunks=(GAMMA[100_000],)), 1.0),
        (Metadata(chunks=(GAMMA[100_000], (b"sRGB", b"\0"))), SRGB),
        (Metadata(chunks=(GAMMA[100_000], (b"sRGB", b"\0"), (b"cICP", b"\1\4\0\1"))), 2.2),
        (Metadata(chunks=((b"cICP", b"\x09\x10\0\1"),)), None),
        (Metadata(chunks=((b"cICP", b"\1\x0d\0\1"),)), SRGB),
        (Metadata(chunks=(GAMMA[100_000],), icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()), SRGB),
        (Metadata(icc_profile=profile(curve())), 1.0),
        (Metadata(icc_profile=profile(curve(round(1.8 * 256)), b"kTRC")), round(1.8 * 256) / 256),
        (Metadata(icc_profile=profile(curve(0, 14017, 65535))), SRGB),
        (Metadata(icc_profile=profile(curve(0, 32768, 65535))), None),
        (Metadata(icc_profile=profile(parametric(0, 2.2))), round(2.2 * 65536) / 65536),
        (Metadata(icc_profile=profile(parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))), SRGB),
        (Metadata(icc_profile=profile(parametric(3, 3.0, 1, 0, 1, 0))), None),
        (Metadata(icc_profile=b"no profile"), SRGB),
        (Metadata(icc_profile=profile(b"curv")), SRGB),
    ],
)  # fmt: skip
def test_what_says_more_wins(metadata: Metadata, gamma: float | None) -> None:
    assert gamma_of(metadata) == gamma


def saved(path: Path, gamma: int | None, values: np.ndarray = VALUES, more: tuple[bytes, bytes] | None = None) -> None:
    info = PngImagePlugin.PngInfo()
    if gamma is not None:
        info.add(b"gAMA", struct.pack(">I", gamma))
    if more is not None:
        info.add(*more)
    Image.fromarray(values).save(path, pnginfo=info)


@pytest.mark.parametrize("gamma", [100_000, 50_000, 55_556])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_means_are_means_of_light(gamma: int, kind: type, tmp_path: Path) -> None:
    """The mean of two pixels is worked out by hand, with the exponent of the file."""
    values = VALUES if kind != np.uint16 else VALUES.astype(np.uint16) * np.uint16(257)
    saved(tmp_path / "in.png", gamma, values)
    exponent, white = 100_000 / gamma, np.iinfo(values.dtype).max
    light = (values / white) ** exponent
    mean = white * ((light[:, 1:] + light[:, :-1]) / 2) ** (1 / exponent)
    line = ("apply", "in.png", "-k", "0.5,0.5", "--linear")
    done(*line, "-o", "out.npy", cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy")[0], mean, rtol=1e-4, atol=1e-3)
    assert done(*line, "-o", "out.png", cwd=tmp_path).err == ""
    np.testing.assert_allclose(read(tmp_path / "out.png")[0], mean, atol=0.51)
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["gamma"] == gamma / 100_000


@pytest.mark.parametrize("gamma", [None, 45455])
def test_gamma_of_srgb_is_its_curve(gamma: int | None, tmp_path: Path) -> None:
    saved(tmp_path / "in.png", gamma)
    done("apply", "in.png", "-k", "0.5,0.5", "--linear", "-o", "out.npy", cwd=tmp_path)
    light = ((100 / 255 + 0.055) / 1.055) ** 2.4 / 2 + ((50 / 255 + 0.055) / 1.055) ** 2.4 / 2
    expected = 255 * (1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy")[0, 0, 1], expected, rtol=1e-5)


def test_linear_values_are_filtered_as_they_are(tmp_path: Path) -> None:
    saved(tmp_path / "in.png", 100_000)
    for name, more in (("plain", ()), ("linear", ("--linear",))):
        done("apply", "in.png", "-k", "0.5,0.5", *more, "-o", f"{name}.npy", cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "linear.npy"), np.load(tmp_path / "plain.npy"), rtol=1e-5)


def test_hdr_pictures_are_not_taken_for_srgb(tmp_path: Path) -> None:
    saved(tmp_path / "in.png", None, more=(b"cICP", b"\x09\x10\0\1"))
    line = ("apply", "in.png", "-k", "0.5,0.5", "-o", "out.png")
    assert "--linear needs values of sRGB or of a gamma" in run(*line, "--linear", cwd=tmp_path).err
    assert done(*line, cwd=tmp_path).err == ""
    assert b"cICP\x09\x10\0\1" in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize(
    ("name", "said"), [("out.jpg", True), ("out.tif", True), ("out.ppm", True), ("out.png", False), ("out.npy", False)]
)
def test_what_a_format_cannot_say_is_said(name: str, said: bool, tmp_path: Path) -> None:
    saved(tmp_path / "in.png", 100_000)
    line = ("apply", "in.png", "-k", "identity", "-o", name)
    assert ("its values are not coded as sRGB" in done(*line, cwd=tmp_path).err) is said
    saved(tmp_path / "in.png", 45455)
    assert done(*line, cwd=tmp_path).err == ""


def test_gamma_stays_when_colours_become_gray_and_chromaticities_do_not(tmp_path: Path) -> None:
    more = (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    saved(tmp_path / "in.png", 50_000, np.zeros((3, 3, 3), np.uint8), more)
    done("apply", "in.png", "-k", "identity", "--channels", "gray", "-o", "gray.png", cwd=tmp_path)
    done("apply", "in.png", "-k", "identity", "-o", "same.png", cwd=tmp_path)
    for name, kept in (("gray.png", False), ("same.png", True)):
        with Image.open(tmp_path / name) as image:
            assert (image.info["gamma"], "chromaticity" in image.info) == (0.5, kept)


def test_explanations_name_the_gamma(tmp_path: Path) -> None:
    saved(tmp_path / "in.png", 50_000)
    line = ("explain", "in.png", "-k", "0.5,0.5", "--linear", "--at", "0,1")
    text = done(*line, cwd=tmp_path).text
    assert "decoded from gamma 2" in text
    assert "encoded as gamma 2" in text
    assert "its values have gamma 2" in done(*line, "--as", "torch", cwd=tmp_path).err
