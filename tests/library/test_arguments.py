"""Numbers and words of the caller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from convcli.convspec import Bias
from convcli.errors import GeometryError
from convcli.geometry import Pads, Pair
from convcli.library import arguments


@pytest.mark.parametrize(
    "value", [2, np.int8(2), (2, 2), [2, 2], np.array([2, 2]), np.array(2), torch.tensor([2, 2]), torch.Size((2, 2))]
)
def test_pairs(value: Any) -> None:
    found = arguments.pair("stride", value)
    assert found == Pair(2, 2)
    assert {type(one) for one in found} == {int}


@pytest.mark.parametrize(
    "value",
    [None, "2", 2.0, (2.0, 2), True, (True, 1), (), (1, 2, 3), {}, np.array([[2, 2]]), np.array([2.5, 2]), b"2"],
)
def test_what_is_no_pair(value: Any) -> None:
    with pytest.raises(GeometryError, match="stride"):
        arguments.pair("stride", value)


@pytest.mark.parametrize(
    ("value", "pads"),
    [
        (1, Pads(1, 1, 1, 1)), ((1, 2), Pads(1, 1, 2, 2)), ((1, 2, 3, 4), Pads(1, 2, 3, 4)), ("SAME", "same-upper"),
        ("same_lower", "same-lower"),
    ],
)  # fmt: skip
def test_paddings(value: Any, pads: Any) -> None:
    assert arguments.pads(value) == pads


@pytest.mark.parametrize(
    ("value", "mode"),
    [("reflect", "reflect"), ("edge", "replicate"), ("BORDER_REFLECT", "symmetric"), ("mirror", "reflect")],
)
def test_modes_of_other_libraries(value: str, mode: str) -> None:
    assert arguments.mode(value) == mode


@pytest.mark.parametrize(
    ("value", "bias"),
    [
        (None, None), (2, Bias((2.0,), (False,))), ("50%", Bias((50.0,), (True,))), ([1, "5%"], Bias((1.0, 5.0), (False, True))),
        (np.float32(0.5), Bias((0.5,), (False,))), (np.array([1, 2]), Bias((1.0, 2.0), (False, False))),
        (torch.tensor([1.0]), Bias((1.0,), (False,))), (np.array(3), Bias((3.0,), (False,))),
    ],
)  # fmt: skip
def test_biases(value: Any, bias: Any) -> None:
    assert arguments.bias(value) == bias


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, None), ("float32", "float32"), (np.float64, "float64"), (np.dtype("f4"), "float32"), (float, "float64"),
        (torch.bfloat16, "bfloat16"),
    ],
)  # fmt: skip
def test_dtypes(value: Any, name: Any) -> None:
    assert arguments.dtype_name(value) == name
