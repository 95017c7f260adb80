"""``--range LO,HI``: what becomes of values, by hand, and what is counted, in every kind of file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convcli.runs.block_work import BlockWork
from support.cli import done, run
from support.operations import BACKENDS
from support.pictures import read, write

NAN = float("nan")
PLAIN = ("-k", "identity")


def plane(path: Path, values: list[list[float]], kind: type[np.generic]) -> Path:
    """A picture, or a tensor, of one channel."""
    if path.suffix != ".npy":
        return write(path, np.array([values], kind))
    np.save(path, np.array([values], kind))
    return path


def found(path: Path) -> np.ndarray:
    return np.load(path) if path.suffix == ".npy" else read(path)


def counts(below: int, above: int, of: int, nan: int = 0) -> dict[str, int]:
    return {"below": below, "above": above, "nan": nan, "of": of}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("light", [(), ("--linear",)])
def test_8_bits(backend: str, light: tuple[str, ...], tmp_path: Path) -> None:
    """(x - 100) · 255 / 51 is (x - 100) · 5; light is encoded again before."""
    plane(tmp_path / "in.png", [[0, 99, 100, 101, 110, 151, 152, 255]], np.uint8)
    line = ("apply", "in.png", *PLAIN, *light, "--backend", backend, "-o", "out.png", "--json")
    document = done(*line, "--range", "100.0, 151", cwd=tmp_path).json
    assert read(tmp_path / "out.png").tolist() == [[[0, 0, 0, 5, 50, 255, 255, 255]]]
    assert document["clipped"] == counts(2, 2, 8)
    assert document["range"] == "100,151"


def test_16_bits(tmp_path: Path) -> None:
    """(x - 1000) · 65.535."""
    plane(tmp_path / "in.png", [[0, 999, 1000, 1200, 2000, 2001, 65535]], np.uint16)
    document = done("apply", "in.png", *PLAIN, "--range", "1000,2000", "-o", "out.png", "--json", cwd=tmp_path).json
    assert read(tmp_path / "out.png").tolist() == [[[0, 0, 0, 13107, 65535, 65535, 65535]]]
    assert document["clipped"] == counts(2, 2, 7)
    done("apply", "in.png", *PLAIN, "--range", "1000,2000", "-o", "out.webp", "-q", "--quality", 100, cwd=tmp_path)
    assert read(tmp_path / "out.webp")[0].tolist() == [[0, 0, 0, 51, 255, 255, 255]]  # 13107 / 257


def test_10_bits(tmp_path: Path) -> None:
    """LO and HI are in the file's units, also if it is written with 16 bits; then nobody wonders about its scale."""
    (tmp_path / "in.pgm").write_bytes(b"P5 5 1 1023 " + np.array([0, 31, 93, 94, 1023], ">u2").tobytes())
    for name, values in (("out.pgm", [0, 341, 1023, 1023, 1023]), ("out.tif", [0, 21845, 65535, 65535, 65535])):
        result = done("apply", "in.pgm", *PLAIN, "--range", "0,93", "-o", name, cwd=tmp_path)
        assert result.err == f"convcli: {name}: 40 % of the values were clipped (2 above the range); see --range\n"
        if name == "out.tif":
            assert read(tmp_path / name).tolist() == [[values]]
        else:  # Pillow scales them
            assert np.frombuffer((tmp_path / name).read_bytes()[-10:], ">u2").tolist() == values


@pytest.mark.parametrize("target", ["out.npy", "out.tif"])
def test_real_numbers_stay_real(target: str, tmp_path: Path) -> None:
    """They become 0 up to full scale, which is 1; NaN stays NaN. HI itself is not clipped, whatever rounding makes of it."""
    plane(tmp_path / f"in{target[-4:]}", [[-2, -1, 0, 0.5, 1, 3, NAN]], np.float32)
    line = ("apply", f"in{target[-4:]}", *PLAIN, "-o", target, "--json")
    document = done(*line, "--range=-1,1", cwd=tmp_path).json
    np.testing.assert_array_equal(found(tmp_path / target), [[[0, 0, 0.5, 0.75, 1, 1, NAN]]])
    assert document["clipped"] == counts(1, 1, 7)
    assert document["range"] == "-1,1"
    plane(tmp_path / f"in{target[-4:]}", [[0.1, 0.7]], np.float32)
    assert done(*line, "--range", "0.1,0.7", cwd=tmp_path).json["clipped"] == counts(0, 0, 2)


def test_real_numbers_become_integers(tmp_path: Path) -> None:
    """(x + 1) · 127.5, half to even. Values in 0 to 1 are no reason to ask for white, nor is what is above it."""
    np.save(tmp_path / "in.npy", np.array([[-2, -1, 0, 0.5, 1, np.inf, NAN]], np.float32))
    result = done("apply", "in.npy", *PLAIN, "--range", "-1,1", "-o", "out.png", cwd=tmp_path)
    assert read(tmp_path / "out.png").tolist() == [[[0, 0, 128, 191, 255, 255, 0]]]
    assert "28.6 % of the values were clipped (1 below and 1 above the range); see --range\n" in result.err
    assert "1 NaN was written as 0" in result.err
    assert "full-scale" not in result.err


def test_light_is_stretched_as_it_is_stored(tmp_path: Path) -> None:
    """Half of the light is 187.52: · 255 / 250 is 191.3. Without --linear it is 127.5: 130.05."""
    plane(tmp_path / "in.png", [[0, 255]], np.uint8)
    for light, value in ((("--linear",), 191), ((), 130)):
        done("apply", "in.png", "-k", "0.5,0.5", *light, "--range", "0,250", "-o", "out.png", "-q", cwd=tmp_path)
        assert read(tmp_path / "out.png").tolist() == [[[value]]]


@pytest.mark.parametrize("policy", ["premultiply", "filter", "keep"])
def test_alpha_is_not_stretched(policy: str, tmp_path: Path) -> None:
    """Where it is filtered, it is 150. A colour that is the same everywhere stays so: (110 - 100) · 5."""
    write(tmp_path / "in.png", np.array([[[110, 110]], [[120, 120]], [[130, 130]], [[100, 200]]], np.uint8))
    line = ("apply", "in.png", "-k", "0.5,0.5", "--alpha", policy, "--range", "100,151", "-o", "out.png", "--json")
    document = done(*line, cwd=tmp_path).json
    colours, alpha = read(tmp_path / "out.png")[:3].ravel(), read(tmp_path / "out.png")[3, 0, 0]
    assert colours.tolist() == [50, 100, 150]
    assert alpha in ((100, 200) if policy == "keep" else (150,))
    assert document["clipped"] == counts(0, 0, 3)


def test_a_combined_bank(tmp_path: Path) -> None:
    """The magnitude of (80, 0) is 80: (80 - 60) · 5."""
    plane(tmp_path / "in.png", [[0, 10, 20, 30]] * 3, np.uint8)
    done("apply", "in.png", "-k", "sobel", "--range", "60,111", "-o", "out.png", "-q", cwd=tmp_path)
    assert read(tmp_path / "out.png").tolist() == [[[100, 100]]]


def test_transposed(tmp_path: Path) -> None:
    """Zeros between the pixels are below 100."""
    plane(tmp_path / "in.png", [[110, 120]], np.uint8)
    line = ("transpose", "in.png", "-k", "1.0", "-s", 2, "--range", "100,151", "-o", "out.png", "--json")
    assert done(*line, cwd=tmp_path).json["clipped"] == counts(1, 0, 3)
    assert read(tmp_path / "out.png").tolist() == [[[50, 0, 100]]]


def test_every_backend_writes_the_same(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.random.default_rng(3).integers(0, 256, (3, 40, 50), np.uint8))
    for backend in BACKENDS:
        line = ("-k", "1,-2,0;0,3,-1", "--range=-51,204", "--backend", backend, "-o", f"{backend}.png", "--json")
        assert done("apply", "in.png", *line, cwd=tmp_path).json["clipped"]["above"] > 0
    first, *others = (read(tmp_path / f"{backend}.png") for backend in BACKENDS)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_blocks_need_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extremes of the result are not asked for."""
    monkeypatch.delattr(BlockWork, "look")
    plane(tmp_path / "in.tif", [[90, 100, 110, 151, 160]], np.uint8)
    line = ("apply", "in.tif", *PLAIN, "--range", "100,151", "--memory", "1G", "-o", "out.tif", "--json")
    assert done(*line, cwd=tmp_path).json["clipped"] == counts(1, 1, 5)
    assert read(tmp_path / "out.tif").tolist() == [[[0, 0, 50, 255, 255]]]


def test_values_far_beyond(tmp_path: Path) -> None:
    """Neither differences that float32 does not hold nor factors are a warning, which would be an error here."""
    np.save(tmp_path / "in.npy", np.array([[-3e38, 0, 1e-30, 3e38]], np.float32))
    for span, values in (
        ("0,1e-30", [0, 0, 255, 255]),
        ("-1e38,7e37", [0, 150, 150, 255]),
        ("0,1e-45", [0, 0, 255, 255]),
    ):
        done("apply", "in.npy", *PLAIN, f"--range={span}", "-o", "out.png", "-q", cwd=tmp_path)
        assert read(tmp_path / "out.png").tolist() == [[values]], span


def test_float16(tmp_path: Path) -> None:
    """Limits that it does not hold are compared with its values, too."""
    np.save(tmp_path / "in.npy", np.array([[-60000, 0, 60000]], np.float16))
    done("apply", "in.npy", *PLAIN, "--range=-120000,120000", "-o", "out.npy", cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), [[0.25, 0.5, 0.75]], rtol=1e-3)


def test_a_picture_in_the_units_of_real_numbers(tmp_path: Path) -> None:
    """The remark on values of 0 to 1 names both ways to stretch them."""
    np.save(tmp_path / "in.npy", np.array([[0.25, 0.5]], np.float32))
    said = done("apply", "in.npy", *PLAIN, "-o", "out.png", cwd=tmp_path).err
    assert "use --range minmax, or --range LO,HI" in said
    assert done("apply", "in.npy", *PLAIN, "--range", "0,1", "-o", "out.png", cwd=tmp_path).err == ""


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("1", "as in 0,255 or --range=-1,1"),
        ("5,1", "use 1,5"),
        ("1,-1.50", "use -1.5,1"),
        ("1,1", "LO below HI"),
        ("nan,1", "two numbers"),
        ("0,inf", "two numbers"),
        ("0,1e39", "from -1e+38 to 1e+38"),
        ("a,b", "two numbers"),
        ("1,2,3", "two numbers"),
        ("0%,50%", "two numbers"),
        ("0:255", "two numbers"),
        (",", "two numbers"),
        ("other", "clip, abs, offset, minmax, raw, LO,HI"),
    ],
)
def test_what_is_no_range(value: str, remedy: str, tmp_path: Path) -> None:
    plane(tmp_path / "in.png", [[1, 2]], np.uint8)
    for line in (["apply", "-o", "out.png"], ["transpose", "-o", "out.png"], ["explain", "--at", "0,0"]):
        result = run(line[0], "in.png", *PLAIN, *line[1:], "--range", value, cwd=tmp_path)
        assert (result.code, result.out, result.err.count("\n")) == (2, b"", 1)
        assert f"'{value}'" in result.err
        assert remedy in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
