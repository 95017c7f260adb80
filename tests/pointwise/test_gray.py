"""Gray of colours."""

from __future__ import annotations

import numpy as np

from convcli.pointwise.gray import LUMA
from convcli.pointwise.lift import Lift


def test_gray_of_one_pixel() -> None:
    image = np.array([100, 50, 200], np.uint8).reshape(3, 1, 1)
    np.testing.assert_allclose(Lift("float64", 255.0, gray=LUMA).whole(image), [[[29.9 + 29.35 + 22.8]]])
