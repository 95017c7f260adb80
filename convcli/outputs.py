"""Where each result goes: output paths, folders and templates, and the rules that protect existing files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from convcli.errors import ImageError
from convcli.files import STDIO, same_file

FIELDS = ("stem", "name", "ext", "kernel")


def resolve(
    inputs: Sequence[str], output: str | None, kernel: str, *, overwrite: bool = False, in_place: bool = False
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
        return list(inputs)
    targets = [_target(source, output, kernel) for source in inputs]
    for number, (source, target) in enumerate(zip(inputs, targets, strict=True)):
        for other in inputs:
            if same_file(target, other):
                raise ImageError(f"output '{target}' is the input '{other}': name another, or use --in-place")
        if output is None and not overwrite and os.path.lexists(target):
            raise ImageError(f"output '{target}' exists: use --overwrite, or -o {target} to replace it")
        shared = [other for other, theirs in zip(inputs[:number], targets, strict=False) if theirs == target]
        if shared:
            raise ImageError(
                f"'{source}' and '{shared[0]}' would both be written to '{target}': use a folder or a template, -o 'out/{{name}}'"
            )
    return targets


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
    if output == STDIO:
        return STDIO
    if not output:
        raise ImageError("output '' is empty: name a file, a folder ending in '/', or '-'")
    if output.endswith(("/", os.sep)) or os.path.isdir(output):
        return str(Path(output) / path.name)

    def fill(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ImageError(f"output '{output}' has the unknown field '{match[0]}': use {{{'}, {'.join(FIELDS)}}}")
        return values[match[1]]

    return re.sub(r"\{([^{}]*)\}", fill, output)


def make_folder(output: str | None) -> None:
    """Make the folder that ``-o DIR/`` names, if it is not there.

    Raises
    ------
    ImageError
        It cannot be made.
    """
    if output is None or not output.endswith(("/", os.sep)):
        return
    try:
        os.makedirs(output, exist_ok=True)
    except OSError as error:
        raise ImageError(f"output folder '{output}' cannot be made: {error.strerror}; use another name") from None
