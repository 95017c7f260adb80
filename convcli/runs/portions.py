"""Whole files on a cluster. A task is a portion of them that takes a second or two."""

from __future__ import annotations

import errno
import os
import pickle
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, islice
from time import perf_counter, sleep
from typing import Any

import numpy as np

from convcli.errors import ConvError, ExhaustedError, ExistsError, ImageError
from convcli.images.reading.windows import opened_windows
from convcli.images.reading.windows.refusals import WholeError
from convcli.records import NamedTuple
from convcli.runs.batch import Failed, Finished, Outcome, Skipped, Tally, bug, named, outcome_of
from convcli.runs.operation import Operation
from convcli.runs.outputs import Job
from convcli.runs.places import LostError, Place, connected
from convcli.runs.single import Done, Writing
from convcli.system import memory
from convcli.system.context import Context
from convcli.system.folders import Folders, made_folders
from convcli.system.names import STDIO, is_stream, is_url

SECONDS = 1.5
"""How long a task should take."""

MOST, GROWTH = 1 << 10, 4
"""The most files of a task, and how many times it may be larger or smaller than the one before."""

RETRIES, PAUSE = 2, 0.25
"""How often a file is tried again after an error that may pass, and after how many seconds the first time."""

PASSING = {
    errno.EIO, errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EPIPE, errno.ETIMEDOUT, errno.ESTALE, errno.ECONNRESET,
    errno.ECONNABORTED, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ENOTCONN,
}  # fmt: skip
"""Numbers of errors of the system that may pass."""


def in_parts(source: str) -> bool:
    """Whether a picture can be read in parts, so that many workers share it. What cannot be read at all is told later."""
    try:
        opened_windows(source).close()
    except WholeError:
        return False
    except ConvError:
        return True
    return True


class Portion(NamedTuple):
    """The files of a task."""

    numbers: tuple[int, ...]  # of the files in the run
    jobs: tuple[tuple[str, str], ...]  # their sources and targets


class Answer(NamedTuple):
    """What came of a portion."""

    outcomes: list[Outcome]  # without an operation and arrays
    seconds: float
    folders: list[str]  # that were made, and in which there is no file
    bug: Exception | None


class FilesJob(NamedTuple):
    """What is done to files, as a `convcli.runs.places.dask_worker.Job`."""

    operation: Operation
    how: Writing
    skip_existing: bool
    folder: str  # relative names are meant there
    sample: str  # a file that the workers have to see; empty if there is none
    ours: bool = False  # whether the workers are processes that nobody else uses

    def opened(self) -> FilesBench:
        """What a worker has for its tasks."""
        return FilesBench(self)

    def seen(self) -> str:
        """Whether the files are seen here."""
        path = os.path.join(self.folder, self.sample)
        return f"does not see '{self.sample}'" if self.sample and not os.path.exists(path) else ""


class FilesBench:
    """A worker that does portions of files."""

    def __init__(self, job: FilesJob) -> None:
        self.job = job
        self._at_home = os.path.exists(job.folder) and os.path.samefile(job.folder, os.getcwd())
        output = job.how.output
        self.how = job.how._replace(output=None if output is None else self._here(output))

    def perform(self, portion: Portion) -> Answer:
        """Do a task."""
        start = perf_counter()
        found: list[Outcome] = []
        first: Exception | None = None
        from convcli.runs.places.dask_worker import thread_bytes

        with Context(self.job.ours) as context, memory.limited(thread_bytes()):
            folders = context.kept(Folders, Folders)  # others may be about to write into those that are empty here
            for source, target in portion.jobs:
                try:
                    outcome = self._outcome(source, target)
                except Exception as error:
                    if isinstance(error, ConvError | OSError):
                        raise
                    first, outcome = first or _portable(error), Failed(source, bug(error))
                found.append(outcome)
        return Answer(found, perf_counter() - start, folders.without_files(), first)

    def _outcome(self, source: str, target: str) -> Outcome:
        here, there = self._here(source), self._here(target)
        for again in range(RETRIES + 1):
            passing: list[BaseException] = []

            def judge(error: BaseException, passing: list[BaseException] = passing) -> None:
                passing += [error] * may_pass(error, is_url(here) or is_url(there))

            found = outcome_of(here, there, self.job.operation, self.how, self.job.skip_existing, judge)
            if not passing:
                break
            passing.clear()  # it keeps pixels in memory
            if again < RETRIES:
                sleep(PAUSE * 4**again)
        if isinstance(found, ConvError):
            return Failed(source, _renamed(found, {here: source, there: target}))
        if isinstance(found, Done):
            found = found._replace(operation=None, result=found.result._replace(array=None))  # type: ignore[arg-type]
        return found._replace(source=source, target=target)

    def _here(self, path: str) -> str:
        """A path as it is in this process."""
        return path if self._at_home or is_url(path) else os.path.join(self.job.folder, path)

    def close(self) -> None:
        """Nothing is held."""


def may_pass(error: BaseException | None, remote: bool) -> bool:
    """Whether an error of reading or writing, or its cause, may not come again. Of a remote file little is known."""
    while error is not None:
        if isinstance(error, ExistsError | FileNotFoundError | PermissionError):
            return False
        if isinstance(error, OSError) and error.errno in PASSING:
            return True
        if remote and not isinstance(error, ConvError | ValueError | MemoryError):
            return True
        error = error.__context__
    return False


def _renamed(error: ConvError, names: dict[str, str]) -> ConvError:
    """An error with names as the user wrote them."""
    parts = [error.value, error.rule, error.remedy, error.why]
    for here, name in names.items():
        if here != name:
            parts = [part.replace(here, name) for part in parts]
    return type(error)(*parts)


def _portable(error: Exception) -> Exception:
    """An exception that can be sent to another process, with its traceback as a note."""
    text = "".join(traceback.format_exception(error))
    with suppress(Exception):
        error.add_note(f"In a worker:\n{text}")
        error.__traceback__ = error.__context__ = error.__cause__ = None
        return pickle.loads(pickle.dumps(error)) and error
    return RuntimeError(text)


class Portions:
    """Files at work on a cluster. The parameters and attributes are those of `convcli.runs.batch.Batch`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        operation: Operation,
        how: Writing,
        skip_existing: bool = False,
        further: Iterable[Job] | None = None,
    ) -> None:
        self.several = len(jobs) > 1 or further is not None
        self.operation, self.bug = operation, None
        self.queue = enumerate(chain(jobs, further or ()))
        self.say, self.where = how.blocks.say, how.blocks.on
        blocks = how.blocks._replace(on=None, watch=None, say=None)
        # a portion that is done a second time replaces its own results
        self.how = how._replace(several=self.several, replace=not skip_existing, blocks=blocks)
        for job in jobs:
            if STDIO in (job.source, job.target) or is_stream(job.target):
                name = job.source if job.source == STDIO else job.target
                raise ImageError(f"'{name}'", "is a stream, which workers do not have", "use files")
        compute = operation.compute._replace(threads=1)
        sample = next((job.source for job in jobs if os.path.isfile(job.source)), "")
        ours = str(self.where).partition(":")[0] == "local"
        self.job = FilesJob(operation._replace(compute=compute), self.how, skip_existing, os.getcwd(), sample, ours)
        self.counts = dict.fromkeys((Done, Skipped, Failed), 0)
        self.size, self._again = 1, deque[Portion]()
        self._unfit: deque[Finished] = deque()

    @property
    def tally(self) -> Tally:
        """The outcomes so far."""
        return Tally(*self.counts.values())

    def __enter__(self) -> Portions:
        assert self.where is not None
        with ExitStack() as stack:
            cluster = connected(self.where, self.say)
            stack.callback(cluster.close)
            self.place: Place = cluster.place(self.job)
            stack.callback(self.place.close)
            self.around = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.around.close()

    def __iter__(self) -> Iterator[Finished]:
        while True:
            for portion, answer in self.place.results(self._portions()):
                yield from self._told(portion, answer)
            yield from self._refused()
            if not self._again:
                return

    def stop(self) -> Iterator[Finished]:
        """Begin no further task, and yield the outcomes of those at work, if they finish soon."""
        for portion, answer in self.place.stop():
            yield from self._told(portion, answer)
        yield from self._refused()

    def _portions(self) -> Iterator[Portion]:
        """The portions of all files, as they are needed, after those that have to be done again."""
        while True:
            while self._again:
                yield self._again.popleft()
            taken = [*islice(self.queue, self.size)]
            if not taken:
                return
            self._unfit += [(number, Failed(job.source, job.error)) for number, job in taken if job.error is not None]
            fit = [
                (number, job) for number, job in taken if job.error is None
            ]  # maybe none: the others are told all the same
            yield Portion(tuple(number for number, _ in fit), tuple((job.source, job.target) for _, job in fit))

    def _told(self, portion: Portion, answer: Any) -> Iterator[Finished]:
        """The outcomes of a portion."""
        yield from self._refused()
        if isinstance(answer, LostError) and len(portion.jobs) > 1:  # one of them may be the reason: each by itself
            self._again += [Portion((number,), (job,)) for number, job in zip(*portion, strict=True)]
            return
        if isinstance(answer, BaseException):
            if not isinstance(answer, ConvError) or isinstance(answer, ExhaustedError):
                raise answer
            answer = Answer([Failed(source, answer) for source, _ in portion.jobs], 0.0, [], None)
        self._learn(len(portion.jobs), answer.seconds)
        for folder in answer.folders:
            made_folders().add(folder)
        if answer.bug is not None:
            if not self.several:
                raise answer.bug
            self.bug = self.bug or answer.bug
        for number, outcome in zip(portion.numbers, answer.outcomes, strict=True):
            if isinstance(outcome, Done):
                result = outcome.result._replace(array=np.empty(0))
                outcome = outcome._replace(operation=self.operation, result=result)
            yield self._counted(number, outcome)

    def _refused(self) -> Iterator[Finished]:
        """Images that have no target."""
        while self._unfit:
            yield self._counted(*self._unfit.popleft())

    def _counted(self, number: int, outcome: Outcome) -> Finished:
        self.counts[type(outcome)] += 1
        return number, named(outcome)

    def _learn(self, count: int, seconds: float) -> None:
        """Fit the size of the next portions to the time that one has taken."""
        if count and seconds:
            fitting = int(count * SECONDS / seconds)
            self.size = max(1, self.size // GROWTH, min(fitting, self.size * GROWTH, MOST))
