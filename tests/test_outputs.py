"""Where results go: names, folders, templates; whole or not at all; never over an input; pipes; several images."""

import errno
import io
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np
import pytest
from cli import SAMPLES, binary, cells, done, environment, heeding, read, run, terminal, write
from PIL import Image

from convcli.system import files

TINY = SAMPLES / "tiny.png"
BOX = ["-k", "box"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a.png, b.png (not alike) and bad.png (no image)."""
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        write(tmp_path / name, generator.integers(0, 256, (1, 6, 7), dtype=np.uint8))
    (tmp_path / "bad.png").write_text("no image")
    return tmp_path


@pytest.fixture
def umask() -> Iterator[None]:
    """Restores the umask that a test sets."""
    old = os.umask(0o022)
    yield
    os.umask(old)


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def filtered(source: Path) -> bytes:
    """What `-k box` makes of a file, as PNG."""
    return done("apply", source, *BOX, "-o", "-", "--format", "png").out


# Names


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-k", "sobel"], "tiny-sobel.png"),
        (["-k", "gaussian:2", "-p", "8"], "tiny-gaussian-2.png"),
        (["-k", "gaussian:sigma=0.5,size=3"], "tiny-gaussian-sigma-0.5-size-3.png"),
        (["-k", "sobel-x", "-k", "sobel-y", "--combine", "sum"], "tiny-sobel-x+sobel-y.png"),
        (["-k", "1,2;3,4"], "tiny-kernel.png"),
        (["-k", "my filter.csv"], "tiny-my-filter.png"),
        (["--weights", "layer.npz:conv1/weight"], "tiny-conv1-weight.png"),
    ],
)
def test_default_name(options: list[str], name: str, tmp_path: Path) -> None:
    """STEM-KERNEL.EXT where the command runs, not where the image lies; safe as a file name."""
    (tmp_path / "my filter.csv").write_text("1,2\n3,4\n")
    np.savez(tmp_path / "layer.npz", **{"conv1/weight": np.ones((1, 3, 2, 2))})
    before = set(content(tmp_path))
    document = done("apply", TINY, *options, "--json", cwd=tmp_path).json
    assert document["output"] == name
    assert set(content(tmp_path)) - before == {name}
    assert not [path for path in SAMPLES.iterdir() if path.name == name]


@pytest.mark.parametrize(
    ("source", "name"), [("rotated.jpg", "rotated-box.jpg"), ("animation.gif", "animation-box.gif")]
)
def test_default_name_keeps_the_extension(source: str, name: str, tmp_path: Path) -> None:
    done("apply", SAMPLES / source, *BOX, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_default_name_of_a_tensor(tmp_path: Path) -> None:
    np.save(tmp_path / "maps.npy", np.ones((2, 5, 5)))
    assert done("apply", "maps.npy", *BOX, "-q", cwd=tmp_path).text == "maps-box.npy\n"
    assert np.load(tmp_path / "maps-box.npy").shape == (2, 3, 3)


def test_default_name_that_exists_is_refused(folder: Path) -> None:
    (folder / "a-box.png").write_text("precious")
    before = content(folder)
    result = run("apply", "a.png", *BOX, cwd=folder)
    assert result.code == 2
    assert "a-box.png" in result.err
    assert "--overwrite" in result.err
    assert content(folder) == before
    done("apply", "a.png", *BOX, "--overwrite", cwd=folder)
    assert (folder / "a-box.png").read_bytes() == filtered(folder / "a.png")


@pytest.fixture
def quicker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program, which puts `a-box.png` into the folder while this one has its own half written."""
    usual = files._new

    def new(name: Path, *rest: Any) -> BinaryIO:
        if "a-box" in name.name:
            (folder / "a-box.png").write_text("precious")
        return usual(name, *rest)

    monkeypatch.setattr(files, "_new", new)


def no_links(*_: object) -> None:
    """`os.link` where the file system has no hard links."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.usefixtures("quicker")
def test_a_default_name_that_comes_to_exist_meanwhile_is_refused(
    links: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr("os.link", no_links)
    before = content(folder)
    result = run("apply", "a.png", *BOX, cwd=folder)
    assert result.code == 2
    assert result.err == (
        "convcli: error: output 'a-box.png' exists: name another by -o, or use --overwrite to replace it\n"
    )
    assert content(folder) == {**before, "a-box.png": b"precious"}
    result = run("apply", "a.png", "b.png", *BOX, "-q", cwd=folder)  # refused before anything is written
    assert (result.code, (folder / "b-box.png").exists()) == (2, False)
    (folder / "a-box.png").unlink()
    result = run("apply", "a.png", "b.png", *BOX, "-q", cwd=folder)
    assert (result.code, result.text) == (1, "b-box.png\n")
    assert content(folder) == {**before, "a-box.png": b"precious", "b-box.png": filtered(folder / "b.png")}


@pytest.mark.parametrize("options", [["--overwrite"], ["-o", "a-box.png"]])
@pytest.mark.usefixtures("quicker")
def test_what_may_be_replaced_may_appear_meanwhile(options: list[str], folder: Path) -> None:
    done("apply", "a.png", *BOX, *options, cwd=folder)
    assert (folder / "a-box.png").read_bytes() == filtered(folder / "a.png")


@pytest.mark.parametrize("output", [[], ["-o", "{stem}-box.png"]])
@pytest.mark.usefixtures("quicker")
def test_what_another_run_writes_meanwhile_is_skipped(output: list[str], folder: Path) -> None:
    result = done("apply", "a.png", "b.png", *BOX, *output, "--skip-existing", cwd=folder)
    assert "1 of 2 written, 1 skipped" in result.err
    assert (folder / "a-box.png").read_text() == "precious"
    assert not list(folder.glob(".*tmp"))


@pytest.mark.parametrize("links", [True, False])
def test_a_default_name_that_is_free(links: bool, folder: Path, monkeypatch: pytest.MonkeyPatch, umask: None) -> None:
    """It is given in one step or, where there are no hard links, in two: the same file, with the same permissions."""
    if not links:
        monkeypatch.setattr("os.link", no_links)
    (folder / "a.png").chmod(0o640)
    done("apply", "a.png", *BOX, cwd=folder)
    status = (folder / "a-box.png").stat()
    assert (folder / "a-box.png").read_bytes() == filtered(folder / "a.png")
    assert (stat.S_IMODE(status.st_mode), status.st_nlink) == (0o640, 1)
    assert not list(folder.glob(".*tmp"))


def test_a_claimed_name_that_cannot_be_used_is_given_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.link", no_links)
    monkeypatch.setattr("os.replace", full)
    before = content(folder)
    result = run("apply", "a.png", *BOX, cwd=folder)
    assert result.code == 2
    assert "the disk is full" in result.err
    assert content(folder) == before


def test_one_existing_name_of_several_stops_before_anything_is_written(folder: Path) -> None:
    (folder / "b-box.png").write_text("precious")
    before = content(folder)
    assert run("apply", "a.png", "b.png", *BOX, cwd=folder).code == 2
    assert content(folder) == before


def test_folder(folder: Path) -> None:
    """Made when its name ends in a slash; written into when it exists."""
    assert done("apply", "a.png", "b.png", *BOX, "-o", "new/deep/", "-q", cwd=folder).text.split() == [
        "new/deep/a.png",
        "new/deep/b.png",
    ]
    assert (folder / "new/deep/b.png").read_bytes() == filtered(folder / "b.png")
    (folder / "there").mkdir()
    done("apply", "a.png", *BOX, "-o", "there", cwd=folder)
    assert (folder / "there/a.png").read_bytes() == filtered(folder / "a.png")


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("{stem}.tif", ["a.tif", "b.tif"]),
        ("{stem}_{kernel}.{ext}", ["a_gaussian-1.png", "b_gaussian-1.png"]),
        ("sub/{kernel}/{name}", ["sub/gaussian-1/a.png", "sub/gaussian-1/b.png"]),
        ("{stem}-{stem}.jpg", ["a-a.jpg", "b-b.jpg"]),
    ],
)
def test_template(template: str, names: list[str], folder: Path) -> None:
    (folder / "sub/gaussian-1").mkdir(parents=True)
    result = done("apply", "a.png", "b.png", "-k", "gaussian:1", "-p", "3", "-o", template, "-q", cwd=folder)
    assert result.text.split() == names
    for name in names:
        with Image.open(folder / name) as image:
            assert image.size == (7, 6)


@pytest.mark.parametrize("name", ["a", "no-extension"])
def test_inputs_without_extension_become_png(name: str, folder: Path) -> None:
    (folder / "a.png").rename(folder / name)
    assert done("apply", name, *BOX, "-q", cwd=folder).text == f"{name}-box.png\n"


# Collisions and inputs


@pytest.mark.parametrize(
    "args",
    [
        ["a.png", "b.png", "-o", "out.png"],
        ["a.png", "b.png", "-o", "{kernel}.png"],
        ["a.png", "b.png", "-o", "-"],
        ["a.png", "other/a.png"],
        ["a.png", "other/a.png", "-o", "out/"],
        ["a.png", "other/a.png", "-o", "./{name}.png"],
        ["a.png", "./a.png", "-o", "out.png"],
        ["x", "x", "-o", "out.png"],
        ["-", "-", "-o", "out.png"],
    ],
    ids=" ".join,
)
def test_collisions_are_refused(args: list[str], folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other/a.png").write_bytes((folder / "b.png").read_bytes())
    (folder / "x").write_bytes((folder / "b.png").read_bytes())
    before = content(folder)
    result = run("apply", *args, *BOX, cwd=folder, input=(folder / "a.png").read_bytes())
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert result.out == b""
    assert content(folder) == before


@pytest.mark.parametrize(
    "args",
    [
        ["a.png", "-o", "a.png"],
        ["a.png", "-o", "./a.png"],
        ["a.png", "-o", "sub/../a.png"],
        ["a.png", "-o", "{name}"],
        ["a.png", "-o", "./"],
        ["a.png", "-o", "."],
        ["a.png", "-o", "symlink.png"],
        ["symlink.png", "-o", "a.png"],
        ["a.png", "-o", "hardlink.png"],
    ],
    ids=" ".join,
)
def test_an_input_is_never_overwritten(args: list[str], folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "symlink.png").symlink_to("a.png")
    (folder / "hardlink.png").hardlink_to(folder / "a.png")
    (folder / "a-box.png").write_bytes((folder / "b.png").read_bytes())
    before = content(folder)
    result = run("apply", *args, *BOX, cwd=folder)
    assert result.code == 2
    assert "--in-place" in result.err
    assert content(folder) == before


def test_in_place(folder: Path) -> None:
    expected = [filtered(folder / "a.png"), filtered(folder / "b.png")]
    result = done("apply", "a.png", "b.png", *BOX, "--in-place", "-q", cwd=folder)
    assert result.text.split() == ["a.png", "b.png"]
    assert [(folder / "a.png").read_bytes(), (folder / "b.png").read_bytes()] == expected


def test_in_place_leaves_a_bad_file_as_it_is(folder: Path) -> None:
    assert run("apply", "bad.png", "a.png", *BOX, "--in-place", cwd=folder).code == 1
    assert (folder / "bad.png").read_text() == "no image"
    assert read(folder / "a.png").shape == (1, 4, 5)


# Whole or not at all


def test_explicit_output_replaces_atomically(folder: Path) -> None:
    """The old file is not written into: who holds it keeps its content."""
    (folder / "out.png").write_text("old")
    (folder / "held").hardlink_to(folder / "out.png")
    done("apply", "a.png", *BOX, "-o", "out.png", cwd=folder)
    assert (folder / "out.png").read_bytes() == filtered(folder / "a.png")
    assert (folder / "held").read_text() == "old"


def test_symlink_is_followed(folder: Path) -> None:
    (folder / "store").mkdir()
    (folder / "store/real.png").write_text("old")
    for link, target in (("link.png", "store/real.png"), ("dangling.png", "store/new.png")):
        (folder / link).symlink_to(target)
        done("apply", "a.png", *BOX, "-o", link, cwd=folder)
        assert (folder / link).is_symlink()
        assert (folder / target).read_bytes() == filtered(folder / "a.png")
    assert {path.name for path in (folder / "store").iterdir()} == {"real.png", "new.png"}


def test_in_place_follows_a_symlink(folder: Path) -> None:
    expected = filtered(folder / "a.png")
    (folder / "link.png").symlink_to("a.png")
    done("apply", "link.png", *BOX, "--in-place", cwd=folder)
    assert (folder / "link.png").is_symlink()
    assert (folder / "a.png").read_bytes() == expected


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_permissions_of_the_replaced_file_stay(mode: int, folder: Path, umask: None) -> None:
    (folder / "out.png").write_text("old")
    (folder / "out.png").chmod(mode)
    done("apply", "a.png", *BOX, "-o", "out.png", cwd=folder)
    assert stat.S_IMODE((folder / "out.png").stat().st_mode) == mode


@pytest.mark.parametrize("target", ["out.png", "out.jpg", "out.tif", "out.npy", "out.bmp"])
@pytest.mark.parametrize(
    ("given", "mask", "mode"),
    [
        (0o666, 0o022, 0o644), (0o666, 0o027, 0o640), (0o666, 0o077, 0o600), (0o666, 0, 0o666),
        (0o600, 0o022, 0o600), (0o640, 0, 0o640), (0o755, 0o022, 0o644), (0o444, 0o022, 0o644), (0o400, 0o022, 0o600),
    ],
)  # fmt: skip
def test_permissions_of_a_new_file_are_the_inputs_and_the_umasks(
    given: int, mask: int, mode: int, target: str, folder: Path, umask: None
) -> None:
    """What is made of a private picture is private; its owner may write it, and nobody runs a picture."""
    (folder / "a.png").chmod(given)
    os.umask(mask)
    done("apply", "a.png", *BOX, "-o", target, cwd=folder)
    assert stat.S_IMODE((folder / target).stat().st_mode) == mode
    assert os.umask(0o022) == mask


def test_permissions_of_what_comes_from_a_pipe_are_the_umasks(folder: Path, umask: None) -> None:
    os.umask(0o027)
    done("apply", "-", *BOX, "-o", "out.png", input=(folder / "a.png").read_bytes(), cwd=folder)
    assert stat.S_IMODE((folder / "out.png").stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_the_replaced_file_stays(folder: Path) -> None:
    os.chown(folder / "a.png", 1234, 2345)
    done("apply", "a.png", *BOX, "--in-place", cwd=folder)
    status = (folder / "a.png").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


def full(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullDisk(io.BufferedWriter):
    """A file that takes nothing."""

    write = full
    flush = lambda self: None


def break_writing(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "write":
        monkeypatch.setattr(files.os, "fdopen", lambda handle, mode: FullDisk(io.FileIO(handle, mode)))
    else:
        monkeypatch.setattr(files.os, where, full)


@pytest.mark.parametrize(
    ("where", "target"),
    [
        *((where, target) for where in ("write", "replace") for target in ("out.png", "new.png", "out.npy")),
        *(("fchmod", target) for target in ("out.png", "out.npy")),  # a new file has its permissions from the start
    ],
)
def test_full_disk_leaves_the_old_file_and_no_other(
    where: str, target: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("out.png", "out.npy"):
        (folder / name).write_text("old")
    before = content(folder)
    break_writing(monkeypatch, where)
    result = run("apply", "a.png", *BOX, "-o", target, cwd=folder)
    monkeypatch.undo()
    assert result.code == 2
    assert target in result.err
    assert len(result.err.splitlines()) == 1
    assert content(folder) == before


@pytest.mark.parametrize("where", ["write", "replace"])
def test_interruption_leaves_nothing(where: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    if where == "write":
        monkeypatch.setattr(FullDisk, "write", interrupt)
    break_writing(monkeypatch, where)
    if where == "replace":
        monkeypatch.setattr(files.os, "replace", interrupt)
    before = content(folder)
    result = run("apply", "a.png", *BOX, "-o", "out.png", cwd=folder)
    assert result.code == 130
    assert "Traceback" not in result.err
    assert content(folder) == before


def test_a_failing_command_leaves_nothing(folder: Path) -> None:
    before = content(folder)
    for args in (
        ["bad.png", *BOX],
        ["a.png", "-k", "box:9"],
        ["a.png", *BOX, "-o", "x.xyz"],
        ["a.png", "-k", "box", "-k", "box"],
    ):
        assert run("apply", *args, cwd=folder).code == 2
    assert content(folder) == before


def test_a_failing_command_makes_no_folder(folder: Path) -> None:
    assert run("apply", "bad.png", *BOX, "-o", "out/", cwd=folder).code == 2
    assert not (folder / "out").exists()


def test_a_pipe_is_written_to_and_stays(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((folder / "pipe.png").read_bytes()), daemon=True)
    reader.start()
    done("apply", "a.png", *BOX, "-o", "pipe.png", cwd=folder)
    reader.join(timeout=30)
    assert received == [filtered(folder / "a.png")]
    assert stat.S_ISFIFO((folder / "pipe.png").stat().st_mode)


# Standard streams


@pytest.mark.parametrize("options", [[], ["--json"], ["-q"]], ids=["table", "json", "quiet"])
def test_stdout_carries_the_image_only(options: list[str], folder: Path) -> None:
    """Also where there is something to say: this kernel clips."""
    kernel = ["--kernel=-1,0,3"]
    done("apply", "a.png", *kernel, "-o", "out.png", cwd=folder)
    result = binary("apply", "a.png", *kernel, "-o", "-", *options, cwd=folder)
    assert result.code == 0
    assert result.out == (folder / "out.png").read_bytes()
    assert "clipped" in result.err
    if not options:
        assert "a.png" in cells(result.err)["input"]
    if options == ["-q"]:
        assert "a.png" not in result.err


def test_stdin_goes_to_stdout_unless_told(folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    assert done("apply", "-", *BOX, input=data, cwd=folder).out == filtered(folder / "a.png")
    done("apply", "-", *BOX, "-o", "out.png", input=data, cwd=folder)
    assert (folder / "out.png").read_bytes() == filtered(folder / "a.png")


def test_a_chain_of_pipes(folder: Path) -> None:
    command = f'"{sys.executable}" -m convcli apply - -q'
    script = f"{command} -k sobel-x --format npy -o - < a.png | {command} -k sobel-y -o - > out.npy"
    ended = subprocess.run(["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, check=True)
    assert ended.stderr == b""
    done("apply", "a.png", "-k", "sobel-x", "-o", "x.npy", cwd=folder)
    done("apply", "x.npy", "-k", "sobel-y", "-o", "xy.npy", cwd=folder)
    np.testing.assert_array_equal(np.load(folder / "out.npy"), np.load(folder / "xy.npy"))


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


def test_an_image_is_not_printed_on_a_terminal(folder: Path) -> None:
    result = terminal("apply", "a.png", *BOX, "-o", "-", cwd=folder)
    assert result.code == 2
    assert result.text.startswith("convcli: error: ")
    assert "-o" in result.text
    assert b"IHDR" not in result.out


def test_a_table_on_a_terminal(folder: Path) -> None:
    result = terminal("apply", "a.png", *BOX, cwd=folder)
    assert result.code == 0
    assert "a-box.png" in result.text


def test_names_that_are_no_text(folder: Path) -> None:
    """File names are bytes on Linux, and standard output may be strict about its encoding."""
    name = os.fsdecode(b"\xff.png")
    try:
        (folder / "a.png").rename(folder / name)
    except OSError:
        pytest.skip("this file system wants names that are text")
    for options in (["-q"], ["--json"], []):
        result = binary("apply", name, *BOX, *options, "--overwrite", cwd=folder, PYTHONIOENCODING="utf-8:strict")
        assert result.code == 0
        assert "Traceback" not in result.err


# Several images


def test_a_bad_image_does_not_stop_the_rest(folder: Path) -> None:
    result = run("apply", "a.png", "bad.png", "missing.png", "b.png", *BOX, "-q", cwd=folder)
    assert result.code == 1
    assert result.text.split() == ["a-box.png", "b-box.png"]
    assert (folder / "b-box.png").read_bytes() == filtered(folder / "b.png")
    assert not (folder / "bad-box.png").exists()
    lines = result.err.splitlines()
    assert "bad.png" in lines[0]
    assert "missing.png" in lines[1]
    assert lines[2].startswith("convcli: 2 of 4 written, 2 failed, in ")
    assert all(line.startswith("convcli: ") for line in lines)


def test_a_bad_image_in_json(folder: Path) -> None:
    result = run("apply", "a.png", "bad.png", "b.png", *BOX, "--json", cwd=folder)
    assert result.code == 1
    first, bad, last = result.json
    assert (first["output"], last["output"]) == ("a-box.png", "b-box.png")
    assert bad["input"] == "bad.png"
    assert "bad.png" in bad["error"]
    assert "output" not in bad


def test_an_operation_that_does_not_fit_one_image(folder: Path) -> None:
    """It is the fault of that image: the others are done."""
    write(folder / "small.png", np.zeros((1, 2, 2), np.uint8))
    result = run("apply", "small.png", "a.png", *BOX, "-q", cwd=folder)
    assert result.code == 1
    assert result.text == "a-box.png\n"
    assert "small" in result.err or "kernel of 3" in result.err


def test_several_images_in_the_real_program(folder: Path) -> None:
    result = binary("apply", "bad.png", "a.png", *BOX, "-q", cwd=folder)
    assert (result.code, result.text) == (1, "a-box.png\n")


def test_several_images_that_all_fail(folder: Path) -> None:
    """As when some of them do: 2 is for usage, and for a single image."""
    result = run("apply", "bad.png", "missing.png", *BOX, cwd=folder)
    assert result.code == 1
    assert "0 of 2 written, 2 failed" in result.err


def test_a_single_bad_image_is_an_error(folder: Path) -> None:
    assert run("apply", "bad.png", *BOX, cwd=folder).code == 2


def test_transpose_of_several(folder: Path) -> None:
    documents = done(
        "transpose", "a.png", "b.png", "-k", "bilinear:2", "-s", "2", "-o", "big/", "--json", cwd=folder
    ).json
    assert [document["output"] for document in documents] == ["big/a.png", "big/b.png"]
    assert all(read(folder / "big" / name).shape == (1, 14, 16) for name in ("a.png", "b.png"))


# Folders that are made; devices; files that are read


def test_a_template_makes_its_folder(folder: Path) -> None:
    done("apply", "a.png", "b.png", *BOX, "-o", "new/{stem}/x.png", cwd=folder)
    assert (folder / "new/b/x.png").read_bytes() == filtered(folder / "b.png")


@pytest.mark.parametrize("output", ["new/deep/", "new/{stem}/deep/x.jpg"])
def test_a_failed_run_leaves_no_folder(output: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    Image.open(folder / "a.png").save(folder / "a.jpg")
    monkeypatch.setitem(Image.SAVE, "JPEG", fail)
    (folder / "there").mkdir()
    before = sorted(folder.rglob("*"))
    assert run("apply", "a.jpg", *BOX, "-o", output, cwd=folder).code == 2
    assert run("apply", "a.jpg", *BOX, "-o", f"there/{output}", cwd=folder).code == 2
    assert sorted(folder.rglob("*")) == before


def test_an_interrupted_run_leaves_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    Image.open(folder / "a.png").save(folder / "a.jpg")
    monkeypatch.setitem(Image.SAVE, "JPEG", interrupt)
    assert run("apply", "a.jpg", *BOX, "-o", "new/", cwd=folder).code == 130
    assert not (folder / "new").exists()


def test_devices_are_written_to_not_replaced(folder: Path) -> None:
    """With and without a format; several images may go to the same one."""
    for options in ([], ["--format", "png"]):
        done("apply", "a.png", "b.png", *BOX, "-o", "/dev/null", *options, cwd=folder)
        assert not Path("/dev/null").is_file()
    result = run("apply", "a.png", *BOX, "-o", "/dev/full", cwd=folder)
    assert result.code == 2
    assert "the disk is full" in result.err


@pytest.mark.parametrize("options", [[], ["--format", "png"]])
def test_dev_stdout_is_standard_output(options: list[str], folder: Path) -> None:
    """Also when that is a file, which is not to be replaced beneath the shell."""
    result = done("apply", "a.png", *BOX, "-o", "/dev/stdout", *options, cwd=folder)
    assert result.out == filtered(folder / "a.png")
    line = f"{sys.executable} -m convcli apply a.png -k box -o /dev/stdout {' '.join(options)} >> all"
    (folder / "all").write_bytes(b"before")
    ended = subprocess.run(["sh", "-c", line], cwd=folder, env=environment(), capture_output=True, check=False)
    assert ended.returncode == 0
    assert (folder / "all").read_bytes() == b"before" + result.out


def test_a_pipe_is_written_to(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    line = f"cat pipe > got & {sys.executable} -m convcli apply a.png -k box -o pipe -q && wait"
    subprocess.run(["sh", "-c", line], cwd=folder, env=environment(), capture_output=True, check=True, timeout=60)
    assert (folder / "got").read_bytes() == filtered(folder / "a.png")
    assert stat.S_ISFIFO((folder / "pipe").stat().st_mode)


def test_a_folder_that_takes_no_files_is_named(folder: Path) -> None:
    result = run("apply", "a.png", *BOX, "-o", "/proc/x.png", cwd=folder)
    assert result.code == 2
    assert "no file can be made in '/proc'" in result.err


def test_kernels_and_weights_are_not_replaced(folder: Path) -> None:
    (folder / "k.csv").write_text("1\n")
    np.save(folder / "k.npy", np.ones((1, 1)))
    np.save(folder / "w.npy", np.ones((1, 1, 1, 1)))
    np.savez(folder / "w.npz", w=np.ones((1, 1, 1, 1)))
    (folder / "link.npy").symlink_to("w.npy")
    before = content(folder)
    for options in (
        ["a.png", "-k", "k.csv", "-o", "k.csv"],
        ["a.png", "-k", "box", "-k", "k.npy", "--combine", "sum", "-o", "k.npy"],
        ["a.png", "--weights", "w.npy", "-o", "link.npy"],
        ["a.png", "--weights", "w.npz:w", "-o", "w.npz"],
        ["w.npy", "--weights", "w.npy", "--in-place"],
    ):
        result = run("apply", *options, cwd=folder)
        assert result.code == 2
        assert "kernel or weights file" in result.err
    assert content(folder) == before


@pytest.mark.parametrize("name", ["animation.gif", "pages.tif"])
def test_in_place_keeps_all_frames(name: str, folder: Path) -> None:
    first = Image.open(folder / "a.png")
    first.save(folder / name, save_all=True, append_images=[Image.open(folder / "b.png")])
    done("apply", name, *BOX, "--in-place", cwd=folder)
    with Image.open(folder / name) as image:
        assert image.n_frames == 2


def test_in_place_does_not_lose_frames(folder: Path) -> None:
    """A telephone's photograph with another one behind it."""
    first = Image.open(folder / "a.png").convert("RGB")
    first.save(folder / "photo.jpg", "MPO", save_all=True, append_images=[first])
    before = (folder / "photo.jpg").read_bytes()
    result = run("apply", "photo.jpg", *BOX, "--in-place", cwd=folder)
    assert result.code == 2
    assert "1 of the 2 frames" in result.err
    assert (folder / "photo.jpg").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content"), [("a.jpg", "PNG"), ("a.gif", "TIFF"), ("a.png", "GIF"), ("a.bmp", "JPEG")]
)
def test_in_place_does_not_change_the_format(name: str, content: str, folder: Path) -> None:
    """A file whose name promises another format than its content."""
    Image.open(folder / "a.png").convert("L").save(folder / "other", content)
    (folder / "other").replace(folder / name)
    before = (folder / name).read_bytes()
    result = run("apply", name, *BOX, "--in-place", cwd=folder)
    assert result.code == 2
    assert f"'{name}' is {content}" in result.err
    assert len(result.err.splitlines()) == 1
    assert (folder / name).read_bytes() == before


# What is said of which image, and how


def test_errors_of_several_images_name_them(folder: Path) -> None:
    result = run("apply", "a.png", "b.png", *BOX, "--bias", "1,2", "-o", "out/", cwd=folder)
    assert result.code == 1
    lines = result.err.splitlines()
    assert lines[0].startswith("convcli: error: 'a.png': bias has 2 values")
    assert lines[1].startswith("convcli: error: 'b.png': bias has 2 values")
    result = run("apply", "bad.png", "a.png", *BOX, "-o", "out/", cwd=folder)
    assert result.err.startswith("convcli: error: input 'bad.png' ")  # not twice


def test_file_names_cannot_garble_the_terminal(folder: Path) -> None:
    """Escapes, newlines and bytes that are no text: in the table, in notes and in errors."""
    names = ["new\nline.png", "esc\x1b[31m.png", os.fsdecode(b"byte\xff.png")]
    for name, safe in zip(names, [r"new\nline.png", r"esc\x1b[31m.png", r"byte\xff.png"], strict=True):
        (folder / name).write_bytes((folder / "a.png").read_bytes())
        result = binary("apply", name, "-k", "laplacian", "-o", "x.png", cwd=folder)
        assert result.table["input"].startswith(safe)
        result = binary("apply", name, "-k", "laplacian", "-o", f"y{name}", cwd=folder)
        assert result.err.startswith(f"convcli: y{safe}: ")
        assert len(result.err.splitlines()) == 1
        result = binary("apply", f"no{name}", *BOX, cwd=folder)
        assert f"'no{safe}'" in result.err
        assert len(result.err.splitlines()) == 1
        assert binary("apply", name, *BOX, "-o", "x.png", "--json", cwd=folder).json["input"] == name
        assert binary("apply", "a.png", *BOX, "-o", name, "-q", cwd=folder).out == os.fsencode(f"{name}\n")


def test_plain_ascii_streams(folder: Path) -> None:
    """The C locale without Python's help: signs it lacks become escapes, JSON stays JSON."""
    locale = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    result = binary("shape", "--hin", "9", "--k", "3", **locale)
    assert result.code == 0
    assert r"\u230a" in result.text
    result = binary("shape", "--hin", "9", "--k", "3", "--json", **locale)
    assert result.json["output"]["height"] == 7
    (folder / "é.png").write_bytes((folder / "a.png").read_bytes())
    result = binary("apply", "é.png", *BOX, "-o", "x.png", "--json", cwd=folder, **locale)
    assert result.code == 0
    assert os.fsencode(result.json["input"]) == "é.png".encode()


# Signals, short writes and closed streams, in the real program


@pytest.mark.parametrize("suffix", ["png", "ppm", "npy"])
def test_an_unbuffered_stdout_gets_everything(suffix: str, folder: Path) -> None:
    """A raw pipe may take a part of what it is given."""
    write(folder / "large.png", np.random.default_rng(0).integers(0, 256, (3, 300, 400), dtype=np.uint8))
    done("apply", "large.png", *BOX, "-o", f"file.{suffix}", cwd=folder)
    command = ("apply", "large.png", *BOX, "-o", "-", "--format", suffix, "-q")
    assert binary(*command, cwd=folder, PYTHONUNBUFFERED="1").out == (folder / f"file.{suffix}").read_bytes()


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


def in_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = f"{sys.executable} -m convcli {line}"
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, text=True, check=False
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
def test_stdout_that_takes_nothing(line: str, what: str, folder: Path) -> None:
    ended = in_shell(line, folder)
    assert ended.returncode == 2
    assert what in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_full_pipe_that_does_not_wait(folder: Path) -> None:
    write(folder / "large.png", np.random.default_rng(0).integers(0, 256, (3, 300, 400), dtype=np.uint8))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    command = [sys.executable, "-m", "convcli", "apply", "large.png", *BOX, "-o", "-", "-q"]
    ended = subprocess.run(
        command, cwd=folder, env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(reader)
    os.close(writer)
    assert ended.returncode == 2
    assert "non-blocking" in ended.stderr
    assert ended.stderr.count("\n") == 1


def signalled(number: signal.Signals, folder: Path, before: Callable[[], None]) -> subprocess.CompletedProcess[bytes]:
    """The program, which sends itself a signal while it writes: the temporary file is there then."""
    code = f"""
import os, signal, sys
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
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, check=False, preexec_fn=before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(number: signal.Signals, folder: Path) -> None:
    """The temporary file is gone after."""
    ended = signalled(number, folder, heeding)
    assert ended.returncode == 128 + number, ended.stderr
    assert ended.stderr == b""
    assert not list(folder.glob("*out*"))
    assert not list(folder.glob(".*tmp"))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_is_ignored_from_the_start_stays_so(number: signal.Signals, folder: Path) -> None:
    """As nohup has it with SIGHUP, and a shell with SIGINT in the background: the program goes on."""
    ended = signalled(number, folder, lambda: signal.signal(number, signal.SIG_IGN))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"out.npy\n", b"")
    assert np.load(folder / "out.npy").shape == (1, 4, 5)
    assert not list(folder.glob(".*tmp"))


def test_a_read_only_file_is_not_replaced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `cp` refuses it. The superuser may write to it, with `cp` too: so the answer of the system is put in here."""
    target = folder / "a.png"
    before = target.read_bytes()
    target.chmod(0o444)
    monkeypatch.setattr("os.access", lambda path, mode: bool(os.stat(path).st_mode & 0o222))
    for options in (("b.png", "-o", "a.png"), ("a.png", "--in-place")):
        result = run("apply", *options, *BOX, cwd=folder)
        assert result.code == 2
        assert "read-only" in result.err
        assert target.read_bytes() == before


def test_images_are_written_though_nobody_listens(folder: Path) -> None:
    """The reader of the table goes away after its first byte; the images are what was asked for."""
    for number in range(6):
        (folder / f"n{number}.png").write_bytes((folder / "a.png").read_bytes())
    line = f"{sys.executable} -m convcli apply n?.png -k box -o many/ -q | head -c 1"
    subprocess.run(line, shell=True, cwd=folder, env=environment(), check=True, capture_output=True)
    assert len(list((folder / "many").iterdir())) == 6


def test_standard_input_that_does_not_wait(folder: Path) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    command = [sys.executable, "-m", "convcli", "apply", "-", "-k", "box", "-o", "x.png"]
    ended = subprocess.run(command, stdin=reader, cwd=folder, env=environment(), capture_output=True, check=False)
    os.close(reader)
    os.close(writer)
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"convcli: error: input '-' cannot be read: the pipe does not wait for its writer")
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
def test_a_path_with_a_nul(args: list[str], folder: Path) -> None:
    """No shell passes one on, but other programs that call this one in their process do."""
    before = sorted(folder.iterdir())
    result = run("apply", *args, "-k", "box", cwd=folder)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "NUL" in result.err
    assert sorted(folder.iterdir()) == before
