"""How the options of a command become one typed record. Only here are options read by their names.

A command takes a record. Every field of it is the option of that name, or a record of more options (its class's name ends in
``Options``). If a command does not have an option, its field keeps its default. The fields `typed` and `words` tell how the
command line was typed. Importing this module and folding load neither NumPy nor Pillow.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_type_hints

import click
from click.core import ParameterSource

from convcli.convspec import Bias, ConvSpec
from convcli.errors import ConvError, param
from convcli.geometry import Pads, Pair, Size
from convcli.records import NamedTuple
from convcli.vocabulary import DTYPES

if TYPE_CHECKING:
    from convcli.engine import Compute
    from convcli.runs.operation import Operation
    from convcli.runs.outputs import Rules
    from convcli.runs.single import InBlocks, Writing

T = TypeVar("T")

WORDS = "convcli.words"
"""The key under which a context has the words of the command line. The name of the command is the first."""


def folded(command: Callable[[T], None]) -> Callable[..., None]:
    """Give a command its options as the record that its parameter is annotated with."""

    @wraps(command)
    def run(**values: Any) -> None:
        context = click.get_current_context()
        typed = {
            str(option.name): option.opts[-1]
            for option in context.command.params
            if context.get_parameter_source(str(option.name)) is ParameterSource.COMMANDLINE
        }
        command(fold(record_of(command), values, typed, context.meta.get(WORDS, ())))

    return run


def record_of(command: Callable[[T], None]) -> type[T]:
    """The record that a command takes."""
    kind: type[T] = next(iter(_hints(command).values()))
    return kind


def fold(kind: type[T], values: Mapping[str, Any], typed: Mapping[str, str] = {}, words: tuple[str, ...] = ()) -> T:
    """A record of the values of a command's options.

    `typed` are the options that were typed, and their spellings. A record's field `typed` gets those of its own fields, and a
    field `words` the words of the command line.
    """
    given: dict[str, Any] = {}
    for name, each in _hints(kind).items():
        if name == "typed":
            given[name] = {option: typed[option] for option in _hints(kind) if option in typed}
        elif name == "words":
            given[name] = words
        elif is_record(each):
            given[name] = fold(each, values, typed, words)
        elif name in values:
            given[name] = values[name]
    return kind(**given)


_hints = cast("Callable[[object], dict[str, Any]]", cache(get_type_hints))
"""The types of a record's fields, or of a function's parameters. To work them out again would take half as long as a `shape`."""


def is_record(kind: object) -> bool:
    """Whether a field of this type holds further options."""
    return isinstance(kind, type) and kind.__name__.endswith("Options")


class InputOptions(NamedTuple):
    """Where images are."""

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
    output_size: Size | None = None
    transpose: bool = False

    def spec(self, transposed: bool | None = None) -> ConvSpec:
        """The specification. By default it is transposed if ``--transpose`` or an option that implies it is given."""
        if transposed is None:
            transposed = self.transpose or self.output_padding is not None or self.output_size is not None
        values = self._asdict() | {"transpose": transposed, "output_padding": self.output_padding or Pair(0, 0)}
        return ConvSpec(**values)


class ComputeOptions(NamedTuple):
    """What computes, where, and in which arithmetic."""

    backend: str
    device: str
    dtype: str | None
    threads: int | None
    plan: str | None
    typed: Mapping[str, str]

    def choice(self) -> "Compute":
        """The same for the engine. The value of an environment variable is ignored if it contradicts the command line."""
        from convcli.engine import Compute

        backend, device, dtype, threads, plan, typed = self
        if "backend" not in typed and (plan or (device != "cpu" and "device" in typed)):
            backend = "auto"
        if "device" not in typed and (plan or (backend not in ("auto", "torch") and "backend" in typed)):
            device = "cpu"
        fitting = dtype in DTYPES.get(backend, DTYPES["torch"]) and not (plan and dtype not in DTYPES["numpy"])
        if "dtype" not in typed and not fitting:
            dtype = None
        return Compute(backend, device, dtype, threads, plan)


class OperationOptions(NamedTuple):
    """What is done to an image: kernels or weights, and how they treat its channels, its light and its alpha."""

    kernels: tuple[str, ...]
    weights: str | None
    channels: str
    bias: Bias | None
    words: tuple[str, ...]
    divisor: float | str | None = None
    normalize: bool = False
    layout: str | None = None
    combine: str | None = None
    linear: bool = False
    alpha: str = "auto"

    def operation(self, spec: ConvSpec, compute: "Compute") -> "Operation":
        """The operation, with kernels that are built or weights that are read.

        Raises
        ------
        ConvError
            No kernel, both kinds of kernel, or one that cannot be built or read.
        """
        from convcli.runs.operation import assemble

        made = assemble(
            spec, self.kernels, self.weights, combine=self.combine, channels=self.channels, bias=self.bias,
            alpha=self.alpha, linear=self.linear, compute=compute, divisor=divisor_of(self.divisor, self.normalize),
            layout=self.layout,
        )  # fmt: skip
        slips = made.bank is not None and made.bank.notes
        return made if slips else made._replace(notes=(*made.notes, *self._cut()))

    def _cut(self) -> tuple[str, ...]:
        """A hint that the shell may have taken the further rows of a kernel, because nothing follows it on the command line."""
        last = self.kernels[-1] if self.kernels else ""
        one_row = "," in last and re.fullmatch(r"[-+\d./]+(,[-+\d./]+){2,}", last)
        if not one_row or not self.words or not self.words[-1].endswith(last):
            return ()
        quoted = param("kernel", f"'{last};…'")
        return (
            f"kernel '{last}' is one row: if there was a ; after it, the shell took it; use quotes, as in {quoted}",
        )


def divisor_of(divisor: float | str | None, normalize: bool) -> float | str | None:
    """What ``--divisor`` and ``--normalize`` ask for together. Raises a `ConvError` if they contradict each other."""
    if normalize and divisor not in (None, "sum"):
        both = f"{param('normalize')} and {param('divisor', divisor)}"
        raise ConvError(
            both, "exclude each other", f"give one of them; {param('normalize')} is {param('divisor', 'sum')}"
        )
    return "sum" if normalize else divisor


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
    pyramid: bool
    memory: int | None
    on: str | None

    @property
    def sheet_width(self) -> int | None:
        """The width of the contact sheet; None without a sheet."""
        if self.montage_width is not None or not self.montage:
            return self.montage_width
        from convcli.runs.montage import WIDTH

        return WIDTH

    @property
    def _blocks(self) -> "InBlocks":
        from convcli.runs.single import InBlocks

        return InBlocks(self.memory, self.pyramid, self.skip_existing, self.on)

    def rules(self, operation: "Operation") -> "Rules":
        """How results are named, and what they may replace."""
        from convcli.runs.outputs import Rules

        return Rules(
            self.output, operation.label, self.overwrite, self.in_place, operation.files, self.format_, self.skip_existing
        )  # fmt: skip

    def writing(self, reading: ReadingOptions) -> "Writing":
        """The same for a run, with how images are read."""
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
            blocks=self._blocks,
        )


class ReportingOptions(NamedTuple):
    """How results are reported."""

    as_json: bool
    quiet: bool
    json_lines: bool = False
    verbose: bool = False
