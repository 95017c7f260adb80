"""Pictures that are read by windows, beside the same files read whole."""

from pathlib import Path
from typing import Any

import numpy as np

from convcli import images
from convcli.images import Picture
from convcli.images.opened_file import WindowedFile
from convcli.images.picture import Described
from convcli.images.reading.windows import opened_windows

Window = tuple[slice, slice]


def pixels_of(picture: Picture) -> np.ndarray:
    """``(C, H, W)``, alpha last."""
    colour = picture.colour.reshape(picture.colour.shape[-3:])
    return colour if picture.alpha is None else np.concatenate([colour, picture.alpha[np.newaxis]])


def known(described: Described) -> dict[str, Any]:
    """All that is known of a picture; its metadata as text, because two of them are never equal."""
    names = (
        "colour_shape",
        "dtype",
        "has_alpha",
        "space",
        "full_scale",
        "rank",
        "real",
        "assumed",
        "metadata",
        "notes",
    )
    found = {name: getattr(described, name) for name in names}
    return {**found, "colour_shape": described.colour_shape[-3:], "metadata": repr(found["metadata"])}


def as_the_reader(
    path: Path | str, *windows: Window, cache_bytes: int = 1 << 20, file: str | None = None
) -> WindowedFile:
    """Hold a file against the ordinary reader: what is said of it, and the pixels of windows; by default of all.

    `file` is its address, if it is not its path.
    """
    whole = images.load(str(path))
    expected = pixels_of(whole)
    opened = opened_windows(file or str(path), cache_bytes=cache_bytes)
    assert known(opened.scene) == known(whole) | {"notes": tuple(filter(_without_pixels, whole.notes))}
    assert opened.scene.shape == expected.shape
    for rows, columns in windows or ((slice(None), slice(None)),):
        found = opened.read(rows, columns)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected[:, rows, columns])
        if opened.interleaved and found.size:
            assert np.moveaxis(found, 0, -1).flags.c_contiguous
    return opened


def _without_pixels(note: str) -> bool:
    """Whether a remark can be made before the pixels are read."""
    return not note.startswith("values ")
