"""A finish on tensors: the integers are the host's own, bit by bit."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from convcli.backends import finished
from convcli.backends.torch import storing as device_finish
from convcli.backends.torch.arrays import to_array
from convcli.pointwise.finish import Finish

TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
ODD = st.sampled_from(
    (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 1e-310, 3.4e38, -3.4e38, 1.7e308, 255.5, 65534.5)
)
TIES = st.integers(-3, 520).map(lambda n: n / 2) | st.integers(131060, 131080).map(lambda n: n / 2)
WHITES = st.sampled_from((("uint8", 255.0), ("uint16", 65535.0), ("uint16", 1023.0), ("uint8", 1.0)))
SCALES = st.sampled_from((1.0, 257.0, 255.0, 0.5, 1 / 257, 1e30, 1e-30))


@given(
    values=st.lists(ODD | TIES | st.floats(-1e3, 1e5) | st.floats(), min_size=0, max_size=24),
    kind=st.sampled_from(sorted(TYPES)), white=WHITES, policy=st.sampled_from(("clip", "abs", "offset")),
    scale=SCALES, count=st.booleans(),
)  # fmt: skip
def test_the_integers_of_the_device_are_the_hosts(
    values: list[float], kind: str, white: tuple[str, float], policy: str, scale: float, count: bool,
) -> None:  # fmt: skip
    """Halves are float32 to both."""
    dtype, full_scale = white
    tensor = torch.tensor(values, dtype=torch.float64).to(TYPES[kind]).reshape(1, 1, -1, 1)
    plain = Finish((), dtype, full_scale, policy, count, scale)
    host = tensor.numpy() if kind == "float64" else tensor.float().numpy()
    with np.errstate(all="ignore"):
        expected = finished(host.copy(), plain, "")
    with torch.inference_mode():
        stored, clipped = device_finish.store(tensor, plain)
    np.testing.assert_array_equal(to_array(stored), expected.array, strict=True)
    assert clipped == expected.clipped


def test_a_result_keeps_its_layout() -> None:
    """Interleaved pixels come back interleaved."""
    values = torch.rand(1, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    stored, _ = device_finish.store(values, Finish(dtype="uint8"))
    assert stored.is_contiguous(memory_format=torch.channels_last)
