"""What people write with other libraries, and the same with convcli.

scikit-image and kornia are not needed by the tests: what they answered is kept in ``port_values.json``. To ask again those that
are installed:

    cd tests && python -m support.ports
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import scipy.ndimage as ndi
import torch
import torch.nn.functional as F
from astropy import convolution as astropy
from PIL import Image, ImageFilter
from scipy import signal

import convcli

VALUES = Path(__file__).with_name("port_values.json")

GENERATOR = np.random.default_rng(20)
GRAY = np.round(GENERATOR.random((12, 14)), 3)
RGB = GENERATOR.integers(0, 256, (12, 14, 3), np.uint8)
BATCH = torch.from_numpy(np.round(GENERATOR.random((2, 3, 12, 14)), 3))


class Port(NamedTuple):
    """A snippet for a library, and what it becomes."""

    name: str
    theirs: Callable[[], Any]
    ours: Callable[[], Any]
    kept: bool = False  # whether the library's answer is kept, so that it need not be installed
    tolerance: float = 1e-6


def _skimage(name: str) -> Any:
    from skimage import filters

    return getattr(filters, name)


def _kornia(name: str) -> Any:
    from kornia import filters

    return getattr(filters, name)


SHARPEN = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], float)
EMBOSS = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], float)
SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)
SAME: dict[str, Any] = {"padding": "same"}
REFLECTED: dict[str, Any] = {"padding": "same", "padding_mode": "symmetric"}  # SciPy's and scikit-image's reflect
MIRRORED: dict[str, Any] = {"padding": "same", "padding_mode": "reflect"}  # OpenCV's, torch's and kornia's
BOARD = (GRAY > 0.6).astype(int)


def _motion() -> np.ndarray:
    kernel = np.zeros((9, 9))
    kernel[4] = 1 / 9
    return kernel


def _into_bytes(image: np.ndarray, kernel: Any, **more: Any) -> np.ndarray:
    return convcli.conv2d(image, kernel, **MIRRORED, channel_axis=-1, dtype="uint8", range="clip", **more)


def _depthwise_blur() -> torch.Tensor:
    taps = torch.exp(-(torch.arange(-2.0, 3.0, dtype=torch.float64) ** 2) / 2)
    kernel = torch.outer(taps, taps)
    weight = (kernel / kernel.sum()).expand(3, 1, 5, 5)
    return F.conv2d(F.pad(BATCH, (2, 2, 2, 2), mode="reflect"), weight, groups=3)


def _sobel_magnitude() -> torch.Tensor:
    x = torch.from_numpy(SOBEL_X)
    edges = F.conv2d(BATCH.mean(1, keepdim=True), torch.stack([x, x.T])[:, None], padding=1)
    return edges.square().sum(1, keepdim=True).sqrt()


def _local_contrast() -> torch.Tensor:
    weight = torch.full((3, 1, 3, 3), 1 / 9, dtype=torch.float64)
    mean = F.conv2d(BATCH, weight, groups=3)
    return F.conv2d(BATCH**2, weight, groups=3) - mean**2


def _our_local_contrast() -> Any:
    return convcli.conv2d(BATCH**2, "box:3") - convcli.conv2d(BATCH, "box:3") ** 2


def _bilinear() -> torch.Tensor:
    taps = torch.tensor([0.25, 0.75, 0.75, 0.25], dtype=torch.float64)
    return F.conv_transpose2d(BATCH, torch.outer(taps, taps).expand(3, 1, 4, 4), stride=2, padding=1, groups=3)


def _our_unsharp(image: Any, blurred: Any) -> Any:
    return np.clip(image + (image - blurred), 0, 1)


def _pillow(kernel: np.ndarray, scale: float) -> np.ndarray:
    """Of the result, what no border touches: there Pillow keeps the image."""
    made = Image.fromarray(RGB).filter(ImageFilter.Kernel((3, 3), kernel.ravel().tolist(), scale))
    return np.asarray(made)[1:-1, 1:-1]


PORTS = (
    Port("scipy: sharpen", lambda: ndi.convolve(GRAY, SHARPEN), lambda: convcli.conv2d(GRAY, SHARPEN, op="conv", **REFLECTED)),
    Port(
        "scipy: mean of 5×5, zeros beyond", lambda: ndi.convolve(GRAY, np.ones((5, 5)) / 25, mode="constant"),
        lambda: convcli.conv2d(GRAY, "box:5", **SAME),
    ),
    Port(
        "scipy: every colour by itself", lambda: ndi.convolve(RGB.astype(float), EMBOSS[:, :, None], mode="nearest"),
        lambda: convcli.conv2d(RGB, EMBOSS, op="conv", **SAME, padding_mode="nearest", channel_axis=-1), tolerance=1e-4,
    ),
    Port(
        "scipy: neighbours in the game of life", lambda: ndi.convolve(BOARD, [[1, 1, 1], [1, 0, 1], [1, 1, 1]], mode="wrap"),
        lambda: convcli.conv2d(BOARD, [[1, 1, 1], [1, 0, 1], [1, 1, 1]], **SAME, padding_mode="wrap"),
    ),
    Port(
        "scipy: Gaussian of σ 1.5", lambda: ndi.gaussian_filter(GRAY, 1.5),
        lambda: convcli.conv2d(GRAY, "gaussian:sigma=1.5,size=13", **REFLECTED),
    ),
    Port(
        "scipy: Gaussian gradient", lambda: np.hypot(ndi.sobel(GRAY, 0), ndi.sobel(GRAY, 1)),
        lambda: convcli.conv2d(GRAY, "sobel", **REFLECTED),
    ),
    Port(
        "cv2: sharpen a photograph", lambda: cv2.filter2D(RGB, -1, SHARPEN), lambda: _into_bytes(RGB, SHARPEN), tolerance=0,
    ),
    Port(
        "cv2: emboss around 128", lambda: cv2.filter2D(RGB, -1, EMBOSS, delta=128), lambda: _into_bytes(RGB, EMBOSS, bias=128),
        tolerance=0,
    ),
    Port(
        "cv2: motion blur", lambda: cv2.filter2D(RGB, cv2.CV_32F, _motion()),
        lambda: convcli.conv2d(RGB, "1,1,1,1,1,1,1,1,1", divisor="sum", **MIRRORED, channel_axis=-1), tolerance=1e-3,
    ),
    Port(
        "cv2: signed gradient", lambda: cv2.filter2D(RGB[..., 0], cv2.CV_32F, SOBEL_X, borderType=cv2.BORDER_REPLICATE),
        lambda: convcli.conv2d(RGB[..., 0], "sobel-x", **SAME, padding_mode="replicate"), tolerance=1e-3,
    ),
    Port(
        "cv2: an even kernel", lambda: cv2.filter2D(GRAY, -1, np.full((2, 2), 0.25)),
        lambda: convcli.conv2d(GRAY, "box:2", padding=(1, 0, 1, 0), padding_mode="reflect"),
    ),
    Port(
        "cv2: gray first", lambda: cv2.filter2D(cv2.cvtColor(RGB.astype(np.float32), cv2.COLOR_RGB2GRAY), -1, SHARPEN),
        lambda: convcli.conv2d(RGB, SHARPEN, channels="gray", **MIRRORED, channel_axis=-1)[..., 0], tolerance=1e-3,
    ),
    Port(
        "torch: Sobel of a batch", lambda: F.conv2d(BATCH[:, :1], torch.from_numpy(SOBEL_X).view(1, 1, 3, 3), padding=1),
        lambda: convcli.conv2d(BATCH[:, :1], "sobel-x", padding=1),
    ),
    Port("torch: depthwise blur", _depthwise_blur, lambda: convcli.conv2d(BATCH, "gaussian:sigma=1,size=5", **MIRRORED)),
    Port(
        "torch: magnitude of two filters", _sobel_magnitude,
        lambda: convcli.conv2d(BATCH.mean(1, keepdim=True), "sobel", padding=1),
    ),
    Port(
        "torch: halve", lambda: F.conv2d(BATCH, torch.full((3, 1, 2, 2), 0.25, dtype=torch.float64), stride=2, groups=3),
        lambda: convcli.conv2d(BATCH, "box:2", stride=2),
    ),
    Port(
        "torch: dilated layer with bias",
        lambda: F.conv2d(BATCH, torch.ones(4, 3, 3, 3, dtype=torch.float64), torch.arange(4.0, dtype=torch.float64), 1, 2, 2),
        lambda: convcli.conv2d(BATCH, np.ones((4, 3, 3, 3)), bias=range(4), padding=2, dilation=2),
    ),
    Port("torch: local variance", _local_contrast, _our_local_contrast),
    Port(
        "torch: enlarge", _bilinear, lambda: convcli.conv_transpose2d(BATCH, "bilinear:2", stride=2, padding="same-upper"),
    ),
    Port(
        "skimage: sobel", lambda: _skimage("sobel")(GRAY),
        lambda: convcli.conv2d(GRAY, "sobel", divisor=4, **REFLECTED) / np.sqrt(2), kept=True,
    ),
    Port(
        "skimage: prewitt_h", lambda: _skimage("prewitt_h")(GRAY),
        lambda: convcli.conv2d(GRAY, "prewitt-y", divisor=-3, op="conv", **REFLECTED), kept=True,
    ),
    Port(
        "skimage: laplace", lambda: _skimage("laplace")(GRAY), lambda: convcli.conv2d(GRAY, "laplacian", divisor=-1, **REFLECTED),
        kept=True,
    ),
    Port(
        "skimage: gaussian", lambda: _skimage("gaussian")(RGB, 1, channel_axis=-1, preserve_range=True),
        lambda: convcli.conv2d(RGB, "gaussian:sigma=1,size=9", **SAME, padding_mode="nearest", channel_axis=-1), kept=True,
        tolerance=1e-3,
    ),
    Port(
        "skimage: unsharp_mask", lambda: _skimage("unsharp_mask")(GRAY, 1, 1),
        lambda: _our_unsharp(GRAY, convcli.conv2d(GRAY, "gaussian:sigma=1,size=9", **REFLECTED)), kept=True,
    ),
    Port(
        "kornia: gaussian_blur2d", lambda: _kornia("gaussian_blur2d")(BATCH, (5, 5), (1.5, 1.5)),
        lambda: convcli.conv2d(BATCH, "gaussian:sigma=1.5,size=5", **MIRRORED), kept=True,
    ),
    Port(
        "kornia: box_blur", lambda: _kornia("box_blur")(BATCH, (3, 3)), lambda: convcli.conv2d(BATCH, "box:3", **MIRRORED),
        kept=True,
    ),
    Port(
        "kornia: sobel", lambda: _kornia("sobel")(BATCH, eps=0),
        lambda: convcli.conv2d(BATCH, "sobel", divisor="abs", **SAME, padding_mode="replicate"), kept=True,
    ),
    Port(
        "kornia: laplacian", lambda: _kornia("laplacian")(BATCH, 3),
        lambda: convcli.conv2d(BATCH, "1,1,1;1,-8,1;1,1,1", divisor="abs", **MIRRORED), kept=True,
    ),
    Port(
        "kornia: filter2d, normalized", lambda: _kornia("filter2d")(BATCH, torch.from_numpy(SOBEL_X)[None], "replicate", True),
        lambda: convcli.conv2d(BATCH, "sobel-x", divisor="abs", **SAME, padding_mode="replicate"), kept=True,
    ),
    Port(
        "cv2: a separable kernel", lambda: cv2.sepFilter2D(GRAY, -1, np.array([1.0, 2, 1]), np.array([1.0, 0, -1, 0, 1]), delta=5),
        lambda: convcli.conv2d(GRAY, np.outer([1, 0, -1, 0, 1], [1, 2, 1]), bias=5, **MIRRORED),
    ),
    Port(
        "scipy: the full convolution", lambda: signal.convolve2d(GRAY, np.arange(20.0).reshape(4, 5)),
        lambda: convcli.conv2d(GRAY, np.arange(20.0).reshape(4, 5), op="conv", padding="full"),
    ),
    Port(
        "PIL: a kernel of 3×3, whose first row is at the bottom", lambda: _pillow(EMBOSS, 2),
        lambda: convcli.conv2d(Image.fromarray(RGB), EMBOSS[::-1], divisor=2, dtype="uint8", range="clip"), tolerance=1,
    ),
    Port(
        "astropy: convolve", lambda: astropy.convolve(GRAY, astropy.Gaussian2DKernel(1), boundary="extend"),
        lambda: convcli.conv2d(
            GRAY, astropy.Gaussian2DKernel(1), op="conv", divisor="sum", **SAME, padding_mode="replicate"
        ),
    ),
    Port(
        "torch: patches", lambda: F.unfold(BATCH, 2, stride=2).view(2, 3, 4, 6, 7).flatten(1, 2),
        lambda: convcli.conv2d(BATCH, np.eye(4).reshape(4, 2, 2), stride=2),
    ),
    Port(
        "torch: interpolate", lambda: F.interpolate(BATCH, scale_factor=3, mode="bilinear"),
        lambda: convcli.conv_transpose2d(BATCH, "bilinear:3", stride=3, padding="same-upper", padding_mode="replicate"),
    ),
)  # fmt: skip


def library(port: Port) -> str:
    """The module that a snippet is for."""
    return port.name.partition(":")[0]


if __name__ == "__main__":
    kept = json.loads(VALUES.read_text()) if VALUES.exists() else {}
    for port in PORTS:
        if port.kept and find_spec(library(port)) is not None:
            kept[port.name] = np.asarray(port.theirs()).round(7).tolist()
    VALUES.write_text(json.dumps(kept, separators=(",", ":")) + "\n")
