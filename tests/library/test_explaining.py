"""explain: the numbers behind a value, and figures that show themselves."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import convcli

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 9, 8), np.uint8)


@given(
    st.sampled_from(["box:3", "sobel", "1,2;3,4", "gaussian:1"]), st.booleans(), st.integers(1, 2), st.integers(0, 2),
    st.sampled_from(["zeros", "reflect", "circular"]), st.sampled_from(["corr", "conv"]), st.data(),
)  # fmt: skip
def test_the_value_is_that_of_the_result(
    kernel: str, transpose: bool, stride: int, padding: int, mode: str, op: Any, data: st.DataObject
) -> None:
    arguments: dict[str, Any] = {"stride": stride, "padding": padding, "padding_mode": mode, "op": op, "bias": 3}
    call = convcli.conv_transpose2d if transpose else convcli.conv2d
    try:
        result = call(IMAGE, kernel, **arguments)
    except ValueError:
        return
    channel, y, x = (data.draw(st.integers(0, side - 1)) for side in result.shape)
    found = convcli.explain(IMAGE, kernel, (y, x), channel=channel, transpose=transpose, **arguments)
    np.testing.assert_allclose(found.value, result[channel, y, x], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.products, found.window * found.kernel)
    axes = tuple(range(found.products.ndim))[-2:]
    np.testing.assert_allclose(found.sum, found.products.sum(axis=axes) + found.bias)
    assert found.written == found.value


def test_shapes_of_the_numbers() -> None:
    one = convcli.explain(IMAGE, "box:3", (0, 0))
    assert one.window.shape == one.kernel.shape == one.products.shape == (3, 3)
    assert isinstance(one.sum, float)
    pair = convcli.explain(IMAGE, "sobel", (0, 0))
    assert pair.window.shape == (2, 3, 3)
    assert isinstance(pair.sum, tuple)
    np.testing.assert_allclose(pair.value, np.hypot(*pair.sum))
    layer = convcli.explain(IMAGE, np.ones((2, 3, 3, 3)), (0, 0), channel=1)
    assert layer.window.shape == (3, 3, 3)
    both = convcli.explain(IMAGE, "sobel", (0, 0), channels="sum")
    assert both.window.shape == (2, 3, 3, 3)


def test_what_is_written() -> None:
    dark = convcli.explain(IMAGE, "laplacian", (3, 3), bias=-5000, range="clip")
    assert dark.written == 0
    assert dark.how == "below 0: clipped; range=clip"
    real = convcli.explain(IMAGE.astype(float), "box:3", (3, 3), range="offset")
    np.testing.assert_allclose(real.written, real.value + 0.5)
    assert convcli.explain(IMAGE, "box:3", (3, 3)).how == "as it is"
    value = convcli.explain(IMAGE, "box:3", (3, 3)).value
    assert convcli.explain(IMAGE, "box:3", (3, 3), range=(0, 510)).written == round(value / 2)


def test_other_forms() -> None:
    last = convcli.explain(IMAGE.transpose(1, 2, 0), "box:3", (2, 1), channel=1, channel_axis=-1)
    assert last.value == convcli.explain(IMAGE, "box:3", (2, 1), channel=1).value
    assert convcli.explain(Image.fromarray(IMAGE.transpose(1, 2, 0)), "box:3", (2, 1), channel=1).value == last.value
    batch = np.stack([IMAGE, IMAGE // 2])
    assert convcli.explain(batch, "box:3", (-1, -1), item=1).value == convcli.explain(IMAGE // 2, "box:3", (6, 5)).value
    gray = convcli.explain(IMAGE, "box:3", (2, 1), channels="gray")
    np.testing.assert_allclose(gray.value, convcli.conv2d(IMAGE, "box:3", channels="gray")[0, 2, 1], rtol=1e-6)


def test_it_shows_itself() -> None:
    found = convcli.explain(IMAGE, "sobel", (2, 1), range="clip")
    shown = found._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html", "image/svg+xml"}
    assert shown["image/svg+xml"] == found.svg
    assert found.svg in shown["text/html"]
    assert ET.fromstring(found.svg).tag.endswith("svg")
    assert "--" not in "".join(ET.fromstring(found.svg).itertext())  # no option
    assert set(found._repr_mimebundle_(include={"text/html"})) == {"text/html"}
    assert set(found._repr_mimebundle_(exclude={"text/html"})) == {"text/plain", "image/svg+xml"}


def test_it_is_saved(tmp_path: Path) -> None:
    found = convcli.explain(IMAGE, "sobel", (2, 1))
    found.save(tmp_path / "a.svg")
    assert (tmp_path / "a.svg").read_text() == found.svg
    found.save(tmp_path / "a.png", theme="dark")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > 300
    with pytest.raises(ValueError, match=r"a\.pdf"):
        found.save(tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="theme 'blue' is not known"):
        found.save(tmp_path / "a.png", theme="blue")
