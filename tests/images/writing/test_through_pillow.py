"""What Pillow's encoders refuse is one line."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.images.formats import ROWS
from convcli.images.writing import through_pillow
from support.cli import SAMPLES, done, run
from support.pictures import GENERATOR, GRAY, H, W, opened, read, write


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


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_is_as_pillow_s_own_method_writes_it(mode: str) -> None:
    image = Image.fromarray(GENERATOR.integers(0, 256, (300, 400, 3), np.uint8)).convert(mode)
    options: dict[str, Any] = {
        "quality": 77,
        "subsampling": 1,
        "progressive": True,
        "dpi": (72, 72),
        "comment": b"said",
    }
    options |= {"icc_profile": bytes(70_000), "exif": b"Exif\0\0" + bytes(9), "extra": b"\xff\xed\0\4ab"}
    found, wanted = io.BytesIO(), io.BytesIO()
    through_pillow._save(image, ROWS["JPEG"], options, found)
    image.save(wanted, "JPEG", **options)
    assert found.getvalue() == wanted.getvalue()


# Metadata


def test_animated_gif_says_that_the_first_frame_is_used(tmp_path: Path) -> None:
    result = done("apply", SAMPLES / "animation.gif", "-k", "identity", "-o", tmp_path / "out.png")
    assert "first of 8 frames" in result.err
    first = np.array(opened(SAMPLES / "animation.gif").convert("RGB"))
    np.testing.assert_array_equal(np.moveaxis(read(tmp_path / "out.png"), 0, -1), first)


def test_single_frame_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / "in.gif", GRAY)
    assert done("apply", tmp_path / "in.gif", "-k", "identity", "-o", tmp_path / "out.png").err == ""


# Animations


def frames(*shades: int) -> list[Image.Image]:
    return [Image.new("L", (W, H), shade) for shade in shades]


def test_equal_frames_are_counted_as_they_are_written(tmp_path: Path) -> None:
    first, *rest = frames(1, 2, 3, 4)
    first.save(tmp_path / "in.png", save_all=True, append_images=rest, duration=40)
    for target in ("out.gif", "out.webp"):
        result = done("apply", tmp_path / "in.png", "-k", "0", "--bias", "9", "-o", tmp_path / target, "--json")
        with Image.open(tmp_path / target) as image:
            assert result.json["frames"] == getattr(image, "n_frames", 1)
    assert done("apply", tmp_path / "in.png", "-k", "0", "-o", tmp_path / "out.gif", "--json").json["frames"] == 1
    assert (
        done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif", "--json").json["frames"] == 4
    )


def test_a_hidden_first_frame_is_not_counted(tmp_path: Path) -> None:
    first, *rest = frames(1, 2, 3, 4)
    first.save(tmp_path / "in.png", save_all=True, append_images=rest, duration=40, default_image=True)
    assert (
        done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif", "--json").json["frames"] == 3
    )


COUNT = 5
DURATIONS = [100, 200, 50, 300, 120]


def drawn(transparent: bool) -> list[Image.Image]:
    """Frames of few colours; in transparent ones, holes that move, so that pixels appear and vanish."""
    frames = []
    for number in range(COUNT):
        colours = GENERATOR.integers(0, 4, (H, W, 3), dtype=np.uint8) * 60
        opacity = np.full((H, W, 1), 255, np.uint8)
        opacity[(np.arange(H) + 3 * number) % 7 < 3] = 0
        frames.append(Image.fromarray(np.concatenate([colours, opacity], -1) if transparent else colours))
    return frames


def made(path: Path, transparent: bool = False, **more: object) -> Path:
    frames = drawn(transparent)
    options: dict[str, object] = {"duration": DURATIONS, "loop": 3}
    if path.suffix == ".png":
        options |= {"disposal": 0, "blend": 0}
    elif path.suffix == ".gif":
        options |= {"disposal": 2 if transparent else 0}
    elif path.suffix == ".webp":
        options |= {"lossless": True, "exact": True}
    elif path.suffix == ".tif":
        options = {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options | more)
    return path


def seen(path: Path) -> tuple[list[np.ndarray], list[float | None], int | None]:
    """What a viewer shows, frame by frame, `(H, W, 4)`, hidden colours 0; the durations; and how often it plays."""
    frames, durations = [], []
    with Image.open(path) as image:
        loop = image.info.get("loop")
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            durations.append(image.info.get("duration"))
            pixels = np.array(image.convert("RGBA"))
            pixels[pixels[..., 3] == 0] = 0
            frames.append(pixels)
    return frames, durations, loop


@pytest.mark.parametrize("transparent", [False, True], ids=["opaque", "transparent"])
@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("gif", "gif"), ("gif", "webp"), ("gif", "apng"), ("png", "png"), ("png", "gif"), ("png", "webp"),
        ("webp", "webp"), ("webp", "gif"), ("webp", "apng"),
    ],
)  # fmt: skip
def test_animations_keep_frames_and_time(source: str, target: str, transparent: bool, tmp_path: Path) -> None:
    path = made(tmp_path / f"in.{source}", transparent)
    result = done("apply", path, "-k", "identity", "-o", tmp_path / f"out.{target}", "--json")
    assert result.json["frames"] == COUNT
    assert result.json["notes"] == []
    before, after = seen(path), seen(tmp_path / f"out.{target}")
    assert after[1] == before[1] == DURATIONS
    assert after[2] == before[2]
    np.testing.assert_array_equal(after[0], before[0])


@pytest.mark.parametrize("extension", ["gif", "png", "webp", "tif"])
def test_every_frame_is_filtered(extension: str, tmp_path: Path) -> None:
    path = made(tmp_path / f"in.{extension}")
    done("apply", path, "-k", "1,0,0", "-o", tmp_path / f"out.{extension}")  # moves the picture: no new colours
    for before, after in zip(seen(path)[0], seen(tmp_path / f"out.{extension}")[0], strict=True):
        np.testing.assert_array_equal(after, before[:, :-2])


def test_in_place(tmp_path: Path) -> None:
    path = made(tmp_path / "in.gif")
    before = seen(path)
    done("apply", path, "-k", "identity", "--in-place")
    np.testing.assert_array_equal(seen(path)[0], before[0])


def test_a_gif_that_plays_once(tmp_path: Path) -> None:
    frames = drawn(False)
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=40)
    assert seen(tmp_path / "in.gif")[2] is None
    done("apply", tmp_path / "in.gif", "-k", "identity", "-o", tmp_path / "out.gif")
    assert seen(tmp_path / "out.gif")[2] is None
    done("apply", tmp_path / "in.gif", "-k", "identity", "-o", tmp_path / "out.webp")
    assert seen(tmp_path / "out.webp")[2] == 1


@pytest.mark.parametrize(("source", "target"), [("gif", "png"), ("gif", "tif"), ("png", "tif"), ("tif", "gif")])
def test_a_still_format_takes_the_first(source: str, target: str, tmp_path: Path) -> None:
    path = made(tmp_path / f"in.{source}")
    result = done("apply", path, "-k", "identity", "-o", tmp_path / f"out.{target}")
    assert "first of 5 frames" in result.err
    frames = seen(tmp_path / f"out.{target}")[0]
    assert len(frames) == 1
    np.testing.assert_array_equal(frames[0], seen(path)[0][0])


def test_a_picture_for_readers_of_still_pngs_alone(tmp_path: Path) -> None:
    """APNG's default image, which is no frame."""
    path = made(tmp_path / "in.png", default_image=True, duration=DURATIONS[1:])
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["default_image"]
        assert image.n_frames == COUNT
    np.testing.assert_array_equal(seen(tmp_path / "out.png")[0], seen(path)[0])
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.gif")
    np.testing.assert_array_equal(seen(tmp_path / "out.gif")[0], seen(path)[0][1:])
    assert seen(tmp_path / "out.gif")[1] == DURATIONS[1:]


def test_pages_of_different_sizes_and_modes(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    pages = [
        Image.fromarray(generator.integers(0, 256, (9, 11, 3), np.uint8)),
        Image.fromarray(generator.integers(0, 256, (20, 7), np.uint8)),
        Image.fromarray(generator.integers(0, 65536, (5, 6), np.uint16)),
        Image.fromarray(generator.normal(0, 1, (8, 4)).astype(np.float32)),
        Image.fromarray(generator.integers(0, 256, (6, 6, 4), np.uint8), "CMYK"),
        Image.fromarray(generator.integers(0, 256, (3, 30, 4), np.uint8)),
    ]
    pages[0].save(tmp_path / "in.tif", save_all=True, append_images=pages[1:])
    done("apply", tmp_path / "in.tif", "-k", "identity", "--alpha", "keep", "-o", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as image:
        assert image.n_frames == len(pages)
        for number, page in enumerate(pages):
            image.seek(number)
            assert image.mode == page.mode
            np.testing.assert_array_equal(np.array(image), np.array(page))


def test_pages_have_metadata_of_their_own(tmp_path: Path) -> None:
    from PIL import TiffImagePlugin

    with TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "in.tif"), True) as stream:
        for number in range(3):
            image = Image.new("L", (9, 9), number)
            image.save(stream, "TIFF", tiffinfo={270: f"page {number}"}, dpi=(100 + number, 50))
            stream.newFrame()
    done("apply", tmp_path / "in.tif", "-k", "identity", "-o", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as image:
        for number in range(3):
            image.seek(number)
            assert image.tag_v2[270] == f"page {number}"
            assert image.info["dpi"] == (100 + number, 50)


@pytest.mark.parametrize("extension", ["gif", "webp", "tif"])
def test_a_damaged_frame_leaves_nothing(extension: str, tmp_path: Path) -> None:
    path = made(tmp_path / f"in.{extension}")
    data = path.read_bytes()
    if extension == "tif":  # the directory of the last page stands at the end: its pixels are damaged instead
        start = data.rindex(b"II*\0") if data.count(b"II*\0") > 1 else 8
        assert start
        path.write_bytes(data[:-40])
    else:
        path.write_bytes(data[: len(data) * 2 // 3])
    result = run("apply", path, "-k", "identity", "-o", tmp_path / f"out.{extension}")
    if result.code:
        assert len(result.err.splitlines()) == 1
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_sample(tmp_path: Path) -> None:
    done("apply", SAMPLES / "animation.gif", "-k", "gaussian:1", "-p", "same", "-o", tmp_path / "out.gif")
    before, after = seen(SAMPLES / "animation.gif"), seen(tmp_path / "out.gif")
    assert after[1:] == before[1:]
    assert len(after[0]) == 8
    difference = np.abs(np.array(after[0]).astype(int) - np.array(before[0]))
    assert 0 < difference[..., :3].mean() < 40


def test_a_still_png_stays_one(tmp_path: Path) -> None:
    write(tmp_path / "in.png", GENERATOR.integers(0, 256, (3, H, W), np.uint8))
    done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.png")
    assert b"acTL" not in (tmp_path / "out.png").read_bytes()


@pytest.mark.parametrize(("ending", "said"), [("gif", 1), ("webp", 1), ("apng", 0)])
def test_a_picture_beside_an_animation_is_kept_or_said(ending: str, said: int, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / "in.png", save_all=True, append_images=frames[1:], default_image=True, duration=100)
    notes = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / f"out.{ending}").err
    assert notes.count("its first picture, which animations do not show, is left out") == said
    with Image.open(tmp_path / f"out.{ending}") as image:
        assert (image.n_frames, bool(image.info.get("default_image"))) == (3 - said, not said)  # type: ignore[attr-defined]
