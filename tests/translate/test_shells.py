"""The texts for ImageMagick and vips: run where the tools are installed, and read where they are not."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from convcli.convspec import ConvSpec
from convcli.geometry import Pads
from convcli.translate import Request, translate
from support.pictures import write
from support.requests import BANKS, SPECS, expected, layer_for, picture, request_for

MAGICK = shutil.which("magick") or shutil.which("convert")
VIPS = shutil.which("vips")


def shell(text: str, folder: Path) -> None:
    ended = subprocess.run(
        ["sh", "-e", "-c", text], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, f"{text}\n{ended.stderr}"
    assert not ended.stderr, f"{text}\n{ended.stderr}"


def magick(request: Request, folder: Path) -> list[np.ndarray]:
    """The pictures that the text for ImageMagick writes, `(C, H, W)` each."""
    text = translate(request, "imagemagick")
    shell(text if shutil.which("magick") else re.sub(r"^magick", "convert", text, flags=re.MULTILINE), folder)
    colours = request.input_channels if request.channels == "each" else 1
    found = []
    for path in sorted(folder.glob("out*.png")):
        with Image.open(path) as image:  # it has a palette where it has few colours, and is gray where all of them are
            pixels = np.array(image.convert("RGB" if colours == 3 else "L"), float)
        found.append(pixels[np.newaxis] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))
    return found


def vips(request: Request, folder: Path) -> list[np.ndarray]:
    """The real values that the text for vips writes."""
    shell(translate(request, "vips"), folder)
    found = []
    for path in sorted(folder.glob("out*.tif")):
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert values.dtype in (np.float32, np.float64)
        found.append(values[np.newaxis] if values.ndim == 2 else values[:, :, ::-1].transpose(2, 0, 1))
    return found


def check(request: Request, tool: str, folder: Path) -> None:
    image = picture(folder, request)
    want = expected(request, image)
    text = translate(request, tool)
    got = (magick if tool == "imagemagick" else vips)(request, folder)
    if tool == "imagemagick":
        want = np.clip(want, 0, 255)
    # Several results of a bank are files; their channels lie together.
    planes = np.stack(got, axis=1).reshape(-1, *got[0].shape[1:])
    assert planes.shape == want.shape, text
    # ImageMagick has 16 bits on the way and 8 in the end, and its luma differs from BT.601's in the fourth digit.
    rounding = 1.5 if request.channels == "gray" else 1.01
    tolerance = rounding if tool == "imagemagick" else 1e-5 * 255 * (1 + np.abs(request.layer.weight).sum())
    assert np.abs(planes - want).max() <= tolerance, text


TOOLS = [
    pytest.param("imagemagick", marks=pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed")),
    pytest.param("vips", marks=pytest.mark.skipif(VIPS is None, reason="vips is not installed")),
]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("mode", ["zeros", "replicate", "circular", "symmetric"])
@pytest.mark.parametrize("name", SPECS)
def test_direct_operations(name: str, mode: str, tool: str, tmp_path: Path) -> None:
    for place, kernel in enumerate(("1,2,3;4,5,6;-7,8,1", "0.1,0.2;0.3,0.05;0.15,0.17;-0.1,0.13")):
        folder = tmp_path / str(place)
        folder.mkdir()
        request = request_for(replace(SPECS[name], padding_mode=mode), (7, 8), kernel, colours=(1, 3)[place])
        assert "cannot be expressed" not in translate(request, tool)
        layer = replace(request.layer, weight=request.layer.weight / (20 if place == 0 else 1))
        check(replace(request, layer=layer), tool, folder)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", BANKS)
def test_banks(name: str, tool: str, tmp_path: Path) -> None:
    specs, options = BANKS[name]
    check(request_for(ConvSpec(padding="same", padding_mode="replicate"), (8, 9), *specs, **options), tool, tmp_path)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("channels", ["each", "sum", "gray"])
@pytest.mark.parametrize("colours", [1, 3])
def test_alpha_is_left_out(colours: int, channels: str, tool: str, tmp_path: Path) -> None:
    request = request_for(
        ConvSpec(padding="same"), (7, 8), "0.1,0.2;0.3,0.1", colours=colours, channels=channels, drops_alpha=True
    )
    pixels = np.random.default_rng(0).integers(0, 256, (colours + 1, 7, 8), np.uint8)
    Image.fromarray(pixels.transpose(1, 2, 0), "LA" if colours == 1 else "RGBA").save(tmp_path / "image.png")
    want = expected(request, pixels[:colours].astype(float))
    got = (magick if tool == "imagemagick" else vips)(request, tmp_path)[0]
    if tool == "imagemagick":
        want = np.clip(want, 0, 255)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= (1.5 if tool == "imagemagick" else 0.01)


@pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed")
def test_the_first_frame(tmp_path: Path) -> None:
    request = request_for(ConvSpec(), (7, 8), "0.1,0.2;0.3,0.1", colours=1, source="image.gif", frames=2)
    frames = [Image.fromarray(np.full((7, 8), value, np.uint8)) for value in (100, 200)]
    frames[0].save(tmp_path / "image.gif", save_all=True, append_images=frames[1:])
    (got,) = magick(request, tmp_path)
    assert np.abs(got - 70).max() <= 1.01


@pytest.mark.parametrize("tool", TOOLS)
def test_large_kernels(tool: str, tmp_path: Path) -> None:
    check(request_for(ConvSpec(padding="same"), (20, 22), "gaussian:4"), tool, tmp_path)


@pytest.mark.parametrize("tool", TOOLS)
def test_names_are_quoted(tool: str, tmp_path: Path) -> None:
    source = 'it\'s $HOME "1".png'
    check(request_for(ConvSpec(), (5, 5), "box:3", source=source), tool, tmp_path)


@pytest.mark.skipif(MAGICK is None, reason="ImageMagick is not installed")
def test_linear_light_in_imagemagick(tmp_path: Path) -> None:
    """As in `test_script`: 188, and not 128."""
    write(tmp_path / "image.png", np.array([[[0, 255]] * 3] * 3, np.uint8))
    for channels in ("each", "gray"):
        request = request_for(ConvSpec(), (3, 2), "0.5,0.5", channels=channels, linear=True)
        (found,) = magick(request, tmp_path)
        assert np.abs(found - 188).max() <= 1


IMPOSSIBLE = {
    ("imagemagick", "transposed"): "the transposed operation",
    ("vips", "transposed"): "the transposed operation",
    ("imagemagick", "layer"): "a layer with other weights for each channel",
    ("vips", "layer"): "a layer with other weights for each channel",
    ("imagemagick", "biases"): "a different bias for each channel",
    ("vips", "biases"): "a different bias for each channel",
    ("imagemagick", "tensor"): "a .npy file",
    ("vips", "tensor"): "a .npy file",
    ("vips", "linear"): "linear light",
}


@pytest.mark.parametrize(("tool", "what"), IMPOSSIBLE)
def test_what_cannot_be_expressed_is_all_that_is_said(tool: str, what: str) -> None:
    request = {
        "transposed": request_for(ConvSpec(transpose=True), (5, 5), "box:3"),
        "layer": layer_for(ConvSpec(), (5, 5), np.arange(27.0).reshape(1, 3, 3, 3)),
        "biases": request_for(ConvSpec(), (5, 5), "box:3", bias=np.array([1.0, 2, 3])),
        "tensor": request_for(ConvSpec(), (5, 5), "box:3", source="x.npy"),
        "linear": request_for(ConvSpec(), (5, 5), "box:3", linear=True),
    }[what]
    text = translate(request, tool)
    assert text.startswith(f"# cannot be expressed: {IMPOSSIBLE[tool, what]}")
    assert text.endswith("there is no script\n")
    assert text.count("\n") == 1


@pytest.mark.parametrize("tool", ["imagemagick", "vips"])
def test_reflect_is_said_to_be_missing(tool: str) -> None:
    request = request_for(ConvSpec(padding="same", padding_mode="reflect"), (5, 5), "box:3")
    assert "# cannot be expressed: padding mode reflect; 'mirror' is symmetric" in translate(request, tool)
    assert "cannot" not in translate(replace(request, geometry=request.geometry._replace(pads=Pads(0, 0, 0, 0))), tool)
