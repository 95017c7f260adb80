"""Pictures: from a path or standard input to arrays ``(C, H, W)`` and back. Only this package knows Pillow."""

from convcli.images.load import load
from convcli.images.picture import Metadata, Picture
from convcli.images.save import format_of, save

__all__ = ["Metadata", "Picture", "format_of", "load", "save"]
