"""npy, ppm and pgm from blocks: the bytes of the ordinary writers."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.errors import ImageError
from convcli.images import Picture, save_frames
from convcli.images.writing.blocks import block_target, worker
from convcli.images.writing.storage import Storage
from support.blocks import blocks_of, layout_for, picture, put, written


def shuffled(pixels: np.ndarray, block: tuple[int, int], order: Any) -> list[tuple[range, range]]:
    blocks = blocks_of(*pixels.shape[:2], *block)
    order.shuffle(blocks)
    return blocks


@given(
    size=st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(1, 5)),
    dtype=st.sampled_from(["uint8", "float16", "float32", "float64"]),
    block=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    rank=st.sampled_from([2, 3, 4]),
    order=st.randoms(use_true_random=False),
)
def test_npy(size: tuple[int, int, int], dtype: str, block: tuple[int, int], rank: int, order: Any) -> None:
    pixels = picture(*size[:2], 1 if rank == 2 else size[2], dtype)
    with tempfile.TemporaryDirectory() as folder:
        layout = layout_for(Path(folder), "NPY", pixels, rank=rank)
        target, other = block_target(layout), worker(layout)
        target.begin()
        for one in shuffled(pixels, block, order):
            put(order.choice([target, other]), pixels, [one])
        other.close()
        target.commit([])
        planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
        np.save(Path(folder, "ordinary.npy"), planes[0] if rank == 2 else planes[np.newaxis] if rank == 4 else planes)
        assert Path(layout.target).read_bytes() == Path(folder, "ordinary.npy").read_bytes()


@given(
    size=st.tuples(st.integers(1, 30), st.integers(1, 30), st.sampled_from([1, 3])),
    white=st.sampled_from([200, 255, 1023, 65535]),
    block=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    ending=st.sampled_from(["ppm", "pgm"]),
    order=st.randoms(use_true_random=False),
)
def test_ppm(size: tuple[int, int, int], white: int, block: tuple[int, int], ending: str, order: Any) -> None:
    dtype = "uint8" if white < 256 else "uint16"
    pixels = np.minimum(picture(*size, dtype), white)
    space = "gray" if size[2] == 1 else "rgb"
    with tempfile.TemporaryDirectory() as folder:
        layout = layout_for(Path(folder), "PPM", pixels, full_scale=float(white))
        layout = layout._replace(target=str(Path(folder, f"picture.{ending}")))
        target = written(layout, pixels, shuffled(pixels, block, order))
        ordinary = Path(folder, f"ordinary.{ending}")
        source = Picture(np.moveaxis(pixels, -1, 0), None, space, float(white))
        stored = Storage("PPM", space, dtype, 1.0, float(white), "clip")
        saved = save_frames(iter([(source, stored)]), str(ordinary))
        assert Path(layout.target).read_bytes() == ordinary.read_bytes()
        assert target.notes == saved.notes


def test_a_ppm_of_other_channels_is_refused(tmp_path: Path) -> None:
    for make in (block_target, worker):
        with pytest.raises(
            ImageError, match=r"2 channels do not fit into a PPM file, which has 1 or 3: write \.tif or \.npy"
        ):
            make(layout_for(tmp_path, "PPM", picture(9, 9, 2)))
