"""What is not on every platform is neither imported nor used where it is missing, as on Windows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import ROOT, SAMPLES, environment

WITHOUT_POSIX = """
import os, signal, sys
import concurrent.futures, multiprocessing.util, random, subprocess, tempfile  # they know what platform they are on
import click, numpy, PIL.Image, rich.console, tifffile

class Missing:
    names = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "_posixsubprocess", "posix_ipc"}

    def find_spec(self, name, path=None, target=None):
        if name in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in Missing.names:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
for name in (
    "sched_getaffinity", "sched_setaffinity", "sysconf", "fork", "forkpty", "register_at_fork", "fchown", "fchmod", "chown", "getuid", "geteuid",
    "getgid", "getpgrp", "setsid", "mkfifo", "pread", "preadv", "pwrite", "pwritev", "posix_fadvise", "posix_fallocate", "sendfile", "uname",
    "getloadavg", "statvfs", "fstatvfs", "O_TMPFILE", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC",
):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGALRM", "SIGUSR1", "SIGPIPE", "SIGTSTP", "pthread_sigmask", "pthread_kill", "setitimer", "alarm", "siginterrupt"):
    if hasattr(signal, name):
        delattr(signal, name)
"""  # noqa: E501
"""Takes from Python what only POSIX has."""


def without_posix(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_POSIX + code]
    return subprocess.run(
        command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    )  # fmt: skip


def test_the_instrument_takes_it_away(tmp_path: Path) -> None:
    assert "No module named 'resource'" in without_posix("import resource", tmp_path).stderr
    assert "has no attribute 'fchown'" in without_posix("os.fchown", tmp_path).stderr
    assert "has no attribute 'SIGHUP'" in without_posix("signal.SIGHUP", tmp_path).stderr


def test_every_module_is_imported_without_posix(tmp_path: Path) -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "convcli").rglob("*.py"))
        if "torch" not in path.relative_to(ROOT).parts and not path.name.startswith("dask")  # which may import anything
    ]
    assert len(names) > 150
    ended = without_posix(f"import importlib\nfor name in {names}: importlib.import_module(name)", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        "apply {small} -k gaussian:1 -p same -o out.png",
        "apply {small} -k box -o there.png",
        "apply there.png -k box --in-place",
        "apply {small} there.png -k sobel -o many/ --threads 2",
        "transpose {small} -k bilinear:2 -s 2 -p 1 -o out.tif",
        "apply {small} -k gaussian:2 -o out.npy",
        "explain {small} -k box --at 1,1 -o out.svg",
        "animate --hin 5 --k 3 -o out.gif",
        "shape --hin 5 --k 3",
        "kernel sobel",
    ],
)
def test_commands_run_without_posix(line: str, tmp_path: Path) -> None:
    small = SAMPLES / "small.png"
    (tmp_path / "there.png").write_bytes(small.read_bytes())
    args = line.format(small=small).split()
    ended = without_posix(f"sys.argv[1:] = {args}\nfrom convcli.__main__ import main\nmain()", tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


def test_blocks_are_written_without_posix(tmp_path: Path) -> None:
    code = """
from convcli.images.writing.blocks import Layout, block_target, worker
pixels = numpy.random.default_rng(0).integers(0, 256, (600, 700, 3), numpy.uint8)
for container in ("TIFF", "NPY", "PPM"):
    layout = Layout("out." + container, container, (3, 600, 700), "uint8", "rgb", replace=False)
    target, other = block_target(layout), worker(layout)
    target.begin()
    receipts = [target.put(range(512), range(700), pixels[:512]), other.put(range(512, 600), range(700), pixels[512:])]
    other.close()
    target.commit(receipts)
assert (tifffile.imread("out.TIFF") == pixels).all()
assert (numpy.load("out.NPY") == pixels.transpose(2, 0, 1)).all()
with PIL.Image.open("out.PPM") as image:
    assert (numpy.asarray(image) == pixels).all()
"""
    ended = without_posix(code, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.NPY", "out.PPM", "out.TIFF"]
