"""The classes of layers of PyTorch's, Keras's and ONNX's."""

import inspect
import os
from contextlib import suppress
from itertools import product

import pytest
from torch import nn

from convcli.arithmetic import signatures
from convcli.errors import GeometryError
from support.chains import walk

os.environ.setdefault("KERAS_BACKEND", "torch")  # which the tests have


@pytest.mark.parametrize("name", signatures.ARGUMENTS)
def test_every_class_is_understood_or_says_what_is_missing(name: str) -> None:
    with suppress(GeometryError):
        assert signatures.settings(name, (), {})


@pytest.mark.parametrize("name", [name for name in signatures.ARGUMENTS if hasattr(nn, name) and "Lazy" not in name])
def test_arguments_are_in_torchs_order(name: str) -> None:
    theirs = [*inspect.signature(getattr(nn, name).__init__).parameters][1:]
    ours = signatures.ARGUMENTS[name].split()
    assert ours == theirs[: len(ours)]


def test_others_are_none() -> None:
    assert signatures.settings("Softmax", (), {}) is None


KERAS = [name for name in signatures.ARGUMENTS if "2D" in name or name in ("Dense", "Reshape")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", KERAS)
def test_arguments_are_in_kerass_order(name: str) -> None:
    keras = pytest.importorskip("keras")
    theirs = [*inspect.signature(getattr(keras.layers, name).__init__).parameters][1:]
    ours = signatures.ARGUMENTS[name].split()
    assert ours == theirs[: len(ours)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "MaxPooling2D"])
def test_sizes_are_kerass(name: str) -> None:
    keras = pytest.importorskip("keras")
    checked = 0
    for k, s, d, padding, extra, h in product(
        (1, 2, 3, 5), (1, 2, 3), (1, 2), ("valid", "same"), (None, 0, 1), (6, 7, 8)
    ):
        options: dict[str, object] = {"strides": s, "padding": padding}
        if (d > 1 and (s > 1 or name == "MaxPooling2D")) or (
            extra is not None and (name != "Conv2DTranspose" or extra >= s)
        ):
            continue
        options |= {"dilation_rate": d} if name != "MaxPooling2D" else {}
        options |= {"output_padding": extra} if extra is not None else {}
        sizes = (4, k) if name.startswith("Conv2D") else (k,)
        if d * (k - 1) >= h and padding == "valid":
            continue
        want = tuple(getattr(keras.layers, name)(*sizes, **options).compute_output_shape((1, h, h, 3))[1:])
        text = (
            f"{name}({', '.join(map(repr, sizes))}, {', '.join(f'{key}={value!r}' for key, value in options.items())})"
        )
        step = walk(text, h).steps[-1]
        assert (*step.size, step.channels) == want, (text, h)
        checked += 1
    assert checked > 50
