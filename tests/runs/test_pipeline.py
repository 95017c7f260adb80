"""Values beyond the dtype of a computation are spoken of."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from support.cli import done


def test_values_beyond_the_dtype_are_spoken_of(tmp_path: Path) -> None:
    values = np.ones((1, 1, 9), np.float16)
    values[..., :3] = 60000
    np.save(tmp_path / "in.npy", values)
    result = done("apply", "in.npy", "-k", "2.0", "-o", "out.npy", "-q", cwd=tmp_path)
    assert "3 values are beyond float16 and become infinite: use --dtype float32" in result.err
    assert np.isinf(np.load(tmp_path / "out.npy")).sum() == 3


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64"])
def test_large_integers_are_spoken_of(dtype: str, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.full((1, 3, 3), 2**24 + 1, dtype))
    command = ("apply", "in.npy", "-k", "identity", "-o", "out.npy", "-q")
    assert "--dtype float64" in done(*command, cwd=tmp_path).err
    assert done(*command, "--dtype", "float64", cwd=tmp_path).err == ""
    assert (np.load(tmp_path / "out.npy") == 2**24 + 1).all()


@pytest.mark.parametrize(
    "options", [(), ("--linear",), ("--alpha", "filter"), ("--bias", "50%"), ("--channels", "gray")]
)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sixteen_bits_and_opacity_in_half_precision(dtype: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """White of 16 bits is beyond float16."""
    pixels = np.random.default_rng(0).integers(0, 65536, (12, 12, 4)).astype(np.uint16)
    pixels[..., 3] = 65535
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    for target, more in (("half.tif", ("--dtype", dtype)), ("plain.tif", ())):
        done("apply", "in.tif", "-k", "box:3", *options, *more, "-o", target, "-q", cwd=tmp_path)
    half, plain = (tifffile.imread(tmp_path / name).astype(float) for name in ("half.tif", "plain.tif"))
    assert half.shape == plain.shape
    assert plain[..., :-1].max() > 20000
    assert np.abs(half - plain).max() <= 65535 * {"float16": 2.0**-10, "bfloat16": 2.0**-6}[dtype]


def test_a_half_precision_tensor_has_one_dtype_whatever_its_values(tmp_path: Path) -> None:
    for bias in (0, 1e6):
        np.save(tmp_path / "in.npy", np.ones((1, 3, 3), np.uint8))
        command = ("apply", "in.npy", "-k", "identity", "--bias", bias, "--dtype", "float16", "-o", "out.npy", "-q")
        said = done(*command, cwd=tmp_path).err
        assert np.load(tmp_path / "out.npy").dtype == np.float16
        assert ("9 values are beyond float16" in said) == bool(bias)


def test_wide_values_in_float32_are_spoken_of(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.full((1, 3, 3), 1e39))
    command = ("apply", "in.npy", "-k", "identity", "-o", "out.npy", "-q")
    assert done(*command, cwd=tmp_path).err == ""
    said = done(*command, "--dtype", "float32", cwd=tmp_path).err
    assert "some results are beyond float32, which ends at 3.4e+38, and became infinite: use --dtype float64" in said


@pytest.mark.parametrize("options", [("--channels", "gray"), ("--linear",), (), ("--linear", "--channels", "gray")])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_the_reference_is_in_float64_throughout(kind: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """Gray, light and opacity, too: to 1e-12, which float32 misses by far."""
    white = np.iinfo(kind).max
    pixels = np.random.default_rng(1).integers(1, white, (9, 9, 4), endpoint=True).astype(kind)
    tifffile.imwrite(tmp_path / "in.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    command = ("apply", "in.tif", "-k", "box:3", "--backend", "reference", "--range", "raw", *options, "-q")
    done(*command, "-o", "out.npy", cwd=tmp_path)
    made = np.load(tmp_path / "out.npy")
    colour, alpha = np.moveaxis(pixels[..., :3], -1, 0) / white, pixels[..., 3].astype(float)
    linear, gray = "--linear" in options, "--channels" in options
    if linear:
        colour = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    if gray:
        shares = (0.2126, 0.7152, 0.0722) if linear else (0.299, 0.587, 0.114)
        colour = np.tensordot(shares, colour, 1)[None]
    sums = np.lib.stride_tricks.sliding_window_view(np.stack([*(colour * alpha), alpha]), (3, 3), (1, 2)).mean((3, 4))
    expected = sums[:-1] / sums[-1]
    if linear:
        expected = np.where(expected <= 0.0031308, 12.92 * expected, 1.055 * expected ** (1 / 2.4) - 0.055)
    assert made.dtype == np.float64
    np.testing.assert_allclose(made[: len(expected)] / white, expected, rtol=1e-12)
