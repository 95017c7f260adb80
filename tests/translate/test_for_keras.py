"""The texts for Keras 3, run where it is installed."""

from __future__ import annotations

import os
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.convspec import ConvSpec
from convcli.geometry import Pads, Pair
from convcli.translate import Request, translate
from convcli.vocabulary import PADDING_MODES
from support.cli import SAMPLES, done
from support.requests import BANKS, SPECS, expected, picture, request_for, requests

os.environ.setdefault("KERAS_BACKEND", "torch")  # which the tests have
pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras's own


def check(request: Request, folder: Path, seed: int = 1) -> str:
    """The script's result is the reference's; the script."""
    image = picture(folder, request, seed)
    text, names = translate(request, "keras"), dict[str, Any]()
    with chdir(folder):
        exec(compile(text, "<keras>", "exec"), names)
    want, got = expected(request, image), np.asarray(names["result"])
    assert got.dtype == np.float64
    assert got.shape == want.shape, text
    scale = 1 + 255 * np.abs(request.layer.weight).sum()
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * scale, err_msg=text)
    return text


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("name", SPECS)
def test_scripts(name: str, mode: str, tmp_path: Path) -> None:
    check(request_for(replace(SPECS[name], padding_mode=mode), (7, 8), "1,2,3;4,5,6;-7,8,1"), tmp_path)


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("name", BANKS)
def test_banks(name: str, transpose: bool, tmp_path: Path) -> None:
    specs, options = BANKS[name]
    check(request_for(ConvSpec(padding="same", transpose=transpose), (8, 9), *specs, **options), tmp_path)


@given(request=requests(), seed=st.integers(0, 99))
def test_any_layer(tmp_path_factory: pytest.TempPathFactory, request: Request, seed: int) -> None:
    check(request, tmp_path_factory.getbasetemp(), seed)


def test_a_kernel_smaller_than_the_stride_of_a_transposed_layer(tmp_path: Path) -> None:
    """Keras's result is at least as large as the input times the stride: the rest is cropped, or is the output padding."""
    for extra in (0, 2, 3):
        spec = ConvSpec(transpose=True, stride=Pair(4, 5), output_padding=Pair(extra, 0))
        check(request_for(spec, (3, 4), "1,2;3,4"), tmp_path)


def test_dilation_is_left_to_keras_where_it_can(tmp_path: Path) -> None:
    alone = check(request_for(ConvSpec(dilation=Pair(2, 3)), (9, 9), "1,2;3,4"), tmp_path)
    assert "dilation_rate=(2, 3)" in alone
    strided = ConvSpec(dilation=Pair(2, 3), stride=Pair(2, 2), padding=Pads(1, 0, 2, 0))
    assert "dilation_rate" not in check(request_for(strided, (9, 9), "1,2;3,4"), tmp_path)


def test_as_keras(tmp_path: Path) -> None:
    """The command writes it."""
    text = done(
        "explain", SAMPLES / "tiny.png", "-k", "sobel-x", "--padding", "same", "--as", "keras", cwd=tmp_path
    ).text
    assert "import keras" in text
    names: dict[str, Any] = {}
    exec(compile(text, "<keras>", "exec"), names)
    done("apply", SAMPLES / "tiny.png", "-k", "sobel-x", "--padding", "same", "-o", "x.npy", cwd=tmp_path)
    np.testing.assert_allclose(names["result"], np.load(tmp_path / "x.npy"), atol=1e-3)
