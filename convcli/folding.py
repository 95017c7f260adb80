"""How the options of a command become one typed record. Options are read by their names here and nowhere else.

A command takes a record. Every field of it is the option of that name, or a record of more options (its class's name ends in
``Options``). A field of an option that a command does not have keeps its default. Importing this module and folding load
neither NumPy nor Pillow.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_type_hints

import click
from click.core import ParameterSource

from convcli.convspec import ConvSpec
from convcli.errors import param
from convcli.geometry import Pads, Pair, Size
from convcli.parameters import Offsets
from convcli.vocabulary import DTYPES

if TYPE_CHECKING:
    from convcli.engine import Compute
    from convcli.runs.operation import Bias, Operation
    from convcli.runs.single import Writing

T = TypeVar("T")


WORDS = "convcli.words"
"""Where a context keeps the words of the command line as they were typed, the command's name first."""


def folded(command: Callable[[T], None]) -> Callable[..., None]:
    """Have a command take its options as the record that its parameter is annotated with."""

    @wraps(command)
    def run(**values: Any) -> None:
        record: T = fold(record_of(command), values)
        command(record)

    return run


def record_of(command: Callable[[T], None]) -> type[T]:
    """The record that a command takes."""
    kind: type[T] = next(iter(get_type_hints(command).values()))
    return kind


def fold(kind: type[T], values: dict[str, Any]) -> T:
    """A record of the values of a command's options.

    Raises
    ------
    TypeError
        An option that no field takes, or a field that no option fills: a mistake of ours.
    """
    rest = dict(values)
    record: T = _taken(kind, rest)
    if rest:
        raise TypeError(f"{kind.__name__} has no field for {', '.join(rest)}")
    return record


def _taken(kind: Any, rest: dict[str, Any]) -> Any:
    """A record that takes its values out of `rest`."""
    given = {}
    for name, each in get_type_hints(kind).items():
        if name in rest:
            given[name] = rest.pop(name)
        elif is_record(each):
            given[name] = _taken(each, rest)
        elif name not in kind._field_defaults:
            raise TypeError(f"{kind.__name__}.{name} has no option")
    return kind(**given)


def is_record(kind: object) -> bool:
    """Whether a field of this type holds further options."""
    return isinstance(kind, type) and kind.__name__.endswith("Options")


class InputOptions(NamedTuple):
    """Which images are meant."""

    images: tuple[str, ...]
    recursive: bool
    from_file: str | None
    null: bool


class ReadingOptions(NamedTuple):
    """How an image is read."""

    full_scale: float | None
    max_pixels: int | None


class GeometryOptions(NamedTuple):
    """How the kernel moves over the image."""

    stride: Pair = Pair(1, 1)
    padding: Pads | str = Pads(0, 0, 0, 0)
    padding_mode: str = "zeros"
    dilation: Pair = Pair(1, 1)
    groups: int = 1
    op: str = "corr"
    output_padding: Pair | None = None
    output_size: Pair | None = None
    transpose: bool = False

    def spec(self, transposed: bool | None = None) -> ConvSpec:
        """The same for all that computes. If the command does not say `transposed`, ``--transpose`` or what implies it does."""
        if transposed is None:
            transposed = self.transpose or self.output_padding is not None or self.output_size is not None
        return ConvSpec(
            op=self.op,
            transpose=transposed,
            stride=self.stride,
            padding=self.padding,
            padding_mode=self.padding_mode,
            dilation=self.dilation,
            groups=self.groups,
            output_padding=self.output_padding or Pair(0, 0),
            output_size=None if self.output_size is None else Size(*self.output_size),
        )


class ComputeOptions(NamedTuple):
    """What computes, where, and in which arithmetic."""

    backend: str
    device: str
    dtype: str | None
    threads: int | None
    plan: str | None

    def choice(self) -> Compute:
        """The same for the engine.

        What an environment variable says is a default: it gives way where it does not go with what the command line says.
        """
        from convcli.engine import Compute

        backend, device, dtype, plan = self.backend, self.device, self.dtype, self.plan
        if plan is not None or (device != "cpu" and _is_typed("device")):
            backend = _unless_default("backend", backend, "auto")
        if plan is not None or (backend not in ("auto", "torch") and _is_typed("backend")):
            device = _unless_default("device", device, "cpu")
        if dtype not in DTYPES.get(backend, DTYPES["torch"]) or (plan is not None and dtype not in DTYPES["numpy"]):
            dtype = _unless_default("dtype", dtype, None)
        return Compute(backend, device, dtype, self.threads, plan)


class OperationOptions(NamedTuple):
    """What is done to an image: kernels or weights, and how they meet its channels, its light and its opacity."""

    kernels: tuple[str, ...]
    weights: str | None
    channels: str
    bias: Offsets | None
    combine: str | None = None
    linear: bool = False
    alpha: str = "auto"

    @property
    def offsets(self) -> Bias | None:
        """``--bias``, if it was given."""
        from convcli.runs.operation import Bias

        return None if self.bias is None else Bias(*self.bias)

    def operation(self, spec: ConvSpec, compute: Compute) -> Operation:
        """The operation, its kernels built or its weights read.

        Raises
        ------
        ConvError
            No kernel, both kinds of kernel, or one that cannot be built or read.
        """
        from convcli.runs.operation import assemble

        made = assemble(
            spec, self.kernels, self.weights, combine=self.combine, channels=self.channels, bias=self.offsets,
            alpha=self.alpha, linear=self.linear, compute=compute,
        )  # fmt: skip
        return replace(made, notes=(*made.notes, *_cut(self.kernels)))


class WritingOptions(NamedTuple):
    """Where and how results are written."""

    output: str | None
    overwrite: bool
    in_place: bool
    skip_existing: bool
    format_: str | None
    range_: str | None
    montage: bool
    montage_width: int | None
    theme: str
    quality: int | None
    compression: int | None

    @property
    def sheet_width(self) -> int | None:
        """The width of the contact sheet; None where none is wanted."""
        if self.montage_width is not None or not self.montage:
            return self.montage_width
        from convcli.runs.montage import WIDTH

        return WIDTH

    def writing(self, reading: ReadingOptions) -> Writing:
        """The same for a run, with how its images are read."""
        from convcli.images import Settings
        from convcli.runs.single import Writing

        return Writing(
            container=self.format_,
            policy=self.range_,
            output=self.output,
            settings=Settings(self.quality, self.compression),
            max_pixels=reading.max_pixels,
            full_scale=reading.full_scale,
            montage=self.sheet_width,
            theme=self.theme,
            replace=self.overwrite or self.in_place or not (self.output is None or self.skip_existing),
        )


class ReportingOptions(NamedTuple):
    """What is told of results."""

    as_json: bool
    quiet: bool
    json_lines: bool = False
    verbose: bool = False


_ONE_ROW = re.compile(r"[-+\d./]+(,[-+\d./]+){2,}")


def _cut(kernels: tuple[str, ...]) -> tuple[str, ...]:
    """A hint that the shell may have taken the rows of a kernel after the first: nothing follows it on the command line."""
    context = click.get_current_context(silent=True)
    words = () if context is None else context.meta.get(WORDS, ())
    if not kernels or not words or not words[-1].endswith(kernels[-1]) or not _ONE_ROW.fullmatch(kernels[-1]):
        return ()
    quoted = param("kernel", f"'{kernels[-1]};…'")
    return (
        f"kernel '{kernels[-1]}' is one row: if a ; follows, the shell takes it unless there are quotes, as in {quoted}",
    )


def _is_typed(name: str) -> bool:
    """Whether an option stands on the command line."""
    return _source(name) is ParameterSource.COMMANDLINE


def _unless_default(name: str, value: T, default: T) -> T:
    """The value of an option; the default if only the environment says otherwise."""
    return default if _source(name) is ParameterSource.ENVIRONMENT else value


def _source(name: str) -> ParameterSource | None:
    context = click.get_current_context(silent=True)
    return context.get_parameter_source(name) if context else None
