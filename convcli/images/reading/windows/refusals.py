"""How a file is refused that cannot be read in windows, and what to do about it."""

from __future__ import annotations

from convcli.errors import ImageError


class WholeError(ImageError):
    """A picture can only be read as a whole."""


def convert(source: str, why: str, more: str = "") -> ImageError:
    """The error for a file that has to be converted first, with a command that does it. `more` goes to the name in it."""
    remedy = f"convert it first: vips copy {source}{more} big.tif[tile,compression=deflate]"
    return WholeError(f"input '{source}'", "cannot be read in parts", remedy, f"it {why}")


def damaged(source: str, why: str) -> ImageError:
    """The error for a file that is not as it says."""
    return ImageError(f"input '{source}'", "cannot be decoded", "is it truncated, damaged or of a rare kind?", why)
