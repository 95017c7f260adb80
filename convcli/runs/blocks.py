"""One picture in blocks: read, computed and written part by part, in bounded memory, here or on a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli import images
from convcli.engine import ConvResult
from convcli.errors import ConvError, ImageError, param
from convcli.images.writing.blocks import block_target
from convcli.pointwise.ranges import NOTHING, Clipped, wider
from convcli.runs import outputs
from convcli.runs.block_setup import Setup
from convcli.runs.block_tasks import Bench, BlockJob, Item, Written
from convcli.runs.block_work import CACHE_BYTES, CACHE_SHARE, Request
from convcli.runs.journal import Journal, begun_blocks
from convcli.runs.operation import Operation
from convcli.runs.places import Place, connected
from convcli.runs.places.here import Here
from convcli.runs.remarks import Looked
from convcli.runs.single import Blocks, Done, Writing
from convcli.system import memory, stores
from convcli.system.context import current, hushed
from convcli.system.files import refusal
from convcli.system.names import STDIO, is_stream, is_url
from convcli.system.parallel import workers

if TYPE_CHECKING:
    from convcli.runs.places.dask_cluster import Cluster

USUAL_MEMORY, SHARE = 2 << 30, 2
"""What blocks may take by default: this many bytes, but at most the machine's memory divided by `SHARE`."""

MOST_FAILURES = 20
"""So many blocks may fail before a run begins no more."""


def suits(target: str, how: Writing) -> bool:
    """Whether a result is written in blocks, if its picture can be read in windows. `process` says whether that is so."""
    row = images.row_of(images.format_of(target, how.container, None))
    return bool(row.blocks) and not (row.writer and is_url(target))  # behind an address, only a Zarr is


def process(source: str, target: str, operation: Operation, how: Writing) -> Done:
    """Apply an operation to a picture block by block, and write the result to `target`.

    What is done is kept in a journal: with ``skip_existing``, a later run goes on.

    Raises
    ------
    WholeError
        The picture can only be read as a whole.
    ConvError
        It cannot be read, the target cannot be written in blocks, the operation does not fit, or one block
        needs more memory than there may be. Nothing is written then. Or some blocks failed: the others are in the journal.
    """
    run = Run(source, target, operation, how)
    with run.stack:
        run.begin()
        run.follow()
        return run.done()


@dataclass(eq=False)
class Run:
    """The run of one picture."""

    source: str
    target: str
    operation: Operation
    how: Writing
    stack: ExitStack = field(default_factory=ExitStack)
    before: int = 0
    clipped: Clipped = Clipped()
    looked: Looked = Looked()
    receipts: dict[str, Any] = field(default_factory=dict)  # of the blocks that are done, by name

    def begin(self) -> None:
        """Open and fit everything. Refuse what cannot be done before anything is written."""
        start = perf_counter()
        how, operation = self.how, self.operation
        self.stack.enter_context(hushed())  # threads decode
        container = images.format_of(self.target, how.container, None)
        how.settings.check(container)
        self._check()
        cluster = self._cluster()
        threads = workers(operation.compute.threads) if cluster is None else 1
        limit = memory.total_bytes() if cluster is None else cluster.limit or inf
        most = how.blocks.memory or int(min(USUAL_MEMORY, limit / SHARE))
        cache = min(CACHE_BYTES, most // CACHE_SHARE)
        request = Request(
            self.source, how.full_scale, operation, container, how.policy, how.max_pixels, cache, how.blocks.asked
        )
        begun = begun_blocks(self.target) if how.blocks.go_on else None
        self.setup = setup = Setup(request, self.target, how, threads, most, begun)
        self.stack.enter_context(setup.work)
        self.sink = block_target(setup.layout)
        outputs.make_folder(self.target, how.output)
        if cluster is None:
            if current().program:
                memory.settle()
            self.place: Place = Here(Bench(setup.work, self.sink, current().program).perform, setup.threads)
        else:
            self.place = cluster.place(BlockJob.anywhere(request, setup.layout))
        self.stack.callback(self.place.close)
        self.journal = Journal(self.target, setup.facts())
        self.load_seconds = perf_counter() - start

    def _check(self) -> None:
        """Refuse what needs the whole picture at once."""
        how = self.how
        remedy = f"leave out {param('memory')}, {param('on')} and {param('pyramid')}"
        if how.montage is not None:
            raise ConvError(param("montage"), "is not done in blocks", f"write .png, and {remedy}")
        if self.source == STDIO or is_stream(self.source):
            rule = "is read once, from front to back, and blocks need it in any order"
            raise ImageError(f"input '{self.source}'", rule, f"save it and name the file, or {remedy}")

    def _cluster(self) -> Cluster | None:
        """The cluster that does the tasks; None: threads of this process."""
        if (where := self.how.blocks.on) is None:
            return None
        cluster = connected(where, self.how.blocks.say)
        self.stack.callback(cluster.close)
        return cluster

    def follow(self) -> None:
        """Compute all blocks that are not done, write them, and put the picture in its place."""
        start = perf_counter()
        done: dict[str, Any] = {}
        self.older = stores.exists(self.target) if is_url(self.target) else os.path.lexists(self.target)
        left = self.journal.exists()
        if self.how.blocks.go_on and left:
            done = self.journal.go_on()
            self.stack.callback(self.journal.close)
            self.sink.resume()
            self.stack.callback(self.sink.close)
        else:
            self.sink.begin()
            self.stack.callback(self.sink.close)
            self.stack.callback(self.journal.close)
            try:
                self.journal.begin()
            except BaseException:
                self.sink.abandon()
                raise
        span = tuple(done["span"]["values"]) if "span" in done else None
        for name, entry in done.items():
            if name != "span":
                self._count(name, Written(entry["receipt"], Clipped(*entry["clipped"]), Looked(*entry["looked"])))
        self.before = len(self.receipts)
        try:
            if span is None and self.setup.work.stretches:
                span = self._span()
                self.journal.add("span", values=span)
            self._each(self.setup.items(span or NOTHING, self.receipts), self._write)
        except BaseException:
            if not self.receipts:  # there is nothing to go on with
                self._abandon()
            raise
        self.seconds = perf_counter() - start
        saving = perf_counter()
        self.journal.save()
        self.sink.commit(self.receipts.values())
        self.save_seconds = perf_counter() - saving
        self.journal.remove()

    def _abandon(self) -> None:
        """Delete what there is, unless another run has taken the place."""

        def act() -> None:
            with suppress(ImageError):
                self.journal.save()
                self.sink.abandon()
                self.journal.remove()

        if is_url(self.target):
            stores.patiently(act)
        else:
            act()

    def _span(self) -> tuple[float, float]:
        """The extremes of the whole result."""
        found = [NOTHING]
        self._each(self.setup.items(None), lambda _, answer: found.append(wider(found.pop(), answer)))
        return found[0]

    def _write(self, item: Item, answer: Written) -> None:
        self.journal.add(item.name, receipt=answer.receipt, clipped=answer.clipped, looked=answer.looked)
        self._count(item.name, answer)

    def _count(self, name: str, answer: Written) -> None:
        self.receipts[name] = answer.receipt
        self.clipped = Clipped.sum(self.clipped, answer.clipped)
        self.looked = self.looked.and_(answer.looked)

    def _each(self, items: Iterator[Item], take: Callable[[Item, Any], None]) -> None:
        """Do the tasks, and take their answers. Raises a ConvError at the end if some failed, and passes an interruption on."""
        failures: list[tuple[Item, BaseException]] = []
        done, watch = self.before, self.how.blocks.watch or _unwatched
        try:
            with watch(self.setup.count, begun=done) as advance:
                for item, answer in self.place.results(_while(items, failures)):
                    if isinstance(answer, BaseException):
                        failures.append((item, answer))
                        continue
                    take(item, answer)
                    done += 1
                    advance()
        except (KeyboardInterrupt, SystemExit) as error:
            for item, answer in self.place.stop():
                take(item, answer)
                done += 1
            if isinstance(error, SystemExit) or not self.receipts:
                raise
            raise KeyboardInterrupt(f"{done} of {self.setup.count} blocks are written; {self._goes_on}") from None
        if failures:
            raise self._failed(failures, done)

    def _failed(self, failures: list[tuple[Item, BaseException]], told: int) -> ConvError:
        item, error = min(failures, key=lambda one: (one[0].rows.start, one[0].columns.start))
        if not isinstance(error, ConvError | OSError | MemoryError):
            raise error
        if isinstance(error, MemoryError):
            text = f"it needs more memory than there is; use a smaller {param('memory')}"
        elif isinstance(error, OSError):
            text = refusal("it", "failed", error).text
        else:
            text = error.text
        what = (
            f"block {item.name} of '{self.target}'"
            if len(failures) == 1
            else f"{len(failures)} blocks of '{self.target}'"
        )
        first = "" if len(failures) == 1 else f"the first, {item.name}: "
        rule = f"failed, {told} of {self.setup.count} are done"
        return BlocksError(what, rule, self._goes_on if self.receipts else "begin again", f"{first}{text}")

    @property
    def _goes_on(self) -> str:
        """How another run completes this one."""
        on = f"{param('skip_existing')} goes on"
        return f"delete the older '{self.target}', then {on}" if self.older else on

    def done(self) -> Done:
        """What is told of the picture."""
        setup, work, operation = self.setup, self.setup.work, self.operation
        task, recipe, ready = work.blockwise.task, work.blockwise.recipe, work.ready
        result = ConvResult(
            np.empty(0), task.source.shape[1:], work.shape, work.geometry, "numpy", "cpu", task.dtype, recipe.text, "", 0.0,
            self.seconds, self.clipped, recipe.considered, recipe.mixes,
        )  # fmt: skip
        notes = (
            *work.scene.notes,
            *work.storage.notes,
            *setup.notes,
            *self.sink.notes,
            *self.place.notes,
            *work.lookout.remarks(self.looked),
        )
        bias = None if operation.bias is None else operation.bias.units(work.scene.full_scale)
        return Done(
            source=self.source, target=self.target, operation=operation, result=result, input_shape=work.scene.shape,
            output_shape=work.shape, layer_shape=None, mode=work.scene.mode, container=work.storage.container, frames=1,
            groups=ready.layer.groups, bias=bias, full_scale=work.scene.full_scale, assumed=work.scene.assumed,
            alpha=ready.alpha if work.scene.has_alpha else None, policy=work.storage.policy, clipped=self.clipped,
            notes=tuple(dict.fromkeys(notes)), load_seconds=self.load_seconds, import_seconds=0.0, compute_seconds=self.seconds,
            save_seconds=self.save_seconds, blocks=Blocks(
                setup.count, self.before, self.place.retried, setup.size, self.place.width, setup.memory
            ),
        )  # fmt: skip


@contextmanager
def _unwatched(_total: int, /, *, begun: int) -> Iterator[Callable[[], None]]:
    """A `convcli.runs.single.InBlocks.watch` that shows nothing."""
    yield lambda: None


def _while(items: Iterator[Item], failures: list[tuple[Item, BaseException]]) -> Iterator[Item]:
    """The items, until too many have failed."""
    for item in items:
        if len(failures) >= MOST_FAILURES:
            return
        yield item


class BlocksError(ImageError):
    """Some blocks of a picture failed. The others are kept for another run."""

    exit_code = 1
