"""`convcli apply`: every option of the contract, its aliases and forms; pixels against SciPy's correlation."""

from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from support.cli import SAMPLES, binary, cells, done, run
from support.pictures import read, write

RELIEF = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
NUMBERS = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
LUMA = [0.299, 0.587, 0.114]


def literal(kernel: object) -> str:
    """A matrix as the option that gives it."""
    return "--kernel=" + ";".join(",".join(map(str, row)) for row in np.asarray(kernel).tolist())


def correlate(planes, kernel, *, stride=(1, 1), pads=(0, 0, 0, 0), dilation=(1, 1), mode="constant") -> np.ndarray:
    """Expected result `(C, H, W)`, float64: NumPy's padding, SciPy's correlation with a kernel spread by zeros, then strides."""
    kernel = np.asarray(kernel, float)
    (s, t), (d, e), (top, bottom, left, right) = stride, dilation, pads
    spread = np.zeros((d * (kernel.shape[0] - 1) + 1, e * (kernel.shape[1] - 1) + 1))
    spread[::d, ::e] = kernel
    padded = np.pad(np.asarray(planes, float), ((0, 0), (top, bottom), (left, right)), mode=mode)
    assert padded.shape[1] >= spread.shape[0]
    assert padded.shape[2] >= spread.shape[1]
    return np.stack([signal.correlate2d(plane, spread, mode="valid") for plane in padded])[:, ::s, ::t]


def clip(values, full_scale=255) -> np.ndarray:
    """Expected integers: half to even, then the range."""
    return np.clip(np.rint(values), 0, full_scale)


@pytest.fixture
def gray(tmp_path: Path) -> np.ndarray:
    """Pixels `(1, 13, 16)` of gray.png in the test's folder."""
    planes = np.random.default_rng(1).integers(0, 256, (1, 13, 16), dtype=np.uint8)
    write(tmp_path / "gray.png", planes)
    return planes


@pytest.fixture
def rgb(tmp_path: Path) -> np.ndarray:
    """Pixels `(3, 11, 9)` of rgb.png in the test's folder."""
    planes = np.random.default_rng(2).integers(0, 256, (3, 11, 9), dtype=np.uint8)
    write(tmp_path / "rgb.png", planes)
    return planes


@pytest.fixture
def tensor(tmp_path: Path) -> np.ndarray:
    """Values `(4, 9, 10)` of maps.npy in the test's folder, float32."""
    values = np.random.default_rng(3).normal(0, 50, (4, 9, 10)).astype(np.float32)
    np.save(tmp_path / "maps.npy", values)
    return values


# The issue's own example


@pytest.mark.parametrize("name", ["gray", "rgb"])
def test_issue_example(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    planes = request.getfixturevalue(name)
    (tmp_path / f"{name}.png").rename(tmp_path / "img.png")
    result = done("apply", "img.png", "--kernel", "sobel", "--stride", "2", cwd=tmp_path)
    x, y = (correlate(planes, kernel, stride=(2, 2)) for kernel in (RELIEF, np.transpose(RELIEF)))
    np.testing.assert_array_equal(read(tmp_path / "img-sobel.png"), clip(np.hypot(x, y)))
    assert result.table["output"].startswith("img-sobel.png")
    assert "magnitude" in result.text


def test_issue_example_in_the_real_program(gray: np.ndarray, tmp_path: Path) -> None:
    result = binary("apply", "gray.png", "--kernel", "sobel", "--stride", "2", cwd=tmp_path)
    assert result.code == 0
    x, y = (correlate(gray, kernel, stride=(2, 2)) for kernel in (RELIEF, np.transpose(RELIEF)))
    np.testing.assert_array_equal(read(tmp_path / "gray-sobel.png"), clip(np.hypot(x, y)))


# Spellings


@pytest.mark.parametrize(
    ("spellings", "value"),
    [
        (["-k", "--kernel"], "sobel-x"),
        (["-s", "--s", "--stride"], "2,1"),
        (["-p", "--p", "--p1", "--padding"], "1,2,3,0"),
        (["-d", "--d", "--dilation"], "2,3"),
        (["-o", "--output"], "named.png"),
    ],
)
def test_aliases(spellings: list[str], value: str, gray: np.ndarray, tmp_path: Path) -> None:
    results = set()
    for spelling in spellings:
        kernel = [] if "-k" in spellings else ["-k", "box:2,3"]
        output = "named.png" if "-o" in spellings else "out.png"
        more = [] if "-o" in spellings else ["-o", output]
        done("apply", "gray.png", *kernel, spelling, value, *more, cwd=tmp_path)
        results.add((tmp_path / output).read_bytes())
        (tmp_path / output).unlink()
    assert len(results) == 1
    done("apply", "gray.png", "-k", "box:2,3", "-o", "out.png", cwd=tmp_path)
    assert spellings[0] == "-o" or (tmp_path / "out.png").read_bytes() not in results


@pytest.mark.parametrize(("args", "names"), [(["--quiet"], ["-q"]), (["-q"], ["--quiet"])], ids=["--quiet", "-q"])
def test_quiet_prints_the_path(args: list[str], names: list[str], gray: np.ndarray, tmp_path: Path) -> None:
    assert done("apply", "gray.png", "-k", "box", *args, "-o", "out.png", cwd=tmp_path).text == "out.png\n"
    assert done("apply", "gray.png", "-k", "box", *names, cwd=tmp_path).text == "gray-box.png\n"


# Kernel SPECs


@pytest.mark.parametrize(
    ("spec", "kernel"),
    [
        ("box:2", np.full((2, 2), 0.25)),
        ("box:1,4", np.full((1, 4), 0.25)),
        ("box:size=4,width=2", np.full((4, 2), 0.125)),
        ("Sobel-X", RELIEF),
        ("1,2,3;4,5,6", [[1, 2, 3], [4, 5, 6]]),
        (" 1 , 2 ; 3 , 4 ", [[1, 2], [3, 4]]),
        ("1/4,-.5,1e1", [[0.25, -0.5, 10]]),
        ("0.5", [[0.5]]),
        ("3x3: 0,-1,0 -1,5,-1 0,-1,0", [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        ("3: 1,2,3 4,5,6 7,8,9", NUMBERS),
        ("3x2: 1,2,3 4,5,6", [[1, 2, 3], [4, 5, 6]]),  # ImageMagick's W×H: two rows of three
        ("k.npy", NUMBERS),
        ("k.json", NUMBERS),
        ("k.csv", NUMBERS),
        ("k.txt", NUMBERS),
        ("k.mat", NUMBERS),
        ("wide.mat", [[0.5, 1, 1.5]]),
    ],
)
def test_kernel_spec(spec: str, kernel: object, gray: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array(NUMBERS))
    (tmp_path / "k.json").write_text(str(NUMBERS))
    (tmp_path / "k.csv").write_text("1,2,3\n4,5,6\n7,8,9\n")
    (tmp_path / "k.txt").write_text("# a comment\n1 2 3\n4 5 6\n\n7 8 9\n")
    (tmp_path / "k.mat").write_text("3 3\n1 2 3\n4 5 6\n7 8 9\n")
    (tmp_path / "wide.mat").write_text("3 1 2 0\n1 2 3\n")  # width, height, scale, offset
    done("apply", "gray.png", "-k", spec, "-o", "out.npy", cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), correlate(gray, kernel))


# Geometry


@pytest.mark.parametrize(("text", "stride"), [("1", (1, 1)), ("2", (2, 2)), ("3,1", (3, 1)), ("1,4", (1, 4))])
def test_stride(text: str, stride: tuple[int, int], gray: np.ndarray, tmp_path: Path) -> None:
    done("apply", "gray.png", "-k", "box:2", "--stride", text, "-o", "out.png", cwd=tmp_path)
    expected = clip(correlate(gray, np.full((2, 2), 0.25), stride=stride))
    np.testing.assert_array_equal(read(tmp_path / "out.png"), expected)


@pytest.mark.parametrize(
    ("text", "kernel", "stride", "pads"),
    [
        ("2", (3, 3), 1, (2, 2, 2, 2)),
        ("1,3", (3, 3), 2, (1, 1, 3, 3)),
        ("1,0,2,3", (3, 3), 1, (1, 0, 2, 3)),
        ("valid", (3, 5), 2, (0, 0, 0, 0)),
        ("same", (3, 5), 1, (1, 1, 2, 2)),
        ("same", (4, 2), 1, (1, 2, 0, 1)),
        ("same-upper", (4, 2), 1, (1, 2, 0, 1)),
        ("same-lower", (4, 2), 1, (2, 1, 1, 0)),
        # 13 rows at stride 2 give 7: (7-1)·2+3-13 = 2; 16 columns give 8: (8-1)·2+3-16 = 1, the extra one at the end
        ("same-upper", (3, 3), 2, (1, 1, 0, 1)),
        ("same-lower", (3, 3), 2, (1, 1, 1, 0)),
        # stride 5 leaves gaps between kernels of one: nothing to pad, TensorFlow's max(0, …)
        ("same-upper", (1, 1), 5, (0, 0, 0, 0)),
        ("full", (3, 4), 1, (2, 2, 3, 3)),
    ],
)
def test_padding(
    text: str, kernel: tuple[int, int], stride: int, pads: tuple[int, ...], gray: np.ndarray, tmp_path: Path
) -> None:
    values = np.arange(1, 1 + kernel[0] * kernel[1]).reshape(kernel)
    options = [literal(values), "-p", text, "-s", stride, "-o", "out.npy"]
    document = done("apply", "gray.png", *options, "--json", cwd=tmp_path).json
    expected = correlate(gray, values, pads=pads, stride=(stride, stride))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert document["output_shape"] == list(expected.shape)
    assert tuple(document["padding"].values()) == pads
    table = done("apply", "gray.png", *options, cwd=tmp_path).table
    assert (",".join(map(str, pads)) if len(set(pads)) > 1 else str(pads[0])) in table["padding"]
    if text.startswith("same") or text in ("valid", "full"):
        assert text in table["padding"]


def test_same_counts_dilation(gray: np.ndarray, tmp_path: Path) -> None:
    done("apply", "gray.png", literal(NUMBERS), "-p", "same", "-d", "3", "-o", "out.npy", cwd=tmp_path)
    expected = correlate(gray, NUMBERS, pads=(3, 3, 3, 3), dilation=(3, 3))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert expected.shape == gray.shape


@pytest.mark.parametrize("pads", ["2", "7,1,0,9"])
@pytest.mark.parametrize(
    ("names", "numpy_mode"),
    [
        (["zeros", "zero", "constant", "grid-constant", "BORDER_CONSTANT"], "constant"),
        (["reflect", "Mirror", "reflect101", "reflect_101", "border_reflect_101", "BORDER_REFLECT101"], "reflect"),
        (["replicate", "edge", "nearest", "BORDER_REPLICATE"], "edge"),
        (["circular", "wrap", "grid-wrap", "BORDER_WRAP"], "wrap"),
        (["symmetric", "grid-mirror", "BORDER_REFLECT"], "symmetric"),
    ],
)
def test_padding_mode(names: list[str], numpy_mode: str, pads: str, tmp_path: Path) -> None:
    """Also pads that are larger than the image, which PyTorch refuses."""
    planes = np.random.default_rng(4).integers(0, 256, (1, 4, 3), dtype=np.uint8)
    write(tmp_path / "small.png", planes)
    numbers = tuple(map(int, pads.split(",")))
    expected = correlate(planes, NUMBERS, pads=numbers if len(numbers) == 4 else numbers * 4, mode=numpy_mode)
    for name in names:
        options = [literal(NUMBERS), "--padding", pads, "--padding-mode", name, "-o", "out.npy"]
        done("apply", "small.png", *options, cwd=tmp_path)
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected, err_msg=name)


@pytest.mark.parametrize(("text", "dilation"), [("2", (2, 2)), ("1,3", (1, 3)), ("4,1", (4, 1))])
def test_dilation(text: str, dilation: tuple[int, int], gray: np.ndarray, tmp_path: Path) -> None:
    done("apply", "gray.png", literal(NUMBERS), "--dilation", text, "-s", "2,1", "-o", "out.npy", cwd=tmp_path)
    expected = correlate(gray, NUMBERS, dilation=dilation, stride=(2, 1))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_op(gray: np.ndarray, tmp_path: Path) -> None:
    """The default is correlation; `conv` flips the kernel, and nothing else."""
    for options, flipped in (([], False), (["--op", "corr"], False), (["--op", "conv"], True)):
        document = done("apply", "gray.png", literal(NUMBERS), *options, "-o", "out.npy", "--json", cwd=tmp_path).json
        function = signal.convolve2d if flipped else signal.correlate2d
        expected = function(gray[0].astype(float), np.array(NUMBERS, float), mode="valid")[np.newaxis]
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
        assert document["op"] == ("conv" if flipped else "corr")


def test_impulse_and_the_kernel_of_nine_numbers(tmp_path: Path) -> None:
    """Convolved, an impulse shows the kernel as it is; correlated, turned by 180°."""
    impulse = np.zeros((1, 5, 5), np.uint8)
    impulse[0, 2, 2] = 1
    write(tmp_path / "impulse.png", impulse)
    for op, expected in (("conv", NUMBERS), ("corr", np.rot90(NUMBERS, 2))):
        done("apply", "impulse.png", literal(NUMBERS), "--op", op, "-o", "out.png", cwd=tmp_path)
        np.testing.assert_array_equal(read(tmp_path / "out.png")[0], expected)


@pytest.mark.parametrize(
    "options",
    [
        ["-k", "box:3,4", "-s", "2,3", "-p", "1,2"],
        ["-k", "gaussian:1", "-p", "same-upper", "-s", "3"],
        ["-k", "sobel", "-d", "2,1", "-p", "4,0,1,1"],
        ["-k", "box:2", "-p", "full"],
    ],
)
def test_shape_predicts_the_output(options: list[str], gray: np.ndarray, tmp_path: Path) -> None:
    document = done("apply", "gray.png", *options, "-o", "out.png", "--json", cwd=tmp_path).json
    size = ",".join(map(str, document["kernel_size"]))
    predicted = done("shape", "--hin", 13, "--win", 16, "--k", size, *options[2:], "-q").text
    assert predicted == "{1} {2}\n".format(*document["output_shape"])
    assert read(tmp_path / "out.png").shape == tuple(document["output_shape"])


# Values: rounding and the range


def test_rounding_is_half_to_even(tmp_path: Path) -> None:
    write(tmp_path / "odd.png", np.array([[[1, 3, 5, 7, 253, 255]]], np.uint8))
    done("apply", "odd.png", "-k", "0.5", "-o", "out.png", cwd=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "out.png"), [[[0, 2, 2, 4, 126, 128]]])


def test_range_clip_counts(gray: np.ndarray, tmp_path: Path) -> None:
    """Nothing wraps around; what is clipped is counted on stderr, below and above, and in the JSON."""
    result = done("apply", "gray.png", literal(RELIEF), "-o", "out.png", "--json", cwd=tmp_path)
    exact = correlate(gray, RELIEF)
    np.testing.assert_array_equal(read(tmp_path / "out.png"), clip(exact))
    below, above = int((exact < 0).sum()), int((exact > 255).sum())
    assert below
    assert above
    assert result.err == ""
    assert (result.json["clipped"]["below"], result.json["clipped"]["above"]) == (below, above)
    explicit = done("apply", "gray.png", literal(RELIEF), "-o", "other.png", "--range", "clip", "-q", cwd=tmp_path)
    assert "clipped" in explicit.err
    assert f"{below} below" in explicit.err
    assert f"{above} above" in explicit.err
    assert (tmp_path / "other.png").read_bytes() == (tmp_path / "out.png").read_bytes()
    assert f"{below} below" in explicit.err


def test_rounding_to_the_bound_is_not_clipping(tmp_path: Path) -> None:
    write(tmp_path / "white.png", np.full((1, 2, 2), 255, np.uint8))
    result = done("apply", "white.png", "-k", "identity", "--bias", "0.25", "-o", "out.png", cwd=tmp_path)
    assert (read(tmp_path / "out.png") == 255).all()
    assert result.err == ""


def test_nothing_clipped_says_nothing(gray: np.ndarray, tmp_path: Path) -> None:
    assert done("apply", "gray.png", "-k", "box", "-o", "out.png", cwd=tmp_path).err == ""


@pytest.mark.parametrize(
    ("policy", "mapping"),
    [
        ("abs", np.abs),
        ("offset", lambda values: values + 128),
        ("minmax", lambda values: (values - values.min()) * 255 / np.ptp(values)),
    ],
)
def test_range(policy: str, mapping, gray: np.ndarray, tmp_path: Path) -> None:
    result = done("apply", "gray.png", literal(RELIEF), "--range", policy, "-o", "out.png", cwd=tmp_path)
    mapped = mapping(correlate(gray, RELIEF))
    exact = read(tmp_path / "out.png")
    assert (np.abs(exact - np.clip(mapped, 0, 255)) <= 0.5 + 1e-3).all()
    assert ("clipped" in result.err) == bool(((mapped < -0.5) | (mapped > 255.5)).any())
    if policy == "minmax":
        assert (exact.min(), exact.max()) == (0, 255)


def test_range_raw(gray: np.ndarray, tmp_path: Path) -> None:
    """Values as they are, in the formats that hold them: .npy and float TIFF."""
    for target in ("out.npy", "out.tif"):
        result = done("apply", "gray.png", literal(RELIEF), "--range", "raw", "-o", target, cwd=tmp_path)
        values = np.load(tmp_path / target) if target.endswith("npy") else read(tmp_path / target)
        np.testing.assert_array_equal(values, correlate(gray, RELIEF))
        assert result.err == ""


@pytest.mark.parametrize(
    ("policy", "mapping"), [("clip", lambda x: x), ("abs", np.abs), ("offset", lambda x: x + 32768)]
)
def test_range_of_16_bits(policy: str, mapping, tmp_path: Path) -> None:
    deep = np.random.default_rng(5).integers(0, 65536, (1, 9, 8), dtype=np.uint16)
    write(tmp_path / "deep.png", deep)
    result = done("apply", "deep.png", literal(RELIEF), "--range", policy, "-o", "out.png", cwd=tmp_path)
    mapped = mapping(correlate(deep, RELIEF))
    np.testing.assert_array_equal(read(tmp_path / "out.png"), clip(mapped, 65535))
    assert f"{(mapped > 65535).sum()} above" in result.err


@pytest.mark.parametrize("target", ["out.npy", "out.tif"])
def test_explicit_clip_of_float_values(target: str, tmp_path: Path) -> None:
    """Floats are raw by default; `clip` that is asked for holds, and counts, in either format."""
    values = np.random.default_rng(6).normal(0, 1, (1, 6, 7)).astype(np.float32)
    np.save(tmp_path / "real.npy", values)
    write(tmp_path / "real.tif", values)
    result = done("apply", f"real{target[-4:]}", "-k", "identity", "--range", "clip", "-o", target, cwd=tmp_path)
    found = np.load(tmp_path / target) if target.endswith("npy") else read(tmp_path / target)
    np.testing.assert_allclose(found, values.clip(0, 1), atol=1e-7)
    assert f"{(values < 0).sum()} below" in result.err
    assert f"{(values > 1).sum()} above" in result.err


@pytest.mark.parametrize("target", ["out.npy", "out.tif"])
def test_abs_of_float_values_is_not_clipped_in_silence(target: str, tmp_path: Path) -> None:
    values = np.random.default_rng(6).normal(0, 1, (1, 6, 7)).astype(np.float32)
    np.save(tmp_path / "real.npy", values)
    write(tmp_path / "real.tif", values)
    result = done("apply", f"real{target[-4:]}", "-k", "identity", "--range", "abs", "-o", target, cwd=tmp_path)
    found = np.load(tmp_path / target) if target.endswith("npy") else read(tmp_path / target)
    np.testing.assert_allclose(found, np.abs(values) if result.err == "" else np.abs(values).clip(0, 1), atol=1e-7)


# Bias


@pytest.mark.parametrize(
    ("text", "offsets"),
    [
        ("12", [12, 12, 12]),
        ("-3.5", [-3.5] * 3),
        ("1e1", [10] * 3),
        ("20%", [51, 51, 51]),
        ("50%", [127.5] * 3),
        ("10,20%,-4", [10, 51, -4]),
    ],
)
def test_bias(text: str, offsets: list[float], rgb: np.ndarray, tmp_path: Path) -> None:
    done("apply", "rgb.png", "-k", "box:2", "--bias", text, "-o", "out.png", cwd=tmp_path)
    exact = correlate(rgb, np.full((2, 2), 0.25)) + np.reshape(offsets, (3, 1, 1))
    np.testing.assert_array_equal(read(tmp_path / "out.png"), clip(exact))


def test_bias_percent_is_of_full_scale(tmp_path: Path) -> None:
    write(tmp_path / "deep.png", np.zeros((1, 2, 2), np.uint16))
    done("apply", "deep.png", "-k", "identity", "--bias", "20%", "-o", "out.png", cwd=tmp_path)
    assert (read(tmp_path / "out.png") == 13107).all()
    np.save(tmp_path / "real.npy", np.zeros((2, 2), np.float32))
    done("apply", "real.npy", "-k", "identity", "--bias", "50%", "-o", "out.npy", cwd=tmp_path)
    assert (np.load(tmp_path / "out.npy") == 0.5).all()


def test_bias_comes_before_the_combination(gray: np.ndarray, tmp_path: Path) -> None:
    """A bias for each output channel of the layer, as a network has it: the combination comes after the layer."""
    done("apply", "gray.png", "-k", "sobel", "--bias", "5,-7", "-o", "out.npy", cwd=tmp_path)
    x, y = (correlate(gray, kernel) for kernel in (RELIEF, np.transpose(RELIEF)))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), np.hypot(x + 5, y - 7), rtol=1e-6)


# Banks and channels


def test_bank_on_gray(gray: np.ndarray, tmp_path: Path) -> None:
    bank = ["-k", "sobel-x", "-k", "sobel-y", "-k", "box:3"]
    done("apply", "gray.png", *bank, "-o", "out.npy", cwd=tmp_path)
    kernels = [RELIEF, np.transpose(RELIEF), np.full((3, 3), 1 / 9)]
    expected = np.concatenate([correlate(gray, kernel) for kernel in kernels])
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-3)
    done("apply", "gray.png", *bank, "-o", "out.png", cwd=tmp_path)  # three outputs are red, green and blue
    assert (np.abs(read(tmp_path / "out.png") - np.clip(expected, 0, 255)) <= 0.5 + 1e-3).all()


def test_bank_on_channels_goes_channel_by_channel(rgb: np.ndarray, tmp_path: Path) -> None:
    """The order of a depthwise Conv2d."""
    done("apply", "rgb.png", "-k", "sobel-x", "-k", "sobel-y", "-o", "out.npy", cwd=tmp_path)
    x, y = (correlate(rgb, kernel) for kernel in (RELIEF, np.transpose(RELIEF)))
    expected = np.stack([x[0], y[0], x[1], y[1], x[2], y[2]])
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_smaller_kernels_of_a_bank_are_centred(gray: np.ndarray, tmp_path: Path) -> None:
    done("apply", "gray.png", "-k", "identity", "-k", literal(np.ones((3, 5)))[9:], "-o", "out.npy", cwd=tmp_path)
    expected = np.concatenate([gray[:, 1:-1, 2:-2], correlate(gray, np.ones((3, 5)))])
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


@pytest.mark.parametrize(
    ("rule", "join"),
    [
        ("none", lambda results: results),
        ("sum", lambda results: results.sum(0, keepdims=True)),
        ("max", lambda results: results.max(0, keepdims=True)),
        ("magnitude", lambda results: np.sqrt((results**2).sum(0, keepdims=True))),
    ],
)
def test_combine(rule: str, join, rgb: np.ndarray, tmp_path: Path) -> None:
    kernels = [RELIEF, np.transpose(RELIEF), NUMBERS]
    options = [literal(kernel) for kernel in kernels]
    done("apply", "rgb.png", *options, "--combine", rule, "-o", "out.npy", cwd=tmp_path)
    expected = np.concatenate([join(np.stack([correlate([p], k)[0] for k in kernels])) for p in rgb])
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-6)


def test_the_magnitude_of_one_kernel_is_its_size(gray: np.ndarray, tmp_path: Path) -> None:
    exact = np.abs(correlate(gray, RELIEF))
    done("apply", "gray.png", "-k", "sobel-x", "--combine", "magnitude", "-o", "out.npy", cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), exact)
    done("apply", "gray.png", "-k", "sobel-x", "--combine", "magnitude", "-o", "out.png", cwd=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "out.png"), clip(exact))


def test_bias_leaves_a_filtered_alpha_alone(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.full((4, 5, 6), 100, np.uint8))
    for bias, colours in (("50", [150, 150, 150]), ("1,2,3", [101, 102, 103])):
        done("apply", "in.png", "-k", "identity", "--alpha", "filter", "--bias", bias, "-o", "out.png", "--overwrite",
             cwd=tmp_path)  # fmt: skip
        assert read(tmp_path / "out.png")[:, 0, 0].tolist() == [*colours, 100]


def test_half_precision_is_no_limit_to_what_is_stretched(tmp_path: Path) -> None:
    """A float16 tensor stays float16 in .npy; sums beyond its range still become an image."""
    values = np.linspace(0, 60000, 20, dtype=np.float16).reshape(4, 5)
    np.save(tmp_path / "in.npy", values)
    done("apply", "in.npy", "--kernel=2.0", "--range", "minmax", "-o", "out.png", cwd=tmp_path)
    expected = np.rint(255 * values.astype(np.float64) / 60000)
    assert (np.abs(read(tmp_path / "out.png")[0] - expected) <= 1).all()
    done("apply", "in.npy", "-k", "identity", "-o", "same.npy", cwd=tmp_path)
    same = np.load(tmp_path / "same.npy")
    assert same.dtype == np.float16
    np.testing.assert_array_equal(same, values)


@pytest.mark.parametrize("name", ["sobel", "prewitt", "scharr", "roberts", "farid"])
def test_pairs_are_magnitudes(name: str, gray: np.ndarray, tmp_path: Path) -> None:
    def result(*options: str) -> np.ndarray:
        done("apply", "gray.png", *options, "-o", "out.npy", cwd=tmp_path)
        return np.load(tmp_path / "out.npy")

    x, y = result("-k", f"{name}-x"), result("-k", f"{name}-y")
    assert x.shape[0] == 1
    np.testing.assert_allclose(result("-k", name), np.hypot(x, y), rtol=1e-5)
    np.testing.assert_allclose(result("-k", name, "--combine", "none"), np.concatenate([x, y]), atol=1e-4)
    np.testing.assert_allclose(result("-k", name, "--combine", "sum"), x + y, atol=1e-3)


def test_filters_of_a_bank_keep_their_own_rule(gray: np.ndarray, tmp_path: Path) -> None:
    done("apply", "gray.png", "-k", "sobel", "-k", "sobel-x", "-o", "out.npy", cwd=tmp_path)
    x, y = (correlate(gray, kernel) for kernel in (RELIEF, np.transpose(RELIEF)))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), np.concatenate([np.hypot(x, y), x]), rtol=1e-6)


def test_channels(rgb: np.ndarray, tmp_path: Path) -> None:
    each = correlate(rgb, NUMBERS)
    luma = correlate(np.tensordot(LUMA, rgb.astype(float), 1)[np.newaxis], NUMBERS)
    expected = {"each": each, "sum": each.sum(0, keepdims=True), "gray": luma}
    for how, values in expected.items():
        document = done(
            "apply", "rgb.png", literal(NUMBERS), "--channels", how, "-o", "out.npy", "--json", cwd=tmp_path
        ).json
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), values, rtol=1e-6)
        assert document["input_shape"] == [3, 11, 9]
        assert document["output_shape"] == [*values.shape]
    done("apply", "rgb.png", literal(NUMBERS), "-o", "default.npy", cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "default.npy"), each)
    done("apply", "rgb.png", "-k", "box:2", "--channels", "gray", "-o", "out.png", cwd=tmp_path)
    assert read(tmp_path / "out.png").shape == (1, 10, 8)


def test_channels_sum_with_groups(tensor: np.ndarray, tmp_path: Path) -> None:
    """Two kernels in two groups: the first sums over the first half of the channels, the second over the second."""
    options = [literal(NUMBERS), literal(RELIEF), "--channels", "sum", "--groups", "2"]
    done("apply", "maps.npy", *options, "-o", "out.npy", cwd=tmp_path)
    expected = [correlate(tensor[:2], NUMBERS).sum(0), correlate(tensor[2:], RELIEF).sum(0)]
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-5, atol=1e-3)


def test_groups_of_one_channel_are_what_each_means(rgb: np.ndarray, tmp_path: Path) -> None:
    done("apply", "rgb.png", literal(NUMBERS), "--groups", "3", "-o", "out.npy", cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), correlate(rgb, NUMBERS))


# Weights


def layer(planes, weight, bias, groups, **geometry) -> np.ndarray:
    """Conv2d in literal loops over channels."""
    per_group, outputs = len(planes) // groups, len(weight) // groups
    return np.stack(
        [
            bias[o] + sum(correlate([planes[o // outputs * per_group + c]], weight[o, c], **geometry)[0] for c in range(per_group))
            for o in range(len(weight))
        ]
    )  # fmt: skip


def save_weights(folder: Path, weight: np.ndarray) -> list[str]:
    """The weights in each kind of file, as `--weights` takes them."""
    import torch
    from safetensors.numpy import save_file

    np.save(folder / "w.npy", weight)
    np.savez(folder / "w.npz", first=weight, bias=np.zeros(6), second=np.zeros((1, 1, 1, 1)))
    save_file({"conv1.weight": weight, "conv2.weight": np.zeros((1, 1, 1, 1), np.float32)}, folder / "w.safetensors")
    torch.save({"conv1.weight": torch.from_numpy(weight), "conv1.bias": torch.zeros(6)}, folder / "w.pt")
    torch.save(torch.from_numpy(weight), folder / "one.pt")
    return ["w.npy", "w.npz:first", "w.safetensors:conv1.weight", "w.pt:conv1.weight", "w.pt", "one.pt"]


@pytest.mark.parametrize("groups", [1, 2])
def test_weights_and_groups(groups: int, tensor: np.ndarray, tmp_path: Path) -> None:
    weight = np.random.default_rng(7).normal(size=(6, 4 // groups, 3, 2)).astype(np.float32)
    bias = [1, -2, 3, -4, 5, -6]
    geometry = {"stride": (2, 1), "pads": (1, 1, 2, 2), "dilation": (1, 2)}
    expected = layer(tensor, weight, bias, groups, **geometry)
    for spec in save_weights(tmp_path, weight):
        options = ["--weights", spec, "--groups", groups, "--bias=" + ",".join(map(str, bias))]
        options += ["-s", "2,1", "-p", "1,2", "-d", "1,2"]
        document = done("apply", "maps.npy", *options, "-o", "out.npy", "--json", cwd=tmp_path).json
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4, atol=1e-3, err_msg=spec)
        assert document["output_shape"] == [*expected.shape]


def test_depthwise_weights(tensor: np.ndarray, tmp_path: Path) -> None:
    weight = np.random.default_rng(8).normal(size=(8, 1, 3, 3))
    np.save(tmp_path / "w.npy", weight)
    done("apply", "maps.npy", "--weights", "w.npy", "--groups", "4", "--op", "conv", "-o", "out.npy", cwd=tmp_path)
    expected = layer(tensor, weight[:, :, ::-1, ::-1], np.zeros(8), 4)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4, atol=1e-3)


def test_weights_on_a_picture(rgb: np.ndarray, tmp_path: Path) -> None:
    weight = np.random.default_rng(9).integers(-2, 3, (3, 3, 2, 2)).astype(float)
    np.save(tmp_path / "w.npy", weight)
    for count in (3, 1):
        np.save(tmp_path / "w.npy", weight[:count])
        done("apply", "rgb.png", "--weights", "w.npy", "-o", "out.png", cwd=tmp_path)
        np.testing.assert_array_equal(read(tmp_path / "out.png"), clip(layer(rgb, weight[:count], [0] * 3, 1)))


# Linear light


def decode(values) -> np.ndarray:
    x = np.asarray(values) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def encode(light) -> np.ndarray:
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def test_linear(rgb: np.ndarray, tmp_path: Path) -> None:
    done("apply", "rgb.png", "-k", "box:2", "--linear", "-o", "out.png", cwd=tmp_path)
    expected = encode(correlate(decode(rgb), np.full((2, 2), 0.25)))
    assert (np.abs(read(tmp_path / "out.png") - expected) <= 0.5 + 1e-3).all()
    write(tmp_path / "edge.png", np.array([[[0, 255]]], np.uint8))
    done("apply", "edge.png", "-k", "0.5,0.5", "--linear", "-o", "out.png", cwd=tmp_path)
    assert read(tmp_path / "out.png").item() == 188  # half the light of white, not 128


def test_linear_identity_is_lossless(tmp_path: Path) -> None:
    for top, dtype in ((256, np.uint8), (65536, np.uint16)):
        ramp = np.arange(top, dtype=dtype).reshape(1, 16, -1)
        write(tmp_path / "ramp.png", ramp)
        done("apply", "ramp.png", "-k", "identity", "--linear", "-o", "out.png", cwd=tmp_path)
        np.testing.assert_array_equal(read(tmp_path / "out.png"), ramp)


# Tensors


@pytest.mark.parametrize("shape", [(7, 8), (1, 7, 8), (3, 7, 8), (1, 2, 7, 8), (2, 3, 7, 8)])
def test_npy_keeps_its_rank_and_raw_values(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(10).normal(0, 1000, shape).astype(np.float32)
    np.save(tmp_path / "in.npy", values)
    result = done("apply", "in.npy", literal(RELIEF), "-o", "out.npy", "--json", cwd=tmp_path)
    found = np.load(tmp_path / "out.npy")
    expected = correlate(values.reshape(-1, 7, 8), RELIEF).reshape(*shape[:-2], 5, 6)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-2)
    assert "clipped" not in result.err
    assert result.json["output_shape"][-3:] == [*expected.shape][-3:] or len(shape) == 2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_npy_keeps_its_float_dtype(dtype: str, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.arange(20, dtype=dtype).reshape(4, 5))
    done("apply", "in.npy", "-k", "box:2", "-o", "out.npy", cwd=tmp_path)
    found = np.load(tmp_path / "out.npy")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.arange(20).reshape(4, 5)[:-1, :-1] + 3)


def test_float64_is_computed_in_float64(tmp_path: Path) -> None:
    values = 1 + np.arange(12.0).reshape(3, 4) * 2.0**-40
    np.save(tmp_path / "in.npy", values)
    done("apply", "in.npy", "-k", "identity", "-o", "out.npy", cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), values)


def test_npy_layouts_are_read_alike(tensor: np.ndarray, tmp_path: Path) -> None:
    """Fortran order, big-endian and integer files hold the same numbers."""
    whole = np.rint(tensor)
    for name, array in {
        "fortran": np.asfortranarray(whole),
        "big": whole.astype(">f4"),
        "int16": whole.astype(np.int16),
    }.items():
        np.save(tmp_path / f"{name}.npy", array)
        done("apply", f"{name}.npy", literal(NUMBERS), "-o", "out.npy", cwd=tmp_path)
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), correlate(whole, NUMBERS), err_msg=name)


def test_picture_to_npy_and_back(rgb: np.ndarray, tmp_path: Path) -> None:
    """Pixel values are as stored, 0–255, both ways."""
    done("apply", "rgb.png", "-k", "identity", "-o", "out.npy", cwd=tmp_path)
    values = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(values, rgb)
    assert values.dtype.kind == "f"
    done("apply", "out.npy", "-k", "identity", "-o", "back.png", cwd=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "back.png"), rgb)
    np.save(tmp_path / "bytes.npy", rgb)
    done("apply", "bytes.npy", "-k", "identity", "-o", "back.png", cwd=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "back.png"), rgb)


# Computation


@pytest.mark.parametrize("backend", ["numpy", "torch", "reference"])
def test_backends(backend: str, rgb: np.ndarray, tmp_path: Path) -> None:
    options = [literal(NUMBERS), "-s", "2", "-p", "1,2,0,3", "--padding-mode", "circular", "--bias", "3"]
    document = done("apply", "rgb.png", *options, "--backend", backend, "-o", "out.npy", "--json", cwd=tmp_path).json
    expected = correlate(rgb, NUMBERS, stride=(2, 2), pads=(1, 2, 0, 3), mode="wrap") + 3
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert document["backend"] == backend


def test_torch_is_quiet_about_gray_pictures(gray: np.ndarray, tmp_path: Path) -> None:
    """Pillow hands out read-only arrays, of which torch warns once in a process."""
    result = binary("apply", "gray.png", "-k", "box", "--backend", "torch", "-q", cwd=tmp_path)
    assert (result.code, result.text, result.err) == (0, "gray-box.png\n", "")


def test_auto_backend_says_what_it_took(rgb: np.ndarray, tmp_path: Path) -> None:
    for options in ([], ["--backend", "auto"], ["--device", "cpu"]):
        document = done("apply", "rgb.png", "-k", "box", *options, "-o", "out.png", "--json", cwd=tmp_path).json
        assert document["backend"] == "numpy"
        assert document["plan"]


@pytest.mark.parametrize(
    ("dtype", "backend", "tolerance"),
    [
        ("float32", "numpy", 1e-3),
        ("float64", "numpy", 1e-10),
        ("float64", "torch", 1e-10),
        ("float16", None, 1),
        ("bfloat16", None, 5),
    ],
)
def test_dtype(dtype: str, backend: str | None, tolerance: float, rgb: np.ndarray, tmp_path: Path) -> None:
    options = ["--dtype", dtype, *(["--backend", backend] if backend else [])]
    document = done("apply", "rgb.png", "-k", "gaussian:1", *options, "-o", "out.npy", "--json", cwd=tmp_path).json
    samples = np.exp(-(np.arange(-3, 4) ** 2) / 2)
    kernel = np.outer(samples, samples) / samples.sum() ** 2
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), correlate(rgb, kernel), atol=tolerance)
    assert document["backend"] == (backend or "torch")
    assert document["dtype"] == dtype


def test_threads_change_nothing(gray: np.ndarray, tmp_path: Path) -> None:
    for threads in (1, 2):
        done("apply", "gray.png", "-k", "gaussian:1", "--threads", threads, "-o", f"{threads}.png", cwd=tmp_path)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


# Reports


def test_json(rgb: np.ndarray, tmp_path: Path) -> None:
    result = done("apply", "rgb.png", "-k", "box:3", "-s", "2", "-o", "out.png", "--json", cwd=tmp_path)
    assert len(result.text.splitlines()) == 1
    document = result.json
    assert document["input"] == "rgb.png"
    assert document["output"] == "out.png"
    assert document["op"] == "corr"
    assert document["input_shape"] == [3, 11, 9]
    assert document["output_shape"] == [3, 5, 4]
    assert document["backend"] == "numpy"
    assert isinstance(document["plan"], str)
    assert set(document["seconds"]) >= {"load", "compute", "save"}
    assert all(value >= 0 for value in document["seconds"].values())


def test_json_says_every_option_as_resolved(rgb: np.ndarray, tmp_path: Path) -> None:
    plain = done("apply", "rgb.png", "-k", "box:3", "-o", "out.png", "--json", cwd=tmp_path).json
    expected = {
        "groups": 3,
        "channels": "each",
        "combine": ["none"],
        "bias": None,
        "linear": False,
        "alpha": None,
        "range": "clip",
    }
    assert {key: plain[key] for key in expected} == expected
    options = ["-k", "sobel", "-k", "box:3", "--channels", "gray", "--bias", "50%", "--linear", "--range", "raw"]
    unusual = done("apply", "rgb.png", *options, "-o", "out.npy", "--json", "-q", cwd=tmp_path).json  # JSON wins
    expected = {
        "groups": 1,
        "channels": "gray",
        "combine": ["magnitude", "none"],
        "bias": [127.5],
        "linear": True,
        "alpha": None,
        "range": "raw",
    }
    assert {key: unusual[key] for key in expected} == expected
    np.save(tmp_path / "w.npy", np.ones((4, 1, 3, 3), np.float32) / 9)
    options = ["--weights", "w.npy", "--groups", "4", "-o", "icon.png", "--json"]
    layer = done("apply", SAMPLES / "icon.png", *options, cwd=tmp_path).json
    assert (layer["groups"], layer["channels"], layer["combine"], layer["alpha"]) == (4, None, None, "filter")


def test_table_says_what_is_not_at_its_default(rgb: np.ndarray, tmp_path: Path) -> None:
    plain = done("apply", "rgb.png", "-k", "box:3", "-o", "out.png", cwd=tmp_path).table
    assert not {"groups", "channels", "bias", "linear", "range", "alpha", "dtype"} & set(plain)
    options = ["--channels", "gray", "--bias", "50%", "--linear", "--range", "abs", "--dtype", "float64"]
    table = done("apply", SAMPLES / "icon.png", "-k", "sobel", *options, "-o", tmp_path / "out.png").table
    assert (table["channels"], table["bias"], table["range"]) == ("gray", "127.5", "abs")
    assert (table["alpha"], table["dtype"]) == ("keep", "float64")
    assert "linear light" in table["linear"]


def test_the_exact_type_is_said_once(gray: np.ndarray, tmp_path: Path) -> None:
    plan = done("apply", "gray.png", "-k", "sobel", "--plan", "taps", "--json", "-o", "o.png", cwd=tmp_path).json[
        "plan"
    ]
    assert plan.count("exact") == plan.count("int") == 1


def test_a_literal_may_begin_with_a_minus(gray: np.ndarray, tmp_path: Path) -> None:
    for number, words in enumerate((["-k", "-1,0,1"], ["--kernel", "-1,0,1"], ["--kernel=-1,0,1"])):
        done("apply", "gray.png", *words, "--range", "offset", "-o", f"{number}.png", cwd=tmp_path)
    assert len({(tmp_path / f"{number}.png").read_bytes() for number in range(3)}) == 1


def test_json_of_several_images_is_a_list(gray: np.ndarray, rgb: np.ndarray, tmp_path: Path) -> None:
    documents = done("apply", "gray.png", "rgb.png", "-k", "box", "--json", cwd=tmp_path).json
    assert [document["input"] for document in documents] == ["gray.png", "rgb.png"]
    assert [document["output"] for document in documents] == ["gray-box.png", "rgb-box.png"]
    assert [document["output_shape"] for document in documents] == [[1, 11, 14], [3, 9, 7]]


def test_table(rgb: np.ndarray, tmp_path: Path) -> None:
    """Operation, files, shapes, pads as resolved, and what computed."""
    options = ["-k", "box:2", "-p", "same-lower", "-s", "2,1", "--padding-mode", "reflect", "--op", "conv"]
    result = done("apply", "rgb.png", *options, cwd=tmp_path)
    table = result.table
    assert "rgb.png" in table["input"]
    assert "3×11×9" in table["input"]
    assert "rgb-box-2.png" in table["output"]
    assert "3×6×9" in table["output"]
    assert "conv" in table["operation"]
    assert "1,0,1,0" in table["padding"]
    assert "reflect" in table["padding"]
    assert "numpy" in table["backend"]
    assert table["plan"]
    assert "2,1" in result.text
    assert "\x1b" not in result.text


def test_image_on_stdout_moves_the_report_to_stderr(rgb: np.ndarray, tmp_path: Path) -> None:
    result = done("apply", "rgb.png", "-k", "box", "-o", "-", cwd=tmp_path)
    assert result.out.startswith(b"\x89PNG")
    assert "rgb.png" in cells(result.err)["input"]
    assert done("apply", "rgb.png", "-k", "box", "-o", "-", "-q", cwd=tmp_path).err == ""


def test_help_shows_the_issue_example() -> None:
    assert "convcli apply img.png --kernel sobel --stride 2" in done("apply", "--help").text


@pytest.mark.parametrize("name", ["tiny.png", "small.png", "ramp.png", "checkerboard.png", "gradient16.png"])
def test_samples_match_scipy(name: str, tmp_path: Path) -> None:
    result = run(
        "apply",
        SAMPLES / name,
        literal([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
        "-s",
        "3",
        "-o",
        "out.png",
        cwd=tmp_path,
    )
    assert result.code == 0
    exact = correlate(read(SAMPLES / name), [[0, -1, 0], [-1, 5, -1], [0, -1, 0]], stride=(3, 3))
    np.testing.assert_array_equal(read(tmp_path / "out.png"), clip(exact, 65535 if "16" in name else 255))


def test_results_beyond_float16_are_said(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.full((1, 5, 5), 40000.0, np.float32))
    args = ("apply", "in.npy", "-k", "1", "--bias", "30000", "--backend", "torch", "--overwrite")
    remark = "25 values are beyond float16 and become infinite: use --dtype float32"
    assert remark in done(*args, "--dtype", "float16", "-o", "out.npy", cwd=tmp_path).err
    assert remark not in done(*args, "--dtype", "float32", "-o", "out.npy", cwd=tmp_path).err
    done(*args, "--dtype", "float16", "--range", "raw", "-o", "out.tif", cwd=tmp_path)
    assert (read(tmp_path / "out.tif") == 70016).all()  # the nearest number with 11 bits
    np.save(tmp_path / "in.npy", np.full((1, 5, 5), np.inf, np.float32))  # as it was given
    assert remark not in done(*args, "--dtype", "float16", "-o", "out.npy", cwd=tmp_path).err
