"""Pictures: from a path or standard input to arrays ``(C, H, W)`` and back. Only this package knows Pillow.

Its modules are imported when a name of theirs is asked for: most need NumPy, `convcli.images.prefetch` is to work before that.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convcli.images.formats import format_of
    from convcli.images.picture import Metadata, Picture
    from convcli.images.reading import left_out, load, opened
    from convcli.images.reading.pillow_file import Film, Timing
    from convcli.images.white import of_result as white_of
    from convcli.images.writing import frames_kept, save, save_frames
    from convcli.images.writing.encoding import Settings
    from convcli.images.writing.storage import Storage, storage_for

_HOMES = {
    "Film": "reading.pillow_file",
    "Metadata": "picture",
    "Picture": "picture",
    "Settings": "writing.encoding",
    "Storage": "writing.storage",
    "Timing": "reading.pillow_file",
    "format_of": "formats",
    "frames_kept": "writing",
    "left_out": "reading",
    "load": "reading",
    "opened": "reading",
    "save": "writing",
    "save_frames": "writing",
    "storage_for": "writing.storage",
    "white_of": "white:of_result",
}
"""The module of every name, and what it is called there if that is another name."""

__all__ = [
    "Film",
    "Metadata",
    "Picture",
    "Settings",
    "Storage",
    "Timing",
    "format_of",
    "frames_kept",
    "left_out",
    "load",
    "opened",
    "save",
    "save_frames",
    "storage_for",
    "white_of",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, there = _HOMES[name].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), there or name)
    globals()[name] = found
    return found
