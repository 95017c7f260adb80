"""How `apply` and `transpose` report their images: a table for one, a line for each of several and a summary."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Any, TextIO

from convcli import commandline, report
from convcli.errors import as_options, one_line
from convcli.folding import ReportingOptions
from convcli.presenters import applied
from convcli.runs.batch import Failed, Outcome, Skipped, Tally
from convcli.runs.operation import Operation
from convcli.runs.single import Done
from convcli.system.names import STDIO

ALIKE = 10
"""The most images that are named for the same failure. The others are counted."""

MOST_TEXTS = 1 << 10
"""So many different failures, and remarks, are counted. Further ones are told each time."""


class Reporter:
    """Reports the result for a single image. Its error is the error of the command.

    Notes about the `operation` are shown once, unless there is an error. `stream` is standard output, or standard error if
    standard output gets the image.
    """

    bar = False

    def __init__(self, asked: ReportingOptions, operation: Operation, stream: TextIO) -> None:
        self.json = asked.as_json or asked.json_lines
        self.quiet, self.verbose = asked.quiet, asked.verbose
        self.notes, self.stream = operation.notes, stream

    def tell(self, outcome: Outcome) -> None:
        """Report the next image: by a table, a document, or what a script wants."""
        if isinstance(outcome, Failed):
            raise outcome.error
        if isinstance(outcome, Done):
            self.said_of_plans(outcome)
        if self.json:  # it has the remarks
            report.json(applied.document(outcome), self.stream)
            return
        if isinstance(outcome, Skipped):
            if not self.quiet:
                report.note(f"{outcome.target} exists already")
            return
        self.said_once()
        for text in outcome.notes:
            report.note(f"{outcome.source}: {text}")
        for remark in filter(None, (applied.clipped(outcome), applied.nans(outcome))):
            report.note(f"{outcome.target}: {remark}")
        if not self.quiet:
            self.out(lambda: report.table(applied.table(outcome), self.stream))
        elif outcome.target != STDIO:
            self.out(lambda: report.lines(outcome.target))

    def end(self, tally: Tally, total: int | None, interrupted: bool = False) -> None:
        """Report on all images together. Their number may not be known after an interruption."""

    def said_once(self) -> None:
        """Show the notes about the operation, once."""
        for text in self.notes:
            report.note(text)
        self.notes = ()

    def said_of_plans(self, item: Done) -> None:
        """Show which plans were considered, if ``--verbose`` asks for it."""
        for plan in item.result.considered if self.verbose else ():
            report.note(f"{item.source}: {plan.name}, predicted {report.seconds(plan.seconds)}: {plan.reason}")

    def out(self, say: Callable[[], None]) -> None:
        """Write to the stream. If nobody reads it, the images are written all the same."""
        try:
            say()
        except BrokenPipeError:
            commandline.give_up(self.stream)


class Several(Reporter):
    """Reports several images. A note that several of them have is shown once.

    `by_line`: JSON is one document per line, as images are finished, instead of one list.
    """

    def __init__(self, asked: ReportingOptions, operation: Operation, stream: TextIO, by_line: bool) -> None:
        super().__init__(asked, operation, stream)
        self.by_line = by_line
        self.documents: list[dict[str, Any]] = []
        self.remarks: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.worst, self.clipped = (0.0, ""), 0
        self.guessed, self.cause = False, ""
        self.start = perf_counter()
        shared = stream.isatty()  # with the bar
        self.bar = sys.stderr.isatty() and not self.quiet and not (shared and self.json and by_line)
        self.lines = not (self.quiet or self.json or (self.bar and shared))

    def tell(self, outcome: Outcome) -> None:
        """A line or a document, and notes that were not shown before."""
        if self.json and self.by_line:
            self.out(lambda: report.json(applied.document(outcome), self.stream))
        elif self.json:
            self.documents.append(applied.document(outcome))
        if isinstance(outcome, Failed):
            if _count(self.reasons, outcome.error.text) <= ALIKE or self.verbose:
                report.note(one_line(as_options(f"error: {applied.message(outcome)}")))
        elif isinstance(outcome, Done):
            self._tell_done(outcome)
        elif self.verbose:
            report.note(f"{outcome.target} exists already")

    def _tell_done(self, item: Done) -> None:
        self.said_of_plans(item)
        if self.json:
            return
        self.said_once()
        for text in item.notes:
            if _count(self.remarks, text) == 1 or self.verbose:
                report.note(f"{item.source}: {text}")
        if remark := applied.clipped(item):
            self.worst, self.clipped = max(self.worst, (applied.share(item), item.target)), self.clipped + 1
            self.cause = self.cause or applied.too_large(item)
            self.guessed |= applied.guessed(item)
            if self.verbose:
                report.note(f"{item.target}: {remark}")
        if remark := applied.nans(item):
            report.note(f"{item.target}: {remark}")
        if self.lines:
            self.out(lambda: print(applied.line(item), file=self.stream, flush=True))
        elif self.quiet and item.target != STDIO:
            self.out(lambda: report.lines(item.target))

    def end(self, tally: Tally, total: int | None, interrupted: bool = False) -> None:
        """How often each note was made, and how many images are done."""
        if self.json and not self.by_line:
            self.out(lambda: report.json(self.documents, self.stream))
        for text, count in self.reasons.items() if not self.verbose else ():
            if count > ALIKE:
                report.note(one_line(as_options(f"error: {count - ALIKE} more images: {text}")))
        for text, count in self.remarks.items():
            if count > 1:
                report.note(f"{count} images: {text}")
        if self.clipped:
            most, target = self.worst
            images = "1 image" if self.clipped == 1 else f"{self.clipped} images"
            cause = f": {self.cause}" if self.cause else ""
            remedies = applied.remedies(self.guessed)
            report.note(f"values of {images} were clipped, {most:.3g} % of {target} at most{cause}; see {remedies}")
        if interrupted or tally.failed or not (self.quiet or self.json):
            words = [f"{tally.written}{'' if total is None else f' of {total}'} written"]
            words += [f"{count} {name}" for name, count in tally._asdict().items() if count and name != "written"]
            words.append(f"in {report.seconds(perf_counter() - self.start)}")
            report.note(", ".join(words) + ("; --skip-existing continues from here" if interrupted else ""))


def _count(texts: Counter[str], text: str) -> int:
    """How often a text was counted, with this time."""
    if text not in texts and len(texts) >= MOST_TEXTS:
        return 1
    texts[text] += 1
    return texts[text]
