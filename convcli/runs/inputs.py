"""The images of a run: from paths, folders, and lists of paths."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from convcli.errors import ImageError, param
from convcli.images.formats import has_image_name
from convcli.runs.outputs import STDOUT, is_several
from convcli.system.files import reason
from convcli.system.names import STDIO, identity, is_folder, is_store, is_stream

MAX_LIST = 1 << 28
"""The most bytes that are read of a list of paths. A longer file is probably not a list of paths."""


class Found(NamedTuple):
    """An image of a run."""

    path: str
    below: str = ""  # its folder, relative to the one that was searched; empty if it is the same
    searched: bool = False  # whether it was found in a folder; otherwise its own path was given


class Inputs(NamedTuple):
    """The images of a run."""

    images: tuple[
        Found, ...
    ]  # in the order given. Those of a folder are sorted, and come before those of its subfolders.
    searched: bool  # whether a folder or a list was given, so that there can be any number of images

    @property
    def paths(self) -> list[str]:
        """The path of every image, or ``-``."""
        return [image.path for image in self.images]

    @property
    def below(self) -> list[str]:
        """For each image, its folder relative to the one that was searched."""
        return [image.below for image in self.images]

    def without_results(self, targets: Sequence[str]) -> Inputs:
        """The same without results of an earlier run: images that were found in a folder and are the target of another image."""
        makers: dict[tuple[int, int] | None, set[int]] = {}
        for number, target in enumerate(targets):
            makers.setdefault(identity(target), set()).add(number)
        kept = [
            image
            for number, image in enumerate(self.images)
            if not image.searched or (key := identity(image.path)) is None or makers.get(key, {number}) == {number}
        ]
        return Inputs(tuple(kept), self.searched)


def collect(
    named: Sequence[str],
    listed: str | None,
    *,
    null: bool,
    recursive: bool,
    output: str | None,
) -> Inputs:
    """Find all images that are named, listed, or in a folder. Hidden files and folders are skipped.

    Parameters
    ----------
    named : sequence of str
        Paths of images and folders, or ``-`` for the image on standard input.
    listed : str, optional
        A file with more paths, one per line, or ``-`` for standard input.
    null : bool
        Whether paths in the list end with NUL, not with the line.
    recursive : bool
        Whether to search the subfolders of folders, too.
    output : str, optional
        ``-o``. If it is a folder below one that is searched, it is skipped.

    Raises
    ------
    ImageError
        No image is named, a folder has no image, or the list cannot be read. An empty list has no images, and is no error.
    """
    given = [*named]
    if listed is not None:
        if listed == STDIO and STDIO in named:
            rule = f"cannot be both the image '-' and the list of {param('from_file', '-')}"
            raise ImageError("standard input", rule, "name a file")
        given += _paths(listed, null)
    elif null:
        rule = f"is for {param('from_file')}"
        raise ImageError(param("null"), rule, "add the list, or leave it out")
    if not given and listed is None:
        remedy = f"name images or folders, - for standard input, or a list with {param('from_file')}"
        raise ImageError("no image", "is given", remedy)
    images = []
    searched, one_file, folder = listed is not None, False, None
    if output is not None:
        one_file = not is_several(output) and (output in (STDIO, STDOUT) or not is_stream(output))
        fixed, template, _ = output.partition("{")
        folder = identity(fixed.rpartition("/")[0] if template else output)  # results of an earlier run may be there
    for path in given:
        found: list[Found] = []
        if path != STDIO and is_folder(path):
            searched = True
            found = [*_search(path, recursive, folder)]
            if not found and (listed is None or path in named):  # one in a list fails when it is opened
                deeper = f", or search its subfolders with {param('recursive')}" if not recursive else ""
                raise ImageError(f"input '{path}'", "is a folder without images", f"name another{deeper}")
            if len(found) > 1 and one_file:
                template = param("output", "'out/{stem}.png'")
                rule = f"is a folder of {len(found)} images, and '{output}' is the name of one file"
                place = "out/" if output in (None, STDIO) or os.path.splitext(str(output))[1] else f"{output}/"
                remedy = f"use a folder, {param('output', place)}, or a template, {template}"
                raise ImageError(f"input '{path}'", rule, remedy)
        images += found or [Found(path)]
    return Inputs(tuple(images), searched)


def _paths(listed: str, null: bool) -> list[str]:
    """The paths in a list, without empty lines."""
    from convcli.system.bounded import contents  # lists are rare

    data = contents(listed, MAX_LIST, f"list '{listed}'", "is it a list of paths?", ImageError)
    data = data.removeprefix(codecs.BOM_UTF8)
    if not null and b"\0" in data:
        rule = "holds NUL bytes"
        raise ImageError(f"list '{listed}'", rule, f"is it an image, or a list that needs {param('null')}?")
    if null and b"\0" not in data and b"\n" in data:
        raise ImageError(f"list '{listed}'", "has lines, but no NUL", f"leave {param('null')} out")
    words = data.split(b"\0") if null else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    paths = [os.fsdecode(word) for word in words if word]
    if STDIO in paths:
        raise ImageError(f"list '{listed}'", "has '-', which is not a file", "write ./- for a file of that name")
    return paths


def _search(root: str, recursive: bool, besides: tuple[int, int] | None) -> Iterator[Found]:
    """The images of a folder. Links are followed, but no folder is entered twice."""
    seen = {identity(root)}
    waiting = [""]
    while waiting:
        under = waiting.pop()
        try:
            with os.scandir(os.path.join(root, under)) as entries:
                listed = sorted((one for one in entries if not one.name.startswith(".")), key=attrgetter("name"))
        except OSError as error:
            if under:
                yield Found(os.path.join(root, under), os.path.dirname(under), True)  # fails when it is opened
                continue
            raise ImageError(f"folder '{root}'", "cannot be read", **reason(error)._asdict()) from None
        folders = []
        for entry in listed:
            link = entry.is_symlink()
            if (os.path.isdir(entry.path) if link else entry.is_dir()) and not is_store(entry.name):
                key = identity(entry.path)
                if recursive and key not in seen and key != besides:
                    seen.add(key)
                    folders.append(os.path.join(under, entry.name))
            elif has_image_name(entry.name) and (link or entry.is_file() or is_store(entry.name)):
                yield Found(os.path.join(root, under, entry.name), under, True)  # a broken link fails when it is opened
        waiting += reversed(folders)
