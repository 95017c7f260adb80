"""What `apply` and `transpose` say of their images: of one a table, of several a line for each and a summary."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, TextIO

from convcli import commandline, report
from convcli.errors import one_line
from convcli.system.names import STDIO
from convcli.vocabulary import STRETCH

if TYPE_CHECKING:
    from convcli.runs.batch import Outcome, Tally
    from convcli.runs.operation import Operation
    from convcli.runs.single import Done


ALIKE = 10
"""So many images are named that failed for the same reason; the rest are counted."""


class Reporter(ABC):
    """Tells what becomes of images, in their order.

    Parameters
    ----------
    values : mapping
        The command's parameters.
    operation : Operation
        Its remarks are said once, and not before an error.
    stream : TextIO
        Standard output, or standard error where that carries an image.
    """

    def __init__(self, values: Mapping[str, Any], operation: Operation, stream: TextIO) -> None:
        self.json = values["as_json"] or values["json_lines"]
        self.quiet, self.verbose = values["quiet"], values["verbose"]
        self.notes, self.stream = operation.notes, stream
        self.bar = False

    @abstractmethod
    def tell(self, outcome: Outcome) -> None:
        """Tell of the next image."""

    @abstractmethod
    def end(self, tally: Tally, interrupted: bool = False) -> None:
        """Tell what there is to be told of all images together."""

    def said_once(self) -> None:
        """The remarks on the operation."""
        for text in self.notes:
            report.note(text)
        self.notes = ()

    def said_of_plans(self, item: Done) -> None:
        """Which plans were weighed, if this is asked for."""
        for plan in item.result.considered if self.verbose else ():
            report.note(f"{item.source}: {plan.name}, predicted {report.seconds(plan.seconds)}: {plan.reason}")

    def out(self, say: Callable[[], None]) -> None:
        """Say something on a stream whose reader may be gone: the images are wanted all the same."""
        try:
            say()
        except BrokenPipeError:
            commandline.give_up(self.stream)


class One(Reporter):
    """Tells of a single image, whose error is the command's."""

    def tell(self, outcome: Outcome) -> None:
        """A table, a document, or what a script wants."""
        from convcli.runs.batch import Failed, Skipped

        if isinstance(outcome, Failed):
            raise outcome.error
        if isinstance(outcome, Skipped):
            if self.json:
                report.json(outcome.document(), self.stream)
            elif not self.quiet:
                report.note(f"{outcome.target} is there already")
            return
        self.said_of_plans(outcome)
        if self.json:  # has the remarks in it
            report.json(outcome.document(), self.stream)
            return
        self.said_once()
        for text in outcome.notes:
            report.note(f"{outcome.source}: {text}")
        for remark in (clipped(outcome), nans(outcome)):
            if remark:
                report.note(f"{outcome.target}: {remark}")
        if not self.quiet:
            self.out(lambda: report.table(table(outcome), self.stream))
        elif outcome.target != STDIO:
            self.out(lambda: report.lines(outcome.target))

    def end(self, tally: Tally, interrupted: bool = False) -> None:
        """Nothing is left to be told."""


class Several(Reporter):
    """Tells of many images: what is the same for all of them is said once.

    Parameters
    ----------
    total : int
        How many there are.
    by_line : bool
        Whether ``--json`` is a document a line, as images are finished, or one list of them all.
    """

    def __init__(
        self, values: Mapping[str, Any], operation: Operation, stream: TextIO, total: int, by_line: bool
    ) -> None:
        super().__init__(values, operation, stream)
        self.total, self.by_line = total, by_line
        self.documents: list[dict[str, Any]] = []
        self.remarks: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.worst: list[tuple[float, str]] = []
        self.guessed = False
        self.start = perf_counter()
        shared = stream.isatty()  # with the bar
        self.bar = sys.stderr.isatty() and not self.quiet and not (shared and self.json and by_line)
        self.lines = not (self.quiet or self.json or (self.bar and shared))

    def tell(self, outcome: Outcome) -> None:
        """A line or a document, and remarks that were not made before."""
        from convcli.runs.batch import Failed
        from convcli.runs.single import Done

        if self.json and self.by_line:
            self.out(lambda: report.json(outcome.document(), self.stream))
        elif self.json:
            self.documents.append(outcome.document())
        if isinstance(outcome, Failed):
            text = str(outcome.error)
            self.reasons[text] += 1
            if self.verbose or self.reasons[text] <= ALIKE:
                report.note(one_line(f"error: {outcome.message}"))
        elif isinstance(outcome, Done):
            self._tell_done(outcome)
        elif self.verbose:
            report.note(f"{outcome.target} is there already")

    def _tell_done(self, item: Done) -> None:
        self.said_of_plans(item)
        if self.json:
            return
        self.said_once()
        for text in item.notes:
            self.remarks[text] += 1
            if self.verbose or self.remarks[text] == 1:
                report.note(f"{item.source}: {text}")
        if remark := clipped(item):
            self.worst.append((share(item), item.target))
            self.guessed |= item.assumed and item.clipped.above > 0
            if self.verbose:
                report.note(f"{item.target}: {remark}")
        if remark := nans(item):
            report.note(f"{item.target}: {remark}")
        if self.lines:
            self.out(lambda: print(line(item), file=self.stream, flush=True))
        elif self.quiet and item.target != STDIO:
            self.out(lambda: report.lines(item.target))

    def end(self, tally: Tally, interrupted: bool = False) -> None:
        """What was remarked of how many, and how many are done."""
        if self.json and not self.by_line:
            self.out(lambda: report.json(self.documents, self.stream))
        for text, count in self.reasons.items() if not self.verbose else ():
            if count > ALIKE:
                report.note(one_line(f"error: {count - ALIKE} more images: {text}"))
        for text, count in self.remarks.items():
            if count > 1:
                report.note(f"{count} images: {text}")
        if self.worst:
            most, target = max(self.worst)
            images = "1 image was" if len(self.worst) == 1 else f"{len(self.worst)} images were"
            report.note(f"values of {images} clipped, {most:.3g} % of {target} at most; see {remedies(self.guessed)}")
        if interrupted or tally.failed or not (self.quiet or self.json):
            counts = [f"{tally.written} of {self.total} written"]
            counts += [f"{tally.skipped} skipped"] * bool(tally.skipped) + [f"{tally.failed} failed"] * bool(
                tally.failed
            )
            ended = f"in {report.seconds(perf_counter() - self.start)}"
            report.note(", ".join([*counts, ended]) + ("; --skip-existing goes on from here" if interrupted else ""))


def clipped(item: Done) -> str | None:
    """The remark on values that were clipped, if there were."""
    below, above = item.clipped[:2]
    if not below + above or item.policy == STRETCH:  # which says on the sheet what it clips
        return None
    sides = " and ".join(f"{count} {side}" for count, side in ((below, "below"), (above, "above")) if count)
    return f"{share(item):.3g} % of the values were clipped ({sides} the range); see {remedies(above > 0 and item.assumed)}"


def remedies(guessed: bool) -> str:
    """Options that clip less; `guessed` says that values lie above a white that nobody has said."""
    return "--range, and --full-scale if white is another" if guessed else "--range"


def share(item: Done) -> float:
    """The percentage of values that were clipped."""
    below, above, total, _ = item.clipped
    return 100 * (below + above) / max(total, 1)


def nans(item: Done) -> str | None:
    """The remark on NaN, if there were."""
    count = item.clipped.nan
    return f"{count} NaN {'was' if count == 1 else 'were'} written as 0" if count else None


def line(item: Done) -> str:
    """One image of several, in a line."""
    shapes = f"{report.shape(item.input_shape)} → {report.shape(item.output_shape)}"
    spent = item.load_seconds + item.import_seconds + item.compute_seconds + item.save_seconds
    return report.shown(f"{item.source} → {item.target}  {shapes}  {report.seconds(spent)}")


def table(item: Done) -> report.Table:
    """The summary of one image."""
    operation, result = item.operation, item.result
    spec, geometry = operation.spec, result.geometry
    name = "transpose" if spec.transpose else spec.op
    if spec.transpose and spec.op == "conv":
        name += ", kernel flipped"
    kernels = f"{operation.label}, {geometry.kernel}"
    if operation.bank is not None:
        rules = ", ".join(f"{count} kernels by {rule}" for count, rule in operation.bank.parts if rule != "none")
        kernels += f", {rules}" if rules else ""
    else:
        assert operation.weight is not None
        kernels = f"{operation.label}, {report.shape(operation.weight.shape)}"
    pads = geometry.pads
    padding = report.pair((*pads,))
    if isinstance(spec.padding, str):
        padding = f"{spec.padding} = {padding}"
    if len(set(pads)) > 1:
        padding += " (top, bottom, left, right)"
    if not spec.transpose:
        padding += f", {spec.padding_mode}"
    rows = [
        ("input", f"{item.source}  {report.shape(item.input_shape)}  {item.mode}"),
        ("output", f"{item.target}  {report.shape(item.output_shape)}  {item.container}"),
        ("operation", name),
        ("kernel", kernels),
        ("stride, dilation", f"{report.pair(geometry.stride)}, {report.pair(geometry.dilation)}"),
        ("padding", padding),
    ]
    if spec.transpose:
        rows.append(("output_padding", report.pair(geometry.output_padding)))
    rows += _unusual(item)
    where = result.backend if result.device == "cpu" else f"{result.backend} on {result.device}"
    rows += [
        ("backend", where + (f" ({result.reason})" if result.reason else "")),
        ("plan", result.plan),
        (
            "time",
            f"load {report.seconds(item.load_seconds)}, import {report.seconds(item.import_seconds)}, "
            f"compute {report.seconds(item.compute_seconds)}, "
            f"save {report.seconds(item.save_seconds)}",
        ),
    ]
    return report.Table(f"convcli {'transpose' if spec.transpose else 'apply'}", rows)


def _unusual(item: Done) -> list[tuple[str, str]]:
    """What is not at its default."""
    operation = item.operation
    rows = []
    if item.layer_shape is not None:
        rows.append(("on the sheet", report.shape(item.layer_shape)))
    if item.frames > 1:
        rows.append(("frames", f"{item.frames}, of which the sizes and the plan are the first's"))
    if operation.spec.groups > 1:
        rows.append(("groups", str(operation.spec.groups)))
    if operation.channels != "each":
        rows.append(("channels", operation.channels))
    if item.bias is not None:
        rows.append(("bias", ", ".join(f"{value:g}" for value in item.bias)))
    if operation.linear:
        rows.append(("linear", "computed in linear light"))
    if item.policy != ("raw" if item.container == "NPY" else "clip"):
        rows.append(("range", item.policy))
    if item.mode == "tensor" and not item.assumed:
        rows.append(("full scale", f"{item.full_scale:g}"))
    if item.alpha is not None:
        rows.append(("alpha", item.alpha))
    if operation.compute.dtype is not None:
        rows.append(("dtype", operation.compute.dtype))
    return rows
