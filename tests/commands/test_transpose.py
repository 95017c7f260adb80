"""`convcli transpose`: the options of the contract; pixels against literal loops that scatter the kernel."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from support.cli import SAMPLES, binary, cells, done
from support.pictures import read, write

NUMBERS = np.arange(1, 10).reshape(3, 3)
LITERAL = "--kernel=1,2,3;4,5,6;7,8,9"


def scatter(plane, kernel, *, stride=(1, 1), crop=(0, 0, 0, 0), dilation=(1, 1), extra=(0, 0)) -> np.ndarray:
    """Expected result of one channel: each pixel adds the kernel, `stride` apart; `crop` cuts, `extra` extends bottom and right."""
    (s, t), (d, e), (top, bottom, left, right) = stride, dilation, crop
    (h, w), (kh, kw) = np.shape(plane), np.shape(kernel)
    full = np.zeros(((h - 1) * s + d * (kh - 1) + 1 + extra[0], (w - 1) * t + e * (kw - 1) + 1 + extra[1]))
    for y, x, i, j in product(range(h), range(w), range(kh), range(kw)):
        full[y * s + i * d, x * t + j * e] += float(plane[y][x]) * kernel[i][j]
    return full[top : full.shape[0] - bottom, left : full.shape[1] - right]


@pytest.fixture
def gray(tmp_path: Path) -> np.ndarray:
    """Pixels `(1, 4, 5)` of gray.png in the test's folder, small enough not to be clipped by a sum."""
    planes = np.random.default_rng(1).integers(0, 6, (1, 4, 5), dtype=np.uint8)
    write(tmp_path / "gray.png", planes)
    return planes


@pytest.fixture
def tensor(tmp_path: Path) -> np.ndarray:
    """Values `(4, 3, 5)` of maps.npy in the test's folder, float32."""
    values = np.random.default_rng(2).normal(size=(4, 3, 5)).astype(np.float32)
    np.save(tmp_path / "maps.npy", values)
    return values


# Geometry


GEOMETRIES = [
    ([], {}),
    (["-s", "2"], {"stride": (2, 2)}),
    (["--stride", "1,3"], {"stride": (1, 3)}),
    (["-p", "1"], {"crop": (1, 1, 1, 1)}),
    (["--padding", "1,2"], {"crop": (1, 1, 2, 2)}),
    (["-p", "0,1,2,0"], {"crop": (0, 1, 2, 0)}),
    (["-p", "valid", "-s", "2"], {"stride": (2, 2)}),
    (["-p", "same"], {"crop": (1, 1, 1, 1)}),
    (["-p", "full"], {"crop": (2, 2, 2, 2)}),
    (["-d", "2"], {"dilation": (2, 2)}),
    (["--dilation", "3,1", "-s", "2,1"], {"dilation": (3, 1), "stride": (2, 1)}),
    (["-s", "2", "--op2", "1"], {"stride": (2, 2), "extra": (1, 1)}),
    (["-s", "3", "--output-padding", "2,1", "-p", "1"], {"stride": (3, 3), "extra": (2, 1), "crop": (1, 1, 1, 1)}),
    (["-d", "3", "--p2", "0,2"], {"dilation": (3, 3), "extra": (0, 2)}),  # smaller than the dilation is enough
    (["-s", "2", "--p2", "1,0", "-p", "2,0,1,1"], {"stride": (2, 2), "extra": (1, 0), "crop": (2, 0, 1, 1)}),
    (["-s", "3,2", "-p", "1", "--output-size", "12,9"], {"stride": (3, 2), "extra": (2, 0), "crop": (1, 1, 1, 1)}),
]  # fmt: skip


@pytest.mark.parametrize(("options", "geometry"), GEOMETRIES, ids=lambda value: " ".join(value) if value else "default")
def test_geometry(options: list[str], geometry: dict, gray: np.ndarray, tmp_path: Path) -> None:
    result = done("transpose", "gray.png", LITERAL, *options, "-o", "out.npy", "--json", cwd=tmp_path)
    expected = scatter(gray[0], NUMBERS, **geometry)[np.newaxis]
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    document = result.json
    assert document["op"] == "transpose"
    assert document["input_shape"] == [1, 4, 5]
    assert document["output_shape"] == [*expected.shape]
    assert document["output_padding"] == [*geometry.get("extra", (0, 0))]
    predicted = done("shape", "--hin", 4, "--win", 5, "--k", 3, *options, "--transpose", "-q").text
    assert predicted == f"{expected.shape[1]} {expected.shape[2]}\n"


@pytest.mark.parametrize("backend", ["numpy", "torch", "reference"])
def test_backends(backend: str, gray: np.ndarray, tmp_path: Path) -> None:
    options = ["-s", "3,2", "-d", "2,1", "-p", "0,3,1,0", "--op2", "2,1", "--bias", "7"]
    done("transpose", "gray.png", LITERAL, *options, "--backend", backend, "-o", "out.npy", cwd=tmp_path)
    geometry = {"stride": (3, 2), "dilation": (2, 1), "crop": (0, 3, 1, 0), "extra": (2, 1)}
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy")[0], scatter(gray[0], NUMBERS, **geometry) + 7)


@pytest.mark.parametrize("rule", ["same-upper", "same-lower"])
@pytest.mark.parametrize(
    ("size", "stride", "dilation"), [(2, 2, 1), (3, 2, 1), (4, 2, 1), (5, 3, 1), (3, 2, 2), (2, 3, 1)]
)
def test_same_upper_and_lower_multiply_the_size(
    rule: str, size: int, stride: int, dilation: int, gray: np.ndarray, tmp_path: Path
) -> None:
    """The output is H·s (ONNX); what the crop cannot halve goes to the end (upper) or to the start (lower)."""
    kernel = np.arange(1, 1 + size * size).reshape(size, size)
    literal = "--kernel=" + ";".join(",".join(map(str, row)) for row in kernel)
    done("transpose", "gray.png", literal, "-s", stride, "-d", dilation, "-p", rule, "-o", "out.npy", cwd=tmp_path)
    found = np.load(tmp_path / "out.npy")[0]
    assert found.shape == (4 * stride, 5 * stride)
    total = dilation * (size - 1) + 1 - stride
    less, more = total // 2, total - total // 2
    if total < 0:  # the kernel does not reach that far: the rest is empty
        geometry = {"extra": (-total, -total)}
    elif rule == "same-upper":
        geometry = {"crop": (less, more, less, more)}
    else:
        geometry = {"crop": (more, less, more, less)}
    expected = scatter(gray[0], kernel, stride=(stride, stride), dilation=(dilation, dilation), **geometry)
    np.testing.assert_array_equal(found, expected)


def test_output_padding_is_one_sided(gray: np.ndarray, tmp_path: Path) -> None:
    """The extra rows and columns lie at the bottom and at the right, and hold the bias alone where no kernel reaches."""
    options = ["-k", "box:2", "-s", "3", "--op2", "2", "--bias", "9"]
    done("transpose", "gray.png", *options, "-o", "out.png", cwd=tmp_path)
    pixels = read(tmp_path / "out.png")[0]
    assert pixels.shape == (3 * 3 + 2 + 2, 4 * 3 + 2 + 2)
    assert (pixels[-2:] == 9).all()
    assert (pixels[:, -2:] == 9).all()
    np.testing.assert_array_equal(pixels[:2, :2], np.rint(gray[0, 0, 0] / 4 + 9))


@pytest.mark.parametrize("size", ["9,11", "10,12", "9,12"])
def test_output_size(size: str, gray: np.ndarray, tmp_path: Path) -> None:
    document = done(
        "transpose",
        "gray.png",
        "-k",
        "box:3",
        "-s",
        "2",
        "--output-size",
        size,
        "-o",
        "out.png",
        "--json",
        cwd=tmp_path,
    ).json
    assert ",".join(map(str, document["output_shape"][1:])) == size
    assert read(tmp_path / "out.png").shape == tuple(document["output_shape"])


# Values


def test_op_conv_flips_the_kernel(gray: np.ndarray, tmp_path: Path) -> None:
    done("transpose", "gray.png", LITERAL, "-s", "2", "--op", "conv", "-o", "out.npy", cwd=tmp_path)
    expected = scatter(gray[0], NUMBERS[::-1, ::-1], stride=(2, 2))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy")[0], expected)


def test_it_is_the_adjoint_of_apply(tmp_path: Path) -> None:
    """⟨apply(x), y⟩ = ⟨x, transpose(y)⟩, whatever the geometry."""
    generator = np.random.default_rng(3)
    options = [LITERAL, "-s", "2,3", "-p", "2,0,1,3", "-d", "1,2", "--dtype", "float64"]
    x = generator.normal(size=(1, 9, 11))
    np.save(tmp_path / "x.npy", x)
    done("apply", "x.npy", *options, "-o", "ax.npy", cwd=tmp_path)
    ax = np.load(tmp_path / "ax.npy")
    y = generator.normal(size=ax.shape)
    np.save(tmp_path / "y.npy", y)
    done("transpose", "y.npy", *options, "--output-size", "9,11", "-o", "aty.npy", cwd=tmp_path)
    np.testing.assert_allclose((ax * y).sum(), (x * np.load(tmp_path / "aty.npy")).sum(), rtol=1e-12)


def test_bilinear_enlarges_as_interpolation_does(tmp_path: Path) -> None:
    import torch

    picture = read(SAMPLES / "tiny.png")
    options = ["-k", "bilinear:2", "--stride", "2", "--padding", "1"]
    done("transpose", SAMPLES / "tiny.png", *options, "-o", "large.npy", cwd=tmp_path)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(picture.astype(np.float32))[None], scale_factor=2, mode="bilinear", align_corners=False
    )[0].numpy()
    found = np.load(tmp_path / "large.npy")
    assert found.shape == (3, 16, 16)
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-3)


def test_clipped_values_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "bright.png", np.full((1, 3, 3), 200, np.uint8))
    result = done("transpose", "bright.png", "--kernel=1,1;1,-2", "-o", "out.png", cwd=tmp_path)
    exact = scatter(np.full((3, 3), 200), [[1, 1], [1, -2]])
    np.testing.assert_array_equal(read(tmp_path / "out.png")[0], exact.clip(0, 255))
    assert f"{(exact < 0).sum()} below" in result.err
    assert f"{(exact > 255).sum()} above" in result.err


def test_range_offset(gray: np.ndarray, tmp_path: Path) -> None:
    done("transpose", "gray.png", "--kernel=-1,2", "--range", "offset", "-o", "out.png", cwd=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "out.png")[0], scatter(gray[0], [[-1, 2]]) + 128)


def test_16_bits(tmp_path: Path) -> None:
    deep = np.random.default_rng(4).integers(0, 65536, (1, 4, 3), dtype=np.uint16)
    write(tmp_path / "deep.png", deep)
    done("transpose", "deep.png", "-k", "box:1", "-s", "2", "-o", "out.png", cwd=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "out.png")[0], scatter(deep[0], [[1]], stride=(2, 2)))


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (2, 1, 3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_npy_keeps_rank_and_dtype(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    values = np.random.default_rng(5).integers(-50, 50, shape).astype(dtype)
    np.save(tmp_path / "in.npy", values)
    done("transpose", "in.npy", LITERAL, "-s", "2", "-o", "out.npy", cwd=tmp_path)
    found = np.load(tmp_path / "out.npy")
    expected = np.stack([scatter(plane, NUMBERS, stride=(2, 2)) for plane in values.reshape(-1, 3, 4)])
    np.testing.assert_array_equal(found, expected.reshape(*shape[:-2], *expected.shape[1:]))
    assert found.dtype == dtype


# Channels, banks, weights


def test_channels(tmp_path: Path) -> None:
    planes = np.random.default_rng(6).integers(0, 256, (3, 3, 4), dtype=np.uint8)
    write(tmp_path / "rgb.png", planes)
    each = np.stack([scatter(plane, NUMBERS, stride=(2, 2)) for plane in planes])
    luma = scatter(np.tensordot([0.299, 0.587, 0.114], planes.astype(float), 1), NUMBERS, stride=(2, 2))
    for how, expected in (("each", each), ("sum", each.sum(0)[np.newaxis]), ("gray", luma[np.newaxis])):
        done("transpose", "rgb.png", LITERAL, "-s", "2", "--channels", how, "-o", "out.npy", cwd=tmp_path)
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-6, err_msg=how)


def test_bank_and_combine(tmp_path: Path) -> None:
    planes = np.random.default_rng(7).integers(0, 256, (3, 3, 4), dtype=np.uint8)
    write(tmp_path / "rgb.png", planes)
    bank = [LITERAL, "--kernel=0,0,0;0,1,0;0,0,0"]
    kernels = [NUMBERS, np.pad([[1]], 1)]
    results = [[scatter(plane, kernel, stride=(2, 2)) for kernel in kernels] for plane in planes]
    expected = {
        "none": np.concatenate(results),
        "sum": [sum(pair) for pair in results],
        "max": [np.maximum(*pair) for pair in results],
        "magnitude": [np.hypot(*pair) for pair in results],
    }
    for rule, values in expected.items():
        done("transpose", "rgb.png", *bank, "-s", "2", "--combine", rule, "-o", "out.npy", cwd=tmp_path)
        np.testing.assert_allclose(np.load(tmp_path / "out.npy"), values, rtol=1e-6, err_msg=rule)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_weights_and_groups(groups: int, tensor: np.ndarray, tmp_path: Path) -> None:
    """`(C_in, C_out/groups, kh, kw)`: input channel c of group g feeds the outputs of group g."""
    per_group = 3
    weight = np.random.default_rng(8).normal(size=(4, per_group, 2, 3)).astype(np.float32)
    np.save(tmp_path / "w.npy", weight)
    bias = np.arange(per_group * groups)
    options = ["--weights", "w.npy", "--groups", groups, "-s", "2", "-p", "1,0", "--op2", "1,0"]
    done("transpose", "maps.npy", *options, "--bias", ",".join(map(str, bias)), "-o", "out.npy", cwd=tmp_path)
    expected = [np.full((5, 11), float(offset)) for offset in bias]
    for c, o in product(range(4), range(per_group)):
        output = c // (4 // groups) * per_group + o
        expected[output] += scatter(tensor[c], weight[c, o], stride=(2, 2), crop=(1, 1, 0, 0), extra=(1, 0))
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, rtol=1e-4, atol=1e-5)


# Reports and files


def test_default_name_and_table(gray: np.ndarray, tmp_path: Path) -> None:
    result = done("transpose", "gray.png", "-k", "bilinear:2", "-s", "2", "-p", "1", "--op2", "1,0", cwd=tmp_path)
    table = result.table
    assert "gray.png" in table["input"]
    assert "1×4×5" in table["input"]
    assert "gray-bilinear-2.png" in table["output"]
    assert "1×9×10" in table["output"]
    assert "transpose" in table["operation"]
    assert table["output_padding"] == "1,0"
    assert table["plan"]
    assert read(tmp_path / "gray-bilinear-2.png").shape == (1, 9, 10)


def test_quiet_and_json(gray: np.ndarray, tmp_path: Path) -> None:
    assert done("transpose", "gray.png", "-k", "box", "-q", cwd=tmp_path).text == "gray-box.png\n"
    document = done("transpose", "gray.png", "-k", "box", "--overwrite", "--json", cwd=tmp_path).json
    assert set(document) >= {"input", "output", "op", "input_shape", "output_shape", "backend", "plan", "seconds"}
    assert set(document["seconds"]) >= {"load", "compute", "save"}
    assert document["output"] == "gray-box.png"


def test_through_pipes(gray: np.ndarray, tmp_path: Path) -> None:
    options = ["transpose", "-", LITERAL, "-s", "2", "-o", "-"]
    result = binary(*options, input=(tmp_path / "gray.png").read_bytes(), cwd=tmp_path)
    assert result.code == 0
    (tmp_path / "out.png").write_bytes(result.out)
    np.testing.assert_array_equal(read(tmp_path / "out.png")[0], scatter(gray[0], NUMBERS, stride=(2, 2)).clip(0, 255))
    assert "1×9×11" in cells(result.err)["output"]


def test_alpha_is_enlarged_too(tmp_path: Path) -> None:
    """Bilinear averages: opacity is interpolated with the colours. `keep` repeats the nearest opacity."""
    planes = np.zeros((4, 3, 3), np.uint8)
    planes[0], planes[3, 1, 1] = 255, 255
    write(tmp_path / "dot.png", planes)
    options = ["-k", "bilinear:2", "-s", "2", "-p", "1"]
    done("transpose", "dot.png", *options, "-o", "out.png", cwd=tmp_path)
    found = read(tmp_path / "out.png")
    bilinear = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(found[3], scatter(planes[3], bilinear, stride=(2, 2), crop=(1, 1, 1, 1)), atol=0.5)
    assert (found[0][found[3] > 0] == 255).all()
    done("transpose", "dot.png", *options, "--alpha", "keep", "-o", "out.png", cwd=tmp_path)
    np.testing.assert_array_equal(read(tmp_path / "out.png")[3], np.kron(planes[3], np.ones((2, 2))))
    done("transpose", "dot.png", *options, "--alpha", "drop", "-o", "out.png", cwd=tmp_path)
    assert read(tmp_path / "out.png").shape == (3, 6, 6)
