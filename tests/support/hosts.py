"""Processes that stand in for other hosts: with file systems, networks and versions of convcli of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest

from support.cli import ROOT
from support.clusters import until


def without(folder: Path) -> list[str]:
    """What comes before a command that finds a folder empty, as another host does that does not mount it."""
    if (flags := _mounts()) is None:
        pytest.skip("needs a mount namespace")
    return ["unshare", flags, "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(folder)]


@lru_cache(1)
def _mounts() -> str | None:
    """The flags of unshare with which something can be mounted: as root, or in a user namespace where these are allowed."""
    for flags in ("-m", "-rm"):
        if _works("unshare", flags, "mount", "-t", "tmpfs", "none", "/mnt"):
            return flags
    return None


def _works(*command: str) -> bool:
    try:
        return not subprocess.run(command, capture_output=True, check=False).returncode
    except FileNotFoundError:
        return False


def of_version(version: str, folder: Path) -> str:
    """The PYTHONPATH of another version of convcli, which is made in a folder."""
    shutil.copytree(ROOT / "convcli", folder / "convcli", ignore=shutil.ignore_patterns("__pycache__"))
    text = folder / "convcli" / "__init__.py"
    lines = text.read_text("utf-8").splitlines()
    changed = [f'__version__ = "{version}"' if line.startswith("__version__ = ") else line for line in lines]
    assert changed != lines
    text.write_text("\n".join(changed), "utf-8")
    return os.pathsep.join([str(folder), str(ROOT / "tests")])


class Cable(NamedTuple):
    """The network between this host and another one. Both ends have its name; `here` and `there` are their addresses."""

    name: str
    here: str
    there: str

    @property
    def before(self) -> list[str]:
        """What comes before a command on the other host."""
        return ["ip", "netns", "exec", self.name]

    def cut(self) -> None:
        """Lose all packets, without a word to anybody."""
        nobody = ("lladdr", "02:00:00:00:00:01", "dev", self.name, "nud", "permanent")
        _ip("neigh", "replace", self.there, *nobody)
        _ip("-n", self.name, "neigh", "replace", self.here, *nobody)

    def mend(self) -> None:
        """Lose none any more."""
        _ip("neigh", "del", self.there, "dev", self.name)
        _ip("-n", self.name, "neigh", "del", self.here, "dev", self.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def cable() -> Iterator[Cable]:
    """A network with another host on it, which ends with the block."""
    number = os.getpid()  # other tests may have their own at the same time
    name, start = f"convcli{number}", f"10.{200 + number // 256 % 50}.{number % 256}"
    if not _works("ip", "netns", "add", name):
        pytest.skip("needs a network namespace")
    made = Cable(name, f"{start}.1", f"{start}.2")
    try:
        _ip("link", "add", name, "type", "veth", "peer", "name", name, "netns", name)
        for end, address in (([], made.here), (["-n", name], made.there)):
            _ip(*end, "addr", "add", f"{address}/30", "dev", name)
            _ip(*end, "link", "set", name, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield made
    finally:
        _ip("netns", "del", name)  # with both ends


def frozen(orders: Path, name: str) -> list[int]:
    """The processes that the order ``freezeNAME`` has stopped, once it has."""
    path = orders / f"frozen{name}"
    until(path.exists)
    found = [int(one) for one in path.read_text().split()]
    until(lambda: all(_state(one) == "T" for one in found))
    return found


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def thaw(processes: list[int]) -> None:
    """Let stopped processes go on."""
    for one in processes:
        os.kill(one, signal.SIGCONT)


def opened(process: int) -> set[str]:
    """The files that a process has open."""
    found = set()
    for link in Path(f"/proc/{process}/fd").iterdir():
        try:
            found.add(os.readlink(link))
        except FileNotFoundError:
            continue
    return found
