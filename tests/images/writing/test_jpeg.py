"""JPEG in strips: what every reader decodes is what it decodes of Pillow's file in one piece."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, JpegImagePlugin

from convcli.images import Storage, save_frames
from convcli.images.picture import JpegCoding, Metadata, Picture
from convcli.images.writing import Settings, jpeg, through_pillow
from support.cli import binary, done

MODES = {"gray": ("L", 1), "rgb": ("RGB", 3), "cmyk": ("CMYK", 4)}
TABLES = {0: [*range(1, 65)], 1: [7] * 64}


def smooth(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Pixels ``(H, W, C)`` whose blocks all differ."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (height // 7 + 2, width // 5 + 2, channels), np.uint8)
    return np.ascontiguousarray(cv2.resize(coarse, (width, height)).reshape(height, width, channels))


def written(path: Path, pixels: np.ndarray, space: str, metadata: Metadata, quality: int | None = None) -> bytes:
    picture = Picture(np.moveaxis(pixels, -1, 0), None, space, 255.0, metadata=metadata)
    stored = Storage("JPEG", space, "uint8", 1.0, 255.0, "clip")
    save_frames(iter([(picture, stored)]), str(path), settings=Settings(quality), threads=2)
    return path.read_bytes()


def in_one_piece(pixels: np.ndarray, space: str, options: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    mode, channels = MODES[space]
    image = Image.frombytes(mode, pixels.shape[1::-1], pixels.tobytes())
    assert channels == pixels.shape[2]
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def markers(data: bytes) -> list[int]:
    """The numbers of the restart markers, in order."""
    start = jpeg._head(data).end
    coded = np.frombuffer(data[start:], np.uint8)
    places = np.flatnonzero((coded[:-1] == 0xFF) & (coded[1:] >= 0xD0) & (coded[1:] <= 0xD7))
    return [int(coded[place + 1]) - 0xD0 for place in places]


@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 90)),
    space=st.sampled_from([*MODES]),
    sampling=st.sampled_from((None, 0, 1, 2)),
    quality=st.sampled_from((None, 1, 20, 75, 100)),
    of_a_jpeg=st.booleans(),
    seed=st.integers(0, 9),
)
def test_any_picture_is_as_in_one_piece(
    size: tuple[int, int], space: str, sampling: int | None, quality: int | None, of_a_jpeg: bool, seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    pixels = smooth(*size, MODES[space][1], seed)
    metadata = Metadata("JPEG", jpeg=JpegCoding(TABLES, sampling)) if of_a_jpeg else Metadata("PNG")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg, "STRIP_PIXELS", 1)
        found = written(tmp_path_factory.mktemp("jpeg") / "out.jpg", pixels, space, metadata, quality)
    wanted = in_one_piece(pixels, space, jpeg.coding_of(metadata, quality))
    strips = -(-size[0] // jpeg.TALLEST)
    assert markers(found) == [number % 8 for number in range(strips - 1)]
    one, other = Image.open(io.BytesIO(found)), Image.open(io.BytesIO(wanted))
    assert (one.mode, one.size, one.info) == (other.mode, other.size, other.info)
    assert one.quantization == other.quantization  # type: ignore[attr-defined]
    assert JpegImagePlugin.get_sampling(one) == JpegImagePlugin.get_sampling(other)
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    if space != "cmyk":
        kind = cv2.IMREAD_UNCHANGED
        np.testing.assert_array_equal(
            cv2.imdecode(np.frombuffer(found, np.uint8), kind), cv2.imdecode(np.frombuffer(wanted, np.uint8), kind)
        )
    if strips == 1:
        assert found == wanted


def test_the_metadata_stand_once_and_as_pillow_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "STRIP_PIXELS", 1)
    exif = Image.Exif()
    exif[270] = "a field"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() * 40  # of two parts
    described = {
        "exif": exif.tobytes(), "icc_profile": profile, "dpi": (300.0, 200.0), "comment": b"said", "xmp": b"<x:xmpmeta/>",
    }  # fmt: skip
    pixels = smooth(70, 40, 3)
    found = written(tmp_path / "out.jpg", pixels, "rgb", Metadata("PNG", iptc=b"8BIM", **described))
    extra = b"\xff\xed" + struct.pack(">H", 6) + b"8BIM"
    wanted = in_one_piece(pixels, "rgb", {"quality": through_pillow.QUALITY, "extra": extra, **described})
    interval = b"\xff\xdd\0\4\0\3"
    head = found[: jpeg._head(found).end]
    assert head.count(interval) == 1
    assert head.replace(interval, b"") == wanted[: jpeg._head(wanted).end]


def test_a_progressive_picture_is_left_to_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "STRIP_PIXELS", 1)
    pixels = smooth(70, 40, 3)
    coding = {"qtables": TABLES, "subsampling": 0, "progressive": True}
    found = written(tmp_path / "out.jpg", pixels, "rgb", Metadata("JPEG", jpeg=JpegCoding(TABLES, 0, True)))
    assert found == in_one_piece(pixels, "rgb", coding)


def test_tables_of_16_bits_are_left_to_pillow_which_is_silent(tmp_path: Path) -> None:
    """libjpeg would warn of them on standard error, once for every strip."""
    source, target = tmp_path / "deep.jpg", tmp_path / "out.jpg"
    Image.fromarray(smooth(600, 1000, 3)).save(source, qtables=[[300] * 64, [1000] * 64])
    ended = binary("apply", source, "-k", "identity", "-o", target, "-q")
    assert (ended.code, ended.err) == (0, "")
    with Image.open(target) as made:
        made.load()
        assert made.quantization == {0: [300] * 64, 1: [1000] * 64}


def test_so_is_one_whose_head_is_not_as_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a later Pillow's might be."""
    monkeypatch.setattr(jpeg, "STRIP_PIXELS", 1)
    monkeypatch.setattr(jpeg, "SAMPLINGS", (jpeg.SAMPLINGS[2],) * 3)
    pixels = smooth(70, 40, 1)
    found = written(tmp_path / "out.jpg", pixels, "gray", Metadata("PNG"))
    assert found == in_one_piece(pixels, "gray", {"quality": through_pillow.QUALITY})


@pytest.mark.parametrize(
    "more", [(), ("--range", "minmax"), ("--channels", "gray"), ("--quality", "30"), ("-s", "1,2")]
)
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_threads_that_compute_encode_the_same(
    ending: str, more: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes do not depend on when a strip is encoded, nor by whom."""
    Image.fromarray(smooth(1700, 1500, 3)).save(tmp_path / f"in.{ending}")
    line = ("apply", f"in.{ending}", "-k", "sharpen", "-p", "same-upper", *more)
    done(*line, "-o", "early.jpg", cwd=tmp_path)
    done(*line, "-o", "one.jpg", "--threads", "1", cwd=tmp_path)
    monkeypatch.setattr(jpeg.Encoder, "watch", lambda *_: None)
    done(*line, "-o", "late.jpg", cwd=tmp_path)
    early = (tmp_path / "early.jpg").read_bytes()
    assert markers(early)
    assert early == (tmp_path / "one.jpg").read_bytes() == (tmp_path / "late.jpg").read_bytes()
