"""Kernels by their SPEC, and what is said of one that is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import ConvError, KernelError, as_options
from convcli.kernels import parse
from convcli.kernels.analysis import Analysis, analyse
from support.operations import convolve


def found(spec: str) -> Analysis:
    (kernel,) = parse(spec).kernels
    return analyse(kernel)


real = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(-100, 100, width=32))


Matrix = NDArray[np.float64]


def values(spec: str) -> Matrix:
    """The one kernel of a SPEC."""
    [kernel] = parse(spec).kernels
    return kernel.values


def message(call: Callable[[], Any], kind: type[ConvError] = KernelError) -> str:
    """The one line that a call is refused with."""
    with pytest.raises(kind) as caught:
        call()
    text = as_options(caught.value.text)
    assert "\n" not in text
    assert not text.endswith(".")
    assert ": " in text  # what is wrong: what to do
    return text


def outcome(call: Callable[[], Any]) -> tuple[Any, str]:
    """What a call returns, or the line that it is refused with."""
    try:
        return call(), ""
    except KernelError as error:
        return None, str(error)


def correlated(image: Any, kernel: Matrix) -> Matrix:
    """A kernel on a 2-D image, in its own size."""
    spec = ConvSpec(padding="same", padding_mode="replicate")
    return convolve(np.array([image], float), kernel[np.newaxis, np.newaxis], spec, Compute("reference")).array[0]


class Pickled:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)
