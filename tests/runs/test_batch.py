"""Many images: what is said of them, and all processors at work."""

import errno
import json
import os
import threading
import traceback
from contextlib import AbstractContextManager, chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from convcli.cli import main
from convcli.engine import Compute
from convcli.errors import ImageError
from convcli.images.reading.pillow_file import File as Film
from convcli.runs import batch, outputs, single
from convcli.runs.batch import Batch, Failed, Skipped
from convcli.runs.operation import Operation
from convcli.runs.single import Done, Writing
from convcli.system import context, files
from support.batches import OPERATION, jobs, lines
from support.cli import binary, done, run, terminal
from support.files import alone, made
from support.pictures import write

BOX = ["-k", "box"]


# What is said


def test_json_of_paths_is_a_list_and_of_folders_a_document_a_line(photos: Path) -> None:
    paths = ("photos/1.png", "photos/2.ppm")
    listed = done("apply", *paths, *BOX, "-o", "out/", "--json", cwd=photos).json
    by_line = lines(done("apply", "photos", *BOX, "-o", "out/", "--json", cwd=photos))
    asked_for = lines(done("apply", *paths, *BOX, "-o", "out/", "--json-lines", cwd=photos))
    for documents in (listed, by_line, asked_for):
        assert [document["input"] for document in documents] == [*paths]
        assert [document["output_shape"] for document in documents] == [[3, 4, 5]] * 2
    only = lines(done("apply", "photos/sub", *BOX, "-o", "out/", "--json", cwd=photos))
    assert [document["input"] for document in only] == ["photos/sub/1.png"]
    assert lines(done("apply", paths[0], *BOX, "-o", "out/", "--json-lines", cwd=photos))[0]["output"] == "out/1.png"


def test_a_bad_file_is_reported_and_the_rest_goes_on(photos: Path) -> None:
    (photos / "photos/1a.png").write_text("no image")
    result = binary("apply", "photos", *BOX, "-o", "out/", cwd=photos)
    assert result.code == 1
    assert [line.split()[:3] for line in result.text.splitlines()] == [
        ["photos/1.png", "→", "out/1.png"],
        ["photos/2.ppm", "→", "out/2.ppm"],
    ]
    error, summary = result.err.splitlines()
    assert error.startswith("convcli: error: input 'photos/1a.png' is not an image")
    assert summary.startswith("convcli: 2 of 3 written, 1 failed, in ")
    assert made(photos / "out") == ["1.png", "2.ppm"]
    result = binary("apply", "photos", *BOX, "-o", "out/", "--json", cwd=photos)
    assert result.code == 1
    assert ["error" in document for document in lines(result)] == [False, True, False]


def test_a_file_that_is_gone_is_reported(photos: Path) -> None:
    result = run("apply", "--from-file", "-", *BOX, "-o", "out/", "-q", cwd=photos, input=b"gone.png\nphotos/1.png\n")
    assert (result.code, result.text) == (1, "out/1.png\n")
    assert result.err.splitlines()[0].startswith("convcli: error: input 'gone.png' cannot be read: there is no such")


def test_what_all_fail_of_is_not_said_of_all(tmp_path: Path) -> None:
    for number in range(25):
        write(tmp_path / f"{number}.png", np.zeros((3, 9, 9), np.uint8))
    result = run("apply", ".", *BOX, "--bias", "1,2", "-o", "out/", cwd=tmp_path)
    assert result.code == 1
    *named, rest, summary = result.err.splitlines()
    assert len(named) == len({line.split("'")[1] for line in named}) == 10
    assert rest.startswith("convcli: error: 15 more images: bias has 2 values")
    assert "0 of 25 written, 25 failed" in summary


def test_a_single_image_of_a_folder_fails_as_one_of_many(photos: Path) -> None:
    (photos / "photos/sub/1.png").write_text("no image")
    result = run("apply", "photos/sub", *BOX, "-o", "out/", cwd=photos)
    assert result.code == 1
    assert "0 of 1 written, 1 failed" in result.err


def test_what_is_true_of_all_is_said_once(photos: Path) -> None:
    """Clipping: how many, and the worst of them; other remarks with the first image they are true of."""
    with_frames = [write(photos / f"{name}.tif", np.zeros((1, 5, 5), np.uint8)) for name in "abc"]
    result = run("apply", "photos", *with_frames, "--kernel=-1,0,3", "-o", "out/", cwd=photos)
    assert result.code == 0
    said = [line for line in result.err.splitlines() if "clipped" in line]
    assert len(said) == 1
    assert said[0].startswith("convcli: values of 2 images were clipped, ")
    shares = [
        100 * (document["clipped"]["below"] + document["clipped"]["above"]) / document["clipped"]["of"]
        for document in lines(done("apply", "photos", "--kernel=-1,0,3", "-o", "out/", "--json", cwd=photos))
    ]
    assert f" {max(shares):.3g} % of out/" in said[0]
    result = run("apply", "photos", "--kernel=-1,0,3", "-o", "out/", "-v", cwd=photos)
    assert sum(line.startswith("convcli: out/") for line in result.err.splitlines()) == 2


def test_a_bar_on_a_terminal_only(photos: Path) -> None:
    (photos / "photos/1a.png").write_text("no image")
    result = terminal("apply", "photos", *BOX, "-o", "out/", cwd=photos)
    assert result.code == 1
    shown = result.out.decode()
    assert "━" in shown
    assert "3/3" in shown
    assert "/s" in shown
    assert "convcli: error: input 'photos/1a.png'" in shown
    assert "2 of 3 written, 1 failed, in " in shown
    assert "→" not in shown  # the bar stands for the lines
    assert "━" not in terminal("apply", "photos", *BOX, "-o", "out/", "-q", cwd=photos).out.decode()
    assert "━" not in binary("apply", "photos", *BOX, "-o", "out/", cwd=photos).err


def test_json_lines_on_a_terminal_are_not_drawn_over(photos: Path) -> None:
    shown = terminal("apply", "photos", *BOX, "-o", "out/", "--json", cwd=photos).out.decode()
    assert [json.loads(line)["output"] for line in shown.splitlines()] == ["out/1.png", "out/2.ppm"]


# Resuming


def test_skip_existing(photos: Path) -> None:
    (photos / "out").mkdir()
    (photos / "out/1.png").write_text("from before")
    result = binary("apply", "photos", "--recursive", *BOX, "-o", "out/", "--skip-existing", cwd=photos)
    assert result.code == 0
    assert result.err.startswith("convcli: 3 of 4 written, 1 skipped, in ")
    assert (photos / "out/1.png").read_text() == "from before"
    assert (photos / "out/sub/1.png").read_bytes() == alone(photos / "photos/sub/1.png")
    result = done("apply", "photos", *BOX, "-o", "out/", "--skip-existing", "--json", cwd=photos)
    assert lines(result)[0] == {"schema": 1, "input": "photos/1.png", "output": "out/1.png", "skipped": True}
    assert done("apply", "photos", *BOX, "-o", "out/", "--skip-existing", "-q", cwd=photos).text == ""


@pytest.mark.parametrize(("where", "output"), [("photos", []), (".", ["-o", "photos/{stem}-b.{ext}"])])
def test_results_beside_their_inputs_are_no_inputs(where: str, output: list[str], photos: Path) -> None:
    """Going on in a folder that holds the results so far."""
    line = ["apply", ".", *BOX] if where == "photos" else ["apply", "photos", *BOX]
    done(*line, *output, cwd=photos / where)
    first = made(photos / "photos")
    made_now = next((photos / "photos").glob("1-*.png"))
    made_now.unlink()
    result = done(*line, *output, "--skip-existing", cwd=photos / where)
    assert "1 of 2 written, 1 skipped" in result.err
    assert made(photos / "photos") == first


def test_skip_existing_keeps_inputs_from_themselves(photos: Path) -> None:
    """What an image alone would be written to is still an input, and so is one that is named."""
    assert "is the input" in run("apply", "photos", *BOX, "-o", "photos/", "--skip-existing", cwd=photos).err
    (photos / "photos/1-b.png").write_bytes((photos / "photos/1.png").read_bytes())
    line = ["apply", "photos/1.png", "photos/1-b.png", *BOX, "-o", "photos/{stem}-b.{ext}"]
    assert "is the input" in run(*line, "--skip-existing", cwd=photos).err


def test_skip_existing_of_one_image(photos: Path) -> None:
    """Also under the default name, which is else refused when it is there."""
    done("apply", "photos/1.png", *BOX, "--skip-existing", "-q", cwd=photos)
    (photos / "1-box.png").write_text("from before")
    result = done("apply", "photos/1.png", *BOX, "--skip-existing", cwd=photos)
    assert (result.out, result.err) == (b"", "convcli: 1-box.png exists already\n")
    assert (photos / "1-box.png").read_text() == "from before"


# All processors at work, in one process


def on(threads: int) -> Operation:
    return OPERATION._replace(compute=Compute(threads=threads))


@pytest.mark.parametrize(
    ("sources", "targets", "workers"),
    [
        (["a.png", "b.png"], ["x.png", "y.png"], 2),
        (["a.png", "b.png"], ["/dev/null", "/dev/null"], 1),
        (["a.png", "b.png"], ["x.png", "-"], 1),
        (["a.png", "-"], ["x.png", "y.png"], 1),
    ],
)
def test_a_stream_takes_one_image_after_the_other(sources: list[str], targets: list[str], workers: int) -> None:
    assert Batch(jobs(sources, targets), on(4), Writing()).workers == workers


def test_many_at_once_give_what_each_gives_alone(photos: Path) -> None:
    generator = np.random.default_rng(1)
    (photos / "in").mkdir()
    kinds = [np.uint8, np.uint16, np.uint8, np.uint8]
    for number in range(40):
        size = (1 if number % 4 == 1 else 3, 5 + number % 7, 60)
        write(photos / f"in/{number}.png", generator.integers(0, 256, size).astype(kinds[number % 4]))
    command = ["apply", "in", "-k", "gaussian:1", "-p", "3", "-q"]
    assert binary(*command, "-o", "many/", "--threads", "7", cwd=photos).code == 0
    assert binary(*command, "-o", "one/", "--threads", "1", cwd=photos).code == 0
    assert len(made(photos / "many")) == 40
    for name in made(photos / "many"):
        assert (photos / "many" / name).read_bytes() == (photos / "one" / name).read_bytes()


def test_as_many_at_once_as_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four meet at a gate that opens for four; there are never five."""
    gate = threading.Barrier(4, timeout=30)
    at_work: list[int] = [0, 0]
    lock = threading.Lock()

    def work(source: str, target: str, operation: Operation, how: Writing) -> Done:
        assert operation.compute.threads == 1
        with lock:
            at_work[0] += 1
            at_work[1] = max(at_work)
        gate.wait()
        with lock:
            at_work[0] -= 1
        raise ImageError(source)

    monkeypatch.setattr(batch, "process", work)
    names = [f"{number}.png" for number in range(20)]
    with Batch(jobs(names, names), on(4), Writing()) as running:
        outcomes = dict(running)
    assert [str(outcomes[number].error) for number in range(20)] == names
    assert at_work == [0, 4]


def test_few_images_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    def work(source: str, target: str, operation: Operation, how: Writing) -> Done:
        asked.append(operation.compute.threads)
        raise ImageError(source)

    monkeypatch.setattr(batch, "process", work)
    for count, threads in ((1, 8), (2, 4), (3, 2), (8, 1), (9, 1)):
        asked.clear()
        names = [f"{number}.png" for number in range(count)]
        with Batch(jobs(names, names), on(8), Writing()) as running:
            assert len([*running]) == count
        assert asked == [threads] * count


def test_pixels_do_not_wait_to_be_told_of(photos: Path) -> None:
    sources = [str(photos / "photos" / name) for name in ("1.png", "2.ppm", "notes.txt")]
    targets = [str(photos / name) for name in ("a.png", "b.png", "c.png")]
    with Batch(jobs(sources, targets), on(2), Writing()) as running:
        outcomes = dict(running)
    assert isinstance(outcomes[0], Done)
    assert outcomes[0].result.array.size == 0
    assert outcomes[0].output_shape == (3, 4, 5)
    assert isinstance(outcomes[2], Failed)
    assert outcomes[2].error.__traceback__ is None
    with Batch(jobs(sources, targets), on(2), Writing(), skip_existing=True) as running:
        assert isinstance(dict(running)[1], Skipped)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(*_: object) -> Done:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(batch, "process", work)
    with pytest.raises(ZeroDivisionError, match="a bug") as caught, Batch(jobs("a", "a"), on(3), Writing()) as running:
        list(running)
    assert caught.traceback[-1].name == "work"


@pytest.mark.parametrize("threads", [1, 3])
def test_a_bug_in_one_image_does_not_lose_the_others(
    threads: int, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one that failed; its traceback comes when the others are done."""

    def work(source: str, *rest: Any) -> Done:
        if source.endswith("2.ppm"):
            raise ZeroDivisionError("a bug")
        return process(source, *rest)

    process = single.process
    monkeypatch.setattr(batch, "process", work)
    (photos / "photos/9.png").write_bytes((photos / "photos/1.png").read_bytes())
    arguments = ["apply", "photos", *BOX, "--threads", str(threads), "-o", "out/", "--json"]
    with chdir(photos):
        result = CliRunner().invoke(main, arguments, prog_name="convcli")
    assert isinstance(result.exception, ZeroDivisionError)
    assert [frame.name for frame in traceback.extract_tb(result.exception.__traceback__)][-1] == "work"
    assert result.exit_code == 1
    assert made(photos / "out") == ["1.png", "9.png"]
    documents = [json.loads(line) for line in result.stdout.splitlines()]
    assert documents[1] == {"schema": 1, "input": "photos/2.ppm", "error": "internal error, ZeroDivisionError: a bug"}
    assert "'photos/2.ppm': internal error" in result.stderr
    assert "2 of 3 written, 1 failed" in result.stderr


def test_a_file_that_the_system_refuses_does_not_stop_the_others(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(source: str, *rest: Any) -> Done:
        if source.endswith("2.ppm"):
            raise OSError(errno.EIO, "Input/output error", source)
        return process(source, *rest)

    process = single.process
    monkeypatch.setattr(batch, "process", work)
    result = run("apply", "photos", *BOX, "-o", "out/", cwd=photos)
    assert result.code == 1
    assert made(photos / "out") == ["1.png"]
    assert "'photos/2.ppm' cannot be read or written: Input/output error" in result.err


def test_too_few_open_files_end_the_run_with_one_line(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(source: str, *rest: Any) -> Done:
        raise OSError(errno.EMFILE, "Too many open files", source)

    monkeypatch.setattr(batch, "process", work)
    result = run("apply", "photos", *BOX, "-o", "out/", cwd=photos)
    assert result.code == 2
    assert result.err.count("too many files are open; raise the limit (ulimit -n)") == 1
    assert not (photos / "out").exists()


@pytest.mark.parametrize(("limit", "most"), [(1024, 252), (64, 12), (17, 1), (3, 1)])
def test_as_many_images_at_once_as_files_may_be_open(limit: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, 4096))
    assert batch._most_images() == most


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "out/{stem}.xyz"], "ends in '.xyz'"),
        (["-o", "out/{stem}"], "has no ending"),
        (["-o", "out/{stem}.png", "--range", "raw"], "does not fit into integers"),
        (["-o", "out/{stem}.npy", "--montage"], "--montage draws a picture"),
        (["-o", "out/{stem}.png", "--quality", "9"], "--quality 9 is for"),
    ],
)
def test_what_no_image_can_be_done_with_is_said_once(options: list[str], words: str, photos: Path) -> None:
    result = run("apply", "photos", *BOX, *options, cwd=photos)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert words in result.err
    assert not (photos / "out").exists()


def test_what_some_can_be_done_with_is_done(photos: Path) -> None:
    """A raw result fits into a TIFF, an ending that cannot be written is one image's own."""
    (photos / "photos/0.cur").write_bytes(b"")
    result = run("apply", "photos/0.cur", "photos/1.png", *BOX, "-o", "out/", cwd=photos)
    assert result.code == 1
    assert made(photos / "out") == ["1.png"]
    (photos / "photos/0.cur").unlink()
    done("apply", "photos", *BOX, "-o", "raw/{stem}.tif", "--range", "raw", cwd=photos)
    assert made(photos / "raw") == ["1.tif", "2.tif"]


def test_standard_error_is_the_same_afterwards(photos: Path) -> None:
    before = os.fstat(2), files.sys.stderr
    done("apply", "photos", *BOX, "-o", "out/", "--threads", "3", cwd=photos)
    assert (os.fstat(2).st_ino, files.sys.stderr) == (before[0].st_ino, before[1])


def test_remarks_are_heard_while_c_libraries_are_silent(photos: Path) -> None:
    """libtiff complains of this file on descriptor 2 itself; convcli's own line comes through."""
    good = write(photos / "good.tif", np.zeros((1, 64, 64), np.uint8), compression="tiff_lzw")
    (photos / "cut.tif").write_bytes(good.read_bytes()[:-200] + bytes(150))
    result = binary("apply", "good.tif", "cut.tif", "photos/1.png", *BOX, "-o", "out/", "-q", cwd=photos)
    assert all(line.startswith("convcli: ") for line in result.err.splitlines())
    assert "cut.tif" in result.err


# Folders that several make, files that change


def test_a_folder_that_stays_empty_is_removed_at_the_end(tmp_path: Path) -> None:
    target, output = str(tmp_path / "new/deep/x.png"), f"{tmp_path}/new/deep/"
    with context.Context():
        outputs.make_folder(target, output)
        outputs.make_folder(target, output)
        assert (tmp_path / "new/deep").is_dir()
    assert not (tmp_path / "new").exists()
    with context.Context():
        outputs.make_folder(target, output)
        (tmp_path / "new/deep/x.png").touch()
    assert (tmp_path / "new/deep/x.png").exists()


def test_a_folder_that_can_be_made_in_part_is_removed(tmp_path: Path) -> None:
    with context.Context():
        (tmp_path / "file").touch()
        with pytest.raises(ImageError, match="cannot be made"):
            outputs.make_folder(f"{tmp_path}/file/deep/x.png", f"{tmp_path}/file/deep/")
        with pytest.raises(ImageError, match="cannot be made"):
            outputs.make_folder(f"{tmp_path}/new/{'n' * 300}/x.png", f"{tmp_path}/new/{{stem}}/x.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_bad_images_do_not_take_the_folder_from_good_ones(photos: Path) -> None:
    (photos / "in").mkdir()
    for number in range(30):
        shape = (1, 9, 9) if number % 3 == 0 else (5, 9, 9)  # five channels fit into no png
        np.save(photos / f"in/{number}.npy", np.zeros(shape, np.float32))
    result = run("apply", "in", *BOX, "-o", "new/{stem}/x.png", "-q", "--threads", "8", cwd=photos)
    assert result.code == 1
    assert "10 of 30 written, 20 failed" in result.err
    assert len(made(photos / "new")) == len([*(photos / "new").iterdir()]) == 10


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "growing.png"
    path.write_bytes(b"some")
    with pytest.raises(ImageError, match="changed while it was read"), files.reading(str(path)) as stream:
        stream.read(1)
        with path.open("ab") as writer:
            writer.write(b" more")


def test_a_file_that_is_cut_while_it_is_read(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This is what is wrong with it, not that it is damaged; the rest goes on."""
    usual = single.images.opened

    def opened(source: str, *how: Any) -> AbstractContextManager[Film]:
        if source.endswith("1.png"):
            with files.reading(source) as stream:
                stream.read(8)
                os.truncate(source, 60)
                raise ImageError(f"input '{source}' cannot be decoded")
        return usual(source, *how)

    monkeypatch.setattr(single.images, "opened", opened)
    result = run("apply", "photos", *BOX, "-o", "out/", "-q", cwd=photos)
    assert (result.code, result.text) == (1, "out/2.ppm\n")
    assert result.err.startswith("convcli: error: input 'photos/1.png' changed while it was read: run it again")


def test_torch_on_many_images(photos: Path) -> None:
    for threads in ("1", "4"):
        command = ("apply", "photos", "--recursive", "-k", "disk:1.5", "--backend", "torch", "--threads", threads)
        done(*command, "-o", f"t{threads}/", "-q", cwd=photos)
    for name in made(photos / "t1"):
        assert (photos / "t1" / name).read_bytes() == (photos / "t4" / name).read_bytes()
