"""`--full-scale`: white of tensors and of real numbers whose file does not say it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convcli.runs import comparison
from support.cli import binary, done, run
from support.pictures import png16, read, write

DEEP = np.random.default_rng(0).integers(0, 65536, (3, 12, 13), dtype=np.uint16)
ONE = ["-k", "identity"]


def tensor(folder: Path, values: np.ndarray) -> Path:
    np.save(folder / "in.npy", values)
    return folder / "in.npy"


def test_a_16_bit_photograph_through_a_pipe(tmp_path: Path) -> None:
    """Two programs give what one does, to the last bit; without the option, what is beyond 255 is clipped, and that is said."""
    png16(tmp_path / "in.png", DEEP)
    soft = binary("apply", "in.png", "-k", "gaussian:1", "-o", "-", "--format", "npy", "-q", cwd=tmp_path)
    line = ["apply", "-", "-k", "sobel", "-p", "1"]
    result = binary(*line, "--full-scale", "65535", "-o", "edges.png", "-q", cwd=tmp_path, input=soft.out)
    assert result.code == 0
    assert "--full-scale" not in result.err
    done("apply", "in.png", "-k", "gaussian:1", "-o", "soft.npy", cwd=tmp_path)
    done(*("apply", "soft.npy", "-k", "sobel", "-p", "1"), "-o", "edges.npy", cwd=tmp_path)
    found, exact = png_of(tmp_path / "edges.png"), np.load(tmp_path / "edges.npy")
    np.testing.assert_array_equal(found, np.rint(exact.clip(0, 65535)))
    result = binary(*line, "-o", "clipped.png", "-q", cwd=tmp_path, input=soft.out)
    assert "above the range); see --range, and --full-scale if white is another" in result.err
    assert read(tmp_path / "clipped.png").dtype == np.uint8


@pytest.mark.parametrize("kind", ["uint8", "bool"])
@pytest.mark.parametrize("kernel", ["identity", "sharpen", "1,0,-1", "box:3"])
def test_narrow_integers_in_a_wide_scale(kind: str, kernel: str, tmp_path: Path) -> None:
    """What is computed in 16 bits with a sign does not hold white."""
    values = np.random.default_rng(1).integers(0, 2 if kind == "bool" else 256, (1, 9, 8)).astype(kind)
    path = tensor(tmp_path, values)
    done("apply", path, "-k", kernel, "--full-scale", 65535, "-o", tmp_path / "out.png")
    done("apply", path, "-k", kernel, "--backend", "reference", "-o", tmp_path / "out.npy")
    expected = np.rint(np.load(tmp_path / "out.npy").clip(0, 65535))
    with Image.open(tmp_path / "out.png") as written:
        np.testing.assert_array_equal(np.asarray(written), expected[0])


def test_white_far_above_the_values_is_told_whatever_is_made_of_the_channels(tmp_path: Path) -> None:
    path = tensor(tmp_path, np.random.default_rng(0).random((3, 20, 30), np.float32))
    for channels in ("each", "sum", "gray"):
        result = done("apply", path, "-k", "box:3", "--channels", channels, "-o", tmp_path / f"{channels}.png")
        assert "the largest value is only 1, and white is 255" in result.err


def png_of(path: Path) -> np.ndarray:
    """16-bit colour ``(C, H, W)``, by OpenCV."""
    import cv2

    return np.moveaxis(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1], -1, 0)


@pytest.mark.parametrize(
    ("white", "name", "expected"),
    [
        ("65535", "out.png", DEEP),
        ("65535", "out.bmp", np.rint(DEEP / 257)),
        ("255", "out.png", DEEP.clip(0, 255)),
        ("32767.5", "out.png", (DEEP * 2.0).clip(0, 65535)),
        ("131070", "out.png", np.rint(DEEP / 2)),
        ("1", "out.png", np.where(DEEP > 0, 255, 0)),
        ("100", "out.png", np.rint(DEEP * 2.55).clip(0, 255)),
    ],
)
@pytest.mark.parametrize("kind", ["float32", "float64", "uint16", "int32"])
def test_what_is_written_has_the_depth_of_white(
    white: str, name: str, expected: np.ndarray, kind: str, tmp_path: Path
) -> None:
    path = tensor(tmp_path, DEEP.astype(kind))
    result = done("apply", path, *ONE, "--full-scale", white, "-o", tmp_path / name, "--json")
    assert result.json["full_scale"] == float(white)
    deep = float(white) > 255 and name.endswith("png")
    found = png_of(tmp_path / name) if deep else read(tmp_path / name)
    assert found.dtype == (np.uint16 if deep else np.uint8)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--bias 50% -o out.npy", DEEP + 32767.5),
        ("--range offset -o out.npy", DEEP + 32768.0),
        ("--range minmax -o out.npy", (DEEP - float(DEEP.min())) * (65535 / float(np.ptp(DEEP)))),
        ("--bias -10% --range clip -o out.npy", (DEEP - 6553.5).clip(0, None)),
    ],
)
def test_percentages_and_range_policies(line: str, expected: np.ndarray, tmp_path: Path) -> None:
    tensor(tmp_path, DEEP.astype(np.float64))
    done("apply", "in.npy", *ONE, "--full-scale", "65535", *line.split(), cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("kind", ["float32", "uint16", "uint8"])
def test_linear_light(kind: str, tmp_path: Path) -> None:
    """As of the picture of the same values; values beyond white continue the curve."""
    white = 255 if kind == "uint8" else 4095
    values = (np.arange(3 * 12 * 13).reshape(3, 12, 13) * 12).astype(kind)
    assert values.max() > white or kind == "uint8"
    tensor(tmp_path, values)
    line = ["-k", "box", "--linear", "-o", "out.npy"]
    done("apply", "in.npy", *line, "--full-scale", white, cwd=tmp_path)
    x = values / white
    lit = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    mean = sum(lit[:, y : y + 10, x : x + 11] for y in range(3) for x in range(3)) / 9
    expected = white * np.where(mean <= 0.0031308, 12.92 * mean, 1.055 * mean ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4)
    result = run("apply", "in.npy", *line, cwd=tmp_path)
    assert result.code == 2
    assert "give the value of white with --full-scale" in result.err
    tensor(tmp_path, np.zeros((5, 9, 9)))
    result = run("apply", "in.npy", *line, "--full-scale", white, cwd=tmp_path)
    assert result.err.endswith("this is tensor: leave it out\n")


def test_a_tiff_of_real_numbers(tmp_path: Path) -> None:
    """As vips writes it: 0 to 255, and no tag that says so. With the tag, the file is right."""
    write(tmp_path / "in.tif", DEEP[:1].astype(np.float32) / 257)
    assert "--full-scale" in done("apply", "in.tif", *ONE, "-o", "out.png", cwd=tmp_path).err
    assert done("apply", "in.tif", *ONE, "--full-scale", "255", "-o", "out.png", cwd=tmp_path).err == ""
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.rint(DEEP[:1].astype(np.float32) / 257))
    done("apply", "in.tif", *ONE, "--full-scale", "255", "-o", "said.tif", cwd=tmp_path)
    result = run("apply", "said.tif", *ONE, "--full-scale", "1", "-o", "no.png", cwd=tmp_path)
    assert result.code == 2
    assert "'said.tif' defines it as 255: leave it out" in result.err
    done("apply", "said.tif", *ONE, "-o", "again.png", cwd=tmp_path)
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_colours_in_real_numbers(tmp_path: Path) -> None:
    """Which tifffile reads."""
    tifffile = pytest.importorskip("tifffile")
    real = np.moveaxis(DEEP, 0, -1).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", real, photometric="rgb")
    done("apply", "in.tif", *ONE, "--full-scale", "65535", "-o", "out.png", cwd=tmp_path)
    np.testing.assert_array_equal(png_of(tmp_path / "out.png"), DEEP)
    done("apply", "in.tif", *ONE, "--full-scale", "65535", "-o", "said.tif", cwd=tmp_path)
    assert "'said.tif' defines it as 65535" in run("apply", "said.tif", *ONE, "--full-scale", "1", cwd=tmp_path).err


def test_32_bit_integers(tmp_path: Path) -> None:
    from PIL import Image

    values = (np.arange(63).reshape(7, 9) * 2000).astype(np.int32)
    Image.fromarray(values).save(tmp_path / "in.tif")
    result = done("apply", "in.tif", *ONE, "--full-scale", "124000", "-o", "out.png", cwd=tmp_path)
    assert result.err == ""
    np.testing.assert_array_equal(read(tmp_path / "out.png")[0], np.rint(values * (65535 / 124000)))
    assert "use --full-scale" in done("apply", "in.tif", *ONE, "-o", "out.png", cwd=tmp_path).err


@pytest.mark.parametrize("line", ["apply in.png -k box", "explain in.png -k box --at 0,0", "compare in.png -k box"])
def test_what_says_itself_what_white_is(line: str, tmp_path: Path) -> None:
    write(tmp_path / "in.png", DEEP[:, :9, :9].astype(np.uint8))
    result = run(*line.split(), "--full-scale", "65535", cwd=tmp_path)
    assert result.code == 2
    assert "'in.png' defines it as 255: leave it out" in result.err
    assert len(result.err.splitlines()) == 1


def test_among_many_images(tmp_path: Path) -> None:
    """Those that say it fail; and what was clipped of any tensor is said with the remedy."""
    tensor(tmp_path, DEEP.astype(np.float32))
    write(tmp_path / "in.png", DEEP.astype(np.uint8))
    result = run("apply", "in.png", "in.npy", *ONE, "--full-scale", "65535", "-o", "out/{ext}.png", cwd=tmp_path)
    assert result.code == 1
    np.testing.assert_array_equal(png_of(tmp_path / "out/npy.png"), DEEP)
    result = run("apply", "in.png", "in.npy", *ONE, "-o", "out/{ext}.png", cwd=tmp_path)
    assert "see --range, and --full-scale if white is another" in result.err
    result = run("apply", "in.png", "in.png", "-k", "sobel", "-o", "/dev/null", "--format", "png", cwd=tmp_path)
    assert result.err
    assert "--full-scale" not in result.err


def test_explain_and_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensor(tmp_path, DEEP.astype(np.float32))
    line = ["explain", "in.npy", *ONE, "--bias", "50%", "--full-scale", "65535", "--at", "2,3"]
    assert float(done(*line, "-q", cwd=tmp_path).text) == DEEP[0, 2, 3] + 32767.5
    shown = done(*line, "--format", "png", "--range", "clip", cwd=tmp_path).text
    assert f"stored  {min(65535, round(DEEP[0, 2, 3] + 32767.5))}" in shown
    biases = []
    usual = comparison.compare

    def compared(image: Any, layer: Any, *rest: Any) -> Any:
        biases.append(layer.bias.tolist())
        return usual(image, layer, *rest)

    monkeypatch.setattr(comparison, "compare", compared)
    done("compare", "in.npy", *ONE, "--repeats", "1", "--bias", "50%", "--full-scale", "4095", cwd=tmp_path)
    assert biases == [[2047.5] * 3]
    assert "is for an IMAGE" in run("compare", "--full-scale", "255", cwd=tmp_path).err


def test_percentages_of_the_white_that_is_written(tmp_path: Path) -> None:
    """255 where nobody says another, in a picture; 1 where real numbers stay what they are."""
    tensor(tmp_path, np.zeros((1, 9, 9), np.float32))
    line = ["in.npy", *ONE, "--bias", "40%"]
    result = done("apply", *line, "-o", "out.png", "--json", cwd=tmp_path)
    assert (result.json["bias"], result.json["full_scale"]) == ([102.0], 255.0)
    assert (read(tmp_path / "out.png") == 102).all()
    assert float(done("explain", *line, "--at", "1,1", "--format", "png", "-q", cwd=tmp_path).text) == 102
    tensor(tmp_path, np.array([[0.0, 60.0, 100.0]]))  # 102 to 202 are stretched to 0 to 255
    stretched = [*line, "--range", "minmax"]
    done("apply", *stretched, "-o", "out.png", cwd=tmp_path)
    shown = done("explain", *stretched, "--at", "0,1", "--format", "png", cwd=tmp_path).text
    assert read(tmp_path / "out.png")[0, 0, 1] == 153
    assert "stored  153" in shown
    tensor(tmp_path, np.zeros((1, 9, 9), np.float32))
    done("apply", *line, "-o", "out.npy", cwd=tmp_path)
    assert (np.load(tmp_path / "out.npy") == np.float32(0.4)).all()
    assert float(done("explain", *line, "--at", "1,1", "-q", cwd=tmp_path).text) == 0.4


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "white"])
def test_what_no_white_is(value: str, tmp_path: Path) -> None:
    tensor(tmp_path, DEEP)
    result = run("apply", "in.npy", *ONE, "--full-scale", value, cwd=tmp_path)
    assert result.code == 2
    assert f"'{value}' is not a number from 1e-06" in result.err


def test_the_table_says_it_if_it_was_said(tmp_path: Path) -> None:
    tensor(tmp_path, DEEP)
    assert (
        done("apply", "in.npy", *ONE, "--full-scale", "4095", "-o", "o.png", cwd=tmp_path).table["full scale"] == "4095"
    )
    assert "full scale" not in done("apply", "in.npy", *ONE, "-o", "o.png", cwd=tmp_path).table
