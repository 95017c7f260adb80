"""Pictures: from a path or standard input to arrays ``(C, H, W)`` and back. Only this package knows Pillow."""

from convcli.images.film import Film, Timing
from convcli.images.formats import format_of
from convcli.images.load import load, opened
from convcli.images.picture import Metadata, Picture
from convcli.images.save import frames_kept, save, save_frames
from convcli.images.settings import Settings
from convcli.images.storage import Storage, storage_for
from convcli.images.white import of_result as white_of

__all__ = [
    "Film",
    "Metadata",
    "Picture",
    "Settings",
    "Storage",
    "Timing",
    "format_of",
    "frames_kept",
    "load",
    "opened",
    "save",
    "save_frames",
    "storage_for",
    "white_of",
]
