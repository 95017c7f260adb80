"""The texts for PyTorch, SciPy and OpenCV are run; their results are the reference's, and those of formulas on paper."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convcli.convspec import ConvSpec
from convcli.geometry import Pads, Pair
from convcli.translate import Request, translate
from convcli.vocabulary import PADDING_MODES
from support.pictures import write
from support.requests import expected, layer_for, picture, request_for, requests

RUN = ("torch", "scipy", "opencv")


def result_of(request: Request, tool: str, folder: Path) -> np.ndarray:
    """What the text leaves as `result`."""
    names: dict[str, Any] = {}
    with chdir(folder):
        exec(compile(translate(request, tool), f"<{tool}>", "exec"), names)
    return np.asarray(names["result"])


def check(request: Request, tool: str, folder: Path, seed: int = 1) -> None:
    image = picture(folder, request, seed)
    want, got = expected(request, image), result_of(request, tool, folder)
    assert got.dtype == np.float64
    assert got.shape == want.shape, translate(request, tool)
    scale = 1 + 255 * np.abs(request.layer.weight).sum()
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-11 * scale, err_msg=translate(request, tool))


# By hand


@pytest.mark.parametrize("tool", RUN)
def test_a_step_by_hand(tool: str, tmp_path: Path) -> None:
    write(tmp_path / "image.png", np.array([[[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 9, 9]]], np.uint8))
    request = request_for(ConvSpec(padding="same"), (3, 4), "sobel-x", colours=1)
    want = [[[0, 27, 27, -27], [0, 36, 36, -36], [0, 27, 27, -27]]]
    assert result_of(request, tool, tmp_path).tolist() == want


@pytest.mark.parametrize("tool", RUN)
def test_a_transposed_impulse_by_hand(tool: str, tmp_path: Path) -> None:
    write(tmp_path / "image.png", np.array([[[1, 0], [0, 10]]], np.uint8))
    spec = ConvSpec(transpose=True, stride=Pair(2, 2), output_padding=Pair(1, 0))
    request = request_for(spec, (2, 2), "1,2;3,4", colours=1, bias=np.array([0.5]))
    want = [[1.5, 2.5, 0.5, 0.5], [3.5, 4.5, 0.5, 0.5], [0.5, 0.5, 10.5, 20.5], [0.5, 0.5, 30.5, 40.5], [0.5] * 4]
    assert result_of(request, tool, tmp_path).tolist() == [want]


def test_the_simple_case_is_short() -> None:
    """What a user sees first, to the letter."""
    request = request_for(ConvSpec(padding="same"), (60, 80), "sobel-x", source="photo.png")
    assert translate(request, "torch").split("\n\n")[1].splitlines() == [
        'image = np.asarray(Image.open("photo.png").convert("RGB"), dtype=float).transpose(2, 0, 1)',
        "kernel = torch.tensor([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], dtype=torch.float64)",
        "result = F.conv2d(torch.from_numpy(image), kernel.expand(3, 1, 3, 3), padding=1, groups=3)",
    ]
    assert translate(request, "scipy").splitlines()[-1] == (
        'result = ndimage.correlate(image, kernel[None], mode="constant")'
    )


# A grid


SPECS = {
    "plain": ConvSpec(),
    "same": ConvSpec(padding="same"),
    "stride": ConvSpec(padding=Pads(1, 1, 1, 1), stride=Pair(2, 3)),
    "same-lower": ConvSpec(padding="same-lower", stride=Pair(3, 2)),
    "asymmetric": ConvSpec(padding=Pads(0, 2, 3, 1), stride=Pair(2, 1)),
    "shifted": ConvSpec(padding=Pads(2, 0, 0, 2)),
    "full": ConvSpec(padding="full"),
    "dilated": ConvSpec(padding="same", dilation=Pair(2, 1)),
    "far": ConvSpec(padding=Pads(9, 8, 15, 16), dilation=Pair(1, 2), stride=Pair(2, 2)),
    "flipped": ConvSpec(op="conv", padding="same"),
}


@pytest.mark.parametrize("tool", RUN)
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("name", SPECS)
def test_direct_operations(name: str, mode: str, tool: str, tmp_path: Path) -> None:
    for kernel in ("1,2,3;4,5,6;7,8,10", "1,2;3,4;5,7;6,9"):
        check(request_for(replace(SPECS[name], padding_mode=mode), (6, 7), kernel, colours=1), tool, tmp_path)


TRANSPOSED = {
    "plain": {},
    "stride": {"stride": Pair(2, 3)},
    "cropped": {"stride": Pair(2, 2), "padding": Pads(1, 1, 2, 2)},
    "asymmetric": {"stride": Pair(3, 2), "padding": Pads(2, 0, 0, 3)},
    "one-sided": {"stride": Pair(2, 3), "output_padding": Pair(1, 2), "padding": Pads(1, 1, 0, 0)},
    "one-sided, asymmetric": {"stride": Pair(3, 3), "output_padding": Pair(2, 1), "padding": Pads(2, 0, 0, 1)},
    "dilated": {"dilation": Pair(2, 3), "output_padding": Pair(1, 0)},
    "same-upper": {"stride": Pair(4, 4), "padding": "same-upper"},
    "flipped": {"op": "conv", "stride": Pair(2, 2)},
}


@pytest.mark.parametrize("tool", RUN)
@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_operations(name: str, tool: str, tmp_path: Path) -> None:
    spec = ConvSpec(transpose=True, **TRANSPOSED[name])
    check(request_for(spec, (4, 3), "1,2,3;4,5,7"), tool, tmp_path)


BANKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "magnitude": (("sobel",), {}),
    "magnitude of gray": (("sobel",), {"channels": "gray"}),
    "gray of gray": (("box:3",), {"channels": "gray", "colours": 1}),
    "magnitude of one": (("sobel-x",), {"combine": "magnitude"}),
    "outputs": (("sobel-x", "box:3"), {"colours": 1}),
    "outputs of each": (("sobel-x", "box:3"), {}),
    "sum": (("sobel-x", "box:3"), {"combine": "sum"}),
    "max": (("sobel-x", "box:3", "1,2,3"), {"combine": "max"}),
    "two results": (("sobel", "box:3", "prewitt"), {}),
    "channels together": (("gaussian:1",), {"channels": "sum"}),
    "channels together, twice": (("gaussian:1", "sobel-x"), {"channels": "sum"}),
    "channels together, joined": (("sobel",), {"channels": "sum"}),
}


@pytest.mark.parametrize("tool", RUN)
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("name", BANKS)
def test_banks(name: str, transpose: bool, tool: str, tmp_path: Path) -> None:
    specs, options = BANKS[name]
    for spec in (ConvSpec(transpose=transpose), ConvSpec(padding=Pads(1, 1, 1, 1), transpose=transpose)):
        request = request_for(spec, (8, 9), *specs, **options)
        check(request, tool, tmp_path)
        layer = request.layer
        for bias in (np.full(layer.outputs, -12.25), np.arange(layer.outputs) + 0.5):
            check(replace(request, layer=replace(layer, bias=bias)), tool, tmp_path)


@pytest.mark.parametrize("tool", RUN)
def test_groups_of_channels(tool: str, tmp_path: Path) -> None:
    for transpose in (False, True):
        request = request_for(
            ConvSpec(groups=2, transpose=transpose),
            (6, 7),
            "sobel-x",
            "box:3",
            channels="sum",
            colours=4,
            source="x.npy",
        )
        check(request, tool, tmp_path)


# Any operation


@pytest.mark.parametrize("tool", RUN)
@given(request=requests(), seed=st.integers(0, 99))
def test_any_layer(tool: str, tmp_path_factory: pytest.TempPathFactory, request: Request, seed: int) -> None:
    check(request, tool, tmp_path_factory.getbasetemp(), seed)


# Numbers


@pytest.mark.parametrize("tool", RUN)
@pytest.mark.parametrize("kernel", ["gaussian:4", "disk:9", "box:21", "log:2", "1e-20,1;0.1,3e8"])
def test_every_digit(kernel: str, tool: str, tmp_path: Path) -> None:
    request = request_for(ConvSpec(padding="same"), (30, 28), kernel)
    assert "cannot be expressed" not in translate(request, tool)
    check(request, tool, tmp_path)


@pytest.mark.parametrize("tool", RUN)
def test_long_weights_are_read_from_their_file(tool: str, tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(32, 3, 5, 5))
    np.save(tmp_path / "w.npy", weight.astype(np.float32))
    np.savez(tmp_path / "w.npz", conv1=weight.astype(np.float32))
    for op in ("corr", "conv"):
        for source in ("w.npy", "w.npz:conv1"):
            with chdir(tmp_path):
                request = layer_for(ConvSpec(op=op), (8, 9), weight.astype(np.float32).astype(float), weights=source)
                assert len(translate(request, tool)) < 1000
                check(request, tool, tmp_path)
    request = layer_for(ConvSpec(), (8, 9), weight)
    assert (
        "# cannot be expressed: 32×3×5×5 numbers are too many for a script; save them, as applied, to weight.npy"
        in (translate(request, tool))
    )
    np.save(tmp_path / "weight.npy", weight)
    check(request, tool, tmp_path)


# Files


@pytest.mark.parametrize("tool", RUN)
@pytest.mark.parametrize("source", ['it\'s "one".png', "two\\n'.png", 'a"b.png', "-k.png", "ü\n.png", "photo.JPG.png"])
def test_names_are_quoted(source: str, tool: str, tmp_path: Path) -> None:
    check(request_for(ConvSpec(), (4, 4), "box:3", source=source), tool, tmp_path)


@pytest.mark.parametrize("tool", RUN)
def test_photographs_are_turned(tool: str, tmp_path: Path) -> None:
    """EXIF orientation 6: what is stored first is the right column from above."""
    stored = Image.fromarray(np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[None], 16, axis=0)).convert("RGB")
    exif = Image.Exif()
    exif[274] = 6
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=100)
    found = result_of(request_for(ConvSpec(), (32, 16), "1", source="photo.jpg"), tool, tmp_path)
    assert found.shape == (3, 32, 16)
    assert np.abs(found - np.arange(0, 256, 8)[:, None]).max() <= 4


@pytest.mark.parametrize("tool", RUN)
def test_other_depths(tool: str, tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 300], [40000, 65535]], np.uint16)).save(tmp_path / "gray.png")
    request = request_for(ConvSpec(), (2, 2), "1", colours=1, source="gray.png", full_scale=65535.0)
    assert result_of(request, tool, tmp_path).tolist() == [[[0, 300], [40000, 65535]]]
    Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1").save(tmp_path / "bits.png")
    request = request_for(ConvSpec(), (1, 2), "1", colours=1, source="bits.png")
    assert result_of(request, tool, tmp_path).tolist() == [[[0, 255]]]
    cv2.imwrite(str(tmp_path / "deep.png"), np.array([[[3, 2000, 65535]]], np.uint16))  # blue, green, red
    request = request_for(ConvSpec(), (1, 1), "1", source="deep.png", full_scale=65535.0)
    found = result_of(request, tool, tmp_path).ravel()
    if tool == "opencv":
        assert found.tolist() == [65535, 2000, 3]
    else:
        assert "# cannot be expressed: 16 bits of each colour" in translate(request, tool)
        assert np.abs(found - [65535, 2000, 3]).max() <= 256


@pytest.mark.parametrize("tool", RUN)
def test_a_pipe_has_a_name(tool: str, tmp_path: Path) -> None:
    picture(tmp_path, request_for(ConvSpec(), (3, 3), "box:3"))
    assert result_of(request_for(ConvSpec(), (3, 3), "box:3", source="-"), tool, tmp_path).shape == (3, 1, 1)


@pytest.mark.parametrize("tool", RUN)
def test_one_image_of_a_batch(tool: str, tmp_path: Path) -> None:
    batch = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 7)).astype(float)
    np.save(tmp_path / "x.npy", batch)
    request = request_for(ConvSpec(), (6, 7), "sobel-x", source="x.npy", item=1)
    np.testing.assert_allclose(result_of(request, tool, tmp_path), expected(request, batch[1]))


def test_a_tensor_without_a_name() -> None:
    request = request_for(ConvSpec(), (6, 7), "sobel-x", source="-", tensor=True)
    assert 'np.load("image.npy")' in translate(request, "torch")


@pytest.mark.parametrize("tool", RUN)
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(("kernel", "dilation"), [("box:3", 1), ("box:3", 2), ("box:9", 1)])
def test_nan(kernel: str, dilation: int, padding: str, tool: str, tmp_path: Path) -> None:
    """It stays under the taps, or the text says that it does not."""
    image = np.ones((1, 20, 20))
    image[0, 7, 8] = np.nan
    np.save(tmp_path / "x.npy", image)
    spec = ConvSpec(padding=padding, dilation=Pair(dilation, dilation))
    request = request_for(spec, (20, 20), kernel, colours=1, source="x.npy")
    same = np.array_equal(np.isnan(result_of(request, tool, tmp_path)), np.isnan(expected(request, image)))
    assert same != ("# cannot be expressed: a NaN" in translate(request, tool))


# Light


@pytest.mark.parametrize("tool", RUN)
def test_linear_light(tool: str, tmp_path: Path) -> None:
    """The middle of black and white light is 188, as IEC 61966-2-1 has it; of their sRGB values it would be 127.5."""
    write(tmp_path / "image.png", np.array([[[0, 255]] * 3, [[0, 255]] * 3, [[0, 255]] * 3], np.uint8))
    for channels in ("each", "gray"):
        request = request_for(ConvSpec(), (3, 2), "0.5,0.5", channels=channels, linear=True)
        want = 255 * (1.055 * 0.5 ** (1 / 2.4) - 0.055)
        np.testing.assert_allclose(result_of(request, tool, tmp_path), want, rtol=1e-9)
