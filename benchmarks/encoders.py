"""Time PNG encoders on a photograph and on a drawing, and compare the sizes of their files with those of convcli's encoder.
Time JPEG codecs, which might take Pillow's place, on the photograph.

    python benchmarks/encoders.py [--only TEXT] [--rounds N] [--output FILE]

The encoders run in turn, round after round, from an array to bytes in memory. The medians are compared. Every file must
decode to the pixels that were given. Encoders that are not installed are left out. JPEG codecs are measured by the time of the
processor, since decoding runs beside other work.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from time import perf_counter, process_time

import blas  # noqa: F401 (before NumPy)
import numpy as np
from bench import figure, in_turn, machine, photo, rounds
from command_line import command_line
from numpy.typing import NDArray
from PIL import Image

from convcli.images.guards import array_of
from convcli.images.writing import png

Encode = Callable[[NDArray[np.uint8]], bytes | bytearray]
Decode = Callable[[bytes], NDArray[np.uint8]]

QUALITY, SUBSAMPLING = 92, "4:2:0"
"""Of all JPEG files."""


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


def jpeg_codecs() -> dict[str, tuple[Decode, Encode]]:
    """All JPEG codecs that are installed: how they decode, and encode with the same quality and subsampling."""
    found: dict[str, tuple[Decode, Encode]] = {
        "Pillow": (lambda data: array_of(Image.open(BytesIO(data))), _pillow_jpeg)
    }
    if find_spec("simplejpeg"):
        import simplejpeg

        found["simplejpeg"] = (
            simplejpeg.decode_jpeg,
            lambda pixels: simplejpeg.encode_jpeg(pixels, QUALITY, "RGB", "420"),
        )
    if find_spec("imagecodecs"):
        import imagecodecs

        found["imagecodecs"] = (
            imagecodecs.jpeg8_decode,
            lambda pixels: imagecodecs.jpeg8_encode(pixels, QUALITY, subsampling="420"),
        )
    if find_spec("cv2"):
        import cv2

        found["OpenCV"] = (
            lambda data: np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)[..., ::-1],
            lambda pixels: cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes(),
        )
    return found


def _pillow_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=SUBSAMPLING)
    return file.getvalue()


def jpeg_lines(pixels: NDArray[np.uint8], count: int) -> list[str]:
    """A Markdown line for each JPEG codec."""
    every, data = jpeg_codecs(), _pillow_jpeg(pixels)
    works: dict[tuple[str, str], Callable[[], object]] = {}
    for name, (decode, encode) in every.items():
        works |= {(name, "decode"): partial(decode, data), (name, "encode"): partial(encode, pixels)}
    medians = in_turn({str(key): partial(_busy, work) for key, work in works.items()}, count)
    found = []
    for name, (decode, encode) in every.items():
        times = (figure(medians[str((name, work))], "s") for work in ("decode", "encode"))
        same = "yes" if np.array_equal(decode(data), array_of(Image.open(BytesIO(data)))) else "no"
        equal = "yes" if encode(pixels) == data else "no"
        found.append(f"| {name} | {' | '.join(times)} | {same} | {equal} |")
        print(found[-1], flush=True)
    return found


def _busy(work: Callable[[], object]) -> float:
    """The time of the processor that some work takes."""
    start = process_time()
    work()
    return process_time() - start


def main() -> None:
    """Run the encoders and write the table."""
    options = command_line(__doc__, "ENCODERS.md")
    images = {"photograph": np.asarray(photo()), "drawing": drawing()}
    rows = [
        row for name, pixels in images.items() if options.only in name for row in lines(name, pixels, options.rounds)
    ]
    header = [
        "# Encoders",
        "",
        f"Made by `make bench`: {machine()}. 4000×3000 RGB, {rounds(options.rounds).lower()}; the encoders ran in turn.",
        "",
        "| image | encoder | time | size | of the pixels |",
        "| --- | --- | --- | --- | --- |",
    ]
    if options.only in "jpeg":
        rows += [
            "",
            f"JPEG codecs on the photograph, quality {QUALITY}, {SUBSAMPLING}, processor time; the codecs ran in turn.",
            "",
            "| codec | decode | encode | pixels as Pillow's | files as Pillow's |",
            "| --- | --- | --- | --- | --- |",
            *jpeg_lines(images["photograph"], options.rounds),
        ]
    Path(options.output).write_text("\n".join([*header, *rows]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
