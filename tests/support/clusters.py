"""Dask clusters for the tests, and workers that log what they do, die, fail, or say that they are another version when told so."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import distributed

from support.cli import ROOT, environment, heeding

LOCAL = "127.0.0.1"
"""Where clusters are."""


class Orders(distributed.WorkerPlugin):  # type: ignore[misc]
    """Makes workers log each block in ``folder/log``, and obey the files of that folder.

    ``slow``: each block takes so many seconds longer. ``die``: whoever begins the block of this name is killed.
    ``once``: the worker of the next block is killed, and its nanny if the file says so. ``fill``: blocks find the disk full.
    ``hog``: the block of this name takes memory until its worker is killed. ``blind``: the name of an input that they do not
    see. ``freeze…``: the worker of the next block stops, with its nanny if the file says so, until it is told to go on; then
    ``frozen…`` has the numbers of its processes.
    """

    name = "orders"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def setup(self, worker: Any) -> None:
        from convcli.errors import ImageError
        from convcli.runs import block_tasks as tasks

        real, identity = tasks.Bench.perform, tasks.identity_of

        def perform(bench: tasks.Bench, item: tasks.Item) -> Any:
            self.obey(item.name)
            answer = real(bench, item)
            log(self.folder / "log", item.name)
            return answer

        def identity_of(source: str) -> str:
            if self.told("blind") == Path(source).name:
                raise ImageError(f"input '{source}'", "cannot be read", "check it", "there is no such file")
            return identity(source)

        tasks.Bench.perform = perform  # type: ignore[method-assign]
        tasks.identity_of = identity_of  # type: ignore[attr-defined]

    def told(self, name: str) -> str | None:
        with suppress(FileNotFoundError):
            return (self.folder / name).read_text()
        return None

    def obey(self, block: str) -> None:
        """Do what the files say."""
        if (seconds := self.told("slow")) is not None:
            time.sleep(float(seconds))
        for path in self.folder.glob("freeze*"):
            with suppress(FileNotFoundError):  # another worker has taken it
                nanny = path.read_text()
                path.unlink()
                stopped = [os.getppid(), os.getpid()] if nanny else [os.getpid()]
                write(path.with_name(path.name.replace("freeze", "frozen")), " ".join(map(str, stopped)))
                for process in stopped:
                    os.kill(process, signal.SIGSTOP)
                break
        if self.told("die") == block:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.told("fill") is not None:
            raise OSError(28, "No space left on device")
        if self.told("hog") == block:
            held = []
            while True:
                held.append(bytearray(os.urandom(1) * (8 << 20)))
                time.sleep(0.01)
        with suppress(FileNotFoundError):
            whom = (self.folder / "once").read_text()
            (self.folder / "once").unlink()
            if whom:
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


def write(path: Path, text: str) -> None:
    """Make a file that nobody sees without its text."""
    new = path.with_name(f"new.{path.name}")
    new.write_text(text)
    new.rename(path)


def log(path: Path, line: str) -> None:
    """Append a line; several processes may do so at once."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def logged(folder: Path) -> list[str]:
    """The names of the blocks that were done."""
    with suppress(FileNotFoundError):
        return (folder / "log").read_text().split()
    return []


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.02)


@contextmanager
def local(folder: Path, workers: int = 2, memory: str | None = None, **more: Any) -> Iterator[str]:
    """The address of a cluster of processes, which obey `Orders` from a folder."""
    with (
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=":0",
            memory_limit=memory or "auto",
            silence_logs=50,
            **more,
        ) as cluster,  # fmt: skip
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(Orders(folder))
        yield cluster.scheduler_address


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def certificate(folder: Path) -> Path:
    """A key and a certificate that it signs itself, in one file."""
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem", *names],
        check=True, capture_output=True,
    )  # fmt: skip
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


def encrypted(certificate: Path) -> dict[str, str]:
    """The variables that make Dask use TLS with a certificate."""
    start = "DASK_DISTRIBUTED__COMM__TLS__"
    names = ("CA_FILE", "CLIENT__CERT", "SCHEDULER__CERT", "WORKER__CERT")
    return {f"{start}{name}": str(certificate) for name in names}


@contextmanager
def client(file: Path, certificate: Path | None = None) -> Iterator[Any]:
    """A client of a scheduler, with a certificate where it has one."""
    security = None
    if certificate is not None:
        paths = dict.fromkeys(("tls_ca_file", "tls_client_cert"), str(certificate))
        security = distributed.Security(require_encryption=True, **paths)
    with distributed.Client(scheduler_file=str(file), security=security, set_as_default=False) as made:
        yield made


def kill_scheduler(file: Path) -> None:
    """Kill the scheduler of `by_hand`."""
    os.kill(int((file.parent / "scheduler.pid").read_text()), signal.SIGKILL)


@contextmanager
def by_hand(
    folder: Path, protocol: str = "tcp", workers: int = 2, *options: str, host: str = LOCAL, **variables: str
) -> Iterator[Path]:
    """The file of a scheduler with workers, all started as a user would, in a folder of their own.

    Workers have nannies, if the options do not say ``--no-nanny``.
    """
    file = folder / "scheduler.json"
    (folder / "elsewhere").mkdir()
    everyone = ("--protocol", protocol, "--host", host, "--no-dashboard", "--scheduler-file", str(file))
    with ExitStack() as stack:
        scheduler = stack.enter_context(_running("scheduler", folder, *everyone, "--port", "0", **variables))
        (folder / "scheduler.pid").write_text(str(scheduler.pid))
        until(file.exists)
        for _ in range(workers):
            stack.enter_context(_running("worker", folder, *everyone, "--nthreads", "1", *options, **variables))
        yield file


@contextmanager
def joined(file: Path, *options: str, host: str = LOCAL, before: Sequence[str] = (), **variables: str) -> Iterator[int]:
    """The process of a further worker of a scheduler that was started by hand.

    It has no nanny, if the options do not say ``--nanny``. `before` are words before its command.
    """
    words = ("--nthreads", "1", "--no-nanny", "--host", host, "--no-dashboard", "--scheduler-file", str(file), *options)
    with client(file) as one, _running("worker", file.parent, *words, before=before, **variables) as worker:
        one.wait_for_workers(len(one.nthreads()) + 1, timeout=30)
        yield worker.pid


@contextmanager
def _running(
    what: str, folder: Path, *words: str, before: Sequence[str] = (), **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler or a worker."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [*before, sys.executable, "-m", f"distributed.cli.dask_{what}", *words], cwd=folder / "elsewhere",
        preexec_fn=heeding, env=environment(**{"PYTHONPATH": paths, **variables}), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Sums(NamedTuple):
    """A job of numbers, for tests of places: 3 fails once, 5 always, 7 is a bug; ``folder/ACT`` tells what was done."""

    folder: Path
    lacks: str = ""

    def opened(self) -> Sums:
        log(self.folder / "opened", "once")
        return self

    def seen(self) -> str:
        return self.lacks

    def perform(self, item: int) -> int:
        log(self.folder / "log", f"{item}")
        if item == 5 or (item == 3 and logged(self.folder).count("3") == 1):
            raise OSError(5, "not now")
        if item == 7:
            raise TypeError("a bug")
        time.sleep(0.01)
        return item * 10

    def close(self) -> None:
        log(self.folder / "closed", "once")
