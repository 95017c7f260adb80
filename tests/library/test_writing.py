"""Results into an array or a tensor of the caller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convcli
from convcli.pointwise.finish import Finish

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 20, 24), np.uint8)
REAL = convcli.conv2d(IMAGE, "sharpen", padding="same")


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", ">f4"])
def test_real_numbers(kind: str) -> None:
    out = np.empty(REAL.shape, kind)
    assert convcli.conv2d(IMAGE, "sharpen", padding="same", out=out) is out
    np.testing.assert_array_equal(out, REAL.astype(kind))


def test_views_of_any_form() -> None:
    whole = np.zeros((40, 24, 5))
    out = whole[::2, :, 1:4]
    assert convcli.conv2d(IMAGE.transpose(1, 2, 0), "sharpen", padding="same", channel_axis=-1, out=out) is out
    np.testing.assert_array_equal(out, REAL.transpose(1, 2, 0))
    assert not whole[1::2].any()
    plane = np.zeros((2, 18, 22))
    convcli.conv2d(IMAGE[0], "sobel", combine="none", out=plane)
    np.testing.assert_array_equal(plane, convcli.conv2d(IMAGE[0], "sobel", combine="none"))


@pytest.mark.parametrize("policy", ["clip", "abs", "offset", "minmax"])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_integers_by_a_policy(policy: Any, kind: str) -> None:
    """As `apply` stores them: the scale to another depth, the policy, round half to even, the cast."""
    out = np.empty(REAL.shape, kind)
    assert convcli.conv2d(IMAGE, "sharpen", padding="same", out=out, range=policy) is out
    white = float(np.iinfo(kind).max)
    finish = Finish(dtype=kind, full_scale=white, policy=policy, scale=white / 255)
    expected, _ = finish.whole(convcli.conv2d(IMAGE, "sharpen", padding="same", dtype="float64")[np.newaxis])
    assert np.abs(out.astype(int) - expected[0]).max() <= (1 if policy == "minmax" else 0)


def test_numbers_that_become_black_and_white() -> None:
    image = np.array([[-2.0, -1, 0, 1, 2, 3]])
    out = np.empty((1, 6), np.uint8)
    convcli.conv2d(image, "identity", out=out, range=(-1, 1.55))
    assert out.tolist() == [[0, 0, 100, 200, 255, 255]]
    convcli.conv2d(image, "identity", out=out, range="-1,1.55")  # type: ignore[call-overload]
    assert out.tolist() == [[0, 0, 100, 200, 255, 255]]
    found = convcli.conv2d(image, "identity", range=(-1, 1))
    assert found.tolist() == [[0, 0, 0.5, 1, 1, 1]]


def test_policies_of_real_numbers() -> None:
    image = np.array([[-2.0, 0.5, 3]])
    for policy, expected in (
        ("raw", [-2, 0.5, 3]), ("clip", [0, 0.5, 1]), ("abs", [2, 0.5, 3]), ("offset", [-1.5, 1, 3.5]), ("minmax", [0, 0.5, 1]),
    ):  # fmt: skip
        found = convcli.conv2d(image, "identity", range=policy)  # type: ignore[call-overload]
        np.testing.assert_allclose(found, [expected])
    np.testing.assert_allclose(convcli.conv2d(image, "identity", range="clip", full_scale=2), [[0, 0.5, 2]])


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_integers_by_dtype(kind: Any) -> None:
    out = np.empty(REAL.shape, kind)
    convcli.conv2d(IMAGE, "sharpen", padding="same", out=out, range="clip")
    for dtype in (kind, np.dtype(kind), getattr(torch, kind)):
        found = convcli.conv2d(IMAGE, "sharpen", padding="same", dtype=dtype, range="clip")
        assert found.dtype == kind
        np.testing.assert_array_equal(found, out)
    tensor = convcli.conv2d(torch.from_numpy(IMAGE), "sharpen", padding="same", dtype=kind, range="clip")
    assert tensor.dtype == getattr(torch, kind)
    with pytest.raises(ValueError, match="a result of uint8 needs a range policy: add range='clip'"):
        convcli.conv2d(IMAGE, "sharpen", dtype="uint8")


def test_tensors() -> None:
    tensor = torch.from_numpy(IMAGE)
    out = torch.empty(REAL.shape)
    assert convcli.conv2d(tensor, "sharpen", padding="same", out=out) is out
    np.testing.assert_array_equal(out.numpy(), REAL)
    small = torch.empty(REAL.shape, dtype=torch.uint8)
    convcli.conv2d(IMAGE, "sharpen", padding="same", out=small, range="clip")
    np.testing.assert_array_equal(small.numpy(), np.clip(REAL, 0, 255))
    with pytest.raises(ValueError, match="requires grad"):
        convcli.conv2d(tensor, "sharpen", padding="same", out=torch.empty(REAL.shape, requires_grad=True))


def test_the_image_itself_may_take_its_result() -> None:
    image = IMAGE.copy()
    convcli.conv2d(image, "sharpen", padding="same", out=image, range="clip")
    np.testing.assert_array_equal(image, np.clip(REAL, 0, 255))


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (np.zeros(REAL.shape, np.uint8), "add range='clip'"),
        (np.zeros(REAL.shape, np.int16), "needs a range"),
        (np.zeros(REAL.shape, bool), "needs a range"),
        (np.zeros(REAL.shape, complex), "cannot take results"),
        (np.zeros(REAL.shape[1:]), r"use the shape \(3, 20, 24\)"),
        (np.broadcast_to(np.float32(0), REAL.shape), "read-only"),
    ],
)
def test_what_cannot_take_a_result(out: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        convcli.conv2d(IMAGE, "sharpen", padding="same", out=out)


def test_integers_that_are_refused() -> None:
    with pytest.raises(ValueError, match="use uint8, uint16 or a float"):
        convcli.conv2d(IMAGE, "sharpen", padding="same", out=np.zeros(REAL.shape, np.int16), range="clip")
    with pytest.raises(ValueError, match="range='raw' does not fit into uint8"):
        convcli.conv2d(IMAGE, "sharpen", padding="same", out=np.zeros(REAL.shape, np.uint8), range="raw")
    with pytest.raises(TypeError, match="out is of type list"):
        convcli.conv2d(IMAGE, "sharpen", padding="same", out=[1, 2])


def test_a_zarr_that_is_only_read(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_array(str(tmp_path / "out.zarr"), shape=REAL.shape, chunks=(1, 9, 9), dtype="f4")
    with pytest.raises(ValueError, match="out is read-only: open it for writing, with mode 'r\\+'"):
        convcli.conv2d(IMAGE, "sharpen", padding="same", out=zarr.open(str(tmp_path / "out.zarr"), mode="r"))
