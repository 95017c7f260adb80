"""An output is whole or not there at all: files, pipes, standard streams, signals."""

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from convcli.system import files
from support.cli import SAMPLES, binary, cells, done, environment, heeding, run, terminal
from support.files import content, filtered
from support.pictures import write

BOX = ["-k", "box"]


# Whole or not at all


def test_explicit_output_replaces_atomically(inputs: Path) -> None:
    """The old file is not written into: who holds it keeps its content."""
    (inputs / "out.png").write_text("old")
    (inputs / "held").hardlink_to(inputs / "out.png")
    done("apply", "a.png", *BOX, "-o", "out.png", cwd=inputs)
    assert (inputs / "out.png").read_bytes() == filtered(inputs / "a.png")
    assert (inputs / "held").read_text() == "old"


def test_symlink_is_followed(inputs: Path) -> None:
    (inputs / "store").mkdir()
    (inputs / "store/real.png").write_text("old")
    for link, target in (("link.png", "store/real.png"), ("dangling.png", "store/new.png")):
        (inputs / link).symlink_to(target)
        done("apply", "a.png", *BOX, "-o", link, cwd=inputs)
        assert (inputs / link).is_symlink()
        assert (inputs / target).read_bytes() == filtered(inputs / "a.png")
    assert {path.name for path in (inputs / "store").iterdir()} == {"real.png", "new.png"}


def test_in_place_follows_a_symlink(inputs: Path) -> None:
    expected = filtered(inputs / "a.png")
    (inputs / "link.png").symlink_to("a.png")
    done("apply", "link.png", *BOX, "--in-place", cwd=inputs)
    assert (inputs / "link.png").is_symlink()
    assert (inputs / "a.png").read_bytes() == expected


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_permissions_of_the_replaced_file_stay(mode: int, inputs: Path, umask: None) -> None:
    (inputs / "out.png").write_text("old")
    (inputs / "out.png").chmod(mode)
    done("apply", "a.png", *BOX, "-o", "out.png", cwd=inputs)
    assert stat.S_IMODE((inputs / "out.png").stat().st_mode) == mode


@pytest.mark.parametrize("target", ["out.png", "out.jpg", "out.tif", "out.npy", "out.bmp"])
@pytest.mark.parametrize(
    ("given", "mask", "mode"),
    [
        (0o666, 0o022, 0o644), (0o666, 0o027, 0o640), (0o666, 0o077, 0o600), (0o666, 0, 0o666),
        (0o600, 0o022, 0o600), (0o640, 0, 0o640), (0o755, 0o022, 0o644), (0o444, 0o022, 0o644), (0o400, 0o022, 0o600),
    ],
)  # fmt: skip
def test_permissions_of_a_new_file_are_the_inputs_and_the_umasks(
    given: int, mask: int, mode: int, target: str, inputs: Path, umask: None
) -> None:
    """What is made of a private picture is private; its owner may write it, and nobody runs a picture."""
    (inputs / "a.png").chmod(given)
    os.umask(mask)
    done("apply", "a.png", *BOX, "-o", target, cwd=inputs)
    assert stat.S_IMODE((inputs / target).stat().st_mode) == mode
    assert os.umask(0o022) == mask


def test_permissions_of_what_comes_from_a_pipe_are_the_umasks(inputs: Path, umask: None) -> None:
    os.umask(0o027)
    done("apply", "-", *BOX, "-o", "out.png", input=(inputs / "a.png").read_bytes(), cwd=inputs)
    assert stat.S_IMODE((inputs / "out.png").stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_the_replaced_file_stays(inputs: Path) -> None:
    os.chown(inputs / "a.png", 1234, 2345)
    done("apply", "a.png", *BOX, "--in-place", cwd=inputs)
    status = (inputs / "a.png").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


def full(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullDisk(io.BufferedWriter):
    """A file that takes nothing."""

    write = full
    flush = lambda self: None


def break_writing(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "replace":  # by which a file with a name gets another one
        monkeypatch.delattr("os.O_TMPFILE", raising=False)
    if where == "write":
        monkeypatch.setattr(files.os, "fdopen", lambda handle, mode: FullDisk(io.FileIO(handle, mode)))
    else:
        monkeypatch.setattr(files.os, where, full)


@pytest.mark.parametrize(
    ("where", "target"),
    [
        *((where, target) for where in ("write", "replace", "link") for target in ("out.png", "new.png", "out.npy")),
        *(("fchmod", target) for target in ("out.png", "out.npy")),  # a new file has its permissions from the start
    ],
)
def test_full_disk_leaves_the_old_file_and_no_other(
    where: str, target: str, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("out.png", "out.npy"):
        (inputs / name).write_text("old")
    before = content(inputs)
    break_writing(monkeypatch, where)
    result = run("apply", "a.png", *BOX, "-o", target, cwd=inputs)
    monkeypatch.undo()
    assert result.code == 2
    assert target in result.err
    assert len(result.err.splitlines()) == 1
    assert content(inputs) == before


@pytest.mark.parametrize("where", ["write", "replace", "link"])
def test_interruption_leaves_nothing(where: str, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    if where == "write":
        monkeypatch.setattr(FullDisk, "write", interrupt)
    break_writing(monkeypatch, where)
    if where != "write":
        monkeypatch.setattr(files.os, where, interrupt)
    before = content(inputs)
    result = run("apply", "a.png", *BOX, "-o", "out.png", cwd=inputs)
    assert result.code == 130
    assert "Traceback" not in result.err
    assert content(inputs) == before


def test_a_failing_command_leaves_nothing(inputs: Path) -> None:
    before = content(inputs)
    for args in (
        ["bad.png", *BOX],
        ["a.png", "-k", "box:9"],
        ["a.png", *BOX, "-o", "x.xyz"],
        ["a.png", "-k", "box", "-k", "box"],
    ):
        assert run("apply", *args, cwd=inputs).code == 2
    assert content(inputs) == before


def test_a_failing_command_makes_no_folder(inputs: Path) -> None:
    assert run("apply", "bad.png", *BOX, "-o", "out/", cwd=inputs).code == 2
    assert not (inputs / "out").exists()


def test_a_pipe_is_written_to_and_stays(inputs: Path) -> None:
    os.mkfifo(inputs / "pipe.png")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((inputs / "pipe.png").read_bytes()), daemon=True)
    reader.start()
    done("apply", "a.png", *BOX, "-o", "pipe.png", cwd=inputs)
    reader.join(timeout=30)
    assert received == [filtered(inputs / "a.png")]
    assert stat.S_ISFIFO((inputs / "pipe.png").stat().st_mode)


# Standard streams


@pytest.mark.parametrize("options", [[], ["--json"], ["-q"]], ids=["table", "json", "quiet"])
def test_stdout_carries_the_image_only(options: list[str], inputs: Path) -> None:
    """Also where there is something to say: this kernel clips."""
    kernel = ["--kernel=-1,0,3"]
    done("apply", "a.png", *kernel, "-o", "out.png", cwd=inputs)
    result = binary("apply", "a.png", *kernel, "-o", "-", *options, cwd=inputs)
    assert result.code == 0
    assert result.out == (inputs / "out.png").read_bytes()
    assert "clipped" in result.err
    if not options:
        assert "a.png" in cells(result.err)["input"]
    if options == ["-q"]:
        assert "a.png" not in result.err


def test_stdin_goes_to_stdout_unless_told(inputs: Path) -> None:
    data = (inputs / "a.png").read_bytes()
    assert done("apply", "-", *BOX, input=data, cwd=inputs).out == filtered(inputs / "a.png")
    done("apply", "-", *BOX, "-o", "out.png", input=data, cwd=inputs)
    assert (inputs / "out.png").read_bytes() == filtered(inputs / "a.png")


def test_a_chain_of_pipes(inputs: Path) -> None:
    command = f'"{sys.executable}" -m convcli apply - -q'
    script = f"{command} -k sobel-x --format npy -o - < a.png | {command} -k sobel-y -o - > out.npy"
    ended = subprocess.run(["bash", "-c", script], cwd=inputs, env=environment(), capture_output=True, check=True)
    assert ended.stderr == b""
    done("apply", "a.png", "-k", "sobel-x", "-o", "x.npy", cwd=inputs)
    done("apply", "x.npy", "-k", "sobel-y", "-o", "xy.npy", cwd=inputs)
    np.testing.assert_array_equal(np.load(inputs / "out.npy"), np.load(inputs / "xy.npy"))


@pytest.mark.parametrize("format_", ["png", "npy", "tif"])
def test_closed_pipe_ends_quietly(format_: str, tmp_path: Path) -> None:
    """The result, of some 200 kB, is more than a pipe holds."""
    write(tmp_path / "noise.png", np.random.default_rng(1).integers(0, 256, (1, 420, 500), dtype=np.uint8))
    options = f"-k identity -o - --format {format_} -q"
    script = f'"{sys.executable}" -m convcli apply noise.png {options} | head -c 1; echo "${{PIPESTATUS[0]}}"'
    ended = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, check=True)
    assert ended.stderr == b""
    assert ended.stdout[1:].split() in ([b"0"], [b"141"])  # 141: ended by SIGPIPE, as other tools do


def test_closed_pipe_of_a_report() -> None:
    script = (
        f'"{sys.executable}" -m convcli shape --hin 10 --k 3 --s 9000 --json | head -c 1; echo "${{PIPESTATUS[0]}}"'
    )
    ended = subprocess.run(["bash", "-c", script], env=environment(), capture_output=True, check=True)
    assert ended.stderr == b""
    assert ended.stdout[1:].split() in ([b"0"], [b"141"])


def test_an_image_is_not_printed_on_a_terminal(inputs: Path) -> None:
    result = terminal("apply", "a.png", *BOX, "-o", "-", cwd=inputs)
    assert result.code == 2
    assert result.text.startswith("convcli: error: ")
    assert "-o" in result.text
    assert b"IHDR" not in result.out


def test_a_table_on_a_terminal(inputs: Path) -> None:
    result = terminal("apply", "a.png", *BOX, cwd=inputs)
    assert result.code == 0
    assert "a-box.png" in result.text


def test_names_that_are_no_text(inputs: Path) -> None:
    """File names are bytes on Linux, and standard output may be strict about its encoding."""
    name = os.fsdecode(b"\xff.png")
    try:
        (inputs / "a.png").rename(inputs / name)
    except OSError:
        pytest.skip("this file system wants names that are text")
    for options in (["-q"], ["--json"], []):
        result = binary("apply", name, *BOX, *options, "--overwrite", cwd=inputs, PYTHONIOENCODING="utf-8:strict")
        assert result.code == 0
        assert "Traceback" not in result.err


# Signals, short writes and closed streams, in the real program


@pytest.mark.parametrize("suffix", ["png", "ppm", "npy"])
def test_an_unbuffered_stdout_gets_everything(suffix: str, inputs: Path) -> None:
    """A raw pipe may take a part of what it is given."""
    write(inputs / "large.png", np.random.default_rng(0).integers(0, 256, (3, 300, 400), dtype=np.uint8))
    done("apply", "large.png", *BOX, "-o", f"file.{suffix}", cwd=inputs)
    command = ("apply", "large.png", *BOX, "-o", "-", "--format", suffix, "-q")
    assert binary(*command, cwd=inputs, PYTHONUNBUFFERED="1").out == (inputs / f"file.{suffix}").read_bytes()


def test_a_short_write_is_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(io.RawIOBase):
        taken = b""

        def write(self, data: Any) -> int | None:
            self.taken += bytes(data[:7])
            return len(data[:7])

    short = Short()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=short))
    with files.writing("-") as stream:
        stream.write(bytes(range(100)))
    assert short.taken == bytes(range(100))


def in_shell(line: str, inputs: Path) -> subprocess.CompletedProcess[str]:
    script = f"{sys.executable} -m convcli {line}"
    return subprocess.run(
        ["bash", "-c", script], cwd=inputs, env=environment(), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("apply a.png -k box -o - >&-", "standard output is closed"),
        ("apply a.png -k box -o - > /dev/full", "the disk is full"),
        ("apply a.png -k box -o x.png > /dev/full", "standard output cannot be written: the disk is full"),
        ("shape --hin 3 --k 3 > /dev/full", "standard output cannot be written: the disk is full"),
    ],
)
def test_stdout_that_takes_nothing(line: str, what: str, inputs: Path) -> None:
    ended = in_shell(line, inputs)
    assert ended.returncode == 2
    assert what in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_full_pipe_that_does_not_wait(inputs: Path) -> None:
    write(inputs / "large.png", np.random.default_rng(0).integers(0, 256, (3, 300, 400), dtype=np.uint8))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    command = [sys.executable, "-m", "convcli", "apply", "large.png", *BOX, "-o", "-", "-q"]
    ended = subprocess.run(
        command, cwd=inputs, env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(reader)
    os.close(writer)
    assert ended.returncode == 2
    assert "non-blocking" in ended.stderr
    assert ended.stderr.count("\n") == 1


def signalled(number: signal.Signals, inputs: Path, before: Callable[[], None]) -> subprocess.CompletedProcess[bytes]:
    """The program, which sends itself a signal while it writes: the temporary file is there then."""
    code = f"""
import os, signal, sys
del os.O_TMPFILE
from convcli.system import npy
usual = npy.write
def write(stream, array):
    assert list(__import__("pathlib").Path().glob(".out*.tmp"))
    os.kill(os.getpid(), {int(number)})
    usual(stream, array)
npy.write = write
sys.argv = ["convcli", "apply", "a.png", "-k", "box", "-o", "out.npy", "-q"]
from convcli.__main__ import main
main()
"""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=inputs, env=environment(), capture_output=True, check=False, preexec_fn=before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(number: signal.Signals, inputs: Path) -> None:
    """The temporary file is gone after."""
    ended = signalled(number, inputs, heeding)
    assert ended.returncode == 128 + number, ended.stderr
    assert ended.stderr == b""
    assert not list(inputs.glob("*out*"))
    assert not list(inputs.glob(".*tmp"))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_from_the_start_stays_so(number: signal.Signals, inputs: Path) -> None:
    """As nohup has it with SIGHUP, and a shell with SIGINT in the background: the program goes on."""
    ended = signalled(number, inputs, lambda: signal.signal(number, signal.SIG_IGN))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"out.npy\n", b"")
    assert np.load(inputs / "out.npy").shape == (1, 4, 5)
    assert not list(inputs.glob(".*tmp"))


def test_a_read_only_file_is_not_replaced(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `cp` refuses it. The superuser may write to it, with `cp` too: so the answer of the system is put in here."""
    target = inputs / "a.png"
    before = target.read_bytes()
    target.chmod(0o444)
    monkeypatch.setattr("os.access", lambda path, mode: bool(os.stat(path).st_mode & 0o222))
    for options in (("b.png", "-o", "a.png"), ("a.png", "--in-place")):
        result = run("apply", *options, *BOX, cwd=inputs)
        assert result.code == 2
        assert "read-only" in result.err
        assert target.read_bytes() == before


def test_images_are_written_though_nobody_listens(inputs: Path) -> None:
    """The reader of the table goes away after its first byte; the images are what was asked for."""
    for number in range(6):
        (inputs / f"n{number}.png").write_bytes((inputs / "a.png").read_bytes())
    line = f"{sys.executable} -m convcli apply n?.png -k box -o many/ -q | head -c 1"
    subprocess.run(line, shell=True, cwd=inputs, env=environment(), check=True, capture_output=True)
    assert len(list((inputs / "many").iterdir())) == 6


def test_standard_input_that_does_not_wait(inputs: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    command = [sys.executable, "-m", "convcli", "apply", "-", "-k", "box", "-o", "x.png"]
    ended = subprocess.run(command, stdin=reader, cwd=inputs, env=environment(), capture_output=True, check=False)
    os.close(reader)
    os.close(writer)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"convcli: error: input '-' cannot be read: the pipe is non-blocking")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "args",
    [
        ["a.png", "a.png", "-o", "\0"],
        ["a.png", "-o", "\0/"],
        ["a.png", "-o", "\0{stem}/x.png"],
        ["a.png", "a\0b.png", "-o", "out/"],
    ],
)
def test_a_path_with_a_nul(args: list[str], inputs: Path) -> None:
    """No shell passes one on, but other programs that call this one in their process do."""
    before = sorted(inputs.iterdir())
    result = run("apply", *args, "-k", "box", cwd=inputs)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "NUL" in result.err
    assert sorted(inputs.iterdir()) == before


HALF = """
import os, signal, sys
{named}
from convcli.system import npy
def write(stream, array):
    stream.write(b"a part")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
npy.write = write
sys.argv = ["convcli", "apply", "a.png", "-k", "box", "-o", "out.npy", "-q"]
from convcli.__main__ import main
main()
"""


def killed(inputs: Path, named: str) -> list[str]:
    """What is new in the folder when the program was killed while it wrote."""
    before = {path.name for path in inputs.iterdir()}
    ended = subprocess.run([sys.executable, "-c", HALF.format(named=named)], cwd=inputs, env=environment(), check=False)
    assert ended.returncode == -signal.SIGKILL
    return sorted({path.name for path in inputs.iterdir()} - before)


def has_unnamed(folder: Path) -> bool:
    try:
        os.close(os.open(folder, os.O_WRONLY | os.O_TMPFILE))
    except (OSError, AttributeError):
        return False
    return True


def test_what_is_killed_leaves_nothing(inputs: Path) -> None:
    if not has_unnamed(inputs):
        pytest.skip("this file system has no files without a name")
    assert killed(inputs, "") == []
    (inputs / "out.npy").write_text("old")
    assert killed(inputs, "") == []
    assert (inputs / "out.npy").read_text() == "old"


def test_where_files_have_names_the_next_run_deletes_what_was_left(
    inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (left,) = killed(inputs, "del os.O_TMPFILE")
    running = left.replace(left.split("-")[1], str(os.getppid()))
    (inputs / running).write_text("another program writes it")
    (inputs / ".other.tmp").write_text("of something else")
    monkeypatch.delattr("os.O_TMPFILE", raising=False)
    done("apply", "a.png", *BOX, "-o", "out.png", cwd=inputs)
    assert sorted(path.name for path in inputs.glob(".*")) == sorted([running, ".other.tmp"])


@pytest.mark.parametrize("error", [errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL])
def test_a_file_system_without_unnamed_files(error: int, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = os.open

    def opened(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if getattr(os, "O_TMPFILE", 0) and flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(error, os.strerror(error))
        return usual(path, flags, *rest, **more)

    monkeypatch.setattr(files.os, "open", opened)
    done("apply", "a.png", *BOX, "-o", "out.png", cwd=inputs)
    done("apply", "a.png", *BOX, "-o", "out.png", cwd=inputs)
    assert not list(inputs.glob(".*"))


@pytest.mark.parametrize("line", ["apply a.png -k box", f"apply {SAMPLES / 'tiny.png'} -k box -o out.png"])
def test_a_working_folder_that_was_deleted_is_named(line: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec env PWD=/an/old/name {sys.executable} -m convcli {line}"
    ended = subprocess.run(["sh", "-c", script], env=environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"the working folder '{gone}' " in ended.stderr or not Path("/proc/self/cwd").exists()
    assert "does not exist any more; change to another with cd" in ended.stderr
