"""A picture that is read in windows, as a whole: what is not done in blocks takes a Zarr like any other file."""

from __future__ import annotations

from convcli.images.guards import check_pixels
from convcli.images.opened_file import WindowedFile
from convcli.images.picture import Picture


def zarr(source: str, limit: int, full_scale: float | None = None) -> File | None:
    """A Zarr; None if the source is something else."""
    from convcli.images.reading.windows import is_zarr, opened_windows

    return File(opened_windows(source, full_scale), source, limit) if is_zarr(source) else None


class File:
    """See `convcli.images.opened_file.ImageFile`. Raises `ImageError` if it is too large."""

    frames = 1
    pages = True
    unread = 0
    others = False

    def __init__(self, file: WindowedFile, source: str, limit: int) -> None:
        self._file = file
        self.format: str | None = file.format
        scene = file.scene
        height, width = scene.size
        try:
            check_pixels(source, height * width, limit, scene.shape[-3] * scene.dtype.itemsize)
        except BaseException:
            file.close()
            raise

    def picture(self, number: int = 0) -> Picture:
        """Decode it."""
        scene = self._file.scene
        height, width = scene.size
        pixels = self._file.read(slice(0, height), slice(0, width))
        colour, alpha = (pixels[:-1], pixels[-1]) if scene.has_alpha else (pixels, None)
        return Picture(
            colour, alpha, scene.space, scene.full_scale, scene.rank, scene.real, scene.assumed, scene.metadata, scene.notes
        )  # fmt: skip

    def timing(self) -> None:
        """There is one picture."""

    def close(self) -> None:
        """Free what it holds."""
        self._file.close()
