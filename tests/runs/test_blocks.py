"""Pictures in blocks: the same pixels as of the whole picture, in bounded memory, and going on after an interruption."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

from convcli import images
from convcli.cli import main
from convcli.geometry import Size
from convcli.images import guards, reading
from convcli.runs import block_work, journal, single
from support.cli import run
from support.pictures import write

RNG = np.random.default_rng(5)
H, W = 620, 1100


def invoke(*args: object) -> Result:
    return CliRunner().invoke(main, [*map(str, args)], catch_exceptions=False)


def smooth(channels: int, top: float) -> np.ndarray:
    """A picture ``(H, W, C)`` with edges, slopes and noise."""
    y, x = np.mgrid[:H, :W]
    base = (np.sin(y / 31) + np.cos(x / 47))[..., np.newaxis] + RNG.normal(0, 0.2, (H, W, channels))
    base += ((y // 100 + x // 130) % 2)[..., np.newaxis]
    return np.asarray((base - base.min()) / np.ptp(base) * top)


def tiff(path: Path, pixels: np.ndarray, **how: Any) -> Path:
    tifffile.imwrite(path, pixels, tile=(128, 256), **how)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs of all kinds."""
    folder = tmp_path_factory.mktemp("inputs")
    rgb = smooth(3, 255).astype(np.uint8)
    tiff(folder / "rgb.tif", rgb, photometric="rgb", compression="zlib", resolution=(300, 300), resolutionunit=2)
    tifffile.imwrite(folder / "strips.tif", rgb, photometric="rgb", rowsperstrip=37)
    alpha = np.concatenate([rgb, (smooth(1, 300) - 20).clip(0, 255).astype(np.uint8)], 2)
    tiff(folder / "rgba.tif", alpha, photometric="rgb", extrasamples=("unassalpha",))
    tiff(folder / "gray16.tif", smooth(1, 65535).astype(np.uint16)[..., 0], photometric="minisblack")
    real = smooth(1, 1.0).astype(np.float32)[..., 0]
    real[50:60, 70:90] = np.nan
    tiff(folder / "real.tif", real, photometric="minisblack")
    tiff(folder / "bands.tif", smooth(5, 255).astype(np.uint8), photometric="minisblack", planarconfig="contig")
    nodata = smooth(1, 400).astype(np.int16)[..., 0]
    nodata[300:310, 400:600] = -99
    tiff(folder / "nodata.tif", nodata, photometric="minisblack", extratags=[(42113, "s", 0, "-99", True)])
    np.save(folder / "tensor.npy", smooth(4, 1.0).transpose(2, 0, 1).astype(np.float32))
    np.save(folder / "plane.npy", smooth(1, 1.0)[..., 0])
    np.save(folder / "bytes.npy", np.asfortranarray(rgb.transpose(2, 0, 1)))
    with (folder / "photo.ppm").open("wb") as stream:
        stream.write(b"P6 %d %d 255\n" % (W, H) + rgb.tobytes())
    return folder


CASES = [
    ("rgb.tif", "tif", "-k gaussian:2 -p same --padding-mode reflect"),
    ("rgb.tif", "tif", "-k sobel -p same --range minmax"),
    ("rgb.tif", "tif", "-k sobel -p same --range 20,180"),
    ("rgb.tif", "npy", "-k sobel-x -s 2,3 --bias 12"),
    ("rgb.tif", "ppm", "-k sharpen -p full --padding-mode circular"),
    ("rgb.tif", "tif", "-k disk:9 -p same --linear"),
    ("rgb.tif", "tif", "-k laplacian --channels gray --range offset -d 3"),
    ("strips.tif", "tif", "-k gaussian:3 -p same --padding-mode symmetric"),
    ("rgba.tif", "tif", "-k gaussian:2 -p same"),  # premultiplied
    ("rgba.tif", "tif", "-k sobel-x --alpha keep -p 3 -s 2 --range abs"),
    ("rgba.tif", "tif", "-k sharpen --alpha filter -p same"),
    ("rgba.tif", "ppm", "-k box:5 --alpha drop"),
    ("gray16.tif", "tif", "-k gaussian:1.5 -p same --padding-mode replicate"),
    ("gray16.tif", "tif", "-k log:2 -p same --range minmax"),
    ("real.tif", "tif", "-k box:5 -p same"),
    ("real.tif", "tif", "-k gaussian:1 -p same --range minmax"),
    ("real.tif", "tif", "-k gaussian:1 -p same --range 0.2,0.7"),
    ("real.tif", "npy", "-k gaussian:4 -s 3"),
    ("bands.tif", "tif", "-k box:3 -p same"),
    ("bands.tif", "npy", "-k sobel-x"),
    ("nodata.tif", "tif", "-k box:3 -p same"),
    ("tensor.npy", "npy", "-k gaussian:2 -p same"),
    ("tensor.npy", "npy", "-k laplacian -p same --range=-0.1,0.3"),
    ("tensor.npy", "npy", "-k 0,1,0;1,-4,1;0,1,0 -k box:3 --channels sum"),
    ("plane.npy", "npy", "-k gaussian:1 --padding-mode circular -p 2"),
    ("bytes.npy", "npy", "-k gaussian:1"),
    ("photo.ppm", "ppm", "-k gaussian:1 -p same"),
    ("photo.ppm", "tif", "-k 1,2,1;2,4,2;1,2,1 -p same"),  # nearly all clipped
]
TRANSPOSED = [
    ("rgb.tif", "tif", "-k bilinear:2 -s 2 -p 1"),
    ("rgba.tif", "tif", "-k bilinear:3 -s 3 -p 1 --padding-mode replicate"),
    ("tensor.npy", "npy", "-k box:2 -s 3,5 --op2 2,1 --bias 7"),
]


def read(path: Path) -> tuple[np.ndarray, np.ndarray | None, Any]:
    picture = images.load(str(path), 10**9)
    return picture.colour, picture.alpha, picture.metadata


def document(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize(
    ("name", "ending", "command", "options"),
    [(name, ending, "apply", options) for name, ending, options in CASES]
    + [(name, ending, "transpose", options) for name, ending, options in TRANSPOSED],
)
def test_blocks_give_the_same_file(
    name: str, ending: str, command: str, options: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_work, "LARGEST", Size(512, 512) if ending == "tif" else Size(97, 210))
    words = [folder / name, *options.split(), "--json"]
    whole = document(invoke(command, *words, "-o", tmp_path / f"whole.{ending}"))
    parts = document(invoke(command, *words, "-o", tmp_path / f"parts.{ending}", "--memory", "2G"))
    assert parts["blocks"]["count"] > 1
    for key in ("input_shape", "output_shape", "clipped", "notes", "range", "alpha", "bias", "full_scale", "dtype"):
        assert parts[key] == whole[key], key
    one, other = read(tmp_path / f"whole.{ending}"), read(tmp_path / f"parts.{ending}")
    assert one[0].dtype == other[0].dtype
    np.testing.assert_array_equal(other[0], one[0])
    assert (one[1] is None) == (other[1] is None)
    if one[1] is not None and other[1] is not None:
        np.testing.assert_array_equal(other[1], one[1])
    assert other[2].dpi == one[2].dpi
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"parts.{ending}", f"whole.{ending}"]


def test_a_block_that_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    """Before anything is written."""
    words = [folder / "rgb.tif", "-k", "disk:150", "-p", "same", "-o", tmp_path / "out.tif"]
    result = invoke("apply", *words, "--memory", "150M")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "--memory" in result.stderr
    assert not [*tmp_path.iterdir()]


def test_going_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption: the same bytes and counts, and no block twice."""
    monkeypatch.setattr(block_work, "LARGEST", Size(512, 512))
    words = ["apply", folder / "rgb.tif", "-k", "sobel-x", "-p", "same", "--memory", "1G", "--json", "--threads", 1]
    whole = document(invoke(*words, "-o", tmp_path / "whole.tif"))
    real, added = journal.Journal.add, list[str]()

    def twice(self: journal.Journal, block: str, **entry: Any) -> None:
        if len(added) == 2:
            monkeypatch.setattr(journal.Journal, "add", real)
            raise KeyboardInterrupt
        added.append(block)
        real(self, block, **entry)

    monkeypatch.setattr(journal.Journal, "add", twice)
    stopped = invoke(*words, "-o", tmp_path / "out.tif", "--skip-existing")
    assert stopped.exit_code == 130
    found = re.search(r"([2-5]) of 6 blocks are written; --skip-existing goes on", stopped.stderr)
    assert found
    assert not (tmp_path / "out.tif").exists()
    went_on = document(invoke(*words, "-o", tmp_path / "out.tif", "--skip-existing"))
    assert went_on["blocks"]["done_before"] == int(found[1])
    assert went_on["clipped"] == whole["clipped"]
    np.testing.assert_array_equal(read(tmp_path / "out.tif")[0], read(tmp_path / "whole.tif")[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "whole.tif"]


def test_a_limit_of_pixels(folder: Path, tmp_path: Path) -> None:
    """One that is given bounds the whole picture in blocks, too, so that it does not name them as a remedy."""
    words = ["apply", folder / "rgb.tif", "-k", "box:3", "-o", tmp_path / "out.tif", "--max-pixels", "600k"]
    for more in ([], ["--memory", "1G"]):
        result = invoke(*words, *more)
        assert result.exit_code == 2
        assert "has 682000 pixels, more than 600000" in result.stderr
        assert result.stderr.endswith("bomb: if you trust it, use --max-pixels 682000\n")
    assert not [*tmp_path.iterdir()]


def test_the_usual_limit_names_blocks(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "MAX_PIXELS", 600_000)
    monkeypatch.setattr(reading, "MAX_PIXELS", 600_000)
    words = ["apply", folder / "rgb.tif", "-k", "box:3", "-o", tmp_path / "out.tif"]
    result = invoke(*words)
    assert result.exit_code == 2
    assert result.stderr.endswith("use --max-pixels 682000, or --memory 2G for a .tif, .npy or .ppm\n")
    assert invoke(*words, "--memory", "2G").exit_code == 0


def test_want_of_memory_names_blocks(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    words = ["apply", folder / "rgb.tif", "-k", "box:3", "-o", tmp_path / "out.tif"]
    with monkeypatch.context() as patch:
        patch.setattr(single, "process", exhausted)
        result = invoke(*words)
    assert result.exit_code == 2
    assert result.stderr.endswith("use a smaller image, kernel or padding, or --memory 2G for a .tif, .npy or .ppm\n")
    assert invoke(*words, "--memory", "2G").exit_code == 0


@pytest.fixture
def png(tmp_path: Path) -> Path:
    """A format that can only be read as a whole."""
    write(tmp_path / "photo.png", smooth(4, 255).astype(np.uint8).transpose(2, 0, 1))
    return tmp_path / "photo.png"


@pytest.mark.parametrize("options", [["--pyramid"], ["--memory", "300M"], ["--pyramid", "--range", "minmax"]])
def test_what_can_only_be_read_as_a_whole_is_written_in_blocks(options: list[str], png: Path, tmp_path: Path) -> None:
    words = ["apply", png, "-k", "gaussian:2"]
    document(invoke(*words, *options, "--json", "-o", tmp_path / "parts.tif"))
    given = [option for option in options if option in ("--range", "minmax")]
    document(invoke(*words, *given, "--json", "-o", tmp_path / "whole.tif"))
    for one, other in zip(read(tmp_path / "parts.tif")[:2], read(tmp_path / "whole.tif")[:2], strict=True):
        assert one is not None
        np.testing.assert_array_equal(one, other)


def test_what_is_read_as_a_whole_counts_as_memory(png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["apply", png, "-k", "box:3", "-o", tmp_path / "out.tif", "--memory", "220M"]
    assert invoke(*words).exit_code == 0
    monkeypatch.setattr(block_work.BlockWork, "held_bytes", 100 << 20)
    result = invoke(*words)
    assert result.exit_code == 2
    found = re.search(r"are allowed: use --memory (\d+M) or more", result.stderr)
    assert found is not None
    assert invoke(*words, "--memory", found[1]).exit_code == 0


def test_what_is_too_large_to_be_read_as_a_whole(png: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_PIXELS", 600_000)
    words = ["apply", png, "-k", "box:3", "-o", tmp_path / "out.tif", "--memory", "1G"]
    assert "cannot be read in parts: it is PNG; convert it first: vips copy" in invoke(*words).stderr
    assert "use --max-pixels 682000" in invoke(*words, "--max-pixels", "600k").stderr
    assert invoke(*words, "--max-pixels", "700k").exit_code == 0


def test_a_contact_sheet_is_not_drawn_in_blocks(folder: Path, tmp_path: Path) -> None:
    words = ["apply", folder / "rgb.tif", "-k", "box:3", "-o", tmp_path / "out.tif", "--montage"]
    result = invoke(*words, "--memory", "1G")
    assert result.exit_code == 2
    assert "--montage is not done in blocks: write .png, and leave out --memory, --on and --pyramid" in result.stderr
    assert invoke(*words).exit_code == 0


def test_a_stream_is_not_read_in_blocks(folder: Path, tmp_path: Path) -> None:
    words = ["-k", "box:3", "-o", "out.tif", "--memory", "1G"]
    result = run("apply", "-", *words, input=(folder / "rgb.tif").read_bytes(), cwd=tmp_path)
    assert result.code == 2
    assert "input '-' is read once, from front to back, and blocks need it in any order: save it" in result.err
    os.mkfifo(tmp_path / "pipe")
    result = run("apply", "pipe", *words, cwd=tmp_path)
    assert result.code == 2
    assert "input 'pipe' is read once" in result.err


@pytest.mark.parametrize("ending", ["tif", "npy"])
def test_an_input_is_replaced_in_blocks(ending: str, folder: Path, tmp_path: Path) -> None:
    source = folder / {"tif": "rgb.tif", "npy": "tensor.npy"}[ending]
    shutil.copy(source, tmp_path / f"in.{ending}")
    assert invoke("apply", source, "-k", "box:3", "-o", tmp_path / f"out.{ending}").exit_code == 0
    assert invoke("apply", tmp_path / f"in.{ending}", "-k", "box:3", "--in-place", "--memory", "1G").exit_code == 0
    np.testing.assert_array_equal(read(tmp_path / f"in.{ending}")[0], read(tmp_path / f"out.{ending}")[0])


def pixel_sizes(path: Path) -> list[list[float]]:
    """Those of an OME-Zarr, in micrometres, by level."""
    found = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]
    assert [axis.get("unit") for axis in found["axes"]] == [None, "micrometer", "micrometer"]
    return [level["coordinateTransformations"][0]["scale"][1:] for level in found["datasets"]]


def test_sizes_of_pixels_go_from_store_to_store(folder: Path, tmp_path: Path) -> None:
    """From a TIFF of 300 pixels per inch, by an operation that makes them twice as large."""
    one, two, back = tmp_path / "one.zarr", tmp_path / "two.zarr", tmp_path / "back.tif"
    document(invoke("apply", folder / "rgb.tif", "-k", "identity", "--json", "-o", one))
    np.testing.assert_allclose(pixel_sizes(one), [[25400 / 300] * 2])
    document(invoke("apply", one, "-k", "box:2", "-s", "2,1", "--pyramid", "--json", "-o", two))
    assert pixel_sizes(two)[0] == pytest.approx([25400 / 150, 25400 / 300])
    assert pixel_sizes(two)[1] == pytest.approx([25400 / 75, 25400 / 150])
    document(invoke("apply", two, "-k", "identity", "--memory", "1G", "--json", "-o", back))
    assert read(back)[2].dpi == pytest.approx((300, 150), rel=1e-4)


def test_a_pyramid_has_no_description_that_denies_it(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """tifffile's own, in files that it has made, is of a single picture."""
    words = ["apply", folder / "rgb.tif", "-k", "identity", "--pyramid", "--json", "-o", tmp_path / "out.tif"]
    document(invoke(*words))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert [level.shape[0] for level in file.series[0].levels] == [620, 310, 155]
        assert not file.pages[0].description
    assert not caplog.records
