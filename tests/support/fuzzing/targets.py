"""What is fuzzed: loaders, parsers of kernels, readers of weights, the arithmetic's little languages, the command line.

A target takes bytes and returns whether they made sense to the program; whatever it raises is a finding.
"""

from __future__ import annotations

import io
import os
import signal
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from convcli import kernels
from convcli.cli import COMMANDS, main
from convcli.convspec import ConvSpec
from convcli.errors import ConvError
from convcli.kernels import weights
from convcli.runs.operation import assemble
from convcli.runs.single import Writing, process

SECONDS = 20
"""An input that takes longer is a hang."""


MAX_PIXELS = 1 << 22
"""Larger pictures are left alone: they take their time, and are no finding."""


@dataclass(frozen=True)
class Target:
    """A function of bytes, and bytes to begin with."""

    run: Callable[[bytes, Path], bool]
    seeds: Callable[[], list[bytes]]


class HangError(Exception):
    """An input that takes too long."""


@contextmanager
def watched() -> Iterator[None]:
    """Raise `HangError` in what takes longer than `SECONDS`."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise HangError(f"more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _accepted(work: Callable[[], object]) -> bool:
    """Whether `work` ends without a `ConvError`, whose text must be one line of some use."""
    try:
        work()
    except ConvError as error:
        if not str(error):
            raise
        return False
    except MemoryError:  # the command line turns it into its line
        return False
    return True


def _file(data: bytes, folder: Path, name: str) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


# Images


def image(data: bytes, folder: Path) -> bool:
    """A file of unknown format, through everything: it is read, all its frames, blurred and written in three formats."""
    source = _file(data, folder, "image")
    operation, how = assemble(ConvSpec(), ["box:2"], None), Writing(max_pixels=MAX_PIXELS)
    accepted = False
    for name in ("out.tif", "out.png", "out.jpg"):
        target = folder / name
        if _accepted(partial(process, source, str(target), operation, how)):
            accepted = True
            target.unlink()
        assert [path.name for path in folder.iterdir()] == ["image"]
    return accepted


def _images() -> list[bytes]:
    """Small pictures of every format and mode that can be written; large, big-endian, deep, and of several frames."""
    pixels = np.random.default_rng(3).integers(0, 256, (9, 7, 4), dtype=np.uint8)
    whole = Image.fromarray(pixels)
    found = []
    for container in (
        "PNG",
        "JPEG",
        "TIFF",
        "WEBP",
        "GIF",
        "BMP",
        "PPM",
        "TGA",
        "QOI",
        "JPEG2000",
        "PCX",
        "SGI",
        "DDS",
        "ICO",
        "AVIF",
    ):
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "I", "F"):
            stream = io.BytesIO()
            try:
                (whole.convert("L").convert(mode) if ";" in mode or len(mode) == 1 else whole.convert(mode)).save(
                    stream, container
                )
            except (OSError, ValueError, KeyError):
                continue
            found.append(stream.getvalue())
    turned = [whole.transpose(Image.Transpose.ROTATE_180)] * 2
    for container, more in (
        ("GIF", {"duration": 40}),
        ("PNG", {"duration": 40}),
        ("WEBP", {"duration": 40}),
        ("TIFF", {}),
    ):
        stream = io.BytesIO()
        whole.save(stream, container, save_all=True, append_images=turned, **more)
        found.append(stream.getvalue())
    stream = io.BytesIO()
    whole.save(stream, "TIFF", big_tiff=True)
    found.append(stream.getvalue())
    stream = io.BytesIO()
    np.save(stream, pixels.transpose(2, 0, 1).astype(np.float32))
    return [*found, *_deep(pixels[..., :3].astype(np.uint16) * 257), stream.getvalue()]


def _deep(pixels: NDArray[np.uint16]) -> list[bytes]:
    """16-bit RGB: a PNG, an animated one, and TIFFs of both byte orders."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    data = zlib.compress(rows)
    first, second = (
        (b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 25, 0, 0)) for number in (0, 1)
    )
    further = (b"fdAT", struct.pack(">I", 2) + data)
    whole = [(b"IHDR", header), (b"IDAT", data), (b"IEND", b"")]
    moving = [whole[0], (b"acTL", struct.pack(">II", 2, 0)), first, whole[1], second, further, whole[2]]
    return [_png(whole), _png(moving), *(_tiff(pixels, order, width, height, channels) for order in "<>")]


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _tiff(pixels: NDArray[np.uint16], order: str, width: int, height: int, channels: int) -> bytes:
    """An uncompressed TIFF: its head, one directory, the bits of the channels, the pixels."""
    entries = 10
    bits = 8 + 2 + 12 * entries + 4
    start = bits + 2 * channels
    tags = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, bits), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, start),
        (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, pixels.nbytes), (284, 3, 1, 1),
    ]  # fmt: skip
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", entries)
    body = b"".join(
        struct.pack(f"{order}HHI", tag, kind, count)
        + (struct.pack(f"{order}HH", value, 0) if kind == 3 and count == 1 else struct.pack(f"{order}I", value))
        for tag, kind, count, value in tags
    )
    depths = struct.pack(f"{order}{channels}H", *[16] * channels)
    return head + body + struct.pack(f"{order}I", 0) + depths + pixels.astype(f"{order}u2").tobytes()


# Kernels


def spec(data: bytes, folder: Path) -> bool:
    """A SPEC, as ``-k`` takes it."""
    text = data.decode("utf-8", "replace")
    return _accepted(lambda: kernels.parse(text)) if not _large(text) else False


def _large(text: str) -> bool:
    """Whether a number in it asks for a large kernel, which takes its time."""
    digits = "".join(sign if sign.isdigit() else " " for sign in text).split()
    return any(len(number) > 3 for number in digits)


def _specs() -> list[bytes]:
    from convcli.kernels.named import REGISTRY

    return [
        *(name.encode() for name in REGISTRY),
        b"gaussian:2", b"gaussian:sigma=2,size=13", b"gabor:0.1,theta=30", b"0,1,0;1,-4,1;0,1,0", b"(1,2;3,4)/5",
        b"1/9,1/9;2e-3,-.5",
        b"3x3: 0,-1,0 -1,5,-1 0,-1,0",
        b"2x3+1+1: 1 2 3 4 - nan", b"3: 1,2,3 4,5,6 7,8,9", b"random:3,seed=4", b"sobel-x",
    ]  # fmt: skip


KERNEL_SUFFIXES = (".npy", ".json", ".csv", ".txt", ".mat")


def kernel_file(data: bytes, folder: Path) -> bool:
    """A file for ``-k``; the first byte says which kind."""
    suffix = KERNEL_SUFFIXES[(data[0] if data else 0) % len(KERNEL_SUFFIXES)]
    path = _file(data[1:], folder, f"kernel{suffix}")
    return _accepted(lambda: kernels.parse(path))


def _kernel_files() -> list[bytes]:
    stream = io.BytesIO()
    np.save(stream, np.arange(9.0).reshape(3, 3))
    return [
        b"\x00" + stream.getvalue(),
        b"\x01[[0, 1, 0], [1, -4, 1], [0, 1, 0]]",
        b"\x021,2,3\n4,5,6\n",
        b"\x031 2 3\n4 5 6\n",
        b"\x020,5;1,25;2\n3;4,5;6\n",
        b"\x03(1,2,1;2,4,2;1,2,1)/16",
        b'\x02"1,5","2" # end\n"3",4,\n',
        b'\x01{"kernel": [[1, 2], [3, 4]]}',
        b"\x043 3 8 0\n1 2 1\n0 0 0\n-1 -2 -1\n",
    ]


# Weights


WEIGHT_SUFFIXES = (".npy", ".npz", ".safetensors", ".pt", ".onnx", ".json")


def weights_file(data: bytes, folder: Path) -> bool:
    """A file for ``--weights``; the first byte says which kind."""
    suffix = WEIGHT_SUFFIXES[(data[0] if data else 0) % len(WEIGHT_SUFFIXES)]
    path = _file(data[1:], folder, f"weights{suffix}")
    return _accepted(lambda: weights.load(path))


def _weights_files() -> list[bytes]:
    weight = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, weight)
    np.savez(npz, w=weight, other=np.ones(3))
    header = b'{"w":{"dtype":"F32","shape":[1,2,2,2],"data_offsets":[0,32]}}'
    safetensors = struct.pack("<Q", len(header)) + header + weight.tobytes()
    torch = io.BytesIO()
    with zipfile.ZipFile(torch, "w") as archive:  # the outline of a .pt, which torch need not be imported for
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("archive/version", b"3\n")
    tensor = b"\x08\x01\x08\x02\x08\x02\x08\x02\x10\x01\x42\x01wJ\x20" + weight.tobytes()  # shape, type, name, values
    node = b"\x0a\x01x\x0a\x01w\x12\x01y\x22\x04Conv"
    graph = b"\x0a" + bytes([len(node)]) + node + b"\x2a" + bytes([len(tensor)]) + tensor
    onnx = b"\x08\x09:" + bytes([len(graph)]) + graph
    index = b'{"weight_map": {"w": "weights.safetensors"}}'
    files = npy.getvalue(), npz.getvalue(), safetensors, torch.getvalue(), onnx, index
    return [bytes([number]) + content for number, content in enumerate(files)]


# The command line


_WORDS = """
tiny.png gray.npy w.npy w.npy:key kernel.csv list.txt folder missing.png -
-o out.png out.npy out/ out.jpg out.svg out.gif {stem}.tif {nonsense} /dev/null /proc/none/x.png
-k sobel gaussian:2 gaussian:-1 box:5 1,2;3,4 0 nan --kernel=-1,0,1 --weights
--stride -s -p -d --op2 --p2 --output-size 1 2 3 5 2,1 1,2,3,4 -1 1e9 ? 0,0 7,7
same same-upper same-lower full valid --padding-mode reflect circular wrap nonsense
--groups --bias 50% 1,2,3 --op conv corr --channels sum gray each --combine max magnitude
--transpose --hin --win --k --hout --layers --size 9,9 --color always --repeats --in-channels --out-channels --kernel-size
--backend numpy reference auto --device cuda:7 cpu --dtype float64 float32 float16 --threads --plan fft taps separable
--range minmax raw abs -1,1 9,2 --linear --alpha premultiply keep --format png npy --overwrite --in-place --json -q -v
--at 4,4 --input-at --as torch vips --frame --channel --montage --recursive --from-file -0 --skip-existing
--quality --max-pixels --help bash
"""
WORDS = (
    *COMMANDS, *_WORDS.split(), "", " ", "3x3: 1,2,3", "conv:k3,s2 pool:k2,s2 transpose:k4,s2,p1", "\x00", "é", "😀", "a" * 300,
)  # fmt: skip
"""What a command line is made of: a byte of the input picks one; 255 begins a word of its own, which ends with a zero."""


def words(data: bytes) -> list[str]:
    """The command line that bytes stand for: at most 24 words."""
    out: list[str] = []
    place = 0
    while place < len(data) and len(out) < 24:
        if data[place] == 255:
            end = data.find(b"\x00", place)
            end = len(data) if end < 0 else end
            out.append(data[place + 1 : end].decode("utf-8", "surrogateescape"))
            place = end
        else:
            out.append(WORDS[data[place] % len(WORDS)])
        place += 1
    return out


def command_line(data: bytes, folder: Path) -> bool:
    """Words for convcli, in a folder with a few files, which must look as before but for what was asked for."""
    args = words(data)
    if any(_large(word) for word in args):
        return False
    _furnish(folder)
    before = {path.name for path in folder.iterdir()}
    with chdir(folder):
        result = CliRunner().invoke(main, args, input=b"", prog_name="convcli")
    failure = result.exception
    if failure is not None and not isinstance(failure, SystemExit):
        raise failure
    assert result.exit_code in (0, 1, 2, 130), (args, result.exit_code)
    assert "Traceback" not in result.stderr, (args, result.stderr)
    if result.exit_code == 2 and args:
        last = result.stderr.rstrip("\n").splitlines()[-1]
        assert last.startswith("convcli: error:") or "Usage:" in result.stderr, (args, result.stderr)
    left = {path.name for path in folder.iterdir()} - before
    assert not [name for name in left if name.endswith(".tmp")], (args, left)
    if result.exit_code == 2:
        assert not left, (args, left)
    _clear(folder, left)
    return result.exit_code == 0


def _furnish(folder: Path) -> None:
    """The files that the words speak of."""
    if (folder / "folder").exists():
        return
    generator = np.random.default_rng(1)
    Image.fromarray(generator.integers(0, 256, (6, 5, 3), dtype=np.uint8)).save(folder / "tiny.png")
    np.save(folder / "gray.npy", generator.normal(size=(7, 6)).astype(np.float32))
    np.save(folder / "w.npy", generator.normal(size=(2, 3, 3, 3)))
    (folder / "kernel.csv").write_text("1,2,1\n2,4,2\n")
    (folder / "list.txt").write_text("tiny.png\nmissing.png\n")
    (folder / "folder").mkdir()
    Image.fromarray(generator.integers(0, 256, (4, 4), dtype=np.uint8)).save(folder / "folder" / "one.png")


def _clear(folder: Path, names: set[str]) -> None:
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            for root, directories, found in os.walk(path, topdown=False):
                for each in found:
                    os.unlink(os.path.join(root, each))
                for each in directories:
                    os.rmdir(os.path.join(root, each))
            path.rmdir()
        else:
            path.unlink()


def _command_lines() -> list[bytes]:
    lines = [
        ["apply", "tiny.png", "-k", "sobel", "-o", "out.png"],
        ["apply", "tiny.png", "--weights", "w.npy", "-s", "2", "-o", "out.npy", "--json"],
        ["transpose", "gray.npy", "-k", "box:5", "-s", "2", "-p", "1", "--op2", "1", "-o", "out.npy"],
        ["shape", "--hin", "5", "--k", "3", "-s", "2", "--op2", "1"],
        ["shape", "--hout", "5", "--hin", "?", "--k", "3", "--json"],
        ["shape", "--hin", "5", "--layers", "conv:k3,s2 pool:k2,s2 transpose:k4,s2,p1"],
        ["compare", "--size", "9,9", "--repeats", "1", "--json"],
        ["explain", "tiny.png", "-k", "sobel", "--at", "0,0", "--json"],
        ["explain", "tiny.png", "-k", "box:5", "--as", "torch"],
        ["animate", "--hin", "5", "--k", "3", "-o", "out.gif"],
        ["kernel", "sobel"],
        ["completion", "bash"],
    ]
    return [bytes(WORDS.index(word) for word in line if word in WORDS) for line in lines]


TARGETS: dict[str, Target] = {
    "image": Target(image, _images),
    "spec": Target(spec, _specs),
    "kernel-file": Target(kernel_file, _kernel_files),
    "weights": Target(weights_file, _weights_files),
    "command-line": Target(command_line, _command_lines),
}


def attempt(name: str, data: bytes, folder: Path) -> bool:
    """Give a target bytes; whether they made sense. Raises what is a finding."""
    target: Any = TARGETS[name]
    with watched():
        accepted: bool = target.run(data, folder)
    return accepted
