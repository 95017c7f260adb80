"""Where each result goes: output paths, folders and templates, and the rules that protect existing files."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache

from convcli.errors import ConvError, ImageError, param
from convcli.images.formats import format_of, has_image_name
from convcli.records import NamedTuple
from convcli.system.files import reason
from convcli.system.names import (
    STDIO,
    check_standard_output,
    ending_of,
    exists,
    folded,
    identity,
    is_folder,
    is_stream,
    is_url,
    name_of,
    one_place,
    same_file,
    stem_and_ending,
)

FIELDS = ("stem", "name", "ext", "kernel", "dir", "parent")
_FIELD = r"\{([^{}]*)\}"

Key = str | tuple[int, int]
"""What all names of a file or an object have in common: its URL, or its device and inode."""

STDOUT = "/dev/stdout"
"""Another name of standard output. With it, the image may be written to a terminal, too."""


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
        ``-o``: a path, ``-``, a folder (ends in ``/``, or exists), or a template of `FIELDS`. By default ``{stem}-{kernel}.{ext}``.
    kernel : str
        Replaces ``{kernel}``.
    below : sequence of str
        For each input, its folder relative to the one that was searched. The target is in the same folder below the output.
    overwrite : bool
        Whether the default name may replace an existing file.
    in_place : bool
        Whether every input is its own target; None if the command has no such option.
    read : sequence of str
        Kernel and weights files, which must not be replaced, either. They need not exist.
    form : str, optional
        The format that is asked for by name. Its ending replaces that of the inputs.

    Raises
    ------
    ImageError
        A path is not possible; or a target is an input, exists and may not be replaced, or is the target of two inputs.
    """
    if in_place and output is not None:
        raise ImageError(f"{param('in_place')} and {param('output', output)}", "exclude each other", "give one of them")
    if in_place and STDIO in inputs:
        raise ImageError(param("in_place"), "needs a file, and the input is '-'", f"use {param('output')}")
    targets = list(inputs) if in_place else named(inputs, output, kernel, below, form)
    kept = {key_of(other): other for other in reversed(read)}
    known = {} if in_place else {key_of(source): source for source in inputs}
    places: dict[str, list[tuple[str, int]]] = {}  # by names that a file system could treat as one
    folder_of = cache(os.path.realpath)
    for number, (source, target) in enumerate(zip(inputs, targets, strict=True)):
        if (key := key_of(target)) is not None:
            if key in kept:
                raise replaces_kernel(target, kept[key])
            if key in known:
                alone = in_place is not None and all(  # no image replaces another one
                    source == target or same_file(source, target)
                    for source, target in zip(inputs, targets, strict=True)
                )
                raise replaces_input(target, known[key], alone)
        if output is None and not in_place and not overwrite and os.path.lexists(target):
            raise exists(target)
        if target != STDIO and is_stream(target):
            continue  # a stream takes the images one after the other
        where = where_of(target, folder_of)
        alike = places.setdefault(folded(where), [])
        for other, first in alike:
            if where == other or one_place(where, other):
                here = f"'{target}'" + (f", which is '{targets[first]}' here" if where != other else "")
                rule = f"would both be written to {here}"
                remedy = f"use {_apart(inputs[first], source, output, form, any(below))}"
                raise ImageError(f"'{inputs[first]}' and '{source}'", rule, remedy)
        alike.append((where, number))
    return targets


def key_of(path: str) -> Key | None:
    """What all names of a file or an object have in common; None if there is no such file."""
    return path if is_url(path) else identity(path)


def where_of(target: str, folder_of: Callable[[str], str] = os.path.realpath) -> str:
    """Where a result goes, without links. `folder_of` is `os.path.realpath`, and may keep what it has found."""
    if target == STDIO or is_url(target):
        return target
    with suppress(OSError):  # opening it gives the error
        folder, name = os.path.split(target)
        return folder_of(target) if os.path.islink(target) else os.path.join(folder_of(folder), name)
    return target


def replaces_kernel(target: str, kernel: str) -> ImageError:
    """The error for a target that is a file with the kernel or the weights."""
    return ImageError(f"output '{target}'", f"is the kernel or weights file '{kernel}' of this run", "use another name")


def replaces_input(target: str, source: str, alone: bool) -> ImageError:
    """The error for a target that is an input. `alone`: every image would be written over itself."""
    remedy = f"use another name, or {param('in_place')}" if alone else "use another name"
    return ImageError(f"output '{target}'", f"is the input '{source}'", remedy)


def check_ending(target: str, form: str | None) -> None:
    """Raise an ImageError if a file's name contradicts the format that is asked for by name."""
    if form is None or is_stream(target) or format_of(target, None, None) == format_of("x", form, None):
        return
    rule, remedy = (
        f"does not end as {param('format', form)} does",
        f"use .{{ext}} as its ending, or leave {param('format')} out",
    )
    raise ImageError(f"output '{target}'", rule, remedy)


def _apart(one: str, other: str, output: str | None, form: str | None, deep: bool) -> str:
    """What the user can do to get different targets. `deep`: some are in subfolders."""
    if os.path.realpath(one) == os.path.realpath(other) or same_file(one, other):
        return "each image only once"
    if form is not None and folded(name_of(one)) != folded(name_of(other)):
        folder, _, _ = (output or "").partition("{")
        better = os.path.join(folder, "{dir}" if deep else "", f"{{name}}{_ending(form)}")
        return f"""{param("output", f"'{better}'")} without {param("format")}, which keeps both endings"""
    if folded(name_of(one)) == folded(name_of(other)):
        return "different names, or one folder for each, " + param("output", "'out/{parent}/{name}'")
    if output is not None and "{stem}" in output:
        better = "'" + output.replace("{stem}", "{name}") + "'"
        return "{name} for {stem}, which has the ending too, " + param("output", better)
    if output is not None and not ending_of(output):
        return f"{param('output', output + '/')} for a folder of that name"
    return "a folder or a template, " + param("output", "'out/{name}'")


def is_several(output: str) -> bool:
    """Whether an output is a folder or a template, and not the name of one file."""
    return output.endswith(("/", os.sep)) or "{" in output or is_folder(output)


def check_fields(output: str, fields: Sequence[str] = FIELDS) -> None:
    """Raise an ImageError if a template has an unpaired brace, or a field that is not in `fields`."""
    if "{" not in output and "}" not in output:
        return
    if re.search(r"[{}]", re.sub(_FIELD, "", output)):
        rule = "has an unpaired brace"
        raise ImageError(f"output '{output}'", rule, f"write {{{fields[0]}}}, or leave it out")
    for match in re.finditer(_FIELD, output):
        if match[1] not in fields:
            rule = f"has the unknown field '{match[0]}'"
            raise ImageError(f"output '{output}'", rule, f"use {{{'}, {'.join(fields)}}}")


def _ending(form: str) -> str:
    """The ending of files of a format that is asked for by name."""
    return f".{form.lower().lstrip('.')}"


def named(
    inputs: Sequence[str], output: str | None, kernel: str, below: Sequence[str] = (), form: str | None = None
) -> list[str]:
    """The target of every input, without the checks of `resolve`. An impossible path is an ImageError."""
    return [*map(namer(output, kernel, form), inputs, below or [""] * len(inputs))]


def namer(output: str | None, kernel: str, form: str | None = None) -> Callable[[str, str], str]:
    """A function that names the target of an input, which gets its path and its folder below the one that was searched.

    Here and there, an impossible path is an ImageError.
    """
    _check_path(output or "")
    if output == "":
        raise ImageError("output ''", "is empty", "name a file, a folder ending in '/', or '-'")
    into = False
    if output is not None:
        check_fields(output)
        into = output.endswith(("/", os.sep)) or is_folder(output)
        place = output.rstrip("/" + os.sep)
        if place and into and os.path.lexists(place) and not os.path.isdir(place):
            raise ImageError(f"output '{output}'", "is not a folder, but a file", "use another name")

    def target(source: str, under: str) -> str:
        _check_path(source)
        if not source:
            raise ImageError("input ''", "is empty", "name an image, or - for standard input")
        stem, ending = stem_and_ending("stdin.png" if source == STDIO else _plain(source))
        ending = ending or ".png"
        if form is not None:
            stem, ending = stem_and_ending((stem if has_image_name(stem + ending) else stem + ending) + _ending(form))
        if output is None:
            return STDIO if source == STDIO else f"{stem}-{kernel}{ending}"
        if output in (STDIO, STDOUT):
            return STDIO
        if "{" not in output:
            return _joined(output, under, stem + ending) if into else output
        values = {
            "stem": stem,
            "name": stem + ending,
            "ext": ending.lstrip("."),
            "kernel": kernel,
            "dir": under or ".",
            "parent": _folder(source),
        }
        filled = output.format_map(values)
        if into:
            return _joined(filled, stem + ending)
        return _joined(filled) if "{dir}" in output else filled

    return target


def _check_path(path: str) -> None:
    if "\0" in path:
        raise ImageError(f"path '{path}'", "has a NUL in it, which ends a path", "write it without")


def _plain(source: str) -> str:
    """A source as a path: of an address, what follows the scheme, without a query."""
    return source.partition("://")[2].partition("?")[0] if is_url(source) else source


def _folder(source: str) -> str:
    """The name of the folder that a source is in."""
    from pathlib import Path  # most outputs do not need it

    path = Path("stdin.png" if source == STDIO else _plain(source))
    return path.parent.name or path.absolute().parent.name


def _joined(first: str, *parts: str) -> str:
    """A path without doubled slashes and dots. Those after a scheme stay."""
    from pathlib import Path  # only folders and templates need it

    scheme, mark, place = first.partition("://") if is_url(first) else ("", "", first)
    return scheme + mark + str(Path(place, *parts))


def check_terminal(what: str, remedy: str) -> None:
    """Raise an ImageError if standard output is a terminal, which binary data must not be written to: `what`."""
    if sys.stdout.isatty():
        raise ImageError("standard output", f"is a terminal, which cannot show {what}", remedy)


def check_closed() -> None:
    """Raise an ImageError if standard output takes no image: it is used for something else, or the caller closed it.

    The program has opened the null device instead.
    """
    check_standard_output(STDIO)
    if getattr(sys.stdout, "name", None) == os.devnull:
        raise ImageError("standard output", "is closed, so the image cannot be written", "use -o FILE or a pipe")


class Job(NamedTuple):
    """An image of a run with its target, or with the error that it cannot have one."""

    source: str
    target: str
    error: ConvError | None = None


class Rules(NamedTuple):
    """How results are named, and what they may replace; see `resolve`."""

    output: str | None
    kernel: str
    overwrite: bool = False
    in_place: bool = False
    read: tuple[str, ...] = ()
    form: str | None = None
    skip_existing: bool = False

    def jobs(self, paths: Sequence[str], below: Sequence[str]) -> list[Job]:
        """Images with their targets. Raises an ImageError if one breaks a rule."""
        targets = resolve(
            paths, self.output, self.kernel, below=below, overwrite=self.overwrite or self.skip_existing,
            in_place=self.in_place, read=self.read, form=self.form,
        )  # fmt: skip
        for target in targets:
            check_ending(target, self.form)
        return [*map(Job, paths, targets)]


def make_folder(target: str, output: str | None) -> None:
    """Make the folder of `target` if `output` is a folder or a template. When the run ends, it is removed if it is empty."""
    if output is None or not is_several(output) or is_url(target) or os.path.isdir(os.path.dirname(target)):
        return
    from pathlib import Path  # only folders and templates need it

    from convcli.system.folders import made_folders

    wanted = Path(target).parent
    try:
        for path in [path for path in (wanted, *wanted.parents) if not path.exists()][::-1]:
            made_folders().add(str(path))
        os.makedirs(wanted, exist_ok=True)
    except (OSError, ValueError) as error:
        raise ImageError(f"output folder '{wanted}'", "cannot be made", **reason(error)._asdict()) from None
