"""Packages that only some work needs: whether they are installed, and the extra of convcli that brings each."""

from __future__ import annotations

import sys

EXTRAS = {
    "torch": "torch", "imagecodecs": "tiff", "astropy": "fits", "distributed": "cluster", "zarr": "scale", "fsspec": "scale",
    "aiohttp": "scale", "s3fs": "s3", "gcsfs": "gs", "adlfs": "az", "h5py": "keras",
}  # fmt: skip
"""The extra of each package."""


def is_installed(package: str) -> bool:
    """Whether a package is there. It is not imported."""
    if sys.modules.get(package) is not None:
        return True
    from importlib.util import find_spec

    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # a program may forbid it
        return False


def how_to_get(package: str) -> str:
    """The command that installs a package: ``pip install 'convcli[torch]'``."""
    return f"pip install 'convcli[{EXTRAS[package]}]'"
