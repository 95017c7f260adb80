"""Pictures in and out: modes, depth, metadata, alpha, formats."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from cli import SAMPLES, done, read, run, write
from PIL import Image, ImageCms

H, W = 7, 9
GENERATOR = np.random.default_rng(1)
RGB = GENERATOR.integers(0, 256, (3, H, W), dtype=np.uint8)
GRAY = RGB[:1]
ALPHA = GENERATOR.integers(1, 256, (1, H, W), dtype=np.uint8)
DEEP = GENERATOR.integers(0, 65536, (1, H, W), dtype=np.uint16)
REAL = GENERATOR.normal(0.5, 2, (1, H, W)).astype(np.float32)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def opened(path: Path) -> Image.Image:
    """The decoded picture with its metadata, its file closed."""
    with Image.open(path) as image:
        image.load()
        return image


def identity(source: Path, target: Path, *options: str) -> Image.Image:
    """The picture after the identity kernel."""
    done("apply", source, "-k", "identity", *options, "-o", target)
    return opened(target)


def png16(path: Path, planes: np.ndarray) -> Path:
    """A 16-bit PNG of any colour type, which Pillow cannot write."""
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[len(planes)]
    rows = np.moveaxis(planes, 0, -1).astype(">u2")
    data = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", planes.shape[2], planes.shape[1], 16, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


# Modes and depth: the identity kernel changes nothing


@pytest.mark.parametrize(
    ("mode", "planes"),
    [("L", GRAY), ("RGB", RGB), ("LA", np.concatenate([GRAY, ALPHA])), ("RGBA", np.concatenate([RGB, ALPHA]))],
)
@pytest.mark.parametrize("extension", ["png", "tif"])
def test_identity_is_lossless(mode: str, planes: np.ndarray, extension: str, tmp_path: Path) -> None:
    source = write(tmp_path / f"in.{extension}", planes, mode)
    image = identity(source, tmp_path / f"out.{extension}")
    assert image.mode == mode
    np.testing.assert_array_equal(read(tmp_path / f"out.{extension}"), planes)


@pytest.mark.parametrize("extension", ["bmp", "ppm", "gif", "png", "tiff"])
@pytest.mark.parametrize("planes", [GRAY, RGB], ids=["gray", "rgb"])
def test_identity_is_lossless_in_other_formats(planes: np.ndarray, extension: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", planes)
    image = identity(source, tmp_path / f"out.{extension}")
    np.testing.assert_array_equal(
        np.array(image.convert("RGB")), np.moveaxis(np.broadcast_to(planes, RGB.shape), 0, -1)
    )


def test_transparent_pixels(tmp_path: Path) -> None:
    """Opacity and visible colours stay; with `--alpha keep` also the colours that cannot be seen."""
    planes = np.concatenate([RGB, ALPHA])
    planes[3, :3] = 0
    source = write(tmp_path / "in.png", planes)
    identity(source, tmp_path / "out.png")
    found = read(tmp_path / "out.png")
    np.testing.assert_array_equal(found[3], planes[3])
    np.testing.assert_array_equal(found[:, 3:], planes[:, 3:])
    for policy in ("keep", "filter"):
        identity(source, tmp_path / "out.png", "--alpha", policy)
        np.testing.assert_array_equal(read(tmp_path / "out.png"), planes)


@pytest.mark.parametrize("extension", ["png", "gif", "tif", "bmp"])
def test_palette(extension: str, tmp_path: Path) -> None:
    """Colours are filtered, not palette indices."""
    image = Image.fromarray(np.moveaxis(RGB, 0, -1)).quantize(16)
    colours = np.array(image.convert("RGB"))
    image.save(tmp_path / f"in.{extension}")
    result = identity(tmp_path / f"in.{extension}", tmp_path / f"out.{extension}")
    np.testing.assert_array_equal(np.array(result.convert("RGB")), colours)
    done("apply", tmp_path / f"in.{extension}", "-k", "box:2", "-o", tmp_path / "soft.png")
    mean = sum(colours[i : H - 1 + i, j : W - 1 + j].astype(float) for i in (0, 1) for j in (0, 1)) / 4
    np.testing.assert_array_equal(np.moveaxis(read(tmp_path / "soft.png"), 0, -1), np.rint(mean))


@pytest.mark.parametrize("extension", ["png", "gif"])
def test_palette_with_transparency(extension: str, tmp_path: Path) -> None:
    image = Image.fromarray(np.moveaxis(RGB, 0, -1)).quantize(16)
    image.save(tmp_path / f"in.{extension}", transparency=3)
    before = np.array(opened(tmp_path / f"in.{extension}").convert("RGBA"))
    assert (before[..., 3] == 0).any()
    after = np.array(identity(tmp_path / f"in.{extension}", tmp_path / "out.png"))
    np.testing.assert_array_equal(after[..., 3], before[..., 3])
    np.testing.assert_array_equal(after[before[..., 3] > 0], before[before[..., 3] > 0])


def test_rgb_with_a_transparent_colour(tmp_path: Path) -> None:
    """PNG's tRNS chunk names one colour; the file has no alpha channel, the picture has transparency."""
    write(tmp_path / "in.png", RGB, transparency=tuple(int(value) for value in RGB[:, 2, 3]))
    found = np.array(identity(tmp_path / "in.png", tmp_path / "out.png"))
    assert found.shape == (H, W, 4)
    assert found[2, 3, 3] == 0
    assert (found[..., 3] == 255).sum() == H * W - 1


@pytest.mark.parametrize("extension", ["png", "tif", "bmp"])
def test_one_bit(extension: str, tmp_path: Path) -> None:
    bits = GRAY[0] > 127
    Image.fromarray(bits).save(tmp_path / f"in.{extension}")
    image = identity(tmp_path / f"in.{extension}", tmp_path / "out.png")
    assert image.mode == "L"
    np.testing.assert_array_equal(np.array(image), bits * 255)


@pytest.mark.parametrize("extension", ["tif", "jpg"])
def test_cmyk(extension: str, tmp_path: Path) -> None:
    source = write(tmp_path / f"in.{extension}", np.concatenate([RGB, ALPHA]), "CMYK")
    before = opened(source)
    same = identity(source, tmp_path / "out.tif")
    assert same.mode == "CMYK"
    np.testing.assert_array_equal(np.array(same), np.array(before))
    converted = identity(source, tmp_path / "out.png")  # PNG has no CMYK
    assert converted.mode == "RGB"
    np.testing.assert_array_equal(np.array(converted), np.array(before.convert("RGB")))
    assert identity(source, tmp_path / "out.jpg").mode == "CMYK"


@pytest.mark.parametrize("source", ["in.png", "in.tif"])
@pytest.mark.parametrize("target", ["out.png", "out.tif", "out.pgm"])
def test_16_bit_gray(source: str, target: str, tmp_path: Path) -> None:
    write(tmp_path / source, DEEP)
    result = run("apply", tmp_path / source, "-k", "identity", "-o", tmp_path / target)
    assert result.code == 0
    assert result.err == ""
    np.testing.assert_array_equal(read(tmp_path / target), DEEP)
    assert read(tmp_path / target).max() > 255


def test_16_bit_sample(tmp_path: Path) -> None:
    image = identity(SAMPLES / "gradient16.png", tmp_path / "out.png")
    assert image.mode.startswith("I;16")
    np.testing.assert_array_equal(np.array(image), read(SAMPLES / "gradient16.png")[0])


@pytest.mark.parametrize("target", ["out.jpg", "out.bmp"])
def test_16_bits_into_8_says_so(target: str, tmp_path: Path) -> None:
    write(tmp_path / "in.png", DEEP)
    result = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / target)
    assert "16" in result.err
    assert "8" in result.err
    assert np.abs(read(tmp_path / target) - DEEP / 257).max() <= (0.5 if target.endswith("bmp") else 40)


def test_16_bit_gray_png_of_any_writer(tmp_path: Path) -> None:
    source = png16(tmp_path / "deep.png", DEEP)
    image = identity(source, tmp_path / "out.png")
    np.testing.assert_array_equal(np.array(image), DEEP[0])


def test_float_tiff(tmp_path: Path) -> None:
    """Values stay real, negative and above 1, and are not clipped."""
    source = write(tmp_path / "in.tif", REAL)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert result.err == ""
    image = opened(tmp_path / "out.tif")
    assert image.mode == "F"
    np.testing.assert_array_equal(np.array(image), REAL[0])
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), REAL)


def test_float_tiff_into_8_bits(tmp_path: Path) -> None:
    """1 is white."""
    source = write(tmp_path / "in.tif", REAL)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.rint(REAL * 255).clip(0, 255))
    assert "clipped" in result.err


# TIFF: the layout of the input file is not the output's


@pytest.mark.parametrize(
    ("mode", "options", "expected"),
    [
        ("RGBA", ["--alpha", "drop"], "RGB"),
        ("RGB", ["--channels", "gray"], "L"),
        ("RGB", ["--channels", "sum"], "L"),
        ("L", ["-k", "identity", "-k", "identity", "-k", "identity"], "RGB"),
    ],
)
def test_tiff_to_tiff_of_other_channels(mode: str, options: list[str], expected: str, tmp_path: Path) -> None:
    planes = {"RGBA": np.concatenate([RGB, ALPHA]), "RGB": RGB, "L": GRAY}[mode]
    source = write(tmp_path / "in.tif", planes, mode)
    kernel = [] if "-k" in options else ["-k", "identity"]
    done("apply", source, *kernel, *options, "-o", tmp_path / "out.tif")
    image = opened(tmp_path / "out.tif")
    assert image.mode == expected
    assert image.size == (W, H)
    done("apply", source, *kernel, *options, "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(np.array(image), np.array(opened(tmp_path / "out.png")))


@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate", "packbits", "group4", "jpeg"])
def test_tiff_compressions(compression: str, tmp_path: Path) -> None:
    image = Image.fromarray(GRAY[0] > 99) if compression == "group4" else Image.fromarray(np.moveaxis(RGB, 0, -1))
    image.save(tmp_path / "in.tif", compression=compression)
    before = np.array(opened(tmp_path / "in.tif").convert("RGB"))
    after = identity(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(np.array(after.convert("RGB")), before)
    after = identity(tmp_path / "in.tif", tmp_path / "small.tif", "-s", "2")
    np.testing.assert_array_equal(np.array(after.convert("RGB")), before[::2, ::2])


def test_tiff_orientation(tmp_path: Path) -> None:
    write(tmp_path / "in.tif", RGB, tiffinfo={274: 6})
    image = identity(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(np.array(image), np.rot90(np.moveaxis(RGB, 0, -1), -1))
    assert image.getexif().get(274, 1) == 1


@pytest.mark.parametrize("target", ["out.png", "out.jpg"])
def test_tiff_layout_is_no_metadata(target: str, tmp_path: Path) -> None:
    """The strips, compression and size of the TIFF say nothing of the PNG; what it says of the picture stays."""
    write(tmp_path / "in.tif", RGB, tiffinfo={271: "Maker"})
    exif = identity(tmp_path / "in.tif", tmp_path / target, "-s", "2").getexif()
    assert exif.get(271) == "Maker"
    layout = {256: "width", 257: "height", 259: "compression", 273: "strips", 279: "strip lengths"}
    assert not {name for tag, name in layout.items() if tag in exif}


# Metadata


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_exif_orientation(orientation: int, extension: str, tmp_path: Path) -> None:
    """Pictures come out upright, without the tag; the rest of the EXIF data stays."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    write(tmp_path / f"in.{extension}", np.kron(RGB[:, :2, :3], np.ones((8, 8), np.uint8)), exif=exif)
    stored = np.array(opened(tmp_path / f"in.{extension}"))
    upright = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, -1), 7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1), 8: np.rot90,
    }[orientation](stored)  # fmt: skip
    image = identity(tmp_path / f"in.{extension}", tmp_path / "out.png")
    np.testing.assert_array_equal(np.array(image), upright)
    for name in ("out.png", "out.jpg", "out.tif"):
        image = identity(tmp_path / f"in.{extension}", tmp_path / name)
        assert image.size == upright.shape[1::-1]
        assert image.getexif().get(0x0112, 1) == 1
        assert image.getexif().get(0x010F) == "Maker"


def test_rotated_sample(tmp_path: Path) -> None:
    image = identity(SAMPLES / "rotated.jpg", tmp_path / "out.jpg")
    assert image.size == (120, 160)
    assert 0x0112 not in image.getexif()
    assert opened(SAMPLES / "rotated.jpg").size == (160, 120)
    red, green, blue = (int(value) for value in np.array(image)[:12, :12].mean((0, 1)))
    assert red > 2 * max(green, blue)  # red is at the top left


@pytest.mark.parametrize("source", ["in.jpg", "in.png", "in.tif"])
@pytest.mark.parametrize("target", ["out.jpg", "out.png", "out.tif"])
def test_icc_profile_and_dpi_are_kept(source: str, target: str, tmp_path: Path) -> None:
    write(tmp_path / source, RGB, icc_profile=SRGB, dpi=(300, 150))
    image = identity(tmp_path / source, tmp_path / target)
    assert image.info["icc_profile"] == SRGB
    assert [float(value) for value in image.info["dpi"]] == pytest.approx([300, 150], abs=0.1)


@pytest.mark.parametrize("extension", ["webp", "avif"])
def test_icc_profile_is_kept_in(extension: str, tmp_path: Path) -> None:
    from PIL import features

    if not features.check(extension):
        pytest.skip(f"this Pillow has no {extension}")
    write(tmp_path / "in.png", RGB, icc_profile=SRGB)
    assert identity(tmp_path / "in.png", tmp_path / f"out.{extension}").info["icc_profile"] == SRGB


@pytest.mark.parametrize("options", [["--channels", "gray"], ["--channels", "sum"]])
def test_an_rgb_profile_does_not_go_with_gray(options: list[str], tmp_path: Path) -> None:
    write(tmp_path / "in.png", RGB, icc_profile=SRGB)
    assert "icc_profile" not in identity(tmp_path / "in.png", tmp_path / "out.png", *options).info


def test_a_cmyk_profile_does_not_go_with_rgb(tmp_path: Path) -> None:
    profile = SRGB[:16] + b"CMYK" + SRGB[20:]  # the header's colour space
    write(tmp_path / "in.tif", np.concatenate([RGB, ALPHA]), "CMYK", icc_profile=profile)
    assert identity(tmp_path / "in.tif", tmp_path / "out.tif").info["icc_profile"] == profile
    assert "icc_profile" not in identity(tmp_path / "in.tif", tmp_path / "out.png").info


@pytest.mark.parametrize("source", ["in.jpg", "in.png", "in.tif", "in.bmp"])
def test_no_resolution_is_invented(source: str, tmp_path: Path) -> None:
    write(tmp_path / source, RGB)
    image = identity(tmp_path / source, tmp_path / "out.png")
    assert "dpi" not in image.info or source == "in.bmp"  # BMP always states one


def test_animated_gif_says_that_the_first_frame_is_used(tmp_path: Path) -> None:
    result = done("apply", SAMPLES / "animation.gif", "-k", "identity", "-o", tmp_path / "out.png")
    assert "first of 8 frames" in result.err
    first = np.array(opened(SAMPLES / "animation.gif").convert("RGB"))
    np.testing.assert_array_equal(np.moveaxis(read(tmp_path / "out.png"), 0, -1), first)


def test_single_frame_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / "in.gif", GRAY)
    assert done("apply", tmp_path / "in.gif", "-k", "identity", "-o", tmp_path / "out.png").err == ""


# Alpha


def test_blur_leaves_no_dark_fringe(tmp_path: Path) -> None:
    """The icon is black where it is transparent: that black must not show in the blurred edge."""
    options = ["-k", "gaussian:3", "-p", "same"]
    done("apply", SAMPLES / "icon.png", *options, "-o", tmp_path / "auto.png")
    done("apply", SAMPLES / "icon.png", *options, "--alpha", "filter", "-o", tmp_path / "filter.png")
    icon = read(SAMPLES / "icon.png").astype(int)
    darkest = icon[:3].sum(0)[icon[3] > 0].min()

    def visible_minimum(name: str) -> int:
        found = read(tmp_path / name).astype(int)
        return int(found[:3].sum(0)[found[3] > 8].min())

    assert visible_minimum("auto.png") >= darkest - 8
    assert visible_minimum("filter.png") < darkest / 2  # what happens without premultiplied alpha
    alpha = read(tmp_path / "auto.png")[3]
    np.testing.assert_array_equal(alpha, read(tmp_path / "filter.png")[3])  # opacity itself is blurred alike
    done("apply", SAMPLES / "icon.png", *options, "--alpha", "premultiply", "-o", tmp_path / "explicit.png")
    assert (tmp_path / "explicit.png").read_bytes() == (tmp_path / "auto.png").read_bytes()


def test_premultiplied_blur_by_hand(tmp_path: Path) -> None:
    """Half of opaque red and half of transparent green are half-transparent red."""
    planes = np.array([[[255, 0]], [[0, 255]], [[0, 0]], [[255, 0]]], np.uint8)
    write(tmp_path / "in.png", planes)
    done("apply", tmp_path / "in.png", "-k", "0.5,0.5", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png").ravel(), [255, 0, 0, 128])
    done("apply", tmp_path / "in.png", "-k", "0.5,0.5", "--alpha", "filter", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png").ravel(), [128, 128, 0, 128])


@pytest.mark.parametrize(("kernel", "policy"), [("sobel", "auto"), ("box:3", "keep"), ("sobel", "keep")])
def test_alpha_kept_is_resampled_with_the_picture(kernel: str, policy: str, tmp_path: Path) -> None:
    """The opacity under the kernel's centre, in the output's size."""
    write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    for options, expected in (
        (["-s", "2"], ALPHA[:, 1:-1:2, 1:-1:2]),
        (["-s", "2,3", "-d", "2,1"], ALPHA[:, 2:-2:2, 1:-1:3]),
        (["-p", "1"], ALPHA),
        (["-p", "2"], np.pad(ALPHA, ((0, 0), (1, 1), (1, 1)))),
        (["-p", "2", "--padding-mode", "replicate"], np.pad(ALPHA, ((0, 0), (1, 1), (1, 1)), mode="edge")),
    ):
        done("apply", tmp_path / "in.png", "-k", kernel, "--alpha", policy, *options, "-o", tmp_path / "out.png")
        np.testing.assert_array_equal(read(tmp_path / "out.png")[3:], expected)


def test_alpha_keep_filters_colours_without_weights(tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    plain = write(tmp_path / "plain.png", RGB)
    done("apply", source, "-k", "box:3", "--alpha", "keep", "-o", tmp_path / "out.png")
    done("apply", plain, "-k", "box:3", "-o", tmp_path / "expected.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png")[:3], read(tmp_path / "expected.png"))


@pytest.mark.parametrize("kernel", ["box:3", "sobel"])
def test_alpha_drop(kernel: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    plain = write(tmp_path / "plain.png", RGB)
    done("apply", source, "-k", kernel, "--alpha", "drop", "-o", tmp_path / "out.png")
    done("apply", plain, "-k", kernel, "-o", tmp_path / "expected.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), read(tmp_path / "expected.png"))


def test_alpha_filter_treats_opacity_as_a_channel(tmp_path: Path) -> None:
    planes = np.concatenate([RGB, ALPHA])
    write(tmp_path / "in.png", planes)
    done("apply", tmp_path / "in.png", "-k", "0.5", "--alpha", "filter", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.rint(planes / 2))


@pytest.mark.parametrize("policy", ["abs", "offset", "minmax"])
def test_the_range_policy_is_for_colours(policy: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    done("apply", source, "-k", "sobel-x", "--range", policy, "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png")[3:], ALPHA[:, 1:-1, 1:-1])


def test_alpha_of_gray(tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    done("apply", source, "-k", "identity", "--channels", "gray", "-o", tmp_path / "out.png")
    assert opened(tmp_path / "out.png").mode == "LA"
    np.testing.assert_array_equal(read(tmp_path / "out.png")[1:], ALPHA)


@pytest.mark.parametrize("target", ["out.jpg", "out.jpeg", "out.bmp", "out.ppm"])
def test_formats_without_alpha_refuse_it(target: str, tmp_path: Path) -> None:
    result = run("apply", SAMPLES / "icon.png", "-k", "box", "-o", tmp_path / target)
    assert result.code == 2
    assert "--alpha drop" in result.err
    assert "png" in result.err
    assert not (tmp_path / target).exists()
    assert run("apply", SAMPLES / "icon.png", "-k", "box", "--alpha", "drop", "-o", tmp_path / target).code == 0


def test_default_name_of_a_jpeg_is_a_jpeg(tmp_path: Path) -> None:
    done("apply", SAMPLES / "rotated.jpg", "-k", "box", cwd=tmp_path)
    assert opened(tmp_path / "rotated-box.jpg").format == "JPEG"


# Formats


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


def test_jpeg_is_of_good_quality(tmp_path: Path) -> None:
    identity(SAMPLES / "small.png", tmp_path / "out.jpg")
    error = read(tmp_path / "out.jpg").astype(float) - read(SAMPLES / "small.png")
    assert np.sqrt((error**2).mean()) < 6


def test_more_channels_than_a_picture_holds(tmp_path: Path) -> None:
    result = run("apply", SAMPLES / "tiny.png", "-k", "box", "-k", "box", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert ".npy" in result.err
    assert "--combine" in result.err
