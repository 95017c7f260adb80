"""The names of the borders mean what the libraries that they are taken from do."""

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from convcli.backends.numpy.strategies import STRATEGIES
from convcli.geometry import border_indices
from convcli.vocabulary import BORDERS, PLANS, BorderNames, padding_mode

ROW = np.array([3.0, 1, 4, 5, 9])
PAD = 3


def padded(border: BorderNames) -> np.ndarray:
    """Ours, which tests/test_geometry.py holds against literals."""
    return np.array([ROW[i] if i >= 0 else 0 for i in border_indices(ROW.size, PAD, PAD, border.name)])


@pytest.mark.parametrize("border", BORDERS, ids=lambda border: border.name)
def test_names_of_other_libraries(border: BorderNames) -> None:
    ours = padded(border)
    np.testing.assert_array_equal(np.pad(ROW, PAD, border.numpy), ours)
    for name in border.scipy.split(", "):
        for reach in range(-PAD, PAD + 1):
            taps = np.zeros(2 * PAD + 1)
            taps[PAD + reach] = 1
            read = ndimage.correlate1d(ROW, taps, mode=name)
            np.testing.assert_array_equal(read, ours[PAD + reach : PAD + reach + ROW.size], err_msg=name)
    for name in border.opencv.split(", "):
        read = cv2.copyMakeBorder(ROW.reshape(1, -1), 0, 0, PAD, PAD, getattr(cv2, name))
        np.testing.assert_array_equal(read[0], ours, err_msg=name)
    for name in border.torch.split(", ") if border.torch else ():
        mode = "constant" if name == "zeros" else name
        theirs = torch.nn.functional.pad(torch.tensor(ROW)[None, None], (PAD, PAD), mode)
        np.testing.assert_array_equal(theirs[0, 0].numpy(), ours)


def test_every_strategy_has_a_name() -> None:
    assert list(STRATEGIES) == list(PLANS)
    for strategy in STRATEGIES.values():
        assert all(callable(getattr(strategy, part)) for part in ("estimates", "tile", "prepare", "precision"))


def test_pictures_are_of_four_pixels() -> None:
    for border in BORDERS:
        indices = border_indices(4, 2, 2, border.name)
        letters = ["0" if i < 0 else "abcd"[i] for i in indices]
        assert "".join([*letters[:2], "|", *letters[2:6], "|", *letters[6:]]) == border.picture


def test_every_name_is_taken_and_the_own_names_win() -> None:
    for border in BORDERS:
        names = {name for names in (border.name, *border[2:]) for name in names.split(", ") if name}
        for name in names - {"reflect"} | {border.name}:
            for spelling in (name, name.upper(), name.replace("-", "_"), name.replace("_", "-")):
                assert padding_mode(spelling) == border.name
    assert padding_mode("reflect") == "reflect"  # also SciPy's word for symmetric
    assert padding_mode("mirrored") is None
    assert padding_mode("") is None  # not every library has a name for every border
