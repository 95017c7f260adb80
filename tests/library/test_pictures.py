"""What pictures may be, and in which form results come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import convcli

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 14, 3), np.uint8)
EXPECTED = convcli.conv2d(PHOTO.transpose(2, 0, 1), "gaussian:1", padding="same")


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("bool", "float32"), ("uint8", "float32"), ("int8", "float32"), ("float16", "float32"), ("float32", "float32"),
        ("uint16", "float64"), ("int16", "float64"), ("int32", "float64"), ("uint64", "float64"), ("float64", "float64"),
        ("longdouble", "float64"), (">f4", "float32"), (">u2", "float64"), (">f8", "float64"), (">f2", "float32"),
    ],
)  # fmt: skip
def test_dtypes_of_results(kind: str, result: str) -> None:
    image = np.arange(20).reshape(4, 5).astype(kind)
    found = convcli.conv2d(image, "box:3")
    assert found.dtype == result
    np.testing.assert_allclose(found, convcli.conv2d(image.astype(float), "box:3"), rtol=1e-5, atol=1e-6)
    assert convcli.conv2d(image, "box:3", dtype="float64").dtype == np.float64
    assert convcli.conv2d(image, "box:3", dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("kind", ["complex64", "complex128", "datetime64[s]", "U3", "object", "i4,f4"])
def test_what_is_no_real_number_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="cannot be convolved"):
        convcli.conv2d(np.zeros((4, 5), kind), "box:3")


@pytest.mark.parametrize(
    "nothing", [None, 3, 2.5, "photo.png", [[1, 2], [3, 4]], ((1, 2), (3, 4)), b"x", {}, object(), np.ndarray]
)
def test_what_is_no_image_is_a_type_error(nothing: object) -> None:
    with pytest.raises(TypeError, match="image is of type"):
        convcli.conv2d(nothing, "box:3")


@pytest.mark.parametrize("shape", [(), (3,), (1, 1, 1, 4, 5)])
def test_other_ranks_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"an image of shape .* give \(H, W\)"):
        convcli.conv2d(np.zeros(shape), "box:3")


@pytest.mark.parametrize("channels", [3, 4])
def test_channels_that_may_be_last_are_asked_for(channels: int) -> None:
    image = np.zeros((5, 6, channels))
    with pytest.raises(ValueError, match="use channel_axis=-1"):
        convcli.conv2d(image, "box:3")
    assert convcli.conv2d(image, "box:3", channel_axis=-1).shape == (3, 4, channels)
    assert convcli.conv2d(image, "box:3", channel_axis=0).shape == (5, 4, channels - 2)
    assert convcli.conv2d(np.zeros((4, 6, channels)), "box:3").shape == (4, 4, channels - 2)


@given(st.integers(2, 4), st.integers(-4, 3), st.booleans(), st.integers(0, 2**32))
def test_the_axis_of_channels_is_that_of_the_input(rank: int, axis: int, several: bool, seed: int) -> None:
    shape = (2, 3, 6, 7)[4 - rank :]
    image = np.random.default_rng(seed).normal(size=shape)
    kernel: Any = [[[1, 2]], [[3, 4]]] if several else [[1, 2]]
    if rank == 2 or not -rank <= axis < rank:
        with pytest.raises(ValueError, match="channel_axis"):
            convcli.conv2d(image, kernel, channel_axis=axis)
        return
    turned = np.moveaxis(image, -3, axis)
    expected = np.moveaxis(convcli.conv2d(image, kernel, channel_axis=-3), -3, axis)
    np.testing.assert_array_equal(convcli.conv2d(turned, kernel, channel_axis=axis), expected)


def test_any_strides() -> None:
    big = np.zeros((24, 28, 6), np.uint8)
    big[::2, ::2, ::2] = PHOTO
    for view in (big[::2, ::2, ::2], PHOTO[::-1, ::-1][::-1, ::-1], np.asfortranarray(PHOTO), PHOTO.view(np.recarray)):
        found = convcli.conv2d(view, "gaussian:1", padding="same", channel_axis=-1)
        np.testing.assert_allclose(found, EXPECTED.transpose(1, 2, 0), rtol=1e-5)
    still = PHOTO.copy()
    still.flags.writeable = False
    for backend in ("numpy", "torch", "reference"):
        found = convcli.conv2d(still, "gaussian:1", padding="same", channel_axis=-1, backend=backend)
        np.testing.assert_allclose(found, EXPECTED.transpose(1, 2, 0), rtol=1e-5)
    stretched = np.broadcast_to(np.float32(3), (9, 9))
    np.testing.assert_allclose(convcli.conv2d(stretched, "box:3"), np.full((7, 7), 3), rtol=1e-6)


def test_empty_batches_and_empty_pictures() -> None:
    assert convcli.conv2d(np.zeros((0, 3, 8, 8)), "box:3").shape == (0, 3, 6, 6)
    for shape in ((0, 8), (8, 0), (0, 8, 8), (2, 0, 8, 8)):
        with pytest.raises(ValueError):
            convcli.conv2d(np.zeros(shape), "box:3")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "CMYK", "I;16", "F", "1"])
def test_pillow_images(mode: str) -> None:
    image = Image.fromarray(PHOTO).convert("L" if mode == "I;16" else mode).convert(mode)
    array = np.asarray(image)
    found = convcli.conv2d(image, "gaussian:1", padding="same")
    assert isinstance(found, np.ndarray)
    axis = -1 if array.ndim == 3 else None
    np.testing.assert_array_equal(found, convcli.conv2d(array, "gaussian:1", padding="same", channel_axis=axis))
    if mode in ("RGBA", "LA", "CMYK"):
        with pytest.raises(ValueError, match=r"image.convert\('RGB'\)"):
            convcli.conv2d(image, "box:3", channels="gray")


def test_pillow_images_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image.convert\('RGB'\)"):
        convcli.conv2d(Image.fromarray(PHOTO).convert("P"), "box:3")
    with pytest.raises(ValueError, match="channel_axis"):
        convcli.conv2d(Image.fromarray(PHOTO), "box:3", channel_axis=0)


def test_masked_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image\.filled"):
        convcli.conv2d(np.ma.masked_less(PHOTO[..., 0], 9), "box:3")


@pytest.mark.parametrize("kind", ["uint8", "int16", "float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_tensors_give_tensors(kind: str, channels_last: bool) -> None:
    tensor = torch.from_numpy(PHOTO.astype(np.int64)).permute(2, 0, 1)[None].to(getattr(torch, kind))
    if channels_last:
        tensor = tensor.contiguous(memory_format=torch.channels_last)
    found = convcli.conv2d(tensor, "gaussian:1", padding="same")
    assert isinstance(found, torch.Tensor)
    assert found.device == tensor.device
    assert found.dtype == (torch.float64 if kind in ("int16", "float64") else torch.float32)
    expected = convcli.conv2d(tensor.double().numpy(), "gaussian:1", padding="same")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64, "float16"])
def test_tensors_in_the_dtype_that_is_asked_for(kind: Any) -> None:
    wanted = kind if isinstance(kind, torch.dtype) else torch.float16
    found = convcli.conv2d(torch.rand(1, 8, 8), "box:3", dtype=kind)
    assert found.dtype == wanted


def test_tensors_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"requires grad.*image.detach\(\)"):
        convcli.conv2d(torch.zeros(1, 8, 8, requires_grad=True), "box:3")
    with pytest.raises(ValueError, match=r"kernel requires grad.*kernel.detach\(\)"):
        convcli.conv2d(torch.zeros(1, 8, 8), torch.nn.Conv2d(1, 1, 3).weight)
    with pytest.raises(ValueError, match=r"bias.detach\(\)"):
        convcli.conv2d(torch.zeros(1, 8, 8), "box:3", bias=torch.nn.Conv2d(1, 1, 3).bias)
    for tensor in (torch.zeros(8, 8, dtype=torch.complex64), torch.eye(8).to_sparse()):
        with pytest.raises(ValueError, match=r"tensor|real numbers"):
            convcli.conv2d(tensor, "box:3")
    found = convcli.conv2d(torch.zeros(1, 8, 8), torch.nn.Conv2d(1, 2, 3).weight.detach())
    assert found.shape == (2, 6, 6)
    assert not found.requires_grad


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_tensors_stay_on_their_device() -> None:
    tensor = torch.from_numpy(PHOTO).permute(2, 0, 1).cuda()
    found = convcli.conv2d(tensor, "gaussian:1", padding="same")
    assert found.device == tensor.device
    np.testing.assert_allclose(found.cpu().numpy(), EXPECTED, rtol=1e-4)


class Lazy:
    """A picture whose windows are made when they are asked for, and counted."""

    def __init__(self, array: np.ndarray) -> None:
        self._array, self.shape, self.dtype = array, array.shape, str(array.dtype)
        self.asked: list[tuple[slice, ...]] = []

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        self.asked.append(window)
        return self._array[window]


def test_anything_with_windows() -> None:
    for axis in (None, -1):
        array = PHOTO if axis == -1 else PHOTO.transpose(2, 0, 1)
        lazy = Lazy(array)
        found = convcli.conv2d(lazy, "gaussian:1", padding="same", channel_axis=axis)
        np.testing.assert_allclose(found, EXPECTED if axis is None else EXPECTED.transpose(1, 2, 0), rtol=1e-5)
        assert lazy.asked
    batch = np.stack([PHOTO.transpose(2, 0, 1)] * 2).astype(">f4")
    np.testing.assert_allclose(convcli.conv2d(Lazy(batch), "gaussian:1", padding="same")[1], EXPECTED, rtol=1e-5)


def test_nothing_of_the_input_changes() -> None:
    for array in (PHOTO.copy(), PHOTO.astype(np.float32), PHOTO.astype(float)):
        before = array.copy()
        for kernel in ("sobel", "identity", "gaussian:2"):
            found = convcli.conv2d(array, kernel, padding="same", channel_axis=-1, range="minmax")
            assert not np.shares_memory(found, array)
            np.testing.assert_array_equal(array, before)


def test_a_pillow_image_that_cannot_be_read(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "in.png")
    closed = Image.open(tmp_path / "in.png")
    closed.close()
    with pytest.raises(ValueError, match="a Pillow image cannot be read: Operation on closed image; open it again"):
        convcli.conv2d(closed, "box:3")


def test_without_gradients_parameters_are_taken() -> None:
    """Within ``torch.no_grad()``, a layer's own parameters and images of it can be used as they are."""
    layer = torch.nn.Conv2d(3, 4, 3)
    image = torch.rand(1, 3, 8, 9, requires_grad=True)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = convcli.conv2d(image, layer.weight, bias=layer.bias)
            torch.testing.assert_close(found, layer(image))
            out = torch.empty(1, 4, 6, 7, requires_grad=mode is torch.no_grad)
            assert convcli.conv2d(image, layer.weight, bias=layer.bias, out=out) is out
    for arguments in (
        {"bias": layer.bias},
        {"kernel": layer.weight},
        {"image": image},
        {"out": torch.empty(1, 4, 6, 7, requires_grad=True)},
    ):
        given = {"image": image.detach(), "kernel": layer.weight.detach(), **arguments}
        with pytest.raises(ValueError, match=r"requires? grad"):
            convcli.conv2d(**given)
