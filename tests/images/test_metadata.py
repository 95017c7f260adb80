"""What a file says beside its pixels is kept, and turned with them; what showed the picture as it was is not."""

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from support.cli import SAMPLES, done
from support.pictures import ALPHA, GENERATOR, RGB, SRGB, H, W, chunk, identity, integers, opened, tiff, write


def test_texts_and_gamma_of_png(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "a picture")
    info.add_itxt("Comment", "größer als 1 → ∞")
    info.add(b"gAMA", struct.pack(">I", 45455))
    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    image.save(tmp_path / "in.png", pnginfo=info)
    done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "out.png")
    found = opened(tmp_path / "out.png")
    assert found.text == {"Title": "a picture", "Comment": "größer als 1 → ∞"}
    assert found.info["gamma"] == 0.45455


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="t"/></x:xmpmeta>'


@pytest.mark.parametrize(("source", "target"), [*itertools.product(("jpg", "png", "webp", "tif"), repeat=2)])
def test_xmp_is_kept_and_says_upright(source: str, target: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    if source == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        image.save(tmp_path / "in.png", pnginfo=info, exif=exif)
    elif source == "tif":
        image.save(tmp_path / "in.tif", tiffinfo={700: XMP, 274: 6})
    else:
        image.save(tmp_path / f"in.{source}", xmp=XMP, exif=exif)
    done("apply", tmp_path / f"in.{source}", "-k", "identity", "-o", tmp_path / f"out.{target}")
    found = opened(tmp_path / f"out.{target}")
    packet = found.info.get("xmp") or found.info.get("XML:com.adobe.xmp", "").encode()
    upright = XMP.replace(b'tiff:Orientation="6"', b'tiff:Orientation="1"')
    assert packet == upright
    assert found.size == (H, W)
    assert found.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif"])
def test_a_size_of_metadata_is_not_kept(target: str, tmp_path: Path) -> None:
    """The picture has another one now."""
    exif = Image.Exif()
    exif[0x010F] = "maker"
    exif[0x8769] = {0xA002: 30, 0xA003: 20, 0x9003: "2026:01:02 03:04:05"}
    xmp = XMP.replace(b' dc:title="t"', b' exif:PixelXDimension="30" tiff:ImageLength=\'20\' dc:title="t"').replace(
        b"</rdf:", b"<exif:PixelYDimension>20</exif:PixelYDimension></rdf:"
    )
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "in.jpg", exif=exif, xmp=xmp)
    done("transpose", "in.jpg", "-k", "bilinear:2", "-s", 2, "-o", f"out.{target}", cwd=tmp_path)
    with Image.open(tmp_path / f"out.{target}") as image:
        found, kept = image.getexif(), image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
        detail = found.get_ifd(0x8769)
    assert found[0x010F] == "maker"
    assert detail[0x9003] == "2026:01:02 03:04:05"
    assert 0xA002 not in detail
    assert 0xA003 not in detail
    assert b'dc:title="t"' in (kept if isinstance(kept, bytes) else kept.encode())
    assert b"Dimension" not in (kept if isinstance(kept, bytes) else kept.encode())
    assert b"ImageLength" not in (kept if isinstance(kept, bytes) else kept.encode())


def test_comment_and_iptc_of_jpeg(tmp_path: Path) -> None:
    segment = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0a\x1c\x02\x05\0\x05title"
    image = Image.fromarray(np.moveaxis(integers(3, "uint8"), 0, -1))
    app13 = b"\xff\xed" + struct.pack(">H", 2 + len(segment)) + segment
    image.save(tmp_path / "in.jpg", comment=b"by hand", extra=app13)
    done("apply", tmp_path / "in.jpg", "-k", "identity", "-o", tmp_path / "out.jpg")
    found = opened(tmp_path / "out.jpg")
    assert found.info["comment"] == b"by hand"
    assert found.applist[-2:][0][1] == segment or ("APP13", segment) in found.applist


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


COLOURS = GENERATOR.integers(0, 256, (H, W, 3), np.uint8)


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


def exif_of(text: bytes) -> bytes:
    """EXIF with a text in each of its directories: artist, copyright, owner and lens, and the datum of GPS."""

    def directory(place: int, entries: list[tuple[int, int | bytes]]) -> bytes:
        head, rest = struct.pack("<H", len(entries)), b""
        behind = place + 2 + 12 * len(entries) + 4
        for tag, value in entries:
            if isinstance(value, int):
                head += struct.pack("<HHII", tag, 4, 1, value)
            else:
                head += struct.pack("<HHII", tag, 2, len(value) + 1, behind + len(rest))
                rest += value + bytes(1 + (len(value) + 1) % 2)
        return head + bytes(4) + rest

    first = lambda own, gps: directory(8, [(315, text), (33432, text), (0x8769, own), (0x8825, gps)])
    own = 8 + len(first(0, 0))
    camera = directory(own, [(0xA430, text), (0xA434, text)])
    gps = own + len(camera)
    return b"Exif\0\0II*\0\x08\0\0\0" + first(own, gps) + camera + directory(gps, [(0x12, text)])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "shift-jis"])
@pytest.mark.parametrize("source", ["in.jpg", "in.png", "in.webp", "in.tif"])
def test_texts_of_exif_stay_as_they_were_encoded(encoding: str, source: str, tmp_path: Path) -> None:
    text = ("写真家の山田太郎" if encoding == "shift-jis" else "Jörg Müller").encode(encoding)
    path = tmp_path / source
    with_exif = path if source != "in.tif" else tmp_path / "first.png"
    Image.new("RGB", (9, 9), "red").save(with_exif, exif=exif_of(text))
    if source == "in.tif":
        done("apply", with_exif, "-k", "identity", "-o", path)
    assert path.read_bytes().count(text) == 5
    for target in ("out.jpg", "out.png", "out.webp", "out.tif"):
        done("apply", path, "-k", "box:3", "-o", tmp_path / target)
        assert (tmp_path / target).read_bytes().count(text) == 5, target


@pytest.mark.parametrize(("across", "down", "ratio"), [(2, 1, "1:2"), (16, 24, "3:2"), (1, 1, ""), (0, 0, "")])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_pixels_that_are_not_square_are_said(form: str, across: int, down: int, ratio: str, tmp_path: Path) -> None:
    """A ratio without a unit: PNG's pHYs of unit 0, JFIF's density of unit 0."""
    path = write(tmp_path / "in", RGB, format=form)
    data = path.read_bytes()
    if form == "PNG":
        path.write_bytes(data[:33] + chunk(b"pHYs", struct.pack(">IIB", across, down, 0)) + data[33:])
    else:
        place = data.index(b"JFIF") + 7
        path.write_bytes(data[:place] + struct.pack(">BHH", 0, across, down) + data[place + 5 :])
    said = done("apply", path, "-k", "identity", "-o", tmp_path / "out.tif").err
    assert said == (
        f"convcli: {path}: its pixels are not square, but {ratio} (width to height), which is left out\n" * bool(ratio)
    )


def test_what_the_pixels_of_a_png_measure_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "in.png", RGB)
    data = path.read_bytes()
    more = chunk(b"oFFs", bytes(9)) + chunk(b"pCAL", b"x\0" + bytes(20)) + chunk(b"sCAL", b"\0011\0002")
    path.write_bytes(data[:33] + more + data[33:])
    said = done("apply", path, "-k", "identity", "-o", tmp_path / "out.png").err.splitlines()
    parts = ("position (oFFs)", "calibration (pCAL)", "physical size (sCAL)")
    assert said == [f"convcli: {path}: its {part} is left out" for part in parts]


def test_xmp_does_not_promise_a_gain_map_that_is_gone(tmp_path: Path) -> None:
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description hdrgm:Version="1.0" dc:title="kept"><Container:Directory><rdf:Seq>'
        b"<rdf:li Item:Semantic='GainMap'/></rdf:Seq></Container:Directory><hdrgm:Gamma>1</hdrgm:Gamma></rdf:Description>"
        b"</x:xmpmeta>"
    )
    first, second = write(tmp_path / "a.jpg", RGB, xmp=packet), write(tmp_path / "b.jpg", RGB[:, :4, :4])
    first.write_bytes(first.read_bytes() + second.read_bytes())
    done("apply", first, "-k", "identity", "-o", tmp_path / "out.jpg")
    kept = opened(tmp_path / "out.jpg").info["xmp"]
    assert b"kept" in kept
    assert not any(word in kept for word in (b"hdrgm", b"Container", b"GainMap"))


def test_a_profile_that_the_output_cannot_have_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jpg", np.repeat(RGB[:1], 4, axis=0), "CMYK", icc_profile=b"a profile")
    said = done("apply", path, "-k", "identity", "-o", tmp_path / "out.png").err
    assert said == f"convcli: {path}: its colours are converted without its CMYK profile, which PNG cannot have\n"
    done("apply", path, "-k", "identity", "-o", tmp_path / "out.tif")
    assert opened(tmp_path / "out.tif").info["icc_profile"] == b"a profile"
