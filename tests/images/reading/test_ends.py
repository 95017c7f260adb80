"""Where pictures end in their files, as Pillow writes them, and what follows."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convcli.images.formats import row_of, row_of_head
from convcli.images.reading.ends import Parts, parts_of

GENERATOR = np.random.default_rng(0)


def coded(form: str, size: tuple[int, int] = (9, 7), **options: Any) -> bytes:
    """A picture of noise as a file; its thumbnail, where the format has one, ends as a picture does."""
    image = Image.fromarray(GENERATOR.integers(0, 255, (*size, 3), np.uint8))
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def found(data: bytes) -> Parts | None:
    return parts_of(io.BytesIO(data), row_of_head(data[:16]))


THUMBNAIL = {"exif": b"Exif\0\0" + coded("JPEG")[:1000], "comment": b"\xff\xd9"}
ONE = [
    coded("PNG"), coded("JPEG"), coded("JPEG", progressive=True), coded("JPEG", restart_marker_rows=1, **THUMBNAIL),
    coded("GIF"), coded("WEBP"), coded("WEBP", lossless=True), coded("PPM"), b"P2\n# P5 no picture\n2 1\n9\n1 2\n",
    b"P4\n9 2\n" + bytes([1, 2, 3, 4]), b"P5 2 1 65535\n" + b"P5\nP", b"P1\n3 1\n101\n",
]  # fmt: skip


@pytest.mark.parametrize("data", ONE)
@pytest.mark.parametrize(
    ("after", "unread"), [(b"", 0), (b"\0" * 9, 0), (b" \r\n", 0), (b"\0\1", 2), (b"x" * 70000, 70000)]
)
def test_what_follows_is_counted(data: bytes, after: bytes, unread: int) -> None:
    if data[:2] in (b"P1", b"P2"):  # of numbers in text, all that follows is more of them
        after, unread = b"", 0
    assert found(data + after) == Parts(((0, len(data)),), unread)


SEQUENCES = [data for data in ONE if row_of_head(data[:16]).sequence]  # type: ignore[union-attr]


@pytest.mark.parametrize("data", SEQUENCES)
def test_pictures_follow_each_other(data: bytes) -> None:
    length = len(data)
    assert found(data * 3) == Parts(tuple((place, place + length) for place in range(0, 3 * length, length)), 0)


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_films_are_no_sequences(form: str) -> None:
    data = coded(form)
    assert found(data * 2) == Parts(((0, len(data)),), len(data))


@pytest.mark.parametrize("data", [coded("PNG"), coded("JPEG"), coded("GIF")])
@given(cut=st.floats(0, 1))
def test_a_picture_that_is_cut_off_has_no_end(data: bytes, cut: float) -> None:
    assert found(data[: 16 + int(cut * (len(data) - 17))]) is None


def test_the_last_picture_may_be_cut_off() -> None:
    data = coded("PNG")
    assert found(data + data[:-5]) == Parts(((0, len(data)), (len(data), 2 * len(data) - 5)), 0)


def test_a_file_with_a_list_of_its_pictures_is_left_to_pillow() -> None:
    file = io.BytesIO()
    first, second = (Image.fromarray(GENERATOR.integers(0, 255, (9, 7, 3), np.uint8)) for _ in range(2))
    first.save(file, "MPO", save_all=True, append_images=[second])
    assert found(file.getvalue()) is None


def test_markers_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    data = coded("JPEG", (40, 30), quality=95)
    for block in (1, 2, 3, 7):
        monkeypatch.setattr("convcli.images.reading.ends._BLOCK", block)
        assert found(data * 2) == Parts(((0, len(data)), (len(data), 2 * len(data))), 0)


@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "PPM"]))
def test_any_bytes_are_taken(data: bytes, form: str) -> None:
    row = row_of(form)
    parts = parts_of(io.BytesIO(row.heads[0] + data), row)
    assert parts is None or 0 <= parts.unread <= len(data)
