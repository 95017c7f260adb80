"""Where each result goes: output paths, folders and templates, and the rules that protect existing files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from convcli.errors import ImageError
from convcli.files import STDIO, is_stream, reason, same_file

FIELDS = ("stem", "name", "ext", "kernel")
_FIELD = re.compile(r"\{([^{}]*)\}")


def resolve(
    inputs: Sequence[str],
    output: str | None,
    kernel: str,
    *,
    overwrite: bool = False,
    in_place: bool = False,
    read: Sequence[str] = (),
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
    overwrite : bool
        Whether the default name may replace an existing file.
    in_place : bool
        Whether every input is its own target.
    read : sequence of str
        Kernel and weights files, which are not to be replaced either (names that are no files do no harm).

    Raises
    ------
    ImageError
        A target that is an input, that exists without leave, or that two inputs share.
    """
    if in_place:
        if output is not None:
            raise ImageError(f"--in-place and -o {output} exclude each other: give one of them")
        if STDIO in inputs:
            raise ImageError("--in-place has no file to write when the input is '-': use -o")
        for source in inputs:
            _spare(source, read)
        return list(inputs)
    targets = [_target(source, output, kernel) for source in inputs]
    for number, (source, target) in enumerate(zip(inputs, targets, strict=True)):
        _spare(target, read)
        for other in inputs:
            if same_file(target, other):
                raise ImageError(f"output '{target}' is the input '{other}': name another, or use --in-place")
        if output is None and not overwrite and os.path.lexists(target):
            raise ImageError(f"output '{target}' exists: use --overwrite, or -o {target} to replace it")
        shared = [other for other, theirs in zip(inputs[:number], targets, strict=False) if theirs == target]
        if shared and (target == STDIO or not is_stream(target)):
            alike = Path(source).name == Path(shared[0]).name
            remedy = "different names, or one folder for each" if alike else "a folder or a template, -o 'out/{name}'"
            raise ImageError(f"'{source}' and '{shared[0]}' would both be written to '{target}': use {remedy}")
    return targets


def _spare(target: str, read: Sequence[str]) -> None:
    for other in read:
        if same_file(target, other):
            raise ImageError(f"output '{target}' is the kernel or weights file '{other}' of this run: name another")


def _target(source: str, output: str | None, kernel: str) -> str:
    if not source:
        raise ImageError("input '' is empty: name an image, or - for standard input")
    path = Path("stdin.png" if source == STDIO else source)
    if os.path.isdir(source):
        raise ImageError(f"input '{source}' is a folder: name the images in it")
    if not path.suffix:
        path = path.with_name(f"{path.name}.png")
    values = {"stem": path.stem, "name": path.name, "ext": path.suffix.lstrip("."), "kernel": kernel}
    if output is None:
        if source == STDIO:
            return STDIO
        return f"{path.stem}-{kernel}{path.suffix}"
    if output in (STDIO, "/dev/stdout"):
        return STDIO
    if not output:
        raise ImageError("output '' is empty: name a file, a folder ending in '/', or '-'")
    if output.endswith(("/", os.sep)) or os.path.isdir(output):
        return str(Path(output) / path.name)

    if re.search(r"[{}]", _FIELD.sub("", output)):
        raise ImageError(f"output '{output}' has a brace without its other half: write {{stem}}, or leave it out")

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ImageError(f"output '{output}' has the unknown field '{match[0]}': use {{{'}, {'.join(FIELDS)}}}")
        return values[match[1]]

    return _FIELD.sub(fill, output)


@contextmanager
def folder(target: str, output: str | None) -> Iterator[None]:
    """The folder of `target`, made if ``-o`` is a folder ending in ``/`` or a template.

    What was made goes again when the block ends and nothing lies in it: a failed run leaves no trace.

    Raises
    ------
    ImageError
        It cannot be made.
    """
    wanted = Path(target).parent
    made: list[Path] = []
    if output is not None and (output.endswith(("/", os.sep)) or "{" in output):
        made = [path for path in (wanted, *wanted.parents) if not path.exists()]
    try:
        try:
            if made:
                os.makedirs(wanted, exist_ok=True)
        except OSError as error:
            raise ImageError(f"output folder '{wanted}' cannot be made: {reason(error)}") from None
        yield
    finally:
        for path in made:
            with suppress(OSError):  # something lies in it
                path.rmdir()
