"""Kernels that enlarge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair
from support.kernels import values
from support.operations import transpose_convolve


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("kernel", "mode"), [("nearest:{}", "nearest"), ("bilinear:{}", "bilinear"), ("bicubic:{}", "bicubic"),
                         ("bicubic:{},-0.5", Image.Resampling.BICUBIC), ("lanczos:{}", Image.Resampling.LANCZOS)]
)  # fmt: skip
def test_upsampling_is_that_of_pytorch_and_pillow(kernel: str, mode: Any, factor: int) -> None:
    """Transposed with stride f and padding (side - f)/2, away from the border."""
    weight = values(kernel.format(factor))[np.newaxis, np.newaxis]
    image = np.random.default_rng(2).random((9, 11), np.float32)
    padding, odd = divmod(weight.shape[-1] - factor, 2)
    assert not odd
    spec = ConvSpec(stride=Pair(factor, factor), padding=Pads(*[padding] * 4), transpose=True)
    ours = transpose_convolve(image[np.newaxis], weight, spec, Compute("reference")).array[0]
    if isinstance(mode, str):
        aligned = {} if mode == "nearest" else {"align_corners": False}
        theirs = F.interpolate(torch.tensor(image)[None, None], scale_factor=factor, mode=mode, **aligned)[0, 0].numpy()
    else:
        theirs = np.asarray(Image.fromarray(image).resize((11 * factor, 9 * factor), mode))
    border = 3 * factor
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours[border:-border, border:-border], theirs[border:-border, border:-border], atol=1e-6)
