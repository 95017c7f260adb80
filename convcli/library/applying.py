"""``apply``: the work of ``convcli apply`` and ``convcli transpose``, from file to file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from convcli.engine import Compute
from convcli.errors import ImageError, as_arguments, param
from convcli.images import Settings
from convcli.library import arguments, banks
from convcli.library.arguments import BiasLike, Channels, Combine, Ints, Layout, Op, Padding, RangeLike
from convcli.library.boundary import public
from convcli.library.explaining import operation_of
from convcli.library.operations import asked
from convcli.runs import batch, outputs
from convcli.runs.single import InBlocks, Writing
from convcli.system.context import Context
from convcli.system.names import is_stream
from convcli.vocabulary import ALPHAS, MOST_PIXELS


@dataclass(frozen=True, slots=True)
class Applied:
    """A file that `convcli.apply` has written.

    Attributes
    ----------
    target : str
        Its path.
    input_shape, output_shape : tuple of int
        ``(C, H, W)``, with alpha.
    frames : int
        How many frames were written.
    backend, plan : str
        What computed, and by which strategy.
    range : str
        The range policy that was used.
    clipped : int
        How many values were below black or above white.
    notes : tuple of str
        What was lost, and what may not be meant.

    Examples
    --------
    >>> import convcli
    >>> done = convcli.apply("photo.jpg", "soft.png", "box:3")
    >>> done.target, done.frames, done.range, done.clipped
    ('soft.png', 1, 'clip', 0)
    """

    target: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    frames: int
    backend: str
    plan: str
    range: str
    clipped: int
    notes: tuple[str, ...]


@public
def apply(
    source: str | os.PathLike[str], target: str | os.PathLike[str], kernel: Any, *, transpose: bool = False,
    op: Op = "corr", stride: Ints = 1, padding: Padding = 0, output_padding: Ints = 0, output_size: Ints | None = None,
    padding_mode: str = "zeros", dilation: Ints = 1, groups: int = 1, bias: BiasLike | None = None,
    layout: Layout | None = None, channels: Channels | None = None, combine: Combine | None = None,
    divisor: float | str | None = None, linear: bool = False, alpha: str = "auto", backend: str = "auto",
    device: Any = None, dtype: Any = None, threads: int | None = None, plan: str | None = None, range: RangeLike | None = None,
    full_scale: float | None = None, max_pixels: int | None = None, quality: int | None = None,
    compression: int | None = None, overwrite: bool = True, memory: int | str | None = None, pyramid: bool = False,
) -> Applied:  # fmt: skip
    """Apply an operation to a file, and write the result to another one, as ``convcli apply`` does.

    Depth, alpha, frames and metadata are kept as far as the format of the target holds them. The target is complete, or it is
    not there.

    Parameters
    ----------
    source, target : path-like
        The files. The ending of the target says its format.
    kernel : str, array_like
        As for `convcli.conv2d`.
    transpose : bool
        Whether the convolution is transposed. `output_padding` and `output_size` are for that one.
    op, stride, padding, output_padding, output_size, padding_mode, dilation, groups, bias, layout, channels, combine
        As for `convcli.conv2d` and `convcli.conv_transpose2d`.
    divisor, backend, device, dtype, threads, plan
        As for `convcli.conv2d`.
    linear : bool
        Whether to compute in linear light.
    alpha : {"auto", "premultiply", "filter", "keep", "drop"}
        What happens to alpha.
    range : str or (float, float), optional
        How results become the values of the file: ``clip``, ``abs``, ``offset``, ``minmax``, ``raw``, or two numbers that become
        black and white; by default ``clip`` for integers.
    full_scale : float, optional
        The value of white, if the file does not say it.
    max_pixels : int, optional
        The most pixels of the input.
    quality, compression : int, optional
        Of the encoder.
    overwrite : bool
        Whether the target may exist.
    memory : int or str, optional
        About how much memory may be used in all, in bytes or as ``"500M"``; the picture is then processed in blocks.
    pyramid : bool
        Whether smaller copies are written into a TIFF or Zarr, too.

    Returns
    -------
    Applied
        What was done, and notes on it.

    Raises
    ------
    ValueError
        A file cannot be read or written, or the arguments do not fit together. Nothing is written then.
    TypeError
        `source` or `target` is no path.

    Examples
    --------
    >>> import convcli
    >>> done = convcli.apply("photo.jpg", "edges.png", "sobel", padding="same", padding_mode="reflect")
    >>> done.range, done.output_shape[0]
    ('clip', 3)
    """
    spec = arguments.spec(
        transpose, op, stride, padding, padding_mode, dilation, groups, output_padding, output_size
    )  # fmt: skip
    wanted = asked(
        spec, bias, layout, channels, combine, divisor, backend, device, dtype, threads, plan, range, full_scale
    )  # fmt: skip
    compute = wanted.compute
    compute = Compute(compute.backend, compute.device or "cpu", compute.dtype, compute.threads, compute.plan)
    given = banks.given(kernel)
    how_alpha = arguments.word("alpha", alpha, ALPHAS)
    operation = operation_of(
        given, wanted, compute, linear=arguments.flag("linear", linear), alpha=how_alpha, files=given.specs
    )
    paths = arguments.path("source", source), arguments.path("target", target)
    for path in paths:
        if is_stream(path):
            raise ImageError(f"'{path}'", "is a stream", "give files, or use convcli.conv2d")
    [place] = outputs.resolve([paths[0]], paths[1], operation.label, in_place=None, read=given.specs)
    replace = arguments.flag("overwrite", overwrite)
    if not replace and os.path.lexists(place):
        raise ImageError(f"target '{place}'", "exists", f"use {param('overwrite', True)}, or another name")
    settings = Settings(
        arguments.whole("quality", quality, 1, 100), arguments.whole("compression", compression, 0, 9)
    )  # fmt: skip
    limits = InBlocks(arguments.memory(memory), arguments.flag("pyramid", pyramid))
    how = Writing(
        policy=None if wanted.range is None else wanted.range.word, output=paths[1], settings=settings,
        max_pixels=arguments.whole("max_pixels", max_pixels, 1, MOST_PIXELS), full_scale=wanted.full_scale, replace=replace,
        blocks=limits,
    )  # fmt: skip
    with Context():  # what a file needs ends with it
        done = batch.process(paths[0], place, operation, how)
    return Applied(
        place, done.input_shape, done.output_shape, done.frames, done.result.backend, done.result.plan, done.policy,
        done.clipped.below + done.clipped.above, tuple(map(as_arguments, (*operation.notes, *done.notes))),
    )  # fmt: skip
