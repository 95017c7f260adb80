"""output_size: integers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import convcli


@given(
    st.integers(1, 30), st.integers(1, 6), st.integers(1, 4), st.integers(0, 4), st.integers(1, 3), st.integers(0, 1),
    st.booleans(),
)  # fmt: skip
def test_sizes_are_torchs(
    size: int, kernel: int, stride: int, padding: int, dilation: int, extra: int, transpose: bool
) -> None:
    arguments = {"stride": stride, "padding": padding, "dilation": dilation}
    more = {"output_padding": extra} if transpose else {}
    call = F.conv_transpose2d if transpose else F.conv2d
    try:
        image, weight = torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel, kernel)
        expected = call(image, weight, **arguments, **more).shape[-1]
    except RuntimeError:
        expected = 0
    if expected < 1:
        with pytest.raises(ValueError):
            convcli.output_size(size, kernel, transpose=transpose, **arguments, **more)
        return
    found = convcli.output_size(size, kernel, transpose=transpose, **arguments, **more)
    assert type(found) is int
    assert found == expected
    assert convcli.output_size((size, size), kernel, transpose=transpose, **arguments, **more) == (expected, expected)


def test_integers_of_other_types() -> None:
    assert convcli.output_size(np.int64(9), np.int8(3)) == 7  # type: ignore[call-overload]
    assert convcli.output_size([9, 10], np.array([3, 1])) == (7, 10)
    assert convcli.output_size(9, 3, padding=(1, 1, 0, 0)) == (9, 7)
    assert convcli.output_size(9, 3, padding="full") == 11
    for wrong in (9.0, "9", None, True, (1, 2, 3), [[9, 9]], 2**40):
        with pytest.raises(ValueError, match="size"):
            convcli.output_size(wrong, 3)  # type: ignore[call-overload]
