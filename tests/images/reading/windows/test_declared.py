"""What coded tiles say of their size."""

import struct

import imagecodecs
import numpy as np
import pytest

from convcli.images.reading.windows.declared import declared_pixels


@pytest.mark.parametrize("coding", ["jpeg", "jpeg2k", "png", "lerc"])
@pytest.mark.parametrize("container", [True, False])
def test_real_ones(coding: str, container: bool) -> None:
    pixels = np.zeros((12, 34), np.uint8)
    options = {"codecformat": "jp2" if container else "j2k"} if coding == "jpeg2k" else {}
    data = getattr(imagecodecs, f"{coding}_encode")(pixels, **options)
    assert declared_pixels(bytes(data)) == 12 * 34


def test_others() -> None:
    assert declared_pixels(b"") is None
    assert declared_pixels(b"\xff\xd8\xff\xe0 a JPEG") is None
    assert declared_pixels(b"\xff\xd8\xff\xe0\0\2no") is None
    assert declared_pixels(b"Lerc2 " + struct.pack("<i", 6)) is None
