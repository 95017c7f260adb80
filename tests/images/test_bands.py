"""Pictures of any number of samples: read as tensors, filtered band by band, written as they came."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from convcli import extras, images
from support.cli import done, run

H, W = 21, 37
GENERATOR = np.random.default_rng(11)

KINDS = {
    "5 gray bands": ("minisblack", (0, 0, 0, 0)),
    "RGB and near infrared": ("rgb", (0,)),
    "RGBA and two more": ("rgb", (2, 0, 0)),
    "multiplied RGBA and one more": ("rgb", (1, 0)),
    "CMYK and a spot colour": ("separated", (0,)),
    "gray and one more": ("minisblack", (0,)),
    "eleven": ("minisblack", (0,) * 10),
    "alpha is not the first": ("rgb", (0, 2)),
}
COLOURS = {"minisblack": 1, "rgb": 3, "separated": 4}


def samples(channels: int, kind: str) -> np.ndarray:
    """``(H, W, C)``."""
    values = GENERATOR.integers(0, 200, (H, W, channels))
    return (values - 100 if kind[0] != "u" else values).astype(kind)


def written(
    path: Path, pixels: np.ndarray, photometric: str, extra: tuple[int, ...], separate: bool = False, **options: Any
) -> Path:
    laid = np.moveaxis(pixels, -1, 0) if separate else pixels
    config = "separate" if separate else "contig"
    tifffile.imwrite(
        path, laid, photometric=photometric, extrasamples=extra, planarconfig=config, metadata=None, **options
    )
    return path


def page_of(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """What tifffile finds: samples ``(H, W, C)``, and how they are kept."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        array = page.asarray()
        separate = page.planarconfig == 2
        kept = {
            "photometric": page.photometric.name.lower(),
            "extra": tuple(map(int, page.extrasamples)),
            "separate": separate,
        }
    return np.moveaxis(array, 0, -1) if separate else array, kept


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "int8", "int16", "uint32", "float16", "float64"])
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("bands", KINDS)
def test_all_samples_come_and_go(kind: str, separate: bool, bands: str, tmp_path: Path) -> None:
    photometric, extra = KINDS[bands]
    pixels = samples(COLOURS[photometric] + len(extra), kind)
    source = written(tmp_path / "in.tif", pixels, photometric, extra, separate)
    picture = images.load(str(source))
    assert (picture.space, picture.alpha, picture.real) == ("tensor", None, kind not in ("uint8", "uint16"))
    np.testing.assert_array_equal(np.moveaxis(picture.colour, 0, -1), pixels)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif", "--json")
    rare = kind not in ("uint8", "uint16", "float32", "float64")
    assert result.json["notes"] == ([f"{kind} samples are written as float32"] if rare else [])
    found, kept = page_of(tmp_path / "out.tif")
    np.testing.assert_array_equal(found, pixels)
    assert found.dtype == (kind if kind in ("uint8", "uint16") else "float32")
    assert kept == {"photometric": photometric, "extra": extra, "separate": separate}
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), np.moveaxis(pixels, -1, 0))


@pytest.mark.parametrize("coding", ["lzw", "zlib", "packbits", "jpeg"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("separate", [False, True])
def test_codings(coding: str, tile: tuple[int, int] | None, separate: bool, tmp_path: Path) -> None:
    """As tifffile decodes them."""
    if coding == "jpeg" and not separate:
        pytest.skip("not written by imagecodecs")
    source = written(
        tmp_path / "in.tif", samples(5, "uint8"), *KINDS["5 gray bands"], separate, compression=coding, tile=tile
    )
    expected, _ = page_of(source)
    np.testing.assert_array_equal(np.moveaxis(images.load(str(source)).colour, 0, -1), expected)


def test_without_imagecodecs_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would give the colours alone."""
    source = written(tmp_path / "in.tif", samples(4, "uint8"), "rgb", (0,), compression="lzw")
    monkeypatch.setattr(extras, "is_installed", lambda _: False)
    monkeypatch.setattr(
        tifffile.TiffPage,
        "asarray",
        lambda *_, **__: (_ for _ in ()).throw(ValueError("requires the 'imagecodecs' package")),
    )
    result = run("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert result.code == 2
    assert "pip install 'convcli[tiff]'" in result.err


@pytest.mark.parametrize("name", ["out.tif", "out.npy"])
def test_each_band_is_filtered_by_itself(name: str, tmp_path: Path) -> None:
    pixels = samples(5, "uint8")
    source = written(tmp_path / "in.tif", pixels, "minisblack", (0,) * 4)
    done("apply", source, "-k", "box:3", "-p", "same", "-o", tmp_path / name)
    found = np.load(tmp_path / name) if name.endswith("npy") else np.moveaxis(page_of(tmp_path / name)[0], -1, 0)
    padded = np.pad(pixels.astype(float), ((1, 1), (1, 1), (0, 0)))
    mean = sum(padded[y : y + H, x : x + W] for y in range(3) for x in range(3)) / 9
    expected = np.moveaxis(mean, -1, 0)
    np.testing.assert_allclose(found, expected if name.endswith("npy") else np.rint(expected), atol=1e-4)


@pytest.mark.parametrize(
    ("options", "shape", "extra"),
    [
        (("--channels", "sum"), (1, H, W), ()),
        (("--channels", "gray"), (1, H, W), ()),
        (("-k", "identity"), (10, H, W), (0,) * 9),
    ],
)
def test_another_number_of_channels(
    options: tuple[str, ...], shape: tuple[int, ...], extra: tuple[int, ...], tmp_path: Path
) -> None:
    """Colours if there are as many, else nothing in particular."""
    source = written(tmp_path / "in.tif", samples(5, "uint8"), "rgb", (2, 0), separate=True)
    result = done("apply", source, "-k", "identity", *options, "-o", tmp_path / "out.tif", "--json")
    assert tuple(result.json["output_shape"]) == shape
    assert page_of(tmp_path / "out.tif")[1] == {"photometric": "minisblack", "extra": extra, "separate": False}


def test_weights_that_make_colours_of_bands(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.eye(3, 5, dtype=np.float32)[..., None, None])
    pixels = samples(5, "uint8")
    source = written(tmp_path / "in.tif", pixels, "rgb", (2, 0))
    done("apply", source, "--weights", tmp_path / "w.npy", "-o", tmp_path / "out.tif")
    found, kept = page_of(tmp_path / "out.tif")
    assert kept == {"photometric": "rgb", "extra": (), "separate": False}
    np.testing.assert_array_equal(found, pixels[..., :3])


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.webp", "out.ppm", "out.gif", "out.pdf"])
def test_other_formats_refuse_with_the_remedy(name: str, tmp_path: Path) -> None:
    source = written(tmp_path / "in.tif", samples(4, "uint8"), "rgb", (0,))
    result = run("apply", source, "-k", "box", "-o", tmp_path / name)
    assert result.code == 2
    assert "4 output channels do not fit into a" in result.err
    assert "write tif or .npy" in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / name).exists()
    done("apply", source, "-k", "box", "--channels", "sum", "-o", tmp_path / name)


def test_three_gray_bands_become_colours_where_nothing_else_is_held(tmp_path: Path) -> None:
    pixels = samples(3, "uint8")
    source = written(tmp_path / "in.tif", pixels, "minisblack", (0, 0))
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.png")
    assert images.load(str(tmp_path / "out.png")).space == "rgb"
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    assert page_of(tmp_path / "out.tif")[1]["photometric"] == "minisblack"


@pytest.mark.parametrize(
    ("count", "photometric"), [(1, "minisblack"), (2, "minisblack"), (3, "rgb"), (4, "minisblack"), (7, "minisblack")]
)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_a_tensor_becomes_a_tiff(count: int, photometric: str, kind: str, tmp_path: Path) -> None:
    values = np.moveaxis(samples(count, kind), -1, 0)
    np.save(tmp_path / "in.npy", values)
    raw = () if kind[0] == "u" else ("--range", "raw")
    done("apply", tmp_path / "in.npy", "-k", "identity", *raw, "-o", tmp_path / "out.tif")
    found, kept = page_of(tmp_path / "out.tif")
    assert kept == {"photometric": photometric, "extra": (0,) * (count - 1) * (photometric != "rgb"), "separate": False}
    assert found.dtype == kind
    np.testing.assert_array_equal(found.reshape(H, W, count), np.moveaxis(values, 0, -1))


def test_white_of_bands_is_the_files_not_a_tensors(tmp_path: Path) -> None:
    """Half of white: 32768 of 16 bits, as in any other picture."""
    source = written(tmp_path / "in.tif", np.zeros((H, W, 5), np.uint16), "minisblack", (0,) * 4)
    result = done("apply", source, "-k", "identity", "--bias", "50%", "-o", tmp_path / "out.tif", "--json")
    assert result.json["full_scale"] == 65535
    assert (page_of(tmp_path / "out.tif")[0] == 32768).all()
    real = written(tmp_path / "real.tif", np.zeros((H, W, 3), np.float32), "minisblack", (0,) * 2)
    done("apply", real, "-k", "identity", "--bias", "50%", "-o", tmp_path / "out.png")
    assert (images.load(str(tmp_path / "out.png")).colour == 128).all()


@pytest.mark.parametrize(
    "line",
    [
        "explain in.tif -k box --at 3,3 --channel 4",
        "compare in.tif -k box --repeats 1",
        "apply in.tif -k box --montage out.png",
    ],
)
def test_the_other_commands(line: str, tmp_path: Path) -> None:
    pixels = samples(5, "uint8")
    written(tmp_path / "in.tif", pixels, "minisblack", (0,) * 4)
    line = line.replace("--montage out.png", "--montage -o out.png")
    result = done(*line.split(), "--json", cwd=tmp_path)
    if line.startswith("explain"):
        assert result.json["value"] == pytest.approx(pixels[3:6, 3:6, 4].mean(), abs=1e-4)


def test_an_orientation_turns_all_bands(tmp_path: Path) -> None:
    pixels = samples(5, "uint16")
    source = written(tmp_path / "in.tif", pixels, "minisblack", (0,) * 4, extratags=[(274, "H", 1, 6, True)])
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    np.testing.assert_array_equal(page_of(tmp_path / "out.tif")[0], np.rot90(pixels, -1))


def test_many_bands_in_many_strips(tmp_path: Path) -> None:
    """Three planes of two strips each: their offsets follow plane by plane."""
    pixels = GENERATOR.integers(0, 65536, (700, 800, 3), np.uint16)
    source = written(tmp_path / "in.tif", pixels, "minisblack", (0, 0), separate=True)
    done("apply", source, "-k", "identity", "-o", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages[0].dataoffsets) == 6
    np.testing.assert_array_equal(page_of(tmp_path / "out.tif")[0], pixels)


def with_palette(
    path: Path, pixels: np.ndarray, colours: np.ndarray, extra: int | None, separate: bool, coding: str
) -> None:
    """Indices, with an extra sample unless that is None, and colours of 16 bits, ``(3, 256)`` or ``(3, 65536)``."""
    kept = {"extratags": [(320, 3, colours.size, colours.ravel().tolist(), True)], "compression": coding}
    written(path, pixels, "minisblack", () if extra is None else (extra,), separate, **kept)
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[262].overwrite(3)


@pytest.mark.parametrize("coding", ["none", "lzw", "zlib"])
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("extra", [0, 2])
def test_a_palette_with_another_sample(extra: int, separate: bool, coding: str, tmp_path: Path) -> None:
    """It is alpha if it says so, else a band behind the colours."""
    pixels, colours = samples(2, "uint8"), GENERATOR.integers(0, 65536, (3, 256), np.uint16)
    with_palette(tmp_path / "in.tif", pixels, colours, extra, separate, coding)
    expected = np.concatenate([(colours >> 8).T[pixels[..., 0]], pixels[..., 1:]], axis=-1)
    picture = images.load(str(tmp_path / "in.tif"))
    assert picture.mode == ("rgba" if extra else "tensor")
    done("apply", tmp_path / "in.tif", "-k", "identity", "--alpha", "keep", "-o", tmp_path / "out.tif")
    found, kept = page_of(tmp_path / "out.tif")
    np.testing.assert_array_equal(found, expected)
    assert (kept["photometric"], kept["extra"]) == ("rgb", (extra,))


def test_an_index_of_16_bits(tmp_path: Path) -> None:
    """Its colours keep all of their bits."""
    pixels, colours = samples(1, "uint16"), GENERATOR.integers(0, 65536, (3, 65536), np.uint16)
    with_palette(tmp_path / "in.tif", pixels[..., 0], colours, None, False, "zlib")
    picture = images.load(str(tmp_path / "in.tif"))
    assert (picture.space, picture.full_scale) == ("rgb", 65535)
    np.testing.assert_array_equal(np.moveaxis(picture.colour, 0, -1), colours.T[pixels[..., 0]])
