"""Pictures in blocks for the tests: how they are cut, put by other processes, and what their levels should be."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from convcli.geometry import Size
from convcli.images.writing.blocks import Blocks, BlockTarget, Layout, Receipt, block_target
from support.cli import ROOT, environment

Block = tuple[range, range]

ENDINGS = {"TIFF": "tif", "NPY": "npy", "PPM": "ppm", "ZARR": "zarr"}


def layout_for(folder: Path, container: str, pixels: np.ndarray, **more: Any) -> Layout:
    """The layout of pixels `(H, W, C)` as `picture` in a folder."""
    height, width, channels = pixels.shape
    target = str(folder / f"picture.{ENDINGS[container]}")
    spaces = {1: "gray", 3: "rgb"}
    white = {"f": 1.0}.get(pixels.dtype.kind) or float(np.iinfo(pixels.dtype).max)
    facts = {"space": spaces.get(channels, "tensor"), "full_scale": white, "block": Size(512, 512)}
    return Layout(target, container, (channels, height, width), str(pixels.dtype), **{**facts, **more})


def blocks_of(height: int, width: int, rows: int, columns: int) -> list[Block]:
    """All blocks of a picture."""
    return [
        (range(y, min(y + rows, height)), range(x, min(x + columns, width)))
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]


def cut(pixels: np.ndarray, block: Block) -> np.ndarray:
    rows, columns = block
    return pixels[rows.start : rows.stop, columns.start : columns.stop]


def put(target: Blocks, pixels: np.ndarray, blocks: list[Block]) -> list[Receipt]:
    """Put blocks; the receipts are as a journal would have them."""
    return [json.loads(json.dumps(target.put(*block, cut(pixels, block)))) for block in blocks]


def written(layout: Layout, pixels: np.ndarray, blocks: list[Block]) -> BlockTarget:
    """A picture that is written whole."""
    target = block_target(layout)
    target.begin()
    target.commit(put(target, pixels, blocks))
    return target


ANOTHER = """
import json, pickle, sys
layout, own, blocks = pickle.load(sys.stdin.buffer)
from convcli.images.writing import blocks as module
if own:
    target = module.block_target(layout)
    target.begin()
else:
    target = module.worker(layout)
for rows, columns, pixels in blocks:
    print(json.dumps(target.put(rows, columns, pixels)), flush=True)
if own:
    import time
    time.sleep(600)
"""


def _another(layout: Layout, own: bool, pixels: np.ndarray, blocks: list[Block]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", ANOTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment()
    )
    assert process.stdin is not None
    process.stdin.write(
        pickle.dumps((layout, own, [(*block, np.ascontiguousarray(cut(pixels, block))) for block in blocks]))
    )
    process.stdin.close()
    return process


def by_another_process(layout: Layout, pixels: np.ndarray, blocks: list[Block]) -> list[Receipt]:
    """The receipts of another process, which puts blocks with a worker."""
    process = _another(layout, False, pixels, blocks)
    assert process.stdout is not None
    receipts = [json.loads(line) for line in process.stdout]
    assert process.wait() == 0
    return receipts


def by_a_run_that_is_killed(layout: Layout, pixels: np.ndarray, blocks: list[Block]) -> list[Receipt]:
    """The receipts of another process, which begins the output, puts blocks, and gets SIGKILL."""
    process = _another(layout, True, pixels, blocks)
    assert process.stdout is not None
    receipts = [json.loads(process.stdout.readline()) for _ in blocks]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return receipts


def halves(pixels: np.ndarray, least: int) -> Iterator[np.ndarray]:
    """The picture and its levels, by the definition: the mean of 2×2 pixels, of those that there are, halves to even."""
    yield pixels
    while max(pixels.shape[:2]) > least:
        height, width, channels = pixels.shape
        wide = np.full((height + height % 2, width + width % 2, channels), np.nan)
        wide[:height, :width] = pixels
        means = np.nanmean(wide.reshape(wide.shape[0] // 2, 2, wide.shape[1] // 2, 2, channels), axis=(1, 3))
        pixels = (means if pixels.dtype.kind == "f" else np.rint(means)).astype(pixels.dtype)
        yield pixels


def read_back(layout: Layout) -> list[np.ndarray]:
    """The picture `(H, W, C)` and its levels, as others read them."""
    channels = layout.shape[0]
    if layout.container == "TIFF":
        with tifffile.TiffFile(layout.target) as file:
            (page,) = file.pages
            return [one.asarray().reshape(*one.shape[:2], channels) for one in (page, *(page.pages or ()))]
    if layout.container == "NPY":
        return [np.moveaxis(np.load(layout.target).reshape(layout.shape), 0, -1)]
    if layout.container == "ZARR":
        import zarr

        group = zarr.open_group(layout.target, mode="r")
        paths = [one["path"] for one in group.attrs["ome"]["multiscales"][0]["datasets"]]
        return [np.moveaxis(np.asarray(group[path][...]), 0, -1) for path in paths]
    data = Path(layout.target).read_bytes()
    head = data.split(b"\n", 3)
    width, height = map(int, head[1].split())
    dtype = ">u1" if int(head[2]) < 256 else ">u2"
    return [np.frombuffer(head[3], dtype).reshape(height, width, {b"P5": 1, b"P6": 3}[head[0]])]


def picture(height: int, width: int, channels: int = 3, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    """Noise on a ramp, with an empty corner."""
    generator = np.random.default_rng(seed)
    most = 1.0 if dtype.startswith("float") else float(np.iinfo(dtype).max)
    values = (generator.random((height, width, channels)) + np.linspace(0, 3, width)[:, np.newaxis]) / 4 * most
    values[: height // 3, : width // 2] = 0
    return values.astype(dtype)
