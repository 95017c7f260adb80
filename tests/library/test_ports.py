"""Snippets as people publish them for other libraries, ported to convcli: the results are the same."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest

from support.ports import PORTS, VALUES, Port, library


@pytest.mark.parametrize("port", PORTS, ids=[port.name for port in PORTS])
def test_a_port_gives_the_same(port: Port) -> None:
    """Answers of libraries that the tests do not need are kept; where they are installed, they are asked, too."""
    found = np.asarray(port.ours())
    answers = [np.array(json.loads(VALUES.read_text())[port.name])] if port.kept else []
    if not port.kept or find_spec(library(port)) is not None:
        answers.append(np.asarray(port.theirs()))
    for expected in answers:
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.astype(float), expected.astype(float), rtol=0, atol=port.tolerance)


def test_there_are_enough_of_every_library() -> None:
    names = [library(port) for port in PORTS]
    assert len(names) >= 20
    assert min(map(names.count, ("scipy", "cv2", "torch", "skimage", "kornia"))) >= 5
