"""The first picture is decoded while the program is still being imported; nothing but time tells it apart."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from convcli import ahead
from convcli.errors import ImageError
from convcli.images import load, prefetch
from convcli.system.context import Context
from support.cli import environment, run


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    with Context():
        yield


NOISE = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)


def coded(container: str, mode: str = "RGB", **options: Any) -> bytes:
    """A picture of noise, which no coding makes small."""
    pixels = (
        NOISE if mode == "RGB" else np.dstack([NOISE, NOISE[..., 0]]) if mode in ("RGBA", "CMYK") else NOISE[..., 0]
    )
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels), mode).resize((1600, 1200)).save(stream, container, **options)
    return stream.getvalue()


def middling() -> bytes:
    """A PNG of 360 kB."""
    stream = io.BytesIO()
    Image.fromarray(NOISE).save(stream, "PNG")
    return stream.getvalue()


def taken(path: Path, max_pixels: int | None = None) -> prefetch.Decoded | None:
    with prefetch.decoding_of(str(path), max_pixels):
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as stream:
            return prefetch.take(stream)


PLAIN = {
    "a JPEG": coded("JPEG", quality=95),
    "a progressive JPEG": coded("JPEG", quality=95, progressive=True),
    "a gray JPEG": coded("JPEG", "L", quality=95),
    "a PNG": coded("PNG"),
    "a gray PNG": coded("PNG", "L"),
}
ANOTHER = {
    "a CMYK JPEG": coded("JPEG", "CMYK", quality=95),
    "a transparent PNG": coded("PNG", "RGBA"),
    "a PNG with one transparent colour": coded("PNG", transparency=(1, 2, 3)),
    "an animation": coded("PNG", save_all=True, append_images=[Image.new("RGB", (1600, 1200))]),
    "a TIFF": coded("TIFF"),
    "half a JPEG": coded("JPEG", quality=95)[:150_000],
    "half a PNG": coded("PNG")[:150_000],
    "no picture": bytes(200_000),
    "a middling PNG": middling(),
    "a small file": coded("JPEG", quality=1),
}


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_the_picture(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(PLAIN[name])
    found = taken(tmp_path / "in")
    assert found is not None
    np.testing.assert_array_equal(found.array, np.asarray(Image.open(tmp_path / "in")))
    assert found.image.mode == Image.open(tmp_path / "in").mode


STORED = {
    "a PPM": b"P6\n# of a scan\n300 400\n255\n" + NOISE.tobytes(),
    "a PGM": b"P5 400 900 200\n" + NOISE.tobytes(),
    "a PPM of 16 bits": b"P6 300 200 1000\n" + NOISE.tobytes(),
    "half a PPM": b"P6 300 400 255\n" + NOISE.tobytes()[:200_000],
    "two PGMs": 2 * (b"P5 400 900 255\n" + NOISE.tobytes()),
    "no head": b"P6" + NOISE.tobytes(),
}


@pytest.mark.parametrize("name", STORED)
def test_a_file_of_stored_pixels_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(STORED[name])
    with prefetch.decoding_of(str(tmp_path / "in")), open(tmp_path / "in", "rb") as stream:
        found = prefetch.content(stream)
        assert found is not None
        assert found[:] == STORED[name]
        assert prefetch.content(stream) is None


@pytest.mark.parametrize("name", STORED)
def test_what_was_read_is_not_kept(name: str, tmp_path: Path) -> None:
    """Also if it cannot be used: a photograph's memory is needed for something else."""
    (tmp_path / "in.ppm").write_bytes(STORED[name])
    with prefetch.decoding_of(str(tmp_path / "in.ppm")):
        with pytest.raises(ImageError) if name in ("half a PPM", "no head") else nullcontext():
            load(str(tmp_path / "in.ppm"))
        assert name in ("no head", "two PGMs") or not prefetch._begun()  # which others read


def test_the_first_file_alone_is_begun(tmp_path: Path) -> None:
    """The one that stands behind the command, before the command itself asks for one."""
    (tmp_path / "in").write_bytes(PLAIN["a JPEG"])
    with prefetch.decoding_of(str(tmp_path / "in")):
        thread = prefetch._begun()[0].thread
        with prefetch.decoding_of(str(tmp_path / "in")):
            assert [begun.thread for begun in prefetch._begun()] == [thread]
        with open(tmp_path / "in", "rb") as stream:
            assert prefetch.take(stream) is not None


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        ("apply in -k box", True),
        ("transpose in -k box", True),
        ("apply in", True),
        ("apply in in -k box", False),
        ("apply -k box in", False),
        ("apply", False),
        ("apply nowhere", False),
        ("shape in", False),
        ("", False),
    ],
)
def test_the_image_behind_the_command_is_begun(words: str, begins: bool, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(PLAIN["a JPEG"])
    with ahead.begun([str(tmp_path / word) if word == "in" else word for word in words.split()]):
        assert bool(prefetch._begun()) == begins


def test_each_command_of_a_batch_begins_with_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(PLAIN["a JPEG"])
    begun = ahead.begun
    words: list[str] = []
    monkeypatch.setattr(ahead, "begun", lambda line: (words.append(line[1]), begun(line))[1])
    taken: list[bool] = []
    take = prefetch.take
    monkeypatch.setattr(prefetch, "take", lambda stream: (found := take(stream), taken.append(found is not None))[0])
    lines = "apply one -k box -o one.png -q\napply two -k box -o two.png -q\n"
    assert run("batch", cwd=tmp_path, input=lines.encode()).code == 0
    assert words == ["one", "two"]
    assert taken == [True, True]


@pytest.mark.parametrize("name", ANOTHER)
def test_what_is_not_plain_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(ANOTHER[name])
    assert taken(tmp_path / "in") is None


def test_it_is_taken_once(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(PLAIN["a JPEG"])
    with prefetch.decoding_of(str(tmp_path / "in")), open(tmp_path / "in", "rb") as stream:
        assert prefetch.take(stream) is not None
        assert prefetch.take(stream) is None


def test_it_is_there_within_the_block_alone(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(PLAIN["a JPEG"])
    with prefetch.decoding_of(str(tmp_path / "in")):
        pass
    with open(tmp_path / "in", "rb") as stream:
        assert prefetch.take(stream) is None


def test_another_file_is_not_it(tmp_path: Path) -> None:
    for name in ("in", "other"):
        (tmp_path / name).write_bytes(PLAIN["a JPEG"])
    with prefetch.decoding_of(str(tmp_path / "in")):
        with open(tmp_path / "other", "rb") as stream:
            assert prefetch.take(stream) is None
        assert prefetch.take(io.BytesIO(PLAIN["a JPEG"])) is None


def test_a_file_that_was_written_to_is_not_it(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(PLAIN["a JPEG"])
    with prefetch.decoding_of(str(tmp_path / "in")):
        os.utime(tmp_path / "in", ns=(1, 1))
        with open(tmp_path / "in", "rb") as stream:
            assert prefetch.take(stream) is None
        assert not prefetch._begun()  # nor is it kept


def test_what_is_appended_is_not_read(tmp_path: Path) -> None:
    for size, begun in ((prefetch.MOST_BYTES, True), (prefetch.MOST_BYTES + 1, False)):
        (tmp_path / "in").write_bytes(PLAIN["a JPEG"])
        os.truncate(tmp_path / "in", size)
        tracemalloc.start()
        assert (taken(tmp_path / "in") is not None) == begun
        assert tracemalloc.get_traced_memory()[1] < 3 * prefetch.BLOCK_BYTES
        tracemalloc.stop()


def test_odd_metadata_is_not_spoken_of(tmp_path: Path) -> None:
    """In the real program: Pillow warns of a broken EXIF block, on standard error if nobody prevents it."""
    broken = b"Exif\0\0MM\0*\0\0\0\x08\0\x40" + b"\x01\x1a\0\x05\0\0\0\x01\0\0\xff\xff" * 3
    data = coded("JPEG", quality=95)
    header = 4 + int.from_bytes(data[4:6], "big")  # SOI and JFIF, in whose place EXIF stands
    exif = b"\xff\xe1" + (len(broken) + 2).to_bytes(2, "big") + broken
    (tmp_path / "in.jpg").write_bytes(data[:2] + exif + data[header:])
    ended = subprocess.run(
        [sys.executable, "-m", "convcli", "apply", "in.jpg", "-k", "box:3", "-o", "out.png", "-q"],
        cwd=tmp_path, env=environment(), capture_output=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_what_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(PLAIN["a JPEG"])
    assert taken(tmp_path / "in", 1600 * 1200 - 1) is None
    assert taken(tmp_path / "in", 1600 * 1200) is not None


@pytest.mark.parametrize("path", ["nowhere", ".", "a\0b", "pipe"])
def test_what_cannot_be_read(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, too, which it does not wait for."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with prefetch.decoding_of(path):
        assert not prefetch._begun()


@pytest.mark.parametrize("name", [*PLAIN, *ANOTHER, *STORED])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_the_program_does_as_without_it(
    name: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down to the bytes: what it writes, what it says, and the code that it ends with."""
    (tmp_path / "in").write_bytes({**PLAIN, **ANOTHER, **STORED}[name])
    found = []
    for begins in (True, False):
        if not begins:
            monkeypatch.setattr(prefetch, "decoding_of", lambda *_: nullcontext())
        done = run("apply", "in", "-k", "box:3", "-o", f"out.{ending}", "--overwrite", cwd=tmp_path)
        out = tmp_path / f"out.{ending}"
        found.append((done.code, done.err, out.read_bytes() if out.exists() else b""))
    assert found[0] == found[1]


def test_metadata_stays(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "turned"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "noise")
    for name, data in {
        "in.jpg": coded("JPEG", quality=95, exif=exif, dpi=(300, 300), icc_profile=b"profile", comment=b"said"),
        "in.png": coded("PNG", pnginfo=texts, dpi=(300, 300), icc_profile=b"profile"),
    }.items():
        (tmp_path / name).write_bytes(data)
        out = tmp_path / f"out-{name}"
        assert run("apply", name, "-k", "identity", "-o", out.name, cwd=tmp_path).code == 0
        image = Image.open(out)
        assert image.info["icc_profile"] == b"profile"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        if name == "in.jpg":
            assert image.size == (1200, 1600)
            assert image.getexif()[0x010E] == "turned"
            assert image.info["comment"] == b"said"
        else:
            assert image.info["Title"] == "noise"


def test_a_pipe_is_left_alone(tmp_path: Path) -> None:
    """Opened and closed, it would lose its writer, and be waited for without end."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    line = "cat in.png > pipe & python -m convcli apply pipe -k box:3 -o out.png -q; wait"
    Image.fromarray(NOISE).save(tmp_path / "in.png")
    ended = subprocess.run(
        ["sh", "-c", line.replace("python", sys.executable)],
        cwd=tmp_path, env=environment(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stdout.decode().strip() == "out.png", ended.stderr
    assert (tmp_path / "out.png").exists()
