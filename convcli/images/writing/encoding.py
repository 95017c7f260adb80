"""What an encoder is told beside the pixels: the user's settings, and what is taken over from the input."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from convcli.errors import ImageError, param
from convcli.images import formats
from convcli.images.formats import Format
from convcli.images.picture import Metadata

QUALITY = 92
"""Of lossy formats, where neither the user nor the input says."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user sets: `quality` 1 to 100 of lossy formats, `compression` 0 to 9 of deflated ones; None: by default."""

    quality: int | None = None
    compression: int | None = None

    def check(self, container: str) -> None:
        """Refuse what a format does not have."""
        row = formats.row_of(container)
        for value, has, what in (
            (self.quality, "quality", param("quality", self.quality)),
            (self.compression, "compression", param("compression", self.compression)),
        ):
            if value is not None and not getattr(row, has):
                others = ", ".join(other.name for other in formats.ROWS.values() if getattr(other, has))
                raise ImageError(what, f"is for {others}, not for {container}", "leave it out")


def coding(row: Format, metadata: Metadata, settings: Settings) -> dict[str, Any]:
    """What Pillow is told of the coding.

    A JPEG of a JPEG keeps its tables and subsampling: its quality and size. WebP is written without loss where the input
    had none, and always at quality 100.
    """
    if row.name == "JPEG":
        source = metadata.jpeg
        kept: dict[str, Any] = {"quality": settings.quality or QUALITY}
        if source is not None:
            if settings.quality is None:
                kept = {"qtables": source.tables}
            if source.subsampling is not None:
                kept["subsampling"] = source.subsampling
            if source.progressive:
                kept["progressive"] = True
        return kept
    if row.name == "WEBP":
        if not row.loses(metadata.lossy, settings.quality):
            return {"lossless": True, "quality": 50, "exact": True}  # the effort, here
        return {"quality": settings.quality or QUALITY, "exact": True}
    return {"quality": settings.quality} if row.quality and settings.quality is not None else {}


def carried(row: Format, metadata: Metadata, converted: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The metadata that a format keeps, as Pillow calls it, and remarks on what it does not.

    Parameters
    ----------
    row : Format
    metadata : Metadata
        Of the input.
    converted : bool
        Whether the colours are of another space than the input's: nothing is said of these then.
    """
    kept: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    for name, block, most in (("exif", metadata.exif, row.exif), ("xmp", metadata.xmp, row.xmp)):
        if block and len(block) <= most:
            kept[name] = block
        elif block and most:
            notes += (f"its {name.upper()} data is too long for {row.name} and left out",)
    if metadata.dpi and row.dpi:
        kept["dpi"] = metadata.dpi
    if metadata.icc_profile and row.icc and not converted:
        kept["icc_profile"] = metadata.icc_profile
    if row.text:
        kept |= {"text": metadata.text, "chunks": () if converted else metadata.chunks}
    if metadata.comment and row.comment:
        kept["comment"] = metadata.comment[: row.comment]
    if metadata.iptc and row.iptc:
        kept["extra"] = b"\xff\xed" + struct.pack(">H", 2 + len(metadata.iptc)) + metadata.iptc
    return kept, notes
