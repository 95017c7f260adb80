"""The rows that compare computations alone, from arrays to arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

import convcli
from convcli import engine
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair
from convcli.kernels import parse
from convcli.layer import Layer
from convcli.pointwise.finish import Finish

Work = Callable[[], object]
Line = tuple[str, Work, dict[str, Work], float]


def in_process_rows(photo: NDArray[np.uint8]) -> Iterator[Line]:
    """All rows: name, convcli, other libraries, goal. `photo` is ``(H, W, 3)``."""
    photo = photo.copy()  # torch needs an array that can be written
    cv2 = _cv2()
    generator = np.random.default_rng(1)

    def random(size: int) -> NDArray[np.float64]:
        kernel = generator.standard_normal((size, size))
        kernel /= np.abs(kernel).sum()
        return kernel

    sharpen = parse("sharpen").kernels[0].values
    yield _filter("3×3 sharpen, integers", photo, sharpen, 0.7, cv2)
    for size in (3, 5, 7, 11):
        yield _filter(f"{size}×{size} dense, full rank", photo, random(size), 1.0, cv2)
    for sigma in (1, 2, 5, 20):
        yield _gaussian(photo, sigma, cv2)
    yield _filter("disk 31×31", photo, parse("disk:15").kernels[0].values, 0.5, cv2, oaconvolve=True)
    for size in (101, 201):
        yield _filter(f"random {size}×{size}", photo, random(size), 0.5, cv2, oaconvolve=True)
    yield _strided(photo, random(3), cv2)
    yield _dilated(photo, random(3), cv2)
    yield _transposed(photo)
    yield from (_enlarged(photo, factor) for factor in (2, 3, 4, 8, 16, 32))
    yield _layer()
    yield _filter("gray 512², 3×3 dense", photo[:512, :512, :1], random(3), 1.5, cv2)
    yield _filter("RGB 64², 3×3 dense", photo[:64, :64], random(3), 1.5, cv2)
    yield _filter("RGB 64², 3×3 sharpen, integers", photo[:64, :64], sharpen, 1.5, cv2)
    disk = parse("disk:15").kernels[0].values
    for title, small in (("gray 512²", photo[:512, :512, :1]), ("RGB 64²", photo[:64, :64])):
        yield _gaussian(np.ascontiguousarray(small), 2, cv2, f"{title}, ", 1.5)
        yield _filter(f"{title}, disk 31×31", small, disk, 1.5, cv2)
    yield from _library_rows(photo, random(3), cv2)


def _library_rows(photo: NDArray[np.uint8], dense: NDArray[np.float64], cv2: Any) -> Iterator[Line]:
    """Calls of the Python library, as programs make them: from an array ``(H, W, C)`` to an array of the same type."""
    for title, image in (("12 MP RGB", photo), ("RGB 64²", np.ascontiguousarray(photo[:64, :64]))):
        yield _library_filter(f"convcli.conv2d, {title}, 3×3 dense", image, dense, cv2)
        yield _library_gaussian(f"convcli.conv2d, {title}, Gaussian σ=2", image, cv2)
    gray = np.ascontiguousarray(photo[:64, :64, 0]).astype(np.float32)
    layer, spec, compute = Layer.of(dense[np.newaxis, np.newaxis], _same()), _same(), Compute(dtype="float32")
    ours = lambda: convcli.conv2d(gray, dense, padding="same-upper", padding_mode="reflect")
    engines = lambda: engine.run(gray[np.newaxis], layer, spec, compute)
    peers: dict[str, Work] = {"the engine's own call": engines}
    if find_spec("scipy"):
        from scipy.ndimage import correlate

        peers["SciPy correlate"] = lambda: correlate(gray, dense, mode="mirror")
    yield "convcli.conv2d, gray 64² of float32, 3×3 dense", ours, peers, 2.0


def _library_filter(name: str, image: NDArray[np.uint8], kernel: NDArray[np.float64], cv2: Any) -> Line:
    import torch
    import torch.nn.functional as F
    from scipy.ndimage import correlate

    weight = torch.tensor(kernel, dtype=torch.float32).repeat(3, 1, 1, 1)

    def with_torch() -> object:
        with torch.inference_mode():
            x = F.pad(torch.from_numpy(image).permute(2, 0, 1)[None].float(), (1, 1, 1, 1), mode="reflect")
            return F.conv2d(x, weight, groups=3).round_().clamp_(0, 255).to(torch.uint8)

    peers: dict[str, Work] = {
        "SciPy correlate": lambda: correlate(image, kernel[..., np.newaxis], mode="mirror"),
        "torch conv2d": with_torch,
    }
    if cv2:
        peers["OpenCV filter2D"] = lambda: cv2.filter2D(image, -1, kernel)
    return name, _library_call(image, kernel), peers, 1.5


def _library_gaussian(name: str, image: NDArray[np.uint8], cv2: Any) -> Line:
    from scipy.ndimage import gaussian_filter

    peers: dict[str, Work] = {
        "SciPy gaussian_filter": lambda: gaussian_filter(image, (2, 2, 0), mode="mirror", truncate=3)
    }
    if cv2:
        peers["OpenCV GaussianBlur"] = lambda: cv2.GaussianBlur(image, (13, 13), 2)
    if find_spec("skimage"):
        from skimage.filters import gaussian

        peers["scikit-image gaussian"] = lambda: gaussian(image, 2, mode="mirror", truncate=3, channel_axis=-1)
    return name, _library_call(image, "gaussian:2"), peers, 1.5


def _library_call(image: NDArray[np.uint8], kernel: str | NDArray[np.float64]) -> Work:
    return lambda: convcli.conv2d(
        image, kernel, padding="same", padding_mode="reflect", channel_axis=-1, dtype="uint8", range="clip"
    )


def _cv2() -> Any:
    if find_spec("cv2") is None:
        return None
    import cv2

    return cv2


def _ours(photo: NDArray[np.uint8], kernel: NDArray[np.float64], spec: ConvSpec) -> Work:
    image = np.ascontiguousarray(photo).transpose(2, 0, 1)
    channels = len(image)
    weight = np.broadcast_to(kernel, (channels, 1, *kernel.shape)).copy()
    finish = Finish(dtype="uint8")
    compute = Compute("numpy")
    layer = Layer.of(weight, spec)
    return lambda: engine.run(image, layer, spec, compute, finish)


def _same(**more: Any) -> ConvSpec:
    return ConvSpec(padding="same-upper", padding_mode="reflect", **more)


def _filter(
    name: str, photo: NDArray[np.uint8], kernel: NDArray[np.float64], goal: float, cv2: Any, oaconvolve: bool = False
) -> Line:
    photo = np.ascontiguousarray(photo)
    peers: dict[str, Work] = {}
    if cv2:
        peers["OpenCV filter2D"] = lambda: cv2.filter2D(photo, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    if oaconvolve and find_spec("scipy"):
        from scipy.signal import oaconvolve as scipy_oaconvolve

        def with_scipy() -> None:
            for channel in range(photo.shape[2]):
                plane = photo[..., channel].astype(np.float32)
                out = scipy_oaconvolve(plane, kernel[::-1, ::-1].astype(np.float32), "same")
                np.clip(np.rint(out), 0, 255).astype(np.uint8)

        peers["SciPy oaconvolve"] = with_scipy
    return name, _ours(photo, kernel, _same(groups=photo.shape[2])), peers, goal


def _gaussian(photo: NDArray[np.uint8], sigma: int, cv2: Any, where: str = "", goal: float = 1.0) -> Line:
    kernel = parse(f"gaussian:{sigma}").kernels[0].values
    size = len(kernel)
    peers: dict[str, Work] = {}
    if cv2:
        taps = cv2.getGaussianKernel(size, sigma)
        border = cv2.BORDER_REFLECT_101
        peers["OpenCV GaussianBlur"] = lambda: cv2.GaussianBlur(photo, (size, size), sigma, borderType=border)
        peers["OpenCV sepFilter2D"] = lambda: cv2.sepFilter2D(photo, -1, taps, taps, borderType=border)
    if find_spec("scipy"):
        from scipy.ndimage import gaussian_filter

        peers["SciPy gaussian_filter"] = lambda: gaussian_filter(photo, (sigma, sigma, 0), mode="mirror", truncate=3)
    name = f"{where}Gaussian σ={sigma} ({size}×{size})"
    return name, _ours(photo, kernel, _same(groups=photo.shape[2])), peers, goal


def _torch(photo: NDArray[np.uint8], kernel: NDArray[np.float64], channels_last: bool, **options: Any) -> Work:
    import torch
    import torch.nn.functional as F

    weight = torch.tensor(kernel, dtype=torch.float32).repeat(3, 1, 1, 1)
    layout = torch.channels_last if channels_last else torch.contiguous_format

    def run() -> object:
        with torch.inference_mode():
            x = torch.from_numpy(photo).permute(2, 0, 1)[None].float().contiguous(memory_format=layout)
            y = F.conv2d(x, weight, groups=3, **options)
            return y.round_().clamp_(0, 255).to(torch.uint8)

    return run


def _strided(photo: NDArray[np.uint8], kernel: NDArray[np.float64], cv2: Any) -> Line:
    peers: dict[str, Work] = {"torch, channels_last": _torch(photo, kernel, True, stride=2, padding=1)}
    if cv2:
        peers["OpenCV filter2D + slicing"] = lambda: np.ascontiguousarray(cv2.filter2D(photo, -1, kernel)[::2, ::2])
    ours = _ours(photo, kernel, ConvSpec(padding=Pads(1, 1, 1, 1), padding_mode="reflect", stride=Pair(2, 2), groups=3))
    return "3×3 with stride 2", ours, peers, 0.5


def _dilated(photo: NDArray[np.uint8], kernel: NDArray[np.float64], cv2: Any) -> Line:
    peers: dict[str, Work] = {"torch, channels_last": _torch(photo, kernel, True, dilation=4, padding=4)}
    if cv2:
        spread = np.zeros((9, 9))
        spread[::4, ::4] = kernel
        peers["OpenCV filter2D, spread kernel"] = lambda: cv2.filter2D(photo, -1, spread)
    return "3×3 with dilation 4", _ours(photo, kernel, _same(groups=3, dilation=Pair(4, 4))), peers, 0.5


def _transposed(photo: NDArray[np.uint8]) -> Line:
    import torch
    import torch.nn.functional as F

    small = np.ascontiguousarray(photo[::2, ::2])
    kernel = parse("bilinear:2").kernels[0].values
    weight = torch.tensor(kernel, dtype=torch.float32).repeat(3, 1, 1, 1)

    def with_torch() -> object:
        with torch.inference_mode():
            x = torch.from_numpy(small).permute(2, 0, 1)[None].float()
            return F.conv_transpose2d(x, weight, stride=2, padding=1, groups=3).round_().clamp_(0, 255).to(torch.uint8)

    spec = ConvSpec(transpose=True, stride=Pair(2, 2), padding=Pads(1, 1, 1, 1), groups=3)
    return (
        "transposed 4×4, stride 2, 3 → 12 MP",
        _ours(small, kernel, spec),
        {"torch conv_transpose2d": with_torch},
        0.2,
    )


def _enlarged(photo: NDArray[np.uint8], factor: int) -> Line:
    """Real results, as those of PyTorch: the same but for rounding."""
    import torch
    import torch.nn.functional as F

    small = np.ascontiguousarray(photo[: 3000 // factor, : 4000 // factor])
    kernel = parse(f"bilinear:{factor}").kernels[0].values
    x = torch.from_numpy(small).permute(2, 0, 1)[None].float()

    def with_torch() -> Any:
        with torch.inference_mode():
            return F.interpolate(x, scale_factor=factor, mode="bilinear")

    extra, border = factor % 2, (kernel.shape[0] - factor) // 2
    spec = ConvSpec(
        transpose=True, stride=Pair(factor, factor), padding=Pads(*[border] * 4), padding_mode="replicate",
        output_padding=Pair(extra, extra) if (kernel.shape[0] - factor) % 2 else Pair(0, 0), groups=3,
    )  # fmt: skip
    layer = Layer.of(np.broadcast_to(kernel, (3, 1, *kernel.shape)).copy(), spec)
    image = small.transpose(2, 0, 1)

    def ours() -> Any:
        return engine.run(image, layer, spec, Compute("numpy")).array

    if not np.allclose(ours(), with_torch()[0].numpy(), atol=1e-2):
        raise RuntimeError(f"bilinear:{factor} is not what F.interpolate gives")
    return f"bilinear ×{factor} to 12 MP, float32", ours, {"torch F.interpolate": with_torch}, 1.0


def _layer() -> Line:
    import torch
    import torch.nn.functional as F

    generator = np.random.default_rng(2)
    image = generator.standard_normal((64, 512, 512), dtype=np.float32)
    weight = generator.standard_normal((64, 64, 3, 3), dtype=np.float32)
    x, w = torch.from_numpy(image)[None], torch.from_numpy(weight)

    def with_torch() -> object:
        with torch.inference_mode():
            return F.conv2d(x, w, padding=1)

    spec = ConvSpec(padding=Pads(1, 1, 1, 1))
    layer = Layer.of(weight, spec)
    ours = lambda: engine.run(image, layer, spec, Compute("numpy"))
    return "64 → 64 channels, 3×3, 512², float32", ours, {"torch conv2d": with_torch}, 1.5
