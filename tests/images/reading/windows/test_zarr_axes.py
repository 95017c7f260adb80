"""Axes of arrays by their names and shapes, and sizes of pixels."""

import pytest

from convcli.errors import ImageError
from convcli.images.reading.windows.zarr_axes import Axes, axes_of, levels


@pytest.mark.parametrize(
    ("shape", "names", "expected"),
    [
        ((5, 6), None, (0, 1, None, False)), ((3, 5, 6), None, (1, 2, 0, False)), ((5, 6, 3), None, (0, 1, 2, True)),
        ((5, 6, 4), None, (0, 1, 2, True)), ((4, 6, 3), None, (1, 2, 0, False)), ((5, 6, 5), None, (1, 2, 0, False)),
        ((1, 3, 5, 6), None, (2, 3, 1, False)), ((1, 1, 5, 6, 3), None, (2, 3, 4, True)),
        ((1, 1, 1, 5, 6), None, (3, 4, 2, False)), ((6, 5), ("x", "y"), (1, 0, None, False)),
        ((5, 6, 3), ("c", "y", "x"), (1, 2, 0, False)), ((3, 5, 6), (None, "y", "x"), None),
        ((5, 6, 3), ("height", "width", "channel"), (0, 1, 2, False)), ((3, 5, 6), (None, None, None), (1, 2, 0, False)),
        ((1, 2, 1, 5, 6), ("T", "C", "Z", "Y", "X"), (3, 4, 1, False)), ((3, 5, 6), ("y", "y", "x"), (1, 2, 0, False)),
    ],
)  # fmt: skip
def test_axes(shape: tuple[int, ...], names: tuple[str | None, ...] | None, expected: Axes | None) -> None:
    if expected is None:
        with pytest.raises(ImageError, match="has 3 pictures along its axis 'None'"):
            axes_of("in.zarr", shape, names)
        return
    found = axes_of("in.zarr", shape, names)
    assert found == expected
    assert found.shape(shape)[1:] == (shape[found.y], shape[found.x])


def test_levels_of_all_versions() -> None:
    data = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 2.0, 3.0]}]}]
    axes = [{"name": "c"}, {"name": "y", "unit": "nanometer"}, {"name": "x", "unit": "parsec"}]
    whole = [{"type": "scale", "scale": [1, 10, 10]}]
    one = {"axes": axes, "datasets": data, "coordinateTransformations": whole}
    (level,) = levels({"ome": {"multiscales": [one]}})
    assert (level.path, level.names) == ("0", ("c", "y", "x"))
    assert level.scale == pytest.approx({"y": 20e-9})
    assert levels({"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "a"}]}]}) == [("a", ("y", "x"), {})]
    assert levels({"multiscales": [{"datasets": [{"path": "a"}]}]}) == [("a", (), {})]


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"ome": 5},
        {"multiscales": []},
        {"multiscales": [{}]},
        {"multiscales": [{"datasets": [{}]}]},
        {"multiscales": 7},
        None,
    ],
)
def test_attributes_of_other_groups(attributes: object) -> None:
    assert levels(attributes) == []
