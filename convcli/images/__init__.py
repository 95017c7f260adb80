"""Pictures: from a path or standard input to arrays ``(C, H, W)`` and back. Only this package knows Pillow."""

from convcli.images.load import load
from convcli.images.picture import Metadata, Picture
from convcli.images.save import format_of, save
from convcli.images.storage import Storage, storage_for

__all__ = ["Metadata", "Picture", "Storage", "format_of", "load", "save", "storage_for"]
