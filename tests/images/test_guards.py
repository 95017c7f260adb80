"""Whoever imports the package finds nothing of the process changed when it is done."""

import struct
import warnings
from math import prod
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convcli import images
from convcli.errors import ImageError
from convcli.images import guards
from convcli.images.guards import MAX_PIXELS, settle
from convcli.system import memory
from convcli.system.context import Context
from support.cli import run
from support.processes import BEGIN, COMPARE, SAME, SNAPSHOT, ran

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
names = [name for name in formats.writable() if formats.row_of(name).writer]
endings = {name: ending for ending, name in Image.registered_extensions().items()} | {"NPY": ".npy", "PPM": ".ppm"}
for name in names:
    for kind, picture in pictures.items():
        path = f"{kind}{endings[name]}"
        try:
            shape, has_alpha = picture.colour.shape, picture.alpha is not None
            storage = images.storage_for(picture, picture.space, shape, has_alpha, name, None)
            images.save(picture, path, storage)
            written += 1
            with images.opened(path, 1 << 40) as file:
                same(f"{path}, opened", "descriptors")
                file.picture()
            same(path)
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
from convcli.images.reading import tiff_file
with tifffile.TiffWriter("lzw.tif") as to:  # of a kind that Pillow does not know
    pixels = np.moveaxis(values[:2], 0, -1)
    to.write(pixels, photometric="minisblack", planarconfig="contig", extrasamples=["unassalpha"], metadata=None)
with images.opened("lzw.tif") as file:
    assert tiff_file.by_pillow(file._pages.page(0), lambda: tiff_file.opened(file._stream)).mode == "RGBA"
    same("a kind that Pillow does not know", "descriptors")
raster.save(Scene(20, 20, "#ffffff", (Rect(1, 1, 5, 5, "#000000"),)), "figure.png")
assert written > 30 and refused, (written, refused)
"""


def test_nothing_is_changed(tmp_path: Path) -> None:
    """Every format is read and written, damaged files and all: nothing is changed afterwards, nor while a file is open."""
    code = f"{SNAPSHOT}\n{BEGIN}before = snapshot()\n{SAME}\n{USE}\n{COMPARE}"
    assert ran(code, tmp_path) == "the same\n"


def test_what_the_caller_has_set_stays(tmp_path: Path) -> None:
    own = (
        "Image.MAX_IMAGE_PIXELS = None\nwarnings.simplefilter('always')\n"
        "logging.getLogger('PIL').propagate = True\nlogging.getLogger('tifffile').setLevel(10)\n"
        "logging.getLogger('tifffile').addHandler(logging.NullHandler())\nwarnings.simplefilter('ignore', DeprecationWarning)\n"
    )
    code = f"{SNAPSHOT}\n{BEGIN}{own}\nbefore = snapshot()\n{SAME}\n{USE}\n{COMPARE}"
    assert ran(code, tmp_path) == "the same\n"


WATCHED = """
import threading
seen, ended = set(), threading.Event()

def look():
    while not ended.is_set():
        loggers = [logging.getLogger(name) for name in ("PIL", "tifffile")]
        seen.add((Image.MAX_IMAGE_PIXELS, len(warnings.filters), *((one.propagate, len(one.handlers)) for one in loggers)))

from convcli import images
Image.MAX_IMAGE_PIXELS = {limit}
sys.setswitchinterval(1e-5)
look_once = (Image.MAX_IMAGE_PIXELS, len(warnings.filters), (True, 0), (True, 0))
thread = threading.Thread(target=look)
thread.start()
for _ in range(5):
    for name in ("a.png", "a.jpg", "a.tif", "lzw.tif", "a.ppm"):
        images.load(name, 10**12)
ended.set()
thread.join()
assert seen == {{look_once}}, seen
print("the same")
"""


def test_another_thread_sees_no_change_while_files_are_read(tmp_path: Path) -> None:
    """With no limit of Pillow's, and with one that is lower than the sizes: ours, of the call, is what counts."""
    image = Image.radial_gradient("L").resize((300, 200)).convert("RGB")
    for name in ("a.png", "a.jpg", "a.tif", "a.ppm"):
        image.save(tmp_path / name)
    image.save(tmp_path / "lzw.tif", compression="tiff_lzw")
    for limit in (None, 1000):
        assert ran(f"{SNAPSHOT}\n{BEGIN}{WATCHED.format(limit=limit)}", tmp_path) == "the same\n"


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


def test_the_command_line_s_context_puts_everything_back() -> None:
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with Context(owns_process=True):
        settle(10**10)
        assert Image.MAX_IMAGE_PIXELS == 10**10 // 2
        settle(10**9)
        assert Image.MAX_IMAGE_PIXELS == 10**10 // 2
        assert warnings.filters != filters
    assert limit == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


def test_others_do_not_settle_anything() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with Context():
        settle(2 * MAX_PIXELS)
        assert before == Image.MAX_IMAGE_PIXELS


def test_only_the_program_changes_how_memory_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: then small arrays keep their memory for the next ones, also those of a single image."""
    changed = []
    monkeypatch.setattr(memory, "keep_arrays", lambda: changed.append(True))
    for around in (Context(), Context(owns_process=True)):
        with around:
            settle()
    assert not changed
    with Context(owns_process=True, program=True):
        settle()
        settle()
    assert len(changed) == 1


def test_what_pillow_does_not_support_has_another_remedy_than_what_is_damaged(tmp_path: Path) -> None:
    masks = struct.pack("<4I", 0xF00, 0xF0, 0xF, 0xF000)
    head = struct.pack("<IiiHHIIiiII", 56, 2, 1, 1, 16, 3, 4, 0, 0, 0, 0) + masks
    path = tmp_path / "a.bmp"
    path.write_bytes(b"BM" + struct.pack("<IHHI", 0, 0, 0, 70) + head + bytes(4))
    with pytest.raises(ImageError) as caught:
        images.load(str(path))
    assert (
        caught.value.text
        == f"input '{path}' cannot be decoded: Unsupported BMP bitfields layout; convert it to png or tif first"
    )


def test_a_format_that_pillow_gives_up_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.im"
    path.write_bytes(b"Image type: Greyscale image\r\nImage size (x*y): 2*1\r\n".ljust(511, b"\0") + b"\x1a\1\2")
    said = run("apply", path, "-k", "identity", "-o", tmp_path / "o.png").err
    assert said == f"convcli: error: input '{path}' is IM, a format that Pillow gives up: convert it to png first\n"


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "LA", "P", "1", "I;16", "F"])
@pytest.mark.parametrize("limit", [1, 30 * 40 - 1, 30 * 40])
@pytest.mark.parametrize("packs", [True, False])
def test_an_image_is_an_array_in_any_pieces(
    mode: str, limit: int, packs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a later Pillow packs fewer bytes at a time."""
    noise = np.random.default_rng(0).integers(0, 65536, (30, 40, 3), np.uint16)
    image = (
        Image.fromarray(noise[..., 0])
        if mode == "I;16"
        else Image.fromarray((noise >> 8).astype(np.uint8)).convert(mode)
    )
    monkeypatch.setattr(guards, "SMALL_PIXELS", limit)
    monkeypatch.setattr(guards, "BAND_PIXELS", 100)
    if not packs:
        monkeypatch.setattr(guards, "prod", lambda shape: 1 + prod(shape))
    np.testing.assert_array_equal(guards.array_of(image), np.asarray(image))
