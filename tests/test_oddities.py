"""Files as other programs write them: odd tags, rare depths, small pictures beside the large one. Nothing of it is lost,
told wrongly, or ends in a traceback."""

import io
import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli import binary, done, read, write
from PIL import Image, JpegImagePlugin, PngImagePlugin
from test_fidelity import chunk, opened

H, W = 10, 20
GENERATOR = np.random.default_rng(11)
COLOURS = GENERATOR.integers(0, 256, (H, W, 3), np.uint8)


def tiff(path: Path, *pages: np.ndarray, **options: Any) -> Path:
    """A TIFF by tifffile, a page for each array ``(H, W)``, ``(H, W, C)``; ``(C, H, W)`` where planes are separate."""
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(
        path, **{key: options.pop(key) for key in ("bigtiff", "byteorder") if key in options}
    ) as to:
        for page in pages:
            separate = page.ndim == 3 and page.shape[0] == 3
            kind = "rgb" if page.ndim == 3 else "minisblack"
            to.write(
                page,
                **{"photometric": kind, "planarconfig": "separate" if separate else None, "metadata": None, **options},
            )
    return path


def tensor(path: Path, *more: object) -> np.ndarray:
    """What convcli reads in a file."""
    done("apply", path, "-k", "identity", *more, "-o", path.with_suffix(".npy"))
    return np.load(path.with_suffix(".npy"))


# Tags


@pytest.mark.parametrize("target", ["tif", "png", "jpg", "webp"])
def test_bigtiff_keeps_its_tags(target: str, tmp_path: Path) -> None:
    """Their EXIF head is that of a plain TIFF, which others read."""
    source = tiff(tmp_path / "in.tif", COLOURS, bigtiff=True, description="a field", software="by hand")
    done("apply", source, "-k", "identity", "-o", tmp_path / f"out.{target}")
    found = opened(tmp_path / f"out.{target}").getexif()
    assert (found[270], found[305]) == ("a field", "by hand")


ODD_TAGS = [
    (274, "H", 2, (6, 1)), (274, "s", 0, "six"), (274, "f", 1, float("nan")), (341, "s", 0, "abc"), (341, "f", 1, 0.0),
    (341, "f", 1, float("nan")), (34675, "H", 3, (1, 2, 3)), (34675, "s", 0, "profile"), (700, "H", 2, (1, 2)),
    (34377, "H", 2, (1, 2)), (34377, "B", 9, b"8BIM\4\x0c\0\0\0"), (33723, "d", 2, (1.5, 2.5)), (270, "H", 2, (7, 8)),
    (36867, "q", 1, -5), (42240, "2I", 1, (1, 0)),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(("number", "kind", "count", "value"), ODD_TAGS)
def test_an_odd_tag_does_not_spoil_the_pixels(
    number: int, kind: str, count: int, value: object, dtype: str, tmp_path: Path
) -> None:
    """Real colours go through tifffile, the others through Pillow."""
    pixels = COLOURS if dtype == "uint8" else (COLOURS / np.float32(255)).astype(np.float32)
    source = tiff(tmp_path / "in.tif", pixels, extratags=[(number, kind, count, value, True)])
    for target in ("tif", "png", "jpg", "webp"):
        done("apply", source, "-k", "identity", "-o", tmp_path / f"out.{target}")
    upright = np.rot90(COLOURS, -1) if value == (6, 1) else COLOURS
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.moveaxis(upright, -1, 0))


def test_a_white_of_zero_is_none(tmp_path: Path) -> None:
    pixels = GENERATOR.random((H, W, 3), np.float32)
    source = tiff(tmp_path / "in.tif", pixels, extratags=[(341, "f", 1, 0.0, True)])
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.moveaxis(np.rint(pixels * 255), -1, 0))


def test_what_tifffile_says_of_a_tag_is_not_printed(tmp_path: Path) -> None:
    """In a batch of two, as the real program."""
    pixels = GENERATOR.random((H, W, 3), np.float32)
    source = tiff(tmp_path / "in.tif", pixels, description="x" * 40)
    data = bytearray(source.read_bytes())
    (place,) = struct.unpack_from("<I", data, 4)
    for entry in range(struct.unpack_from("<H", data, place)[0]):
        at = place + 2 + 12 * entry
        if struct.unpack_from("<H", data, at)[0] == 270:
            struct.pack_into("<I", data, at + 8, 1 << 30)  # far behind the file's end
    source.write_bytes(data)
    write(tmp_path / "other.png", np.zeros((3, H, W), np.uint8))
    result = binary("apply", "in.tif", "other.png", "-k", "identity", "-o", "out/", cwd=tmp_path)
    assert result.code == 0
    assert all(line.startswith(("convcli: in.tif:", "convcli: 2 ")) for line in result.err.splitlines()), result.err


def test_what_pillow_says_of_a_tag_is_not_printed(tmp_path: Path) -> None:
    """Its logger tells of more samples than it decodes; in a batch, whose threads leave Python's messages alone."""
    many = GENERATOR.integers(0, 256, (H, W, 70), np.uint8)
    tiff(tmp_path / "in.tif", many, photometric="minisblack", planarconfig="contig")
    write(tmp_path / "other.png", np.zeros((3, H, W), np.uint8))
    result = binary("apply", "in.tif", "other.png", "-k", "identity", "-o", "out/", cwd=tmp_path)
    assert "More samples" not in result.err
    assert all(line.startswith("convcli: ") for line in result.err.splitlines()), result.err


# What shows the picture as it was


def resource(number: int, data: bytes, name: bytes = b"") -> bytes:
    """One of Photoshop's image resources."""
    title = bytes([len(name)]) + name
    title += bytes(len(title) % 2)
    return b"8BIM" + struct.pack(">H", number) + title + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


IPTC = resource(0x0404, b"\x1c\x02\x05\0\x05title", b"name")
RESOURCES = resource(0x040C, b"thumb" * 7) + IPTC + resource(0x0409, b"older" * 4)


def test_the_thumbnail_is_not_kept(tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS)
    body = b"Photoshop 3.0\0" + RESOURCES
    image.save(tmp_path / "in.jpg", extra=b"\xff\xed" + struct.pack(">H", 2 + len(body)) + body)
    image.save(tmp_path / "in.tif", tiffinfo={34377: RESOURCES})
    for target in ("jpg", "tif"):
        done("apply", tmp_path / f"in.{target}", "-k", "box:3", "-o", tmp_path / f"out.{target}")
        data = (tmp_path / f"out.{target}").read_bytes()
        assert b"thumb" not in data
        assert b"older" not in data
        assert IPTC in data


def test_the_layers_are_not_kept(tmp_path: Path) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "in.tif", tiffinfo={37724: b"Adobe Photoshop Document Data Block\0layers"})
    done("apply", tmp_path / "in.tif", "-k", "box:3", "-o", tmp_path / "out.tif")
    assert b"layers" not in (tmp_path / "out.tif").read_bytes()


@pytest.mark.parametrize("quote", ["'", '"'])
def test_xmp_says_upright_and_shows_nothing(quote: str, tmp_path: Path) -> None:
    packet = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation={quote}6{quote} dc:title="t"/>'
        "<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails></x:xmpmeta>"
    ).encode()
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(COLOURS).save(tmp_path / "in.jpg", xmp=packet, exif=exif)
    done("apply", tmp_path / "in.jpg", "-k", "identity", "-o", tmp_path / "out.jpg")
    found = opened(tmp_path / "out.jpg")
    assert found.size == (H, W)
    upright = f"tiff:Orientation={quote}1{quote}".encode()
    assert found.info["xmp"] == (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description ' + upright + b' dc:title="t"/></x:xmpmeta>'
    )


@pytest.mark.parametrize("keyword", ["exif", "APP1"])
def test_an_orientation_in_a_text_is_applied_once(keyword: str, tmp_path: Path) -> None:
    """ImageMagick keeps EXIF in PNG's texts: a line of its name, its length, and hexadecimal digits."""
    exif = Image.Exif()
    exif[274] = 6
    exif[270] = "a field"
    data = exif.tobytes()
    info = PngImagePlugin.PngInfo()
    info.add_text(f"Raw profile type {keyword}", f"\n{keyword}\n{len(data):8}\n{data.hex()}\n")
    info.add_text("Title", "kept")
    Image.fromarray(COLOURS).save(tmp_path / "in.png", pnginfo=info)
    done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.png")
    found = opened(tmp_path / "out.png")
    assert found.text == {"Title": "kept"}
    if keyword == "exif":  # the one that Pillow reads
        assert found.size == (H, W)
        assert found.getexif()[270] == "a field"
    done("apply", tmp_path / "out.png", "-k", "identity", "-o", tmp_path / "again.png")
    assert opened(tmp_path / "again.png").size == found.size


def test_profiles_in_texts_show_nothing_of_before(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    for kind, data in {
        "8bim": RESOURCES,
        "xmp": b"<a tiff:Orientation='6'/>",
        "icm": b"profile",
        "iptc": b"8BIM",
    }.items():
        info.add_text(f"Raw profile type {kind}", f"\n{kind}\n{len(data):8}\n{data.hex()}\n", zip=True)
    info.add_text("Raw profile type IPTC", "no digits")
    Image.fromarray(COLOURS).save(tmp_path / "in.png", pnginfo=info)
    done("apply", tmp_path / "in.png", "-k", "box:3", "-o", tmp_path / "out.png")
    turned = b"<a tiff:Orientation='1'/>"
    assert opened(tmp_path / "out.png").text == {
        "Raw profile type 8bim": f"\n8bim\n{len(IPTC):8}\n{IPTC.hex()}\n",
        "Raw profile type xmp": f"\nxmp\n{len(turned):8}\n{turned.hex()}\n",
        "Raw profile type icm": f"\nicm\n{7:8}\n{b'profile'.hex()}\n",
    }


# Depth, sign, transparency


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero(order: str, compression: str | None, tmp_path: Path) -> None:
    """TIFF's MinIsWhite, of 8, 16 and 32 bits."""
    for dtype in ("uint8", "uint16", "uint32"):
        largest = np.iinfo(dtype).max
        pixels = GENERATOR.integers(0, largest, (H, W), dtype, endpoint=True)
        pixels[0, :2] = 0, largest
        source = tiff(tmp_path / "in.tif", pixels, byteorder=order, photometric="miniswhite", compression=compression)
        found = tensor(source, "--dtype", "float64")
        np.testing.assert_array_equal(found[0], float(largest) - pixels)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["uint32", "int32"])
def test_32_bit_integers_keep_their_sign(dtype: str, order: str, tmp_path: Path) -> None:
    bounds = np.iinfo(dtype)
    pixels = GENERATOR.integers(bounds.min, bounds.max, (H, W), dtype, endpoint=True)
    source = tiff(tmp_path / "in.tif", pixels, byteorder=order)
    np.testing.assert_array_equal(tensor(source, "--dtype", "float64")[0], pixels.astype(np.float64))
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert "64 bits are stored with 32" in result.err


def test_every_page_has_its_depth(tmp_path: Path) -> None:
    """Planes apart and real colours stand behind a page that Pillow reads."""
    deep = GENERATOR.integers(0, 65536, (3, H, W), np.uint16)
    real = GENERATOR.normal(0, 1, (H, W, 3)).astype(np.float32)
    gray = GENERATOR.integers(0, 65536, (H, W), np.uint16)
    source = tiff(tmp_path / "in.tif", COLOURS, deep, 255 - COLOURS, real, gray)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif", "--json")
    assert result.json["frames"] == 5
    assert result.json["notes"] == []
    tifffile = pytest.importorskip("tifffile")
    pages = [page.asarray() for page in tifffile.TiffFile(tmp_path / "out.tif").pages]
    for found, expected in zip(pages, [COLOURS, np.moveaxis(deep, 0, -1), 255 - COLOURS, real, gray], strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.moveaxis(COLOURS, -1, 0))


def test_10_bit_avif_says_what_is_lost(tmp_path: Path) -> None:
    pixels = cv2.resize(COLOURS, (64, 64)).astype(np.uint16) * 4
    try:
        assert cv2.imwrite(str(tmp_path / "deep.avif"), pixels, [cv2.IMWRITE_AVIF_DEPTH, 10])
        Image.fromarray(COLOURS).save(tmp_path / "flat.avif")
    except (cv2.error, KeyError, OSError) as error:
        pytest.skip(f"no AVIF here: {error}")
    assert "read with 8" in done("apply", tmp_path / "deep.avif", "-k", "identity", "-o", tmp_path / "out.tif").err
    assert done("apply", tmp_path / "flat.avif", "-k", "identity", "-o", tmp_path / "out.tif").err == ""


def test_16_bit_jpeg_2000_says_what_is_lost(tmp_path: Path) -> None:
    pixels = GENERATOR.integers(0, 65536, (128, 128, 3), np.uint16)
    assert cv2.imwrite(str(tmp_path / "deep.jp2"), pixels)
    Image.fromarray((pixels >> 8).astype(np.uint8)).save(tmp_path / "flat.jp2")
    assert "read with 8" in done("apply", tmp_path / "deep.jp2", "-k", "identity", "-o", tmp_path / "out.tif").err
    assert done("apply", tmp_path / "flat.jp2", "-k", "identity", "-o", tmp_path / "out.tif").err == ""


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_the_transparent_gray_of_every_depth(bits: int, tmp_path: Path) -> None:
    """PNG's tRNS, in the units of the file; a row of gray values, written from the specification."""
    count = 8
    values = np.arange(count) % 2**bits
    key = int(values[1])
    row = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(count, 2), axis=1)[:, 16 - bits :]
    body = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", count, 1, bits, 0, 0, 0, 0))
        + chunk(b"tRNS", struct.pack(">H", key))
        + chunk(b"IDAT", zlib.compress(b"\0" + np.packbits(row).tobytes()))
        + chunk(b"IEND", b"")
    )
    (tmp_path / "in.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    gray, alpha = tensor(tmp_path / "in.png")[:, 0]
    white = 65535 if bits == 16 else 255
    np.testing.assert_array_equal(gray, values if bits == 16 else values * 255 // (2**bits - 1))
    np.testing.assert_array_equal(alpha, np.where(values == key, 0, white))


@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
def test_hidden_colours_stay_where_nothing_mixes(extension: str, tmp_path: Path) -> None:
    planes = GENERATOR.integers(0, 256, (4, H, W), np.uint8)
    planes[3] = GENERATOR.integers(0, 2, (H, W)) * 255
    options = {"lossless": True, "exact": True} if extension == "webp" else {}
    source = write(tmp_path / f"in.{extension}", planes, **options)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / f"out.{extension}", "--json")
    assert result.json["alpha"] == "keep"
    np.testing.assert_array_equal(read(tmp_path / f"out.{extension}"), planes)
    assert (
        done("apply", source, "-k", "box", "-o", tmp_path / f"out.{extension}", "--json").json["alpha"] == "premultiply"
    )


# Orientation and resolution


@pytest.mark.parametrize(("source", "target"), [*itertools.product(("jpg", "tif", "deep", "real"), ("tif", "png"))])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_resolution_is_turned_with_the_pixels(source: str, target: str, orientation: int, tmp_path: Path) -> None:
    path = tmp_path / f"in.{'jpg' if source == 'jpg' else 'tif'}"
    tags = [(274, "H", 1, orientation, True)]
    if source == "jpg":
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(COLOURS).save(path, dpi=(100, 200), exif=exif)
    else:
        dtype = {"tif": "uint8", "deep": "uint16", "real": "float32"}[source]
        tiff(path, COLOURS.astype(dtype), resolution=(100, 200), resolutionunit=2, extratags=tags)
    done("apply", path, "-k", "identity", "-o", tmp_path / f"out.{target}")
    tall = orientation > 4
    size, across, down = seen(tmp_path / f"out.{target}")
    assert size == ((H, W) if tall else (W, H))
    assert (across, down) == pytest.approx((200, 100) if tall else (100, 200), abs=0.02)


def seen(path: Path) -> tuple[tuple[int, int], float, float]:
    """Width and height, pixels per inch across and down."""
    if path.suffix == ".tif":
        tags = pytest.importorskip("tifffile").TiffFile(path).pages[0].tags
        across, down = (tags[number].value[0] / tags[number].value[1] for number in (282, 283))
        return (tags[256].value, tags[257].value), across, down
    image = opened(path)
    return image.size, *image.info["dpi"]


# JPEG


def mpo(folder: Path, profile: bytes) -> bytes:
    """A telephone's photograph: a JPEG of quality 98, colours as fine as the pixels, and a smaller picture behind it."""
    image = Image.fromarray(COLOURS)
    image.save(
        folder / "in.mpo", save_all=True, append_images=[image.resize((W // 2, H // 2))], quality=98, subsampling=0,
        icc_profile=profile,
    )  # fmt: skip
    return (folder / "in.mpo").read_bytes()


@pytest.mark.parametrize("piped", [True, False])
def test_a_telephones_photograph_keeps_its_quality(piped: bool, tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = mpo(tmp_path, profile)
    target = "-" if piped else tmp_path / "out.mpo"
    result = done("apply", "-" if piped else tmp_path / "in.mpo", "-k", "identity", "-o", target, input=data)
    with Image.open(io.BytesIO(result.out) if piped else target) as image, Image.open(io.BytesIO(data)) as before:
        assert image.format == "JPEG"
        assert image.quantization == before.quantization
        assert JpegImagePlugin.get_sampling(image) == 0
        assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("factor", [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411])
def test_subsampling_that_pillow_does_not_write_is_not_made_coarser(factor: int, tmp_path: Path) -> None:
    smooth = cv2.resize(COLOURS, (64, 64), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(
        str(tmp_path / "in.jpg"), smooth, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, cv2.IMWRITE_JPEG_QUALITY, 95]
    )
    assert JpegImagePlugin.get_sampling(opened(tmp_path / "in.jpg")) == -1
    done("apply", tmp_path / "in.jpg", "-k", "identity", "-o", tmp_path / "out.jpg")
    after = opened(tmp_path / "out.jpg")
    assert JpegImagePlugin.get_sampling(after) == 0
    assert np.abs(np.array(after).astype(int) - np.array(opened(tmp_path / "in.jpg"))).max() < 12


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


@pytest.mark.parametrize(
    ("given", "kept", "told"),
    [
        ([5, 15, 16, 33, 7], [10, 10, 20, 30, 10], True),  # 76 in all become 80
        ([16.25, 16.25, 16.25, 16.25], [20, 10, 20, 20], True),
        ([100, 0, 40], [100, 0, 40], False),
    ],
)
def test_gif_times_are_rounded_and_keep_the_whole(
    given: list[float], kept: list[int], told: bool, tmp_path: Path
) -> None:
    first, *rest = frames(*range(1, 1 + len(given)))
    first.save(tmp_path / "in.png", save_all=True, append_images=rest, duration=given)
    result = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.gif")
    assert ("times of its frames are rounded" in result.err) == told
    found = []
    with Image.open(tmp_path / "out.gif") as image:
        for number in range(image.n_frames):
            image.seek(number)
            found.append(image.info.get("duration", 0))
    assert found == kept
