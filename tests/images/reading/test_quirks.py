"""What Pillow's decoders do otherwise."""

from __future__ import annotations

import pytest
from PIL import Image

from convcli.images.reading.quirks import count_of, transparent_value


def test_damaged_counts_are_errors_but_of_layers() -> None:
    class Damaged(Image.Image):
        @property
        def n_frames(self) -> int:
            raise SyntaxError

    image = Damaged()
    image.format = "PSD"
    assert count_of(image) == 1
    image.format = "GIF"
    with pytest.raises(SyntaxError):
        count_of(image)


def test_a_transparent_colour_of_8_bits_is_left_to_pillow() -> None:
    image = Image.new("L", (2, 2))
    image.info["transparency"] = 3
    assert transparent_value(image) is None
    assert image.info["transparency"] == 3
