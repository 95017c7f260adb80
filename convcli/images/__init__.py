"""Pictures: from a path or standard input to arrays ``(C, H, W)`` and back. Only this package knows Pillow and tifffile.

`formats` has the table of all formats. `reading` and `writing` have a module for each kind of file, and `picture` has what they
exchange. `figures` paints drawings. A module is imported when one of its names is used: most need NumPy, and `prefetch` has to
work before NumPy is loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convcli.images.formats import format_of, row_of
    from convcli.images.light import gamma_of
    from convcli.images.opened_file import ImageFile
    from convcli.images.picture import Metadata, Picture, Timing
    from convcli.images.reading import left_out, load, opened
    from convcli.images.writing import Job, Settings, frames_kept, save, save_frames
    from convcli.images.writing.storage import Storage, check_policy, storage_for, white_of

_NAMES = {
    "formats": "format_of row_of",
    "light": "gamma_of",
    "opened_file": "ImageFile",
    "picture": "Metadata Picture Timing",
    "reading": "left_out load opened",
    "writing": "Job Settings frames_kept save save_frames",
    "writing.storage": "Storage check_policy storage_for white_of",
}
"""The modules and their names."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "ImageFile", "Job", "Metadata", "Picture", "Settings", "Storage", "Timing", "check_policy", "format_of", "frames_kept",
    "gamma_of", "left_out", "load", "opened", "row_of", "save", "save_frames", "storage_for", "white_of",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import the module of a name, once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
