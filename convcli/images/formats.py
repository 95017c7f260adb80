"""The table of formats. A row has everything that convcli knows about a format; all other modules look it up here.

To add a format, add a row, and a module that reads or writes it if Pillow does not. Standard library only, until somebody asks
for a name that the table does not have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from convcli.errors import ImageError
from convcli.system import names

PILLOW_READS, PILLOW_WRITES = "pillow_file", "through_pillow"
"""The reader and the writer of most formats."""

ANY = sys.maxsize
"""No limit of a length."""


class Format(NamedTuple):
    """What is known about a format. The defaults are for a format that Pillow knows and this table does not have."""

    name: str  # Pillow's name, or ``NPY``
    # endings of file names. Pillow knows more, but has to import all of its plugins for that.
    endings: tuple[str, ...] = ()
    # endings that Pillow counts to this format, but that stand for another kind of file
    refused_endings: tuple[str, ...] = ()
    heads: tuple[bytes, ...] = ()  # the first bytes of its files; needed only if not just Pillow recognises them
    # the module in `convcli.images.reading` with a class ``File``, and the module in `convcli.images.writing` with a
    # function ``write``. Empty: files cannot be read, or cannot be written.
    reader: str = PILLOW_READS
    writer: str = PILLOW_WRITES
    refusal: str = ""  # why files are not read: the rule of the error
    # what opens these files in Pillow, ``MODULE.NAME``; given if other plugins need not be tried first
    plugin: str = ""
    coding: str = ""  # the options of its encoder: a key of `convcli.images.writing.through_pillow.CODINGS`
    feature: str = ""  # Pillow's name of a library that it may have been built without; empty if none is needed
    written_as: str = ""  # the format that is written instead; empty: this one
    bits: int = 8  # the most bits of an integer sample: 8 or 16
    # whether 32-bit real numbers, CMYK and alpha can be written
    real: bool = False
    cmyk: bool = False
    alpha: bool = True
    palette: bool = False  # whether it has at most 256 colours, and times in hundredths of a second: see `writing.gif`
    turned: bool = False  # whether cameras write it, so that every file may have an orientation
    # how its header says that samples have more than 8 bits, of which Pillow keeps 8: the bytes to look for, the offset
    # after them of the byte that says it, a mask for that byte, and the least value then
    deep: tuple[bytes, int, int, int] | None = None
    plain: bool = False  # whether a file can be a header and then nothing but samples, row by row
    layers: bool = False  # whether Pillow counts the layers of a picture as frames, which it may not be able to read
    tensor: bool = False  # whether it has any number of channels, as real numbers of any dtype
    pages: bool = False  # whether several pictures in a file are pages, which may differ in every way
    animation: bool = False  # whether several pictures in a file are the frames of an animation
    # endings under which all frames are written. Under other endings they are if the input has this format.
    animated_endings: tuple[str, ...] = ()
    largest: int = ANY  # the largest side that Pillow writes
    only: int = 0  # the only side that it can have; 0: any
    # the metadata that a file can hold, by its name in `convcli.images.picture.Metadata`, and the greatest length of each
    keeps: Mapping[str, int] = {}
    # whether its files are lossy; None: some files are
    lossy_read: bool | None = False
    # whether written files are lossy; None: if the input was, or with a quality below 100
    lossy_written: bool | None = False
    # whether the encoder has these settings
    quality: bool = False
    compression: bool = False
    # memory of the encoder for each pixel of three channels, measured, without the pixels and the file
    encoder_bytes: int = 0
    # whether the encoder writes from front to back, so that no copy of the file is needed in memory
    direct: bool = False

    def loses(self, source_loses: bool, quality: int | None = None) -> bool:
        """Whether writing this format changes colours, for an input that is lossy or not, and the quality that the user wants."""
        if self.lossy_written is None:
            return source_loses if quality is None else quality < 100
        return self.lossy_written


def _whole(*names: str) -> dict[str, int]:
    """Metadata whose length is not limited."""
    return dict.fromkeys(names, ANY)


# fmt: off
ROWS = {row.name: row for row in (
    Format("GIF", (".gif",), animation=True, animated_endings=(".gif",), largest=65535, keeps={"comment": 65533},
           lossy_written=True, encoder_bytes=31, palette=True),  # with 256 colours; all others are replaced
    Format("PNG", (".png", ".apng"), heads=(b"\x89PNG\r\n\x1a\n",), plugin="PngImagePlugin.PngImageFile", writer="png", bits=16,
           animation=True, animated_endings=(".apng",), keeps=_whole("exif", "xmp", "icc_profile", "dpi", "text", "chunks"),
           compression=True),
    Format("JPEG", (".jpg", ".jpeg"), heads=(b"\xff\xd8\xff",), plugin="JpegImagePlugin.jpeg_factory", coding="jpeg",
           turned=True, cmyk=True, alpha=False, largest=65500, lossy_read=True, lossy_written=True, quality=True,
           keeps={"exif": 65533, "xmp": 65504, "comment": 65533} | _whole("iptc", "icc_profile", "dpi"), encoder_bytes=5),
    Format("WEBP", (".webp",), coding="webp", feature="webp", animation=True, animated_endings=(".webp",), largest=16383,
           keeps=_whole("exif", "xmp", "icc_profile"), lossy_read=None, lossy_written=None, quality=True, encoder_bytes=41),
    # "AV1 Codec ISO Media File Format Binding", 2.3.3: high_bitdepth; ISO/IEC 15444-1, A.5.1: each channel's bits less 1
    Format("AVIF", deep=(b"av1C", 2, 0x40, 0x40), feature="avif", largest=65536, keeps=_whole("exif", "xmp", "icc_profile"),
           lossy_read=True, lossy_written=True, quality=True, encoder_bytes=29),
    Format("TIFF", (".tif", ".tiff"), heads=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), reader="tiff_file", writer="tiff",
           bits=16, real=True, cmyk=True, pages=True, keeps=_whole("exif", "xmp", "icc_profile", "dpi"), compression=True),
    Format("NPY", (".npy",), heads=(b"\x93NUMPY",), reader="npy_file", writer="tensor", tensor=True),
    Format("PPM", (".ppm", ".pgm", ".pnm"), (".pbm", ".pfm"), writer="netpbm", plain=True, bits=16,
           alpha=False),  # .pbm has 1 bit, .pfm real numbers
    Format("BMP", (".bmp",), alpha=False, keeps=_whole("dpi"), direct=True),
    Format("DIB", alpha=False),
    Format("JPEG2000", feature="jpg_2000", deep=(b"\xff\x4f\xff\x51", 38, 0x7F, 8),
           lossy_read=True, encoder_bytes=42),  # usually; but Pillow writes it without loss
    Format("MPO", written_as="JPEG", turned=True, lossy_read=True),  # from telephones, with a small picture after the large one
    Format("ICO", coding="ico", largest=256),
    Format("ICNS", only=1024),  # Pillow resizes all others to this, and adds the smaller icons
    Format("PCX", alpha=False, largest=65534),
    Format("SGI", largest=65535),
    Format("TGA", largest=65535),
    Format("PDF", cmyk=True, largest=65500, lossy_written=True),
    Format("EPS", reader="", refusal="is EPS, a program, which Pillow would hand to Ghostscript", alpha=False),
    # Need other programs to be read, or cannot be read at all; cannot be written with 8-bit gray or colours.
    *(Format(name, reader="", writer="") for name in ("BUFR", "GRIB", "HDF5", "WMF")),
    Format("MPEG", reader=""),
    Format("PSD", writer="", layers=True),
    *(Format(name, writer="") for name in ("BLP", "MSP", "PALM", "SPIDER", "XBM")),
)}
"""In the order in which messages name the formats."""
# fmt: on

TENSOR = next(row.name for row in ROWS.values() if row.tensor)
"""The format of tensors."""

ENDINGS = {ending: row for row in ROWS.values() for ending in row.endings}
"""Formats by the endings in this table."""


def row_of(name: str | None) -> Format:
    """The row of a format; if the table has none, one with the defaults."""
    return ROWS.get(name or "") or Format(name or "")


def row_of_head(head: bytes) -> Format | None:
    """The format of a file with these first bytes; None if the table does not know them."""
    return next((row for row in ROWS.values() if row.heads and head.startswith(row.heads)), None)


def reader(row: Format | None) -> Callable[..., Any]:
    """The class that opens files of a format; the one for Pillow if the format is not known."""
    return _found(f"convcli.images.reading.{PILLOW_READS if row is None else row.reader}.File")


def plugin(row: Format | None) -> Callable[..., Any] | None:
    """What opens files of a format in Pillow; None if the table does not say it."""
    return None if row is None or not row.plugin else _found(f"PIL.{row.plugin}")


def writer(row: Format) -> Callable[..., Any]:
    """The function that writes files of a format."""
    return _found(f"convcli.images.writing.{row.writer}.write")


def _found(path: str) -> Callable[..., Any]:
    module, _, name = path.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def animations() -> dict[str, str]:
    """Endings and names of the formats that can be animated."""
    return {ending: row.name for row in ROWS.values() if row.animation for ending in row.endings}


def format_of(target: str, wanted: str | None, source: str | None) -> str:
    """The format to write: Pillow's name of it, or ``NPY``. Raises `ImageError` if it cannot be written.

    Parameters
    ----------
    target : str
        A path, whose ending decides; or ``-``, or a device or pipe whose name has no ending.
    wanted : str, optional
        The name of the format, if the ending does not decide.
    source : str, optional
        The format of the input, which is the default for a stream.
    """
    if wanted is None and names.is_stream(target) and not Path(target).suffix:
        name = row_of(source).written_as or source
        return name if name is not None and _written(name) else "PNG"
    ending = f".{wanted.lower().lstrip('.')}" if wanted is not None else Path(target).suffix.lower()
    row = _row_of_ending(ending)
    if row is None or ending in row.refused_endings or not _written(row.name):
        which = f"ends in '{ending}', which" if ending else "has no ending such as .png and"
        what = f"format '{wanted}'" if wanted is not None else f"output '{target}' {which}"
        raise ImageError(what, "cannot be written", "use png, jpg, tif, webp, ppm, bmp, gif or npy")
    if not _built(row):
        raise ImageError(f"format {row.name}", "cannot be written", "use png", "this Pillow is built without it")
    return row.written_as or row.name


def has_image_name(name: str) -> bool:
    """Whether the name of a file has an ending of images that can be read, or of .npy tensors."""
    ending = Path(name).suffix.lower()
    if not ending or ending in ENDINGS:
        return bool(ending)
    row = _row_of_ending(ending)
    return row is not None and _read(row.name)


def readable() -> tuple[str, ...]:
    """Formats that can be read."""
    from PIL import Image

    Image.init()
    return tuple(sorted(filter(_read, {*ROWS, *Image.OPEN})))


def writable() -> tuple[str, ...]:
    """Formats that can be written."""
    from PIL import Image

    found = {"NPY"}
    for ending in Image.registered_extensions():
        with suppress(ImageError):
            found.add(format_of(f"x{ending}", None, None))
    return tuple(sorted(found))


def libraries() -> str:
    """The libraries that Pillow's codecs use, with their versions."""
    from PIL import features

    labels = {
        "libjpeg_turbo": "libjpeg-turbo",
        "jpg_2000": "OpenJPEG",
        "libtiff": "libtiff",
        "webp": "libwebp",
        "avif": "libavif",
    }
    versions = {label: features.version(name) for name, label in labels.items() if features.check(name)}
    return ", ".join(f"{label} {version}" for label, version in versions.items() if version)


def _row_of_ending(ending: str) -> Format | None:
    """The format of an ending, from this table or from Pillow."""
    if ending in ENDINGS or not ending:
        return ENDINGS.get(ending)
    from PIL import Image

    name = Image.registered_extensions().get(ending)
    return None if name is None else row_of(name)


def _written(name: str) -> bool:
    """Whether a format can be written."""
    row = row_of(name)
    return bool(row.writer) and (bool(row.endings) or _registered(name, "SAVE"))


def _read(name: str) -> bool:
    """Whether a format can be read."""
    row = row_of(name)
    return bool(row.reader) and (row.reader != PILLOW_READS or _registered(name, "OPEN")) and _built(row)


def _registered(name: str, registry: str) -> bool:
    """Whether Pillow has a plugin that opens (``OPEN``) or saves (``SAVE``) a format."""
    from PIL import Image

    Image.init()
    return name in getattr(Image, registry)


def _built(row: Format) -> bool:
    """Whether Pillow has the library that a format needs."""
    if not row.feature:
        return True
    from PIL import features

    return bool(features.check(row.feature))
