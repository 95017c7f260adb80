"""Where each result goes: output paths, folders and templates, and the rules that protect existing files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from convcli.errors import ImageError, param
from convcli.images.formats import has_image_name
from convcli.system.context import current
from convcli.system.files import reason
from convcli.system.names import STDIO, folded, identity, is_stream, one_place, same_file
from convcli.system.placing import exists

FIELDS = ("stem", "name", "ext", "kernel", "dir", "parent")
_FIELD = re.compile(r"\{([^{}]*)\}")

STDOUT = "/dev/stdout"
"""Standard output by its other name: means that a terminal is to have the image, too."""


def resolve(
    inputs: Sequence[str],
    output: str | None,
    kernel: str,
    *,
    below: Sequence[str] = (),
    overwrite: bool = False,
    in_place: bool | None = False,
    read: Sequence[str] = (),
    form: str | None = None,
) -> list[str]:
    """The target of every input.

    Parameters
    ----------
    inputs : sequence of str
        Paths, or ``-``.
    output : str, optional
        ``-o``: a path, ``-``, a folder (ends in ``/``, or exists), or a template of `FIELDS`; by default
        ``{stem}-{kernel}.{ext}`` in the current folder.
    kernel : str
        What ``{kernel}`` stands for.
    below : sequence of str
        The folder of every input, seen from the one that was named and searched for it; "" for the same, which is the
        default. It lies in the output folder again.
    overwrite : bool
        Whether the default name may replace an existing file.
    in_place : bool
        Whether every input is its own target; None where the command has no such option.
    read : sequence of str
        Kernel and weights files, which are not to be replaced either (names that are no files do no harm).
    form : str, optional
        The format that is asked for by name: its ending takes the place of the inputs'.

    Raises
    ------
    ImageError
        A path that none can be; a target that is an input, that exists without leave, or that two inputs share.
    """
    if in_place and output is not None:
        raise ImageError(f"{param('in_place')} and {param('output', output)}", "exclude each other", "give one of them")
    if in_place and STDIO in inputs:
        raise ImageError(param("in_place"), "has no file to write when the input is '-'", f"use {param('output')}")
    targets = list(inputs) if in_place else named(inputs, output, kernel, below, form)
    kept = [(other, key) for other in read if (key := identity(other)) is not None]
    known = {} if in_place else {key: source for source in inputs if (key := identity(source)) is not None}
    places: dict[str, list[tuple[str, int]]] = {}  # by what a file system could take for one name
    place = _placer()
    for number, (source, target) in enumerate(zip(inputs, targets, strict=True)):
        key = identity(target)
        for other, theirs in kept:
            if key == theirs:
                raise ImageError(
                    f"output '{target}'", f"is the kernel or weights file '{other}' of this run", "name another"
                )
        if key in known:
            alone = in_place is not None and all(map(_is_one, inputs, targets))  # no image takes the place of another
            remedy = f"name another, or use {param('in_place')}" if alone else "name another"
            raise ImageError(f"output '{target}'", f"is the input '{known[key]}'", remedy)
        if output is None and not in_place and not overwrite and os.path.lexists(target):
            raise exists(target)
        if target != STDIO and is_stream(target):
            continue  # takes one image after the other
        where = place(target)
        alike = places.setdefault(folded(where), [])
        for other, first in alike:
            if where == other or one_place(where, other):
                both = f"'{inputs[first]}' and '{source}'"
                here = f"'{target}'" + (f", which is '{targets[first]}' here" if where != other else "")
                raise ImageError(
                    both,
                    f"would both be written to {here}",
                    f"use {_apart(inputs[first], source, output, form, any(below))}",
                )
        alike.append((where, number))
    return targets


def _is_one(source: str, target: str) -> bool:
    return same_file(source, target)


def named(
    inputs: Sequence[str], output: str | None, kernel: str, below: Sequence[str] = (), form: str | None = None
) -> list[str]:
    """The target of every input by its name alone: parameters are those of `resolve`.

    Raises
    ------
    ImageError
        A path that none can be.
    """
    for path in (*inputs, output or ""):
        if "\0" in path:
            raise ImageError(f"path '{path}'", "has a NUL in it, which ends a path", "write it without")
    name = _namer(output, kernel, form)
    return [name(source, under) for source, under in zip(inputs, below or [""] * len(inputs), strict=True)]


def _apart(one: str, other: str, output: str | None, form: str | None, deep: bool) -> str:
    """What keeps two results apart; `deep` says that some lie in subfolders."""
    if os.path.realpath(one) == os.path.realpath(other) or same_file(one, other):
        return "each image once"
    if form is not None and folded(Path(one).name) != folded(Path(other).name):
        folder, _, _ = (output or "").partition("{")
        better = os.path.join(folder, "{dir}" if deep else "", f"{{name}}{_ending(form)}")
        return f"""{param("output", f"'{better}'")} without {param("format")}, which keeps both endings"""
    if folded(Path(one).name) == folded(Path(other).name):
        return "different names, or one folder for each, " + param("output", "'out/{parent}/{name}'")
    if output is not None and "{stem}" in output:
        better = "'" + output.replace("{stem}", "{name}") + "'"
        return "{name} for {stem}, which has the ending too, " + param("output", better)
    return "a folder or a template, " + param("output", "'out/{name}'")


def is_several(output: str) -> bool:
    """Whether an output is a folder or a template, and not the name of one file."""
    return output.endswith(("/", os.sep)) or "{" in output or os.path.isdir(output)


def _placer() -> Callable[[str], str]:
    """A function to the place of a target, whatever links lead there."""
    folders: dict[str, str] = {}

    def place(target: str) -> str:
        if target == STDIO:
            return target
        try:
            if os.path.islink(target):
                return os.path.realpath(target)
            folder, name = os.path.split(target)
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            return os.path.join(folders[folder], name)
        except OSError:  # whoever opens it says so
            return target

    return place


def check_fields(output: str, fields: Sequence[str] = FIELDS) -> None:
    """Refuse a template with a brace without its other half, or with a field that is none of these.

    Raises
    ------
    ImageError
        It is one.
    """
    if re.search(r"[{}]", _FIELD.sub("", output)):
        raise ImageError(
            f"output '{output}'", "has a brace without its other half", f"write {{{fields[0]}}}, or leave it out"
        )
    for match in _FIELD.finditer(output):
        if match[1] not in fields:
            raise ImageError(
                f"output '{output}'", f"has the unknown field '{match[0]}'", f"use {{{'}, {'.join(fields)}}}"
            )


def _ending(form: str) -> str:
    """The ending of files of a format that is asked for by name."""
    return f".{form.lower().lstrip('.')}"


def _namer(output: str | None, kernel: str, form: str | None) -> Callable[[str, str], str]:
    """A function from an input, and the folder it was found in, to its target."""
    if output == "":
        raise ImageError("output ''", "is empty", "name a file, a folder ending in '/', or '-'")
    if output is not None:
        check_fields(output)
    into = output is not None and (output.endswith(("/", os.sep)) or os.path.isdir(output))
    if output and into and os.path.lexists(place := output.rstrip("/" + os.sep)) and not os.path.isdir(place):
        raise ImageError(f"output '{output}'", "is no folder, a file of that name is there", "name another")

    def name(source: str, under: str) -> str:
        if not source:
            raise ImageError("input ''", "is empty", "name an image, or - for standard input")
        path = Path("stdin.png" if source == STDIO else source)
        if not path.suffix:
            path = path.with_name(f"{path.name}.png")
        if form is not None:
            path = Path(path.parent, (path.stem if has_image_name(path.name) else path.name) + _ending(form))
        if output is None:
            return STDIO if source == STDIO else f"{path.stem}-{kernel}{path.suffix}"
        if output in (STDIO, STDOUT):
            return STDIO
        if into and "{" not in output:
            return str(Path(output) / under / path.name)
        values = {
            "stem": path.stem,
            "name": path.name,
            "ext": path.suffix.lstrip("."),
            "kernel": kernel,
            "dir": under or ".",
            "parent": path.parent.name or path.absolute().parent.name,
        }
        filled = _FIELD.sub(lambda match: values[match[1]], output)
        if into:
            return str(Path(filled) / path.name)
        return str(Path(filled)) if "{dir}" in output else filled

    return name


class Folders:
    """Folders that were made in a run, and how many are at work in each."""

    def __init__(self) -> None:
        self._made: dict[Path, int] = {}
        self._making = Lock()  # one at a time makes them and takes them away

    @contextmanager
    def made(self, wanted: Path) -> Iterator[None]:
        """A folder, made if it is not there. It goes again if it was made here, nothing lies in it, and nobody else is at work."""
        used: list[Path] = []
        try:
            with self._making:
                used = [path for path in (wanted, *wanted.parents) if path in self._made or not path.exists()]
                for path in used:
                    self._made[path] = self._made.get(path, 0) + 1
                try:
                    os.makedirs(wanted, exist_ok=True)
                except (OSError, ValueError) as error:
                    raise ImageError(f"output folder '{wanted}'", "cannot be made", **reason(error)._asdict()) from None
            yield
        finally:
            with self._making:
                for path in used:
                    self._made[path] -= 1
                    if not self._made[path]:
                        del self._made[path]
                        with suppress(OSError):  # something lies in it
                            path.rmdir()


@contextmanager
def folder(target: str, output: str | None) -> Iterator[None]:
    """The folder of `target`. It is made if `output` is a folder or a template; a failed run leaves no trace.

    Raises
    ------
    ImageError
        It cannot be made.
    """
    if output is None or not is_several(output):
        yield
        return
    with current().kept(Folders, Folders).made(Path(target).parent):
        yield
