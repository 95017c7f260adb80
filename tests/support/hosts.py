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

HERE, THERE = "10.203.77.1", "10.203.77.2"
"""The addresses of the two ends of a cable."""

LINK = "convcli0"
"""The name of this end, and of the other host."""


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
    """The network between this host and another one, of which `before` is what comes before a command there."""

    before: list[str]

    def cut(self) -> None:
        """Lose all packets, without a word to anybody."""
        _ip("neigh", "replace", THERE, "lladdr", "02:00:00:00:00:01", "dev", LINK, "nud", "permanent")
        _ip("-n", LINK, "neigh", "replace", HERE, "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent")

    def mend(self) -> None:
        """Lose none any more."""
        _ip("neigh", "del", THERE, "dev", LINK)
        _ip("-n", LINK, "neigh", "del", HERE, "dev", "eth0")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def cable() -> Iterator[Cable]:
    """A network with another host on it, which ends with the block."""
    if not _works("ip", "netns", "add", LINK):
        pytest.skip("needs a network namespace")
    try:
        _ip("link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", LINK)
        _ip("addr", "add", f"{HERE}/30", "dev", LINK)
        _ip("link", "set", LINK, "up")
        _ip("-n", LINK, "addr", "add", f"{THERE}/30", "dev", "eth0")
        _ip("-n", LINK, "link", "set", "eth0", "up")
        _ip("-n", LINK, "link", "set", "lo", "up")
        yield Cable(["ip", "netns", "exec", LINK])
    finally:
        _ip("netns", "del", LINK)  # with both ends


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
