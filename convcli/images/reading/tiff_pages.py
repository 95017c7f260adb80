"""Which directories of a TIFF are its pages, and pictures that lie one after another behind a single directory.

Adobe, "TIFF Revision 6.0", NewSubfileType and SubfileType; Adobe, "TIFF Technical Note 1", SubIFDs; ImageJ's ``TiffDecoder``;
Universal Imaging, "MetaMorph Stack (STK) Image File Format"; tifffile's descriptions in JSON.
"""

from __future__ import annotations

import json
import re
import struct
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from copy import copy
from itertools import accumulate
from math import prod
from typing import Any

from convcli.images.metadata import sound
from convcli.images.reading import tiff_pixels
from convcli.records import NamedTuple

_PLANES = 33629
"""MetaMorph's tag UIC2Tag: as many values as there are planes."""

_COUNTS = re.compile(r"^(images|channels|slices|frames)=(\d{1,18})\s*$", re.MULTILINE)
"""ImageJ's lines of how many pictures there are, and of what."""

_LEFT_OUT = {
    "copy": ("1 reduced copy of the picture is", "{} reduced copies of the picture are"),
    "mask": ("1 transparency mask is", "{} transparency masks are"),
    "other": ("1 smaller picture of the slide is", "{} smaller pictures of the slide are"),
    "within": (
        "1 picture in a directory of its own (SubIFD) is",
        "{} pictures in directories of their own (SubIFDs) are",
    ),
}
"""Remarks on what is no page."""


class Pages(NamedTuple):
    """The pages of a file."""

    directories: Any  # as tifffile has them
    numbers: list[int]  # of those that have pages
    ends: list[int]  # how many pages all of them have up to each
    notes: tuple[str, ...]  # on what is no page, and not read

    @property
    def total(self) -> int:
        """How many there are."""
        return self.ends[-1]

    def directory(self, number: int) -> int:
        """The number of a page's directory."""
        return self.numbers[bisect_right(self.ends, number)]

    def page(self, number: int) -> Any:
        """A page, as tifffile has it."""
        place = bisect_right(self.ends, number)
        page, behind = self.directories[self.numbers[place]], number - (self.ends[place - 1] if place else 0)
        if behind:
            page = copy(page)
            page.dataoffsets = (page.dataoffsets[0] + behind * page.nbytes,)
        return page


def holds(page: Any, count: int) -> bool:
    """Whether as many pictures of the same kind follow one another in the file."""
    return bool(
        page.nbytes
        and page.is_contiguous
        and tiff_pixels.is_direct(page)
        and page.dataoffsets[0] + count * page.nbytes <= page.parent.filehandle.size
    )


def pages_of(file: Any, has: Callable[[Any, int], bool] = holds) -> Pages:
    """The pages of a file that tifffile has opened. Copies of reduced size and masks are none, unless there is nothing else.

    `has` says whether the file has as many pictures as a page declares.

    Raises `ValueError` or `struct.error` if a directory is missing or damaged.
    """
    directories = file.pages
    if not (count := len(directories)):
        raise ValueError("it has no page")
    left_out: Counter[str] = Counter()
    kept, stacks, offsets, first = [], [], set(), directories[0]
    for number in range(count):
        page = directories[number]  # tifffile reads it
        offsets.add(page.offset)
        kind = "" if count == 1 else _kind(page, first)
        left_out[kind] += 1
        if not kind:
            kept.append(number)
            stacks.append(_declared(page, count))
        left_out += sound(_within, page) or Counter()
    _check_end(page, offsets)
    if not kept:
        kept, stacks, left_out = [*range(count)], [1] * count, Counter()
    notes = []
    for place, declared in enumerate(stacks):
        if declared > 1 and not has(directories[kept[place]], declared):
            stacks[place] = 1
            notes.append(f"it declares {declared} pictures behind one directory, and only the first is read")
    for kind, (one, many) in _LEFT_OUT.items():
        if found := left_out[kind]:
            notes.append(f"{one if found == 1 else many.format(found)} left out")
    return Pages(directories, kept, [*accumulate(stacks)], tuple(dict.fromkeys(notes)))


def _check_end(last: Any, offsets: set[int]) -> None:
    """Refuse a directory beyond the end of the file, which tifffile ignores. `last` is the last of those at `offsets`."""
    layout, file = last.parent.tiff, last.parent.filehandle
    if not layout.is_ndpi:  # its directories are longer
        file.seek(last.offset)
        (tags,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
        file.seek(last.offset + layout.tagnosize + tags * layout.tagsize)
        (following,) = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))
        if following and following not in offsets:
            raise ValueError(f"page {len(offsets)} is missing")


def _kind(page: Any, first: Any) -> str:
    """Why a directory is no page, a key of `_LEFT_OUT`; empty if it is one."""
    if page.is_mask:
        return "mask"
    if page.is_reduced:
        return "copy"
    # Aperio's and Hamamatsu's programs do not declare it: levels, the label, the whole slide
    slide = first.is_svs or first.is_ndpi
    return "other" if slide and (page.imagelength, page.imagewidth) != (first.imagelength, first.imagewidth) else ""


def _within(page: Any) -> Counter[str]:
    """What the directories within a page hold, by its kind: few programs know them, and they are not read."""
    inner = page.pages
    if inner is None:
        return Counter()
    return Counter(_kind(inner[number], page) or "within" for number in range(len(inner)))


def _declared(page: Any, count: int) -> int:
    """How many pictures a directory, one of `count`, declares to be behind it."""
    declared = 1
    if _PLANES in page.tags:
        declared = page.tags[_PLANES].count
    elif page.imagej_description is not None and count == 1:
        said = {name: int(value) for name, value in _COUNTS.findall(page.imagej_description)}
        declared, channels = said.get("images", 1), said.get("channels", 1)
        if channels == page.samplesperpixel and declared == channels * said.get("slices", 1) * said.get("frames", 1):
            declared //= channels  # Bio-Formats counts samples
    elif page.shaped_description is not None:
        declared = sound(_shaped, page) or 1
    return max(1, declared)


def _shaped(page: Any) -> int:
    """What tifffile declares, if it has written one directory for all."""
    said = json.loads(page.shaped_description.rstrip("\0"))
    return prod(said["shape"]) // prod(page.shape) if said.get("truncated") else 1
