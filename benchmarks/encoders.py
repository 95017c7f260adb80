"""Time PNG encoders on a photograph and on a drawing, and compare the sizes of their files with those of convcli's encoder.

    python benchmarks/encoders.py [--only TEXT] [--rounds N] [--output FILE]

The encoders run in turn, round after round, from an array to bytes in memory. The medians are compared. Every file must
decode to the pixels that were given. Encoders that are not installed are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from time import perf_counter

import blas  # noqa: F401 (before NumPy)
import numpy as np
from bench import figure, in_turn, machine, photo, rounds
from command_line import command_line
from numpy.typing import NDArray
from PIL import Image

from convcli.images.writing import png

Encode = Callable[[NDArray[np.uint8]], bytes | bytearray]


def encoders() -> dict[str, Encode]:
    """All encoders that are installed."""
    found: dict[str, Encode] = {"convcli": lambda pixels: b"".join(png.encode([pixels]))}
    for level in (1, 6):
        found[f"Pillow, level {level}"] = partial(_pillow, level)
    if find_spec("cv2"):
        import cv2

        found["OpenCV"] = lambda pixels: cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()
    if find_spec("imagecodecs"):
        import imagecodecs

        found["imagecodecs, libpng"] = lambda pixels: imagecodecs.png_encode(pixels)
        found["imagecodecs, libpng as OpenCV sets it"] = lambda pixels: imagecodecs.png_encode(
            pixels, 1, strategy=3, filter=16
        )
        found["imagecodecs, libspng"] = lambda pixels: imagecodecs.spng_encode(pixels)
    return found


def _pillow(level: int, pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=level)
    return file.getvalue()


def drawing() -> NDArray[np.uint8]:
    """4000×3000 RGB of flat colours and thin lines, like plots and screenshots."""
    image = np.full((3000, 4000, 3), 255, np.uint8)
    generator = np.random.default_rng(0)
    for _ in range(60):
        top, left = (int(generator.integers(0, side)) for side in image.shape[:2])
        height, width = (int(side) for side in generator.integers(40, 700, 2))
        image[top : top + height, left : left + width] = generator.integers(0, 256, 3)
        image[top : top + height : 20, left : left + width] = 0
    return image


def seconds(encode: Encode, pixels: NDArray[np.uint8]) -> float:
    """The wall time of an encoder."""
    start = perf_counter()
    encode(pixels)
    return perf_counter() - start


def lines(name: str, pixels: NDArray[np.uint8], count: int) -> list[str]:
    """A Markdown line for each encoder."""
    every = encoders()
    sizes: dict[str, int] = {}
    for encoder, encode in every.items():
        written = encode(pixels)
        sizes[encoder] = len(written)
        if not np.array_equal(np.asarray(Image.open(BytesIO(written))), pixels):
            raise RuntimeError(f"{encoder} wrote another image")
    medians = in_turn({encoder: partial(seconds, encode, pixels) for encoder, encode in every.items()}, count)
    found = []
    for encoder in sorted(medians, key=lambda encoder: medians[encoder]):
        share = sizes[encoder] / pixels.nbytes
        found.append(
            f"| {name} | {encoder} | {figure(medians[encoder], 's')} | {sizes[encoder] / 1e6:.2f} MB | {share:.1%} |"
        )
        print(found[-1], flush=True)
    return found


def main() -> None:
    """Run the encoders and write the table."""
    options = command_line(__doc__, "ENCODERS.md")
    images = {"photograph": np.asarray(photo()), "drawing": drawing()}
    rows = [
        row for name, pixels in images.items() if options.only in name for row in lines(name, pixels, options.rounds)
    ]
    header = [
        "# PNG encoders",
        "",
        f"Made by `make bench`: {machine()}. 4000×3000 RGB, {rounds(options.rounds).lower()}; the encoders ran in turn.",
        "",
        "| image | encoder | time | size | of the pixels |",
        "| --- | --- | --- | --- | --- |",
    ]
    Path(options.output).write_text("\n".join([*header, *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
