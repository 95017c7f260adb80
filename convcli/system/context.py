"""A context: what a run keeps between its calls, and what it changes in its process. Standard library only.

The command line enters a `Context` that owns the process. Only then are file descriptor 2 redirected, threads moved to
processors, environment variables set, and the warnings and limits of Pillow changed. Leaving the context undoes all of it.
Without a context, convcli changes nothing in the process and keeps nothing between two calls. There is one exception: while
PyTorch computes, it has the number of threads and the precision that the call asks for, because PyTorch has no other setting.
The number is that of the calling thread. Other threads keep theirs, but one that first uses PyTorch meanwhile gets this number
and keeps it. The precision (TF32, on CUDA only) is that of all threads. The Python library likewise holds the threads of NumPy's
BLAS at one while its calls are at work: see `convcli.system.blas`.
"""

from __future__ import annotations

import atexit
import os
import sys
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, redirect_stderr, suppress
from contextvars import ContextVar, Token
from threading import Lock, RLock, Thread, current_thread
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from weakref import WeakSet

from convcli.errors import ImageError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


T = TypeVar("T")

BLAS_THREADS = "OPENBLAS_NUM_THREADS", "1"
"""An environment variable that NumPy's BLAS reads when it is loaded. The engine has threads of its own; BLAS must not add more
to each of them."""

PILLOW_BLOCKS = "PILLOW_BLOCKS_MAX", "3"
"""An environment variable that Pillow reads when it is imported: how many blocks of 16 MiB it keeps for the next image. To get
new memory would take half as long as to encode a photograph as JPEG."""

SWITCH_SECONDS = 5e-4
"""For `sys.setswitchinterval`. Threads that compute in NumPy need Python's lock often, but only for a moment. If they have to
release it sooner than after the usual 5 ms, they wait for each other a fifth as often (measured)."""


class Unfinished:
    """Temporary files with the threads that write them, and the threads whose files are not needed any more."""

    def __init__(self) -> None:
        self._files: dict[str | os.PathLike[str], Thread] = {}
        self._abandoned: WeakSet[Thread] = WeakSet()
        self._steps = Lock()

    @contextmanager
    def step(self, target: str) -> Iterator[None]:
        """One step of writing `target` in this thread. Steps of other threads, and `abandon`, wait until it ends.

        Raises `ImageError` if the thread was abandoned.
        """
        with self._steps:
            if current_thread() in self._abandoned:
                raise ImageError(f"output '{target}'", "is not written", why="the run was interrupted")
            yield

    def add(self, name: str | os.PathLike[str]) -> None:
        """Remember a temporary file of this thread. Call it within a `step`."""
        self._files[name] = current_thread()

    def remove(self, name: str | os.PathLike[str]) -> None:
        """Forget a temporary file that is finished or deleted."""
        self._files.pop(name, None)

    def abandon(self, threads: Iterable[Thread]) -> None:
        """Delete the unfinished files of `threads`, and refuse their further steps.

        After an interruption, nobody waits for these threads.
        """
        with self._steps:
            self._abandoned.update(threads)
            for name, thread in [*self._files.items()]:
                if thread in self._abandoned:
                    with suppress(OSError):
                        os.unlink(name)


class Batch:
    """What the commands of a batch have to leave to it.

    Attributes
    ----------
    stdin, stdout : str
        What a standard stream is used for, as the rule of an error: a command may not read it, or write a file to it. Empty if
        it may.
    """

    def __init__(self, stdin: str = "", stdout: str = "") -> None:
        self.stdin, self.stdout = stdin, stdout


_NOTHING = object()


class Context:
    """What a run keeps and changes. Enter it with ``with``.

    Threads see it if they are started with ``contextvars.copy_context().run``. `owns_process` says whether it may change what
    belongs to the whole process: only the command line may. `program` says whether the process ends with it, too, so that
    what cannot be undone may be changed. `batch` is there if it belongs to a command of a batch, whose own context is `outer`.

    Attributes
    ----------
    lasting : Context
        The outermost context. It keeps threads and their arrays for the next command of a batch.
    unfinished : Unfinished
        Temporary files of outputs that are being written.
    hushed : bool
        Whether `convcli.system.context.hushed` is in force.
    ended : bool
        Whether it was left. Threads that still work then stop as soon as they can.
    closed : bool
        Whether nobody reads standard output any more.
    """

    def __init__(
        self,
        owns_process: bool = False,
        batch: Batch | None = None,
        program: bool = False,
        outer: Context | None = None,
    ) -> None:
        self.owns_process, self.batch, self.program = owns_process, batch, program
        self.lasting: Context = outer.lasting if outer is not None else self
        self.unfinished = Unfinished()
        self.hushed = self.ended = self.closed = False
        self._kept: dict[Hashable, Any] = {}
        self._lock = RLock()
        self._ending = ExitStack()
        self._token: Token[Context | None] | None = None
        self._process = os.getpid()

    @property
    def here(self) -> bool:
        """Whether this is the process that created it. A fork copies it, with locks and threads that the child does not have."""
        return self._process == os.getpid()

    def __enter__(self) -> Self:
        self._token = _entered.set(self)
        if self.owns_process:
            self.at_end(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(SWITCH_SECONDS)
            for name, value in (BLAS_THREADS, PILLOW_BLOCKS):
                if name not in os.environ:
                    os.environ[name] = value
                    self.at_end(os.environ.pop, name, None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, self._token, self.ended = self._token, None, True
        try:
            if self.here:  # a child process has nothing to undo
                self._ending.close()
        finally:
            self._kept.clear()
            if token is not None:
                with suppress(ValueError):  # it was entered in another `contextvars` context
                    _entered.reset(token)

    def at_end(self, call: Callable[..., object], *args: Any) -> None:
        """Register a call for when this context is left, for example to undo a change. The last one is called first."""
        self._ending.callback(call, *args)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """An object that lasts as long as this context, for example a cache. `make` creates it at the first call."""
        found = self._kept.get(key, _NOTHING)  # most calls need no lock
        if found is _NOTHING:
            with self._lock:
                if key not in self._kept:
                    self._kept[key] = make()
                found = self._kept[key]
        return cast("T", found)

    @contextmanager
    def pool(self, count: int) -> Iterator[ThreadPoolExecutor]:
        """A pool that can run `count` more tasks at once.

        The threads of an entered context stay until it is left: a new thread would need new buffers, and new memory is slow.
        Otherwise the threads end with the block.
        """
        from concurrent.futures import ThreadPoolExecutor

        if self._token is None:
            with ThreadPoolExecutor(count) as pool:
                yield pool
            return
        lasting = self.lasting

        def make() -> ThreadPoolExecutor:
            pool = ThreadPoolExecutor(MOST_THREADS)
            lasting.at_end(lambda: pool.shutdown(wait=False, cancel_futures=True))
            return pool

        yield lasting.kept("pool", make)


MOST_THREADS = 1 << 12
"""The limit of a pool that stays. It starts a thread only if no other is idle."""

_entered: ContextVar[Context | None] = ContextVar("convcli", default=None)


def current() -> Context:
    """The context that was entered, or a new one that keeps nothing."""
    found = _entered.get()
    return found if found is not None and found.here else Context()


def torch_was_imported() -> bool:
    """Whether torch was imported before a run began: all images and all commands of a run get the same answer, in any order."""
    return current().kept(torch_was_imported, lambda: "torch" in sys.modules)


class within:  # noqa: N801
    """A context for the length of a block, for calls of a library: what it keeps stays for the next of them, its threads do not.

    Several threads may be within one context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> Context:
        self._before = _entered.set(self._context)
        return self._context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _entered.reset(self._before)


class entered:  # noqa: N801
    """The context that was entered, or a new one until the block ends: for a call that does many things."""

    def __enter__(self) -> Context:
        context = current()
        self._own = None if context is _entered.get() else context
        return context if self._own is None else self._own.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own is not None:
            self._own.__exit__(kind, error, trace)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Silence Python's warnings. Their filters belong to the whole process, so this does nothing unless the context owns it."""
    if not current().owns_process:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def silent() -> Iterator[None]:
    """Keep C libraries from writing to standard error. libtiff and libjpeg write there directly before they fail.

    File descriptor 2 belongs to the whole process. So this does nothing unless the context owns the process
    (see `convcli.system.context`). Use it for short calls of the main thread, and `hushed` while other threads work.
    """
    context = current()
    if context.hushed or not context.owns_process:
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # closed: nothing can be written to it
        yield
        return
    try:
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 2)
        os.close(sink)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def hushed() -> Iterator[None]:
    """The same as `silent`, but while threads work: Python itself still writes, to a copy of the descriptor."""
    context = current()
    if not context.owns_process:
        yield
        return
    own, past = sys.stderr, None
    with suppress(OSError, ValueError, AttributeError):  # no descriptor, or closed
        if own.fileno() == 2:
            own.flush()
            past = open(os.dup(2), "w", 1, own.encoding, own.errors)  # noqa: SIM115
    with silent(), past or nullcontext(), redirect_stderr(past or own):
        before, context.hushed = context.hushed, True
        try:
            yield
        finally:
            context.hushed = before


def leave(code: object) -> None:
    """End this process with an exit code (as for `sys.exit`) at once, if nothing is lost.

    When Python ends as usual, it frees NumPy, Pillow and itself piece by piece, which takes a tenth of the time of a small
    image. Here only the standard streams are flushed, and the functions registered with `atexit` are called; threads are not
    waited for. In these cases nothing is done, and Python ends as usual: a profiler or a debugger watches the process, it has
    to continue (``python -i``), torch is loaded and has threads to end, a stream cannot be written, or the code is a text.
    """
    monitoring = getattr(sys, "monitoring", None)  # since Python 3.12
    tools = [] if monitoring is None else [monitoring.get_tool(number) for number in range(6)]
    watched = sys.getprofile() is not None or sys.gettrace() is not None or any(tools) or "torch" in sys.modules
    goes_on = sys.flags.interactive or sys.flags.inspect or "PYTHONINSPECT" in os.environ
    if watched or goes_on or not (code is None or isinstance(code, int)) or not hasattr(atexit, "_run_exitfuncs"):
        return
    try:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):  # ValueError: it is closed
        return
    os._exit(0 if code is None else code & 0xFF)
