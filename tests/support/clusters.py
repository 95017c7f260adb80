"""Dask clusters for the tests, and workers that log what they do, die, fail, or say that they are another version when told so."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import distributed

from support.cli import ROOT, environment, heeding


class Orders(distributed.WorkerPlugin):  # type: ignore[misc]
    """Makes workers log each block in ``folder/log``, and obey the files of that folder.

    ``slow``: each block takes so many seconds longer. ``die``: whoever begins the block of this name is killed.
    ``once``: the worker of the next block is killed, and its nanny if the file says so. ``fill``: blocks find the disk full.
    ``hog``: the block of this name takes memory until its worker is killed. ``version``: what workers say of their convcli.
    ``blind``: the name of an input that they do not see.
    """

    name = "orders"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def setup(self, worker: Any) -> None:
        from convcli.errors import ImageError
        from convcli.runs import blocks
        from convcli.runs.places import dask

        real, seen, identity = blocks.Bench.perform, dask._seen, blocks.identity_of

        def perform(bench: blocks.Bench, item: blocks.Item) -> Any:
            self.obey(item.name)
            answer = real(bench, item)
            log(self.folder / "log", item.name)
            return answer

        def told(name: str, dask_worker: Any) -> Any:
            found = seen(name, dask_worker)
            return found._replace(convcli=self.told("version") or found.convcli)

        def identity_of(source: str) -> str:
            if self.told("blind") == Path(source).name:
                raise ImageError(f"input '{source}'", "cannot be read", "check it", "there is no such file")
            return identity(source)

        blocks.Bench.perform = perform  # type: ignore[method-assign]
        blocks.identity_of = identity_of  # type: ignore[attr-defined]
        dask._seen = told

    def told(self, name: str) -> str | None:
        with suppress(FileNotFoundError):
            return (self.folder / name).read_text()
        return None

    def obey(self, block: str) -> None:
        """Do what the files say."""
        if (seconds := self.told("slow")) is not None:
            time.sleep(float(seconds))
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
def by_hand(folder: Path, protocol: str = "tcp", workers: int = 2, **variables: str) -> Iterator[Path]:
    """The file of a scheduler with workers under nannies of their own, all started as a user would, in a folder of their own."""
    where, file = folder / "elsewhere", folder / "scheduler.json"
    where.mkdir()
    local = ["--host", "127.0.0.1", "--protocol", protocol, "--scheduler-file", str(file), "--no-dashboard"]
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *local]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", *local]
    how: dict[str, Any] = {
        "cwd": where, "env": environment(**{"PYTHONPATH": paths, **variables}), "preexec_fn": heeding, "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }  # fmt: skip
    started = [subprocess.Popen(scheduler, **how)]
    (folder / "scheduler.pid").write_text(str(started[0].pid))
    try:
        until(file.exists)
        started += [subprocess.Popen(worker, **how) for _ in range(workers)]
        yield file
    finally:
        for one in started[::-1]:
            one.terminate()
        for one in started:
            try:
                one.wait(5)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


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
