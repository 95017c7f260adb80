"""Pictures of kernels and of their responses."""

import numpy as np
import pytest

from convcli.drawing.heatmap import Colors
from convcli.kernels.analysis import reduced
from convcli.kernels.kernel_figure import draw, terminal
from convcli.kernels.response import response
from support.kernels import found


def test_the_picture_of_the_response_has_zero_in_its_middle() -> None:
    picture = response(found("gaussian:2").values, 9)
    assert picture.shape == (9, 9)
    assert picture.max() == picture[4, 4] == pytest.approx(1)
    assert picture == pytest.approx(picture[::-1, ::-1])
    assert picture[0, 0] < 0.01


@pytest.mark.parametrize("name", ["gaussian:20", "disk:20"])
def test_the_peak_of_a_broad_kernel_is_drawn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []

    def shades(rows: list[list[float]], gain: float, *_: object) -> Colors:
        drawn.append(max(map(max, rows)) / gain)
        return [["#000000" for _ in row] for row in rows]

    monkeypatch.setattr("convcli.drawing.heatmap.shades", shades)
    draw([found(name)], [""])
    terminal(found(name), 24)
    assert len(drawn) >= 2
    assert min(drawn) == pytest.approx(1)


def test_pictures_keep_symmetry_and_peaks() -> None:
    values = found("log:9").values
    small = reduced(values, 8)
    assert small.shape == (7, 7)
    assert small == pytest.approx(small[::-1, ::-1])
    assert np.abs(small).max() == np.abs(values).max()
    assert np.array_equal(reduced(np.eye(3), 8), np.eye(3))
