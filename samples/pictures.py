"""Make the pictures of the documents: ``python samples/pictures.py [FOLDER]`` (by default into the folder of this script).

Those in `gallery` are what a command of convcli makes, made smaller. Those in `kernels` show what each named kernel does to a part
of the photograph.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import convcli.kernels  # noqa: F401  (enters the kernels)
from convcli.kernels.named import FAMILIES, REGISTRY

HERE = Path(__file__).resolve().parent
SIDE = 96

PICTURES = {
    "photo.jpg": (300, "apply samples/coffee.jpg -k box:2 --stride 2"),
    "edges.jpg": (300, "apply samples/coffee.jpg -k sobel --stride 2"),
    "bokeh.jpg": (300, "apply samples/coffee.jpg -k disk:9 -p same --padding-mode symmetric --linear"),
    "signs.jpg": (300, "apply samples/coffee.jpg -k sobel-x --channels gray --range offset"),
    "maps.jpg": (720, "apply samples/coffee.jpg --weights samples/layer.safetensors:conv1.weight -s 2 -p 3 --montage"),
    "filters.png": (1, "kernel --weights samples/layer.safetensors:conv1.weight"),
    "big.png": (1, "transpose samples/tiny.png -k bilinear:16 -s 16 -p same-upper --padding-mode replicate"),
    "dark.png": (1, "transpose samples/tiny.png -k bilinear:16 -s 16 -p same-upper"),
    "explained.png": (0.5, "explain samples/tiny.png -k sobel-x --at 1,2"),
    "reflected.png": (0.5, "explain samples/tiny.png -k laplacian -p 1 --padding-mode reflect --at 0,7"),
    "strided.gif": (1, "animate --hin 5 --k 3 --s 2 --p 1"),
    "dilated.png": (0.5, "animate --hin 7 --k 3 --d 2 --frame 4"),
    "corr.png": (0.5, "animate '0,0,0,0,0;0,0,0,0,0;0,0,1,0,0;0,0,0,0,0;0,0,0,0,0' -k '1,2,3;4,5,6;7,8,9' --frame 8"),
    "conv.png": (
        0.5,
        "animate '0,0,0,0,0;0,0,0,0,0;0,0,1,0,0;0,0,0,0,0;0,0,0,0,0' -k '1,2,3;4,5,6;7,8,9' --op conv --frame 8",
    ),
    "five.png": (0.5, "animate --hin 5 --k 3 --s 2 --p 1 --frame 8"),
    "six.png": (0.5, "animate --hin 6 --k 3 --s 2 --p 1 --frame 8"),
    "back-to-five.png": (0.5, "animate --hin 3 --k 3 --s 2 --p 1 --transpose --frame 24"),
    "back-to-six.png": (0.5, "animate --hin 3 --k 3 --s 2 --p 1 --op2 1 --frame 35"),
    "checkerboard.png": (0.5, "shape --hin 8 --k 3 --s 2 --p 1 --op2 1"),
    "even.png": (0.5, "shape --hin 8 --k 4 --s 2 --p 1 --transpose"),
    "log.png": (720, "kernel log:1.4"),
    "seen.jpg": (720, "kernel sobel --on samples/coffee.jpg"),
}
"""The width in pixels, or a share of what it is, and the command of every picture in `gallery`; its ``-o`` is left out."""

STRONGER = {
    "shift": "shift:8,16", "box": "box:7", "gaussian": "gaussian:2", "binomial": "binomial:7",
    "unsharp": "unsharp:2", "gaussian-discrete": "gaussian-discrete:2", "gaussian-erf": "gaussian-erf:2",
    "gaussian-ellipse": "gaussian-ellipse:1,4,45", "gaussmat": "gaussmat:3", "hanning": "hanning:9", "blur": "blur:6",
    "comet": "comet:8", "square": "square:3", "rectangle": "rectangle:3,9", "diamond": "diamond:4", "octagon": "octagon:4",
    "plus": "plus:5", "cross": "cross:5", "disk": "disk:4", "motion": "motion:15,45", "motion-nearest": "motion-nearest:15,45",
    "random": "random:5",
}  # fmt: skip
"""SPECs of the pictures in `kernels` whose default arguments would hardly be seen, or that have none."""

OPTIONS = {"pillow-contour": "--bias 100%", "pillow-emboss": "--bias 50%"}


def spec_of(name: str) -> str:
    """The SPEC of a kernel's picture."""
    return STRONGER.get(name, name)


def command_of(name: str) -> str:
    """The command that makes a kernel's picture from `part.png`; from `half.png` if it is one that enlarges."""
    if name == "nearest":
        return "transpose half.png -k nearest -s 2"
    if name in FAMILIES["upsampling"].split():
        return f"transpose half.png -k {name} -s 2 -p same-upper --padding-mode replicate"
    how = f"-k {spec_of(name)} -p same-upper --padding-mode replicate {OPTIONS.get(name, '')}"
    return f"apply part.png {how}".strip()


def averages(name: str) -> bool:
    """Whether a kernel keeps the brightness, so that its picture needs no stretching."""
    return name in OPTIONS or REGISTRY[name].scale in ("sum 1", "sum factor²")


def parts(folder: Path) -> None:
    """Write the part of the photograph that the kernels are shown on, and the same at half the size."""
    with Image.open(HERE / "coffee.jpg") as photo:
        part = photo.convert("RGB").resize((240, 160), Image.Resampling.LANCZOS).crop((62, 30, 62 + SIDE, 30 + SIDE))
    part.save(folder / "part.png")
    part.resize((SIDE // 2, SIDE // 2), Image.Resampling.LANCZOS).save(folder / "half.png")


def pixels(name: str, values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A kernel's result ``(3, H, W)`` as a picture ``(H, W, 3)``.

    What does not keep the brightness is shown as convcli's contact sheets do: 0 is mid-gray if there are both signs, else black,
    and 1 % is clipped.
    """
    if not averages(name):
        black, span = (127.5, 127.5) if values.min() < 0 else (0, 255)
        values = black + span * values / np.quantile(np.abs(values), 0.99)
    out: NDArray[np.uint8] = np.rint(values.clip(0, 255)).astype(np.uint8).transpose(1, 2, 0)
    return out


def reduced(made: Path, target: Path, size: float) -> None:
    """Write a picture at a width, or a share of its own; figures with few colours."""
    with Image.open(made) as picture:
        page = picture.convert("RGB")
        width = round(size if size > 1 else size * page.width)
        if width < page.width:
            page = page.resize((width, round(page.height * width / page.width)), Image.Resampling.LANCZOS)
        if target.suffix == ".jpg":
            page.save(target, quality=80, optimize=True)
        else:
            page.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)


def main(folder: Path) -> None:
    """Write every picture into `gallery` and `kernels` of the folder."""
    for name in ("gallery", "kernels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        for name, (size, line) in PICTURES.items():
            made = Path(scratch, name).with_suffix(".gif" if name.endswith("gif") else ".png")
            _run([*shlex.split(line), "-o", str(made)], HERE.parent)
            if made.suffix == ".gif":
                (folder / "gallery" / name).write_bytes(made.read_bytes())
            else:
                reduced(made, folder / "gallery" / name, size)
        parts(Path(scratch))
        for name in REGISTRY:
            _run([*command_of(name).split(), "-o", f"{name}.npy"], Path(scratch))
            page = Image.fromarray(pixels(name, np.load(Path(scratch, f"{name}.npy"))))
            page.save(folder / "kernels" / f"{name}.jpg", quality=80, optimize=True)


def _run(words: list[str], folder: Path) -> None:
    command = [sys.executable, "-m", "convcli", *words, "-q"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
