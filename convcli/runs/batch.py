"""Many images, each on a thread of its own, as many at once as there are processors. One that fails does not stop the others."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from contextvars import copy_context
from itertools import chain
from queue import SimpleQueue
from threading import Event, Lock, Semaphore, Thread
from time import monotonic

from convcli import backends, images
from convcli.errors import ConvError, ExhaustedError, ExistsError, ImageError, shown
from convcli.images.guards import IN_BLOCKS
from convcli.records import NamedTuple
from convcli.runs import single
from convcli.runs.operation import Operation
from convcli.runs.outputs import Job
from convcli.runs.single import Done, Writing, in_blocks
from convcli.system import context, memory
from convcli.system.files import refusal
from convcli.system.names import STDIO, ending_of, is_stream, is_url
from convcli.system.parallel import workers

PATIENCE = 2.0
"""If the run is interrupted, images that are being processed have this many seconds to finish their files."""


class Failed(NamedTuple):
    """An image that failed."""

    source: str
    error: ConvError


class Skipped(NamedTuple):
    """An image whose result existed already."""

    source: str
    target: str


class Tally(NamedTuple):
    """Number of images that were written, skipped, and failed."""

    written: int
    skipped: int
    failed: int

    @property
    def total(self) -> int:
        """The number of all of them."""
        return self.written + self.skipped + self.failed


Outcome = Done | Failed | Skipped


def named(outcome: Outcome) -> Outcome:
    """An outcome with addresses as they are shown, without what may be secret."""
    outcome = outcome._replace(source=shown(outcome.source))
    return outcome if isinstance(outcome, Failed) else outcome._replace(target=shown(outcome.target))


Finished = tuple[int, Outcome]
"""The number of an image, from 0, and its outcome."""


FILES_EACH, FILES_AROUND = 4, 16
"""Files that are open for an image at once, and for the program: streams, copies of them, a module that is imported."""


def _most_images() -> int:
    """How many images can be at work at once under this process's limit of open files (``ulimit -n``)."""
    try:
        from resource import RLIMIT_NOFILE, getrlimit
    except ImportError:  # not on every platform
        return 1 << 16
    limit = getrlimit(RLIMIT_NOFILE)[0]
    return 1 << 16 if limit < 0 else max(1, (limit - FILES_AROUND) // FILES_EACH)


QUEUED = 1 << 10
"""So many outcomes may wait to be told before no further image begins."""


class Batch:
    """Images at work. Iterate over it to get the outcome of each image as soon as it is finished.

    Use it in a ``with`` statement: if that ends early, no half-written file is left. Each image has one thread from
    decoding to encoding, so that reading one image overlaps with computing another and with writing a third. Python's
    lock is free while pixels are decoded, computed and encoded. There are never more pictures in memory than threads.
    Each image has an equal share of the memory. An image that needs more is stopped, and starts again when enough other
    images have finished; then it has their threads, too.

    `bug` is the first exception that no image should raise. If there are several images, this one counts as failed and the
    others continue. The caller raises it at the end.

    Parameters
    ----------
    jobs : sequence of Job
        Images with their targets.
    operation : Operation
        What is done to all images. Images that are processed at the same time share its threads.
    how : Writing
    skip_existing : bool
        Skip images whose target exists. The target is complete, because files are never left half-written.
    further : iterable of Job, optional
        Very many more images. Each is taken when a thread is free.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        operation: Operation,
        how: Writing,
        skip_existing: bool = False,
        further: Iterable[Job] | None = None,
    ) -> None:
        threads = workers(operation.compute.threads)
        alone = any(must_be_alone(job, how) for job in jobs)
        self.several = len(jobs) > 1 or further is not None
        self.workers = (
            1 if alone else min(threads, _most_images(), 1 << 16 if further is not None else max(1, len(jobs)))
        )
        self.shares = memory.Shares(self.workers)
        self.operation, self.skip_existing = operation, skip_existing
        self.how = how._replace(several=self.several)
        self.threads_each = max(1, threads // self.workers)
        self.queue = enumerate(chain(jobs, further or ()))
        self.taking, self.counting, self.room = Lock(), Lock(), Semaphore(QUEUED)
        self.finished: SimpleQueue[tuple[int, Outcome | BaseException] | None] = SimpleQueue()
        self.stopping = Event()
        self.threads: list[Thread] = []
        self.counts = dict.fromkeys((Done, Skipped, Failed), 0)
        self.around = ExitStack()
        self.bug: Exception | None = None

    @property
    def tally(self) -> Tally:
        """The outcomes so far, including those that were not yielded because of an interruption."""
        return Tally(*self.counts.values())

    def __enter__(self) -> "Batch":
        run = self.around.enter_context(context.entered())
        self.unfinished = run.unfinished
        if self.several and run.program:
            memory.settle()
        if self.several:  # a bar is drawn meanwhile
            self.around.enter_context(context.hushed())
        return self

    def __iter__(self) -> Iterator[Finished]:
        if self.workers == 1:
            for number, job in self.queue:
                yield number, self._counted(job, self.operation)
            return
        self.threads = [Thread(target=copy_context().run, args=(self._work,), daemon=True) for _ in range(self.workers)]
        for number, thread in enumerate(self.threads):
            try:
                thread.start()
            except RuntimeError:  # no more threads are available: those that have started do the work
                if not number:
                    raise
                del self.threads[number:]
                break
        ended = 0
        while ended < len(self.threads):
            found = self._next(None)
            if found is None:
                ended += 1
            else:
                yield found

    def stop(self) -> Iterator[Finished]:
        """Start no further image, and yield the outcomes of those at work, if they finish soon."""
        self._wait(PATIENCE)
        while not self.finished.empty():
            if (found := self._next(0)) is not None:
                yield found

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit)
        self._wait(0.0 if interrupted else PATIENCE)  # an interruption waits in `stop`, or not at all
        self.unfinished.abandon(self.threads)  # threads that are done have no unfinished files
        self.around.close()

    def _wait(self, patience: float) -> None:
        """Start no further image, and give those at work some seconds to finish."""
        self.stopping.set()
        self.shares.close()
        until = monotonic() + patience
        for thread in self.threads:
            thread.join(max(0.0, until - monotonic()))

    def _work(self) -> None:
        """Process one image after the other from the queue."""
        number = 0
        try:
            while self._may_begin():
                with self.taking:
                    number, job = next(self.queue, (0, None))
                outcome = None if job is None or self.stopping.is_set() else self._in_turn(job)
                if outcome is None:
                    return
                self.finished.put((number, outcome))
        except BaseException as error:  # raised again by the thread that iterates
            self.finished.put((number, error))
        finally:
            self.finished.put(None)

    def _may_begin(self) -> bool:
        """Wait until not too many outcomes wait to be told; False if the run ends."""
        while not self.stopping.is_set():
            if self.room.acquire(timeout=0.5):
                return True
        return False

    def _in_turn(self, job: Job) -> Outcome | None:
        """The outcome of an image, as soon as there is enough memory for it; None if the run ends before."""
        need, again = 0.0, not is_stream(job.source)  # a pipe can be read only once
        if must_be_alone(job, self.how):
            need = memory.total_bytes()
        while True:
            with self.shares.of(need, again) as held:
                if not held:
                    return None
                compute = self.operation.compute._replace(threads=held * self.threads_each)
                operation = self.operation._replace(compute=compute)
                try:
                    return self._counted(job, operation)
                except memory.Wait as wait:  # leaving this block frees the pixels in its traceback
                    need = memory.total_bytes() if need else wait.need

    def _next(self, timeout: float | None) -> Finished | None:
        """The next outcome; None if a thread has ended."""
        found = self.finished.get(timeout=timeout)
        if found is None:
            return None
        self.room.release()
        number, outcome = found
        if isinstance(outcome, BaseException):
            raise outcome
        return number, outcome

    def _counted(self, job: Job, operation: Operation) -> Outcome:
        try:
            found = job.error or outcome_of(job.source, job.target, operation, self.how, self.skip_existing)
        except Exception as error:
            if not self.several or isinstance(error, ConvError | OSError):
                raise
            self.bug = self.bug or error
            found = bug(error)
        outcome = named(Failed(job.source, found) if isinstance(found, ConvError) else found)
        with self.counting:
            self.counts[type(outcome)] += 1
        return outcome


def must_be_alone(job: Job, how: Writing) -> bool:
    """Whether no other image may be worked on meanwhile: a stream takes one after another, and blocks take all threads."""
    if job.source == STDIO or is_stream(job.target) or how.blocks.asked:
        return True
    if job.error is not None or not in_blocks(job.source, job.target, how):
        return False
    try:
        return bool(images.row_of(images.format_of(job.target, how.container, None)).blocks)
    except ImageError:  # told when its turn comes
        return False


def bug(error: Exception) -> ConvError:
    """What is said of an image over which an exception was raised that none should raise."""
    return ConvError(f"internal error, {type(error).__name__}", why=str(error))


def outcome_of(
    source: str,
    target: str,
    operation: Operation,
    how: Writing,
    skip_existing: bool,
    judge: Callable[[BaseException], None] | None = None,
) -> Done | Skipped | ConvError:
    """Process an image. What fails for this image alone is an error that is returned; others are raised.

    `judge` gets what was raised, with its causes, which the error does not have any more.
    """
    if skip_existing and _exists(target):
        return Skipped(source, target)
    try:
        return process(source, target, operation, how)
    except ExhaustedError:
        raise
    except ConvError as error:
        if skip_existing and isinstance(error, ExistsError):  # another run has written it meanwhile
            return Skipped(source, target)
        cause: BaseException = error
        failed = error
    except MemoryError as error:
        memory.give_up()
        cause, remedy = error, f"use a smaller image, kernel or padding, or {IN_BLOCKS}"
        failed = ImageError(f"input '{source}'", "needs more memory than there is", remedy)
    except BrokenPipeError:  # nobody reads the results any more
        raise
    except OSError as error:
        cause, failed = error, refusal(f"'{error.filename or source}'", "cannot be read or written", error)
        if isinstance(failed, ExhaustedError):
            raise failed from None
    if judge is not None:
        judge(cause)
    failed.__traceback__ = failed.__context__ = None  # these keep pixels in memory, too
    return failed


def _exists(target: str) -> bool:
    if not is_url(target):
        return os.path.exists(target) and not is_stream(target)
    from convcli.system import stores

    return stores.exists(target)


def process(source: str, target: str, operation: Operation, how: Writing) -> Done:
    """Process an image: in blocks if that is needed and possible, else as a whole."""
    if in_blocks(source, target, how):
        from convcli.images import prefetch
        from convcli.images.reading.windows.refusals import WholeError
        from convcli.runs import blocks

        prefetch.forget()  # blocks read their own windows

        if how.blocks.asked:
            return blocks.process(source, target, operation, how)
        if blocks.suits(target, how):
            with suppress(WholeError):  # the input is opened once, and says so
                return blocks.process(source, target, operation, how)
    return single.process(source, target, operation, how)


def check(targets: Sequence[str], operation: Operation, how: Writing) -> None:
    """Check before anything is done what would fail for every image: a backend, or a format with its settings.

    If at least one target can be written, the others fail when their turn comes. Otherwise the error of the first is raised.
    """
    if len(targets) > 1 and operation.compute.backend != "auto":
        backends.load(operation.compute.backend)
    failures = {}  # by the endings of names
    for target in targets:
        ending = ending_of(target)
        if ending in failures:
            continue
        if not ending and how.container is None and is_stream(target):
            return  # the format for a stream may depend on the image
        try:
            container = images.format_of(target, how.container, None)
            how.settings.check(container)
            if how.montage is None:
                images.check_policy(container, how.policy)
            else:
                from convcli.runs import montage  # imports drawing code

                montage.check(container, how.policy)
        except ImageError as error:
            failures[ending] = error
        else:
            return
    if failures:
        raise next(iter(failures.values()))
