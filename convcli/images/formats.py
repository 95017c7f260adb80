"""The table of formats. A row has everything that convcli knows about a format; all other modules look it up here.

To add a format, add a row, and a module that reads or writes it if Pillow does not. Standard library only, until somebody asks
for a name that the table does not have.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, BinaryIO

from convcli.errors import ImageError
from convcli.records import NamedTuple
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
    heads: tuple[bytes, ...] = ()  # the first bytes of its files, where more than Pillow has to know them
    end: str = ""  # the function in `convcli.images.reading.ends` that finds where a picture ends
    sequence: str = ""  # where other pictures may follow it: in a ``pipe``, or in a ``file`` too
    # the module in `convcli.images.reading` with a class ``File``, and the one in `convcli.images.writing` with a
    # function ``write``. Empty: files are not read, or not written.
    reader: str = PILLOW_READS
    writer: str = PILLOW_WRITES
    # the module in `convcli.images.writing` with a function ``begin``, which begins to write a picture before it is
    # computed: see `convcli.images.writing.strips`. Empty: there is none.
    strips: str = ""
    blocks: str = ""  # the module in `convcli.images.writing.blocks` that writes files part by part; empty: none does
    pyramid: bool = False  # whether that can add smaller copies of a picture
    windows: str = ""  # the class in `convcli.images.reading.windows` that reads windows of them, with its module
    refusal: str = ""  # why files are not read: the rule of the error
    # what opens these files in Pillow, ``MODULE.NAME``; given if other plugins need not be tried first
    plugin: str = ""
    coding: str = ""  # which options its encoder has: a key of `convcli.images.writing.through_pillow.CODINGS`
    package: str = ""  # the package that reads it, of one of the extras
    feature: str = ""  # what Pillow calls the library for it that it may be built without; empty if it needs none
    written_as: str = ""  # the format that is written instead; empty for itself
    bits: int = 8  # bits of an integer sample that can be written: 8 or 16
    # whether it is written with 32-bit real numbers, with CMYK, with alpha
    real: bool = False
    cmyk: bool = False
    alpha: bool = True
    palette: bool = False  # whether it has at most 256 colours, and counts hundredths of a second: see `writing.gif`
    turned: bool = False  # whether cameras write it, so that any file may say how it is to be turned
    header: str = ""  # what reads what its files declare: a module in `convcli.images.reading` and a function in it
    any_white: bool = False  # whether its files say what white is: any whole number that its integers hold
    layers: bool = False  # whether what Pillow counts is the layers of one picture, which is read
    tensor: bool = False  # whether it holds any number of channels, as real numbers of any type
    bands: bool = False  # whether it holds any number of channels, as pixels of the types of its pictures
    pages: bool = False  # whether several pictures are pages that differ in all
    animation: bool = False  # whether several pictures are frames with their timing
    # endings under which an animation stays one. Under others it does if the input is of this format.
    animated_endings: tuple[str, ...] = ()
    largest: int = ANY  # the largest side that Pillow writes
    only: int = 0  # the only side that it can have; 0: any
    # the metadata that a file can hold, by its name in `convcli.images.picture.Metadata`, and the greatest length of each;
    # of a resolution, which is a whole number if there is a limit, the largest
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
    Format("GIF", (".gif",), heads=(b"GIF87a", b"GIF89a"), end="gif", header="bitmaps.gif", animation=True,
           animated_endings=(".gif",), largest=65535, keeps={"comment": 65533}, lossy_written=True, encoder_bytes=31,
           palette=True),  # of 256 colours
    Format("PNG", (".png", ".apng"), heads=(b"\x89PNG\r\n\x1a\n",), plugin="PngImagePlugin.PngImageFile", end="png",
           sequence="pipe", writer="png", bits=16, animation=True, animated_endings=(".apng",), compression=True,
           keeps=_whole("exif", "xmp", "icc_profile", "dpi", "text", "chunks")),
    Format("JPEG", (".jpg", ".jpeg"), heads=(b"\xff\xd8\xff",), end="jpeg", sequence="pipe", header="headers.jpeg",
           plugin="JpegImagePlugin.jpeg_factory", writer="jpeg", strips="jpeg", turned=True, cmyk=True, alpha=False, largest=65500,
           lossy_read=True, lossy_written=True, quality=True,
           keeps={"exif": 65533, "xmp": 65504, "comment": 65533, "dpi": 65535} | _whole("iptc", "icc_profile"), encoder_bytes=5),
    Format("WEBP", (".webp",), heads=(b"RIFF",), end="webp", header="headers.webp", coding="webp", feature="webp", animation=True,
           largest=16383, animated_endings=(".webp",), keeps=_whole("exif", "xmp", "icc_profile"), lossy_read=None,
           lossy_written=None, quality=True, encoder_bytes=41),
    Format("AVIF", header="boxes.avif", feature="avif", largest=65536, keeps=_whole("exif", "xmp", "icc_profile"),
           lossy_read=True, lossy_written=True, quality=True, encoder_bytes=29),
    Format("TIFF", (".tif", ".tiff"), heads=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), reader="tiff_file", writer="tiff",
           windows="tiff_tiles.File", blocks="bigtiff", pyramid=True,
           bits=16, real=True, cmyk=True, bands=True, pages=True, compression=True,
           keeps=_whole("exif", "xmp", "icc_profile", "dpi", "resolution", "bands")),
    Format("FITS", (".fits", ".fit", ".fts"), heads=(b"SIMPLE  =",), reader="fits_file", writer="", package="astropy", pages=True),
    Format("NPY", (".npy",), heads=(b"\x93NUMPY",), reader="npy_file", writer="tensor",
           windows="plain_values.TensorFile", blocks="flat", tensor=True),
    Format("PPM", (".ppm", ".pgm", ".pnm"), (".pbm", ".pfm"),  # which are of 1 bit, and real
           heads=tuple(b"P%d" % kind for kind in range(1, 7)), end="netpbm",
           sequence="file", reader="netpbm_file", header="bitmaps.pfm", writer="netpbm", any_white=True, bits=16, alpha=False,
           windows="plain_values.NetpbmFile", blocks="flat"),
    Format("ZARR", (".zarr",), reader="", writer="", blocks="shards", pyramid=True, package="zarr", bits=16, real=True, cmyk=True,
           bands=True, compression=True, keeps=_whole("dpi", "resolution")),
    Format("BMP", (".bmp",), heads=(b"BM",), end="bmp", sequence="pipe", header="bitmaps.bmp",
           alpha=False, keeps=_whole("dpi"), direct=True),
    Format("DIB", alpha=False),
    Format("JPEG2000", heads=(b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "), header="boxes.jpeg2000", feature="jpg_2000",
           lossy_read=True, encoder_bytes=42),  # often; Pillow writes it without loss
    Format("MPO", written_as="JPEG", turned=True, lossy_read=True),  # of telephones, with a small picture behind the large one
    Format("ICO", heads=(b"\0\0\1\0",), header="bitmaps.icons", coding="ico", largest=256),
    Format("ICNS", heads=(b"icns",), header="bitmaps.icns",
           only=1024),  # Pillow resizes all else to this, and puts the smaller icons beside it
    Format("PCX", heads=tuple(b"\n%c\1" % version for version in (0, 2, 3, 4, 5)), header="bitmaps.pcx",
           alpha=False, largest=65534),
    Format("SGI", heads=(b"\1\xda",), header="bitmaps.sgi", largest=65535),
    Format("TGA", header="bitmaps.tga", largest=65535),
    Format("DDS", heads=(b"DDS ",), header="bitmaps.dds"),
    Format("CUR", heads=(b"\0\0\2\0",), header="bitmaps.icons", writer=""),
    Format("QOI", heads=(b"qoif",), end="qoi", sequence="pipe", header="bitmaps.qoi"),
    Format("IM", reader="", writer="", refusal="is IM, a format that Pillow gives up"),
    Format("PDF", cmyk=True, largest=65500, lossy_written=True),
    Format("EPS", reader="", refusal="is EPS, a program, which Pillow would hand to Ghostscript", alpha=False),
    # Need other programs to be read, or cannot be read at all; cannot be written with 8-bit gray or colours.
    *(Format(name, reader="", writer="") for name in ("BUFR", "GRIB", "HDF5", "WMF")),
    Format("MPEG", reader=""),
    Format("PSD", heads=(b"8BPS",), header="bitmaps.psd", writer="", layers=True),
    *(Format(name, writer="") for name in ("BLP", "MSP", "PALM", "SPIDER", "XBM")),
)}
"""In the order in which messages name the formats."""
# fmt: on

TENSOR = next(row.name for row in ROWS.values() if row.tensor)
"""The format of tensors."""

ENDINGS = {ending: row for row in ROWS.values() for ending in row.endings}
"""Formats by the endings in this table."""


FIGURES = (".svg", ".png")
"""Endings of figures."""


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


def header(row: Format) -> Callable[..., Any] | None:
    """The function that reads what files of a format declare, or None."""
    return _found(f"convcli.images.reading.{row.header}") if row.header else None


def end(row: Format) -> Callable[[BinaryIO, int], int | None] | None:
    """The function that finds where a picture of a format ends, or None."""
    return _found(f"convcli.images.reading.ends.{row.end}") if row.end else None


def windowed(row: Format) -> Callable[..., Any] | None:
    """The class that reads windows of files of a format, or None."""
    return _found(f"convcli.images.reading.windows.{row.windows}") if row.windows else None


def writer(row: Format) -> Callable[..., Any]:
    """The function that writes files of a format."""
    return _found(f"convcli.images.writing.{row.writer}.write")


def beginner(row: Format) -> Callable[..., Any] | None:
    """The function that begins to write a picture of a format before it is computed, or None."""
    return _found(f"convcli.images.writing.{row.strips}.begin") if row.strips else None


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
    if wanted is None and names.is_stream(target) and not names.ending_of(target):
        name = row_of(source).written_as or source
        return name if name is not None and _written(name) else "PNG"
    ending = f".{wanted.lower().lstrip('.')}" if wanted is not None else names.ending_of(target)
    row = _row_of_ending(ending)
    if row is None or ending in row.refused_endings or not _written(row.name):
        which = f"ends in '{ending}', which" if ending else "has no ending such as .png and"
        what = f"format '{wanted}'" if wanted is not None else f"output '{target}' {which}"
        raise ImageError(what, "cannot be written", "use png, jpg, tif, webp, ppm, bmp, gif, npy or zarr")
    if not _built(row):
        raise ImageError(f"format {row.name}", "cannot be written", "use png", "this Pillow is built without it")
    return row.written_as or row.name


def has_image_name(name: str) -> bool:
    """Whether the name of a file has an ending of images that can be read, or of .npy tensors."""
    ending = names.ending_of(name)
    if not ending or ending in ENDINGS:
        return bool(ending)
    row = _row_of_ending(ending)
    return row is not None and _read(row.name)


def readable() -> tuple[str, ...]:
    """Formats that can be read."""
    from PIL import Image

    Image.init()
    return tuple(sorted(filter(_read, {*ROWS, *Image.OPEN})))


def readable_in_blocks() -> tuple[str, ...]:
    """Formats whose pictures may be larger than the memory."""
    from convcli import extras

    zarr = ("ZARR",) if extras.is_installed("zarr") else ()
    return tuple(sorted((*(row.name for row in ROWS.values() if row.windows), *zarr)))


def writable() -> tuple[str, ...]:
    """Formats that can be written."""
    from PIL import Image

    found = set()
    for ending in (*ENDINGS, *Image.registered_extensions()):
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
    return bool(row.blocks) or (bool(row.writer) and (bool(row.endings) or _registered(name, "SAVE")))


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
    """Whether there is the library that a format needs."""
    if row.package:
        from convcli import extras

        return extras.is_installed(row.package)
    if not row.feature:
        return True
    from PIL import features

    return bool(features.check(row.feature))
