"""Whoever imports the package finds nothing of the process changed when it is done."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from convcli.images import guards
from convcli.images.guards import process_wide
from support.cli import environment

SNAPSHOT = """
import logging, os, signal, sys, threading, warnings
import numpy as np
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin

REGISTRIES = ("OPEN", "SAVE", "SAVE_ALL", "MIME", "EXTENSION", "DECODERS", "ENCODERS")

def snapshot():
    loggers = [logging.getLogger(name) for name in (None, "PIL", "PIL.Image", "tifffile")]
    return {
        "limit": Image.MAX_IMAGE_PIXELS,
        "truncated": ImageFile.LOAD_TRUNCATED_IMAGES,
        "block": ImageFile.MAXBLOCK,
        "texts": (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY),
        **{name: dict(getattr(Image, name)) for name in REGISTRIES},
        "order": list(Image.ID),
        "initialised": Image._initialized,
        "kinds of TIFF": dict(TiffImagePlugin.OPEN_INFO),
        "filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "loggers": [(one.level, one.propagate, one.disabled, list(one.handlers), list(one.filters)) for one in loggers],
        "environment": dict(os.environ),
        "standard error": (os.fstat(2).st_dev, os.fstat(2).st_ino, sys.stderr),
        "descriptors": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else [],
        "threads": threading.active_count(),
        "float errors": np.geterr(),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "excepthook": sys.excepthook,
    }
"""


USE = """
from pathlib import Path
from convcli import images
from convcli.drawing.scene import Rect, Scene
from convcli.errors import ImageError
from convcli.images import formats, prefetch
from convcli.images.figures import raster
from convcli.images.picture import Metadata, Picture

values = np.random.default_rng(0).integers(0, 65536, (4, 40, 50), np.uint16)
pictures = {
    "rgb": Picture((values[:3] >> 8).astype(np.uint8), None, "rgb", 255.0),
    "rgba": Picture(values[:3], values[3], "rgb", 65535.0),
    "gray-alpha": Picture(values[:1], values[3], "gray", 65535.0),
    "real": Picture(values[:3].astype(np.float32), None, "rgb", 65535.0, real=True),
    "tensor": Picture(values.astype(np.float64), None, "tensor", 255.0, assumed=True),
}
written = refused = 0
names = formats.writable()
endings = {name: ending for ending, name in Image.registered_extensions().items()} | {"NPY": ".npy", "PPM": ".ppm"}
inside = []
for name in names:
    for kind, picture in pictures.items():
        path = f"{kind}{endings[name]}"
        try:
            shape, has_alpha = picture.colour.shape, picture.alpha is not None
            storage = images.storage_for(picture, picture.space, shape, has_alpha, name, None)
            images.save(picture, path, storage)
            written += 1
            with images.opened(path, 1 << 40) as file:
                inside.append(snapshot()["limit"])
                file.picture()
            prefetch_one = prefetch.decoding_of(path)
            with prefetch_one:
                images.load(path)
        except ImageError:
            refused += 1
frames = [(pictures["rgb"], images.storage_for(pictures["rgb"], "rgb", (3, 40, 50), False, name, None)) for name in ("GIF",)] * 3
images.save_frames(iter(frames), "moving.gif", 3, images.Timing((50.0, 60.0, 70.0), 0, False))
with images.opened("moving.gif") as file:
    file.timing()
    for number in range(file.frames):
        file.picture(number)
Path("damaged.tif").write_bytes(b"II*\\0" + bytes(50))
Path("damaged.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(50))
for name in ("damaged.tif", "damaged.png", "nowhere.png"):
    try:
        images.load(name)
        raise SystemExit("it is not damaged")
    except ImageError:
        pass
import tifffile
with tifffile.TiffWriter("lzw.tif") as to:  # of a kind that Pillow is taught
    pixels = np.moveaxis(values[:2], 0, -1)
    to.write(pixels, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"], metadata=None)
data = bytearray(Path("lzw.tif").read_bytes())
with images.opened("lzw.tif") as file:
    file._by_pillow(0)
    taught = snapshot()["kinds of TIFF"]
raster.save(Scene(20, 20, "#ffffff", (Rect(1, 1, 5, 5, "#000000"),)), "figure.png")
assert written > 30 and refused, (written, refused)
assert set(inside) == {1 << 39}, inside
"""


COMPARE = """
after = snapshot()
assert taught != after["kinds of TIFF"]
for name, value in before.items():
    assert after[name] == value, (name, value, after[name])
print("the same")
"""


def ran(code: str, folder: Path) -> str:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    ended = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def test_nothing_is_changed(tmp_path: Path) -> None:
    """Every format is read and written, damaged files and all."""
    code = f"{SNAPSHOT}\nImage.init()\nimport tifffile\nbefore = snapshot()\n{USE}\n{COMPARE}"
    assert ran(code, tmp_path) == "the same\n"


def test_what_the_caller_has_set_stays(tmp_path: Path) -> None:
    own = (
        "Image.init()\nimport tifffile\nImage.MAX_IMAGE_PIXELS = None\nwarnings.simplefilter('error')\n"
        "logging.getLogger('PIL').propagate = True\nlogging.getLogger('tifffile').setLevel(10)\n"
        "logging.getLogger('tifffile').addHandler(logging.NullHandler())\nwarnings.simplefilter('ignore', DeprecationWarning)\n"
    )
    assert ran(f"{SNAPSHOT}\n{own}\nbefore = snapshot()\n{USE}\n{COMPARE}", tmp_path) == "the same\n"


def test_pillow_knows_all_of_its_formats_afterwards(tmp_path: Path) -> None:
    """Its plugins enter themselves when they are imported, ours among the importers; nothing that it has is left out then."""
    code = (
        "from PIL import Image\nfrom convcli import images\n"
        "for name in ('a.png', 'a.tif', 'a.gif'):\n    images.load(name)\n"
        "registries = 'OPEN SAVE SAVE_ALL MIME EXTENSION'.split()\n"
        "for name in ('a.bmp', 'a.gif', 'a.jpg', 'a.png', 'a.tif', 'a.webp'):\n    Image.open(name).load()\n"
        "Image.init()\nprint([sorted(getattr(Image, name)) for name in registries])"
    )
    for name in ("a.bmp", "a.gif", "a.jpg", "a.png", "a.tif", "a.webp"):
        Image.new("RGB", (5, 5)).save(tmp_path / name)
    alone = (
        "from PIL import Image\nImage.init()\n"
        "print([sorted(getattr(Image, name)) for name in 'OPEN SAVE SAVE_ALL MIME EXTENSION'.split()])"
    )
    assert ran(code, tmp_path) == ran(alone, tmp_path)


def test_whoever_leaves_last_puts_everything_back() -> None:
    before = Image.MAX_IMAGE_PIXELS
    one, other = ExitStack(), ExitStack()
    one.enter_context(process_wide(10**10))
    other.enter_context(process_wide(10**9))
    assert Image.MAX_IMAGE_PIXELS == 10**10 // 2
    one.close()
    assert Image.MAX_IMAGE_PIXELS == 10**10 // 2
    other.close()
    assert before == Image.MAX_IMAGE_PIXELS
    assert not guards._inside


def test_an_error_puts_everything_back() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(ZeroDivisionError), process_wide(10**9):
        _ = 1 / 0
    assert before == Image.MAX_IMAGE_PIXELS
