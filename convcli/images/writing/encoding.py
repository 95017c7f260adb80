"""How files are coded: what the user sets, and what is taken over from the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convcli.errors import ImageError
from convcli.images.picture import Metadata

QUALITY = 92
"""Of lossy formats, where neither the user nor the input says."""

_QUALITY = ("JPEG", "WEBP", "AVIF")
_COMPRESSION = ("PNG", "TIFF")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user sets: `quality` 1 to 100 of lossy formats, `compression` 0 to 9 of deflated ones; None: by default."""

    quality: int | None = None
    compression: int | None = None

    def check(self, container: str) -> None:
        """Refuse what a format does not have."""
        for option, value, formats in (
            ("--quality", self.quality, _QUALITY),
            ("--compression", self.compression, _COMPRESSION),
        ):
            if value is not None and container not in formats:
                raise ImageError(f"{option} {value} is for {', '.join(formats)}, not for {container}: leave it out")


def coding(container: str, metadata: Metadata, settings: Settings) -> dict[str, Any]:
    """What Pillow is told of the coding.

    A JPEG of a JPEG keeps its tables and subsampling: its quality and size. WebP is written without loss where the input
    had none, and always at quality 100.
    """
    if container == "JPEG":
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
    if container == "WEBP":
        if settings.quality == 100 or (settings.quality is None and not metadata.lossy):
            return {"lossless": True, "quality": 50, "exact": True}  # the effort, here
        return {"quality": settings.quality or QUALITY, "exact": True}
    if container == "AVIF" and settings.quality is not None:
        return {"quality": settings.quality}
    return {}
