"""NDPI, written from what is known of it: a slide that is one JPEG."""

import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli.errors import ImageError
from convcli.images.reading.windows import opened_windows
from convcli.images.reading.windows.ndpi import intervals_of

H, W = 60, 96
SMOOTH = np.clip(np.add.outer(np.arange(H) * 2, np.arange(W))[..., None] + np.array([0, 40, 80]), 0, 255).astype("u1")


def jpeg(blocks: int, sampling: int = 0) -> bytes:
    to = io.BytesIO()
    Image.fromarray(SMOOTH).save(to, "JPEG", quality=90, subsampling=sampling, restart_marker_blocks=blocks)
    return to.getvalue()


def ndpi(path: Path, data: bytes, fewer: int = 0) -> Path:
    """A directory with the high halves of its values behind it, then the JPEG."""
    scan = data.index(b"\xff\xda")
    first = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    starts = [first, *(found.end() for found in re.finditer(rb"\xff[\xd0-\xd7]", data) if found.start() > first)]
    starts = starts[: len(starts) - fewer]
    count = 11
    after = 12 + 2 + 12 * count + 8 + 4 * count
    bits, make, table = after, after + 6, after + 16
    place = table + 4 * len(starts)
    tags = [
        (256, 4, 1, W), (257, 4, 1, H), (258, 3, 3, bits), (259, 3, 1, 7), (262, 3, 1, 6), (271, 2, 10, make),
        (273, 4, 1, place), (277, 3, 1, 3), (279, 4, 1, len(data)), (65420, 4, 1, 1), (65426, 4, len(starts), table),
    ]  # fmt: skip
    head = struct.pack("<2sHQ", b"II", 42, 12) + struct.pack("<H", count)
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<Q", 0) + bytes(4 * count)
    tail = struct.pack("<3H", 8, 8, 8) + b"Hamamatsu\0" + struct.pack(f"<{len(starts)}I", *starts)
    path.write_bytes(head + body + tail + data)
    return path


def test_restart_intervals_are_tiles(tmp_path: Path) -> None:
    data = jpeg(6)
    file = opened_windows(str(ndpi(tmp_path / "in.ndpi", data)))
    whole = np.asarray(Image.open(io.BytesIO(data)))
    assert file.chunk == (8, 48)
    assert (file.scene.mode, file.scene.size) == ("rgb", (H, W))
    np.testing.assert_array_equal(file.read(slice(None), slice(None)), np.moveaxis(whole, -1, 0))
    np.testing.assert_array_equal(file.read(slice(13, 55), slice(40, 60)), np.moveaxis(whole[13:55, 40:60], -1, 0))


def test_sampled_colours(tmp_path: Path) -> None:
    """Colours between two pixels are those of a tile alone at its edge."""
    data = jpeg(3, 2)
    file = opened_windows(str(ndpi(tmp_path / "in.ndpi", data)))
    whole = np.asarray(Image.open(io.BytesIO(data))).astype(int)
    assert file.chunk == (16, 48)
    found = np.moveaxis(file.read(slice(None), slice(None)), 0, -1)
    assert np.abs(found - whole).max() <= 4


def test_intervals_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="it has restart intervals that are not parts of a row; convert it first"):
        opened_windows(str(ndpi(tmp_path / "in.ndpi", jpeg(5))))
    with pytest.raises(ImageError, match="cannot be decoded: 14 of 16 restart intervals are there"):
        opened_windows(str(ndpi(tmp_path / "in.ndpi", jpeg(6), fewer=2)))
    with pytest.raises(ValueError, match="no restart intervals"):
        intervals_of(jpeg(0)[:600])
    with pytest.raises(ValueError, match="no restart intervals"):
        intervals_of(b"")
