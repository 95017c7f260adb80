"""The images of a run: from paths, folders, and lists of paths."""

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from convcli.errors import ImageError, param
from convcli.images.formats import has_image_name
from convcli.records import NamedTuple
from convcli.runs.outputs import STDOUT, Job, Key, Rules, is_several, key_of, named
from convcli.system.files import reason
from convcli.system.names import STDIO, is_folder, is_store, is_stream, is_url

MAX_PATH = 1 << 20
"""The most bytes of a path in a list. A file with a longer one is probably not a list of paths."""

MANY = 1 << 16
"""So many names of a folder are sorted in memory."""


class Found(NamedTuple):
    """An image of a run."""

    path: str
    below: str = ""  # its folder, relative to the one that was searched; empty if it is the same
    root: str = ""  # the folder that was searched; empty if its own path was given


class Inputs:
    """The images of a run, found one after another while they are iterated over, once. Their names are not kept.

    The images of a folder are sorted, and come before those of its subfolders. Hidden files and folders are skipped.

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

    Attributes
    ----------
    searched : bool
        Whether a folder or a list was given, so that there can be any number of images.

    Raises
    ------
    ImageError
        No image is named. While iterating: a folder has no image, or the list cannot be read. An empty list has no images,
        and is no error.
    """

    def __init__(
        self, named: Sequence[str], listed: str | None, *, null: bool, recursive: bool, output: str | None
    ) -> None:
        if listed == STDIO and STDIO in named:
            rule = f"cannot be both the image '-' and the list of {param('from_file', '-')}"
            raise ImageError("standard input", rule, "name a file")
        if listed is None and null:
            rule = f"is for {param('from_file')}"
            raise ImageError(param("null"), rule, "add the list, or leave it out")
        if not named and listed is None:
            remedy = f"name images or folders, - for standard input, or a list with {param('from_file')}"
            raise ImageError("no image", "is given", remedy)
        self.named, self.listed, self.null, self.recursive, self.output = named, listed, null, recursive, output
        self.searched = listed is not None or any(path != STDIO and is_folder(path) for path in named)
        self._images = self._found()

    def __iter__(self) -> Iterator[Found]:
        return self._images

    def first(self, count: int) -> tuple[list[Found], bool]:
        """The first images, at most `count`, and whether there are more."""
        images = [*islice(self._images, count + 1)]
        self._images = chain(images[count:], self._images)
        return images[:count], len(images) > count

    def search(self, root: str) -> Iterator[Found]:
        """The images of a folder, again."""
        besides = None
        if self.output is not None:
            fixed, template, _ = self.output.partition("{")
            besides = fixed.rpartition("/")[0] if template else self.output  # results of an earlier run may be there
        return _search(root, self.recursive, besides)

    @property
    def expected(self) -> int | None:
        """About how many images there are, if all of them are in a list that can be read twice; else None."""
        if self.listed is None or any(map(is_folder, self.named)) or not os.path.isfile(self.listed):
            return None
        with open(self.listed, "rb") as stream:
            ends = iter(lambda: stream.read(1 << 20), b"")
            return len(self.named) + sum(part.count(b"\0" if self.null else b"\n") for part in ends)

    def _found(self) -> Iterator[Found]:
        output, named = self.output, {*self.named}
        one_file = False
        if output is not None:
            one_file = not is_several(output) and (output in (STDIO, STDOUT) or not is_stream(output))
        for path in chain(self.named, () if self.listed is None else _paths(self.listed, self.null)):
            if path == STDIO or not is_folder(path):
                yield Found(path)
                continue
            images = self.search(path)
            first = [*islice(images, 2)]
            if not first and path in named:  # one in a list fails when it is opened
                deeper = f", or search its subfolders with {param('recursive')}" if not self.recursive else ""
                raise ImageError(f"input '{path}'", "is a folder without images", f"name another{deeper}")
            if len(first) > 1 and one_file:
                count = len(first) + sum(1 for _ in images)
                template = param("output", "'out/{stem}.png'")
                rule = f"is a folder of {count} images, and '{output}' is the name of one file"
                place = "out/" if output in (None, STDIO) or os.path.splitext(str(output))[1] else f"{output}/"
                remedy = f"use a folder, {param('output', place)}, or a template, {template}"
                raise ImageError(f"input '{path}'", rule, remedy)
            yield from chain(first or [Found(path)], images)


def jobs_of(images: Sequence[Found], rules: Rules) -> list[Job]:
    """All images of a run with their targets. Raises an ImageError if one breaks a rule.

    If images are skipped whose output exists, so are the results of an earlier run: images that were found in a folder and are
    the target of another image.
    """
    if rules.skip_existing:
        makers: dict[Key | None, set[int]] = {}
        below = [image.below for image in images]
        targets = named([image.path for image in images], rules.output, rules.kernel, below, rules.form)
        for number, target in enumerate(targets):
            makers.setdefault(key_of(target), set()).add(number)
        images = [
            image
            for number, image in enumerate(images)
            if not image.root or (key := key_of(image.path)) is None or makers.get(key, {number}) == {number}
        ]
    return rules.jobs([image.path for image in images], [image.below for image in images])


def _paths(listed: str, null: bool) -> Iterator[str]:
    """The paths in a list, without empty lines, as they come."""
    from convcli.system.bounded import pieces  # lists are rare

    what, sign, rest = f"list '{listed}'", b"\0" if null else b"\n", b""
    begun = ended = False
    for piece in pieces(listed, what, ImageError):
        rest += piece
        if not begun and codecs.BOM_UTF8.startswith(rest):  # it may go on as one
            continue
        rest, begun = rest if begun else rest.removeprefix(codecs.BOM_UTF8), True
        if not null and b"\0" in piece:
            rule = "holds NUL bytes"
            raise ImageError(what, rule, f"is it an image, or a list that needs {param('null')}?")
        *words, rest = rest.split(sign)
        ended = ended or bool(words)
        if len(rest) > MAX_PATH:
            _check_ends(what, rest, null and not ended)
            raise ImageError(what, f"has a path of more than {MAX_PATH >> 20} MiB", "is it a list of paths?")
        for word in words:
            yield from _path(what, word, null)
    _check_ends(what, rest, null and not ended)
    yield from _path(what, rest if begun else rest.removeprefix(codecs.BOM_UTF8), null)


def _check_ends(what: str, rest: bytes, wanted: bool) -> None:
    if wanted and b"\n" in rest:
        raise ImageError(what, "has lines, but no NUL", f"leave {param('null')} out")


def _path(what: str, word: bytes, null: bool) -> Iterator[str]:
    """The path that a word of a list is, if it is one."""
    word = word if null else word.removesuffix(b"\r")
    if word == b"-":
        raise ImageError(what, "has '-', which is not a file", "write ./- for a file of that name")
    if word:
        yield os.fsdecode(word)


def _search(root: str, recursive: bool, besides: str | None) -> Iterator[Found]:
    """The images of a folder or a prefix. Links are followed, but no folder is entered twice, and `besides` is not.

    The names in a folder are read before its first image is yielded, so that results which are written there are not found.
    """
    seen = {key_of(root)}
    waiting = [""]
    while waiting:
        under = waiting.pop()
        folders: list[str] = []
        try:
            names = _in_order(_images(_entries(os.path.join(root, under)), folders))
        except OSError as error:
            if under:
                yield Found(os.path.join(root, under), os.path.dirname(under), root)  # fails when it is opened
                continue
            raise ImageError(f"folder '{root}'", "cannot be read", **reason(error)._asdict()) from None
        for name in names:
            yield Found(os.path.join(root, under, name), under, root)
        further = []
        for name in sorted(folders) if recursive else ():
            key = key_of(os.path.join(root, under, name, ""))
            if key not in seen and (besides is None or key != key_of(os.path.join(besides, ""))):
                seen.add(key)
                further.append(os.path.join(under, name))
        waiting += reversed(further)


def _images(entries: Iterable[tuple[str, bool, bool]], folders: list[str]) -> Iterator[str]:
    """The names of images in a folder. Those of its subfolders are added to a list."""
    for name, is_subfolder, is_file in entries:
        if name.startswith("."):
            continue
        if is_subfolder and not is_store(name):
            folders.append(name)
        elif has_image_name(name) and (is_file or is_store(name)):
            yield name  # a broken link fails when it is opened


def _entries(folder: str) -> Iterator[tuple[str, bool, bool]]:
    """What is in a folder or a prefix: names, and whether they are folders, and files or links."""
    if is_url(folder):
        from convcli.system import stores

        for found in stores.entries(folder):
            yield found.name, found.is_folder, not found.is_folder
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            link = entry.is_symlink()
            yield entry.name, os.path.isdir(entry.path) if link else entry.is_dir(), link or entry.is_file()


def _in_order(names: Iterator[str]) -> Iterable[str]:
    """Names in order. Those of a large folder are sorted on disk."""
    first = [*islice(names, MANY)]
    if len(first) < MANY:
        return sorted(first)
    from convcli.system.spool import in_order

    return in_order(chain(first, names))
