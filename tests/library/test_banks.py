"""What kernels may be, and that they are parsed once."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convcli
from convcli.kernels import parse
from convcli.library import banks, boundary

IMAGE = np.random.default_rng(0).normal(size=(9, 10))


def test_kernel_is_what_a_spec_says() -> None:
    np.testing.assert_array_equal(convcli.kernel("gaussian:2"), parse("gaussian:2").kernels[0].values)
    assert convcli.kernel("robinson").shape == (8, 3, 3)
    assert convcli.kernel("1,2;3,4", divisor=2).tolist() == [[0.5, 1], [1.5, 2]]
    with pytest.raises(ValueError, match="did you mean gaussian"):
        convcli.kernel("gausian")
    with pytest.raises(ValueError, match="spec 3 is not text"):
        convcli.kernel(3)  # type: ignore[arg-type]


def test_kernels_are_the_callers_own() -> None:
    convcli.kernel("sobel-x")[...] = 7
    assert convcli.kernel("sobel-x").max() == 2
    weights = np.ones((1, 1, 3, 3))
    before = convcli.conv2d(IMAGE, weights)
    weights[...] = 2
    np.testing.assert_allclose(convcli.conv2d(IMAGE, weights), 2 * before)


@pytest.mark.parametrize(
    "kernel",
    [
        [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
        ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
        np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.int8),
        np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], ">f4"),
        torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]),
        np.array([[[0, 1, 0], [1, -4, 1], [0, 1, 0]]]),
        np.array([[[[0, 1, 0], [1, -4, 1], [0, 1, 0]]]]),
        "0,1,0;1,-4,1;0,1,0",
        ["0,1,0;1,-4,1;0,1,0"],
    ],
)
def test_one_kernel_in_many_forms(kernel: Any) -> None:
    expected = convcli.conv2d(IMAGE, "laplacian")
    np.testing.assert_allclose(convcli.conv2d(IMAGE, kernel), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "said"),
    [
        (None, "neither text nor an array"),
        (3, "neither text nor an array"),
        ("", "is empty"),
        ([], "0"),
        ([[1, 2], [3]], "ragged"),
        ([[[1, 2], [3, 4]], [[1, 2]]], "ragged"),
        ([1, 2, 1], "1 axis"),
        (np.ones(3), "1 axis"),
        (np.ones((1, 1, 1, 3, 3)), "5 axes"),
        (np.ones((0, 3)), "is empty"),
        (np.array([[1, np.nan]]), "contains nan"),
        (np.full((1, 1, 3, 3), np.inf), "contains NaN or infinity"),
        (np.ones((3, 3), complex), "no real numbers"),
        ([["a"]], "not a matrix of numbers"),
    ],
)
def test_kernels_that_are_refused(kernel: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        convcli.conv2d(IMAGE, kernel)


@pytest.mark.parametrize("more", [{"channels": "sum"}, {"combine": "none"}, {"divisor": 2}, {"channels": "each"}])
def test_weights_say_themselves_how_channels_mix(more: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(more))):
        convcli.conv2d(IMAGE, np.ones((1, 1, 3, 3)), **more)


def test_layout_is_for_weights() -> None:
    with pytest.raises(ValueError, match="layout='hwio' is for 4-D weights"):
        convcli.conv2d(IMAGE, "box:3", layout="hwio")
    with pytest.raises(ValueError, match="layout='hwio'"):  # a remedy for those that do not fit
        convcli.conv2d(np.zeros((4, 9, 9)), np.ones((3, 3, 4, 8)))


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SPECs that are parsed from now on."""
    boundary.forget()
    seen: list[str] = []
    monkeypatch.setattr(banks, "parse", lambda spec: seen.append(spec) or parse(spec))
    return seen


def test_a_spec_is_parsed_once(parsed: list[str]) -> None:
    for size in (9, 10, 11):
        convcli.conv2d(np.zeros((size, size)), "gaussian:2", padding="same")
        convcli.conv2d(np.zeros((size, size), np.uint8), "gaussian:2", padding=2, stride=2)
        convcli.kernel("gaussian:2")
    assert parsed == ["gaussian:2"]


def test_files_are_read_again(parsed: list[str], tmp_path: Path) -> None:
    path = tmp_path / "k.csv"
    for value in (1, 2):
        path.write_text(f"{value}\n")
        np.testing.assert_allclose(convcli.conv2d(IMAGE, str(path)), value * IMAGE)
    assert len(parsed) == 2


def test_what_is_kept_is_bounded() -> None:
    kept = banks.Kept()
    for number in range(3 * banks.MOST_KEPT):
        assert kept.get(number, lambda number=number: (number,), len) == (number,)
    assert len(kept._things) == banks.MOST_KEPT
    assert kept.get(None, lambda: (1,), len) == (1,)
    assert kept.get("large", lambda: (1,), lambda _: banks.LARGEST_KEPT + 1) == (1,)
    assert len(kept._things) == banks.MOST_KEPT
    assert banks.given(np.ones((200, 200))).key is None


def test_nothing_large_is_kept() -> None:
    """Neither kernels nor what the engine makes of them."""
    boundary.forget()
    tracemalloc.start()
    try:
        convcli.conv2d(np.ones((64, 64)), "gaussian:60", padding="same")
        convcli.conv2d(np.ones((64, 64, 64), np.float32), np.ones((64, 64, 3, 3)), padding=1, channel_axis=0)
        gc.collect()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1 << 22 < peak


def test_a_path_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("1,2\n3,4\n")
    image = np.random.default_rng(0).random((5, 5))
    expected = convcli.conv2d(image, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(convcli.conv2d(image, tmp_path / "k.csv"), expected)
    assert convcli.kernel(tmp_path / "k.csv").tolist() == [[1, 2], [3, 4]]
