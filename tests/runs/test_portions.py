"""Whole files on a cluster, of which a part is a stand-in: every task in this process, but sent as to another one."""

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from convcli.cli import main
from convcli.errors import ConvError, ExistsError, ImageError
from convcli.runs import batch, portions
from convcli.runs.places import LostError, dask_worker
from convcli.runs.portions import FilesJob, Portion, may_pass
from convcli.runs.single import Done, Writing
from convcli.system import memory
from support.batches import OPERATION, lines
from support.cli import done, environment, heeding, run
from support.files import alone, content, made
from support.pictures import write

BOX = ["-k", "box"]


class Near:
    """A cluster and a place. Portions are done from the last to the first of those at work."""

    told, width, retried, notes = "2 workers on trial", 2, 0, ()

    def __init__(self) -> None:
        self.portions: list[Portion] = []
        self.lost: set[str] = set()  # files that kill their workers
        self.closed = 0
        self.folder: Path | None = None

    def place(self, job: FilesJob) -> "Near":
        self.bench = pickle.loads(pickle.dumps(job)).opened()
        return self

    def results(self, items: Iterable[Portion]) -> Iterator[tuple[Portion, Any]]:
        waiting: list[Portion] = []
        for item in items:
            waiting.append(item)
            if len(waiting) == 3:
                yield from self._done(waiting)
        while waiting:
            yield from self._done(waiting)

    def _done(self, waiting: list[Portion]) -> Iterator[tuple[Portion, Any]]:
        item = waiting.pop()
        self.portions.append(item)
        if any(source in self.lost for source, _ in item.jobs):
            yield item, LostError("its worker", "was lost", "use more memory")
            return
        before = Path.cwd()
        try:
            if self.folder is not None:
                os.chdir(self.folder)
            answer = self.bench.perform(pickle.loads(pickle.dumps(item)))
        except Exception as error:
            answer = error
        finally:
            os.chdir(before)
        yield item, pickle.loads(pickle.dumps(answer))

    def stop(self) -> Iterator[tuple[Portion, Any]]:
        return iter(())

    def close(self) -> None:
        self.closed += 1

    @property
    def sizes(self) -> list[int]:
        return [len(portion.jobs) for portion in self.portions]


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> Near:
    cluster = Near()

    def connected(where: str, say: Callable[[str], None] | None) -> Near:
        if say is not None:
            say(cluster.told)
        return cluster

    monkeypatch.setattr(portions, "connected", connected)
    monkeypatch.setattr(dask_worker, "thread_bytes", lambda: float("inf"))
    monkeypatch.setattr(portions, "sleep", lambda seconds: None)
    return cluster


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder with in/: 00.png to 39.png."""
    generator = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(40):
        write(tmp_path / f"in/{number:02}.png", generator.integers(0, 256, (1, 6, 7), dtype=np.uint8))
    return tmp_path


def test_files_are_those_of_one_machine(many: Path, near: Near) -> None:
    result = run("apply", "in", *BOX, "-o", "out/", "--on", "trial", cwd=many)
    assert result.code == 0
    assert made(many / "out") == [f"{number:02}.png" for number in range(40)]
    assert all(path.read_bytes() == alone(many / "in" / path.name) for path in (many / "out").iterdir())
    assert [line.split()[0] for line in result.text.splitlines()] == [f"in/{number:02}.png" for number in range(40)]
    assert "2 workers on trial" in result.err
    assert "40 of 40 written" in result.err
    assert near.closed == 2  # the place and the cluster


def test_what_is_told_is_the_same(many: Path, near: Near) -> None:
    (many / "in/05.png").write_text("no image")
    line = ["apply", "in", *BOX, "-o", "out/", "--json"]
    here, there = run(*line, cwd=many), run(*line, "--on", "trial", cwd=many)
    assert (here.code, there.code) == (1, 1)
    for one, other in zip(lines(here), lines(there), strict=True):
        for key in ("seconds", "plan", "considered"):  # which have the threads
            assert (one.pop(key, None) is None) == (other.pop(key, None) is None)
        assert one == other


def test_tasks_are_as_large_as_they_should_be(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one file on, at most four times as many as before."""
    run("apply", "in", *BOX, "-o", "out/", "--on", "trial", "-q", cwd=many)
    assert near.sizes[0] == 1
    assert sum(near.sizes) == 40
    assert 4 <= max(near.sizes) <= 40
    assert len(near.sizes) < 15
    near.portions.clear()
    monkeypatch.setattr(portions, "SECONDS", 0)
    run("apply", "in", *BOX, "-o", "out/", "--on", "trial", "-q", cwd=many)
    assert near.sizes == [1] * 40


def test_an_answer_has_no_pixels_and_no_weights(many: Path, near: Near) -> None:
    cluster = near.place(FilesJob(OPERATION, Writing(), False, str(many), ""))
    jobs = tuple((f"{many}/in/{number:02}.png", f"{many}/{number}.png") for number in range(40))
    answer = cluster.bench.perform(Portion(tuple(range(40)), jobs))
    assert all(isinstance(one, Done) for one in answer.outcomes)
    sent = pickle.dumps(answer)
    assert len(sent) < 40 * 1000
    assert b"ndarray" not in sent


def test_skip_existing(many: Path, near: Near) -> None:
    (many / "out").mkdir()
    (many / "out/07.png").write_text("from before")
    result = done("apply", "in", *BOX, "-o", "out/", "--on", "trial", "--skip-existing", cwd=many)
    assert "39 of 40 written, 1 skipped" in result.err
    assert (many / "out/07.png").read_text() == "from before"


def test_a_default_name_may_be_written_a_second_time(many: Path, near: Near) -> None:
    """By a portion whose first worker was lost; what was there before the run is kept."""
    near.lost = {"in/03.png"}
    result = run("apply", "in", *BOX, "--on", "trial", cwd=many)
    assert result.code == 1
    assert "39 of 40 written, 1 failed" in result.err
    assert "'in/03.png': its worker was lost" in result.err
    again = run("apply", "in", *BOX, "--on", "trial", cwd=many)
    assert (again.code, "exists" in again.err) == (2, True)


def test_of_a_lost_portion_each_file_is_tried_by_itself(many: Path, near: Near) -> None:
    near.lost = {"in/20.png", "in/39.png"}
    result = run("apply", "in", *BOX, "-o", "out/", "--on", "trial", "--json", cwd=many)
    assert result.code == 1
    assert [item["input"] for item in lines(result) if "error" in item] == ["in/20.png", "in/39.png"]
    assert len(lines(result)) == 40
    assert len(made(many / "out")) == 38


def test_names_are_those_of_the_user_where_workers_have_another_folder(many: Path, near: Near, tmp_path: Path) -> None:
    (many / "in/05.png").write_text("no image")
    (many / "elsewhere").mkdir()
    near.folder = many / "elsewhere"
    place = near.place

    def placed(job: FilesJob) -> Near:
        before = Path.cwd()
        os.chdir(many / "elsewhere")
        try:
            return place(job)
        finally:
            os.chdir(before)

    near.place = placed  # type: ignore[method-assign]
    result = run("apply", "in", *BOX, "-o", "out/{stem}/x.png", "--on", "trial", "--json", cwd=many)
    assert result.code == 1
    assert str(many) not in result.text
    assert lines(result)[5]["error"].startswith("input 'in/05.png' is not an image")
    assert lines(result)[6]["output"] == "out/06/x.png"
    assert (many / "out/06/x.png").exists()
    assert not [*(many / "elsewhere").iterdir()]


def test_a_folder_that_stays_empty_is_removed_by_the_client(many: Path, near: Near) -> None:
    for number in range(0, 40, 3):
        np.save(many / f"in/{number:02}.npy", np.zeros((5, 9, 9), np.float32))  # five channels fit into no png
    result = run("apply", "in", *BOX, "-o", "out/{name}/x.png", "--on", "trial", "-q", cwd=many)
    assert result.code == 1
    assert len([*(many / "out").iterdir()]) == 40


def test_a_bug_in_a_worker_is_one_here(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(source: str, *rest: Any) -> Done:
        if source.endswith("07.png"):
            raise ZeroDivisionError("a bug")
        return process(source, *rest)

    process = batch.process
    monkeypatch.setattr(batch, "process", work)
    monkeypatch.chdir(many)
    result = CliRunner().invoke(main, ["apply", "in", *BOX, "-o", "out/", "--on", "trial"], prog_name="convcli")
    assert isinstance(result.exception, ZeroDivisionError)
    assert "in work" in "".join(result.exception.__notes__)
    assert "'in/07.png': internal error, ZeroDivisionError: a bug" in result.stderr
    assert "39 of 40 written, 1 failed" in result.stderr
    result = CliRunner().invoke(main, ["apply", "in/07.png", *BOX, "-o", "x.png", "--on", "trial"], prog_name="convcli")
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_bug_that_cannot_be_sent(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    class OddError(Exception):
        def __init__(self, one: int, other: int) -> None:
            super().__init__("odd")

    def work(*_: Any) -> Done:
        raise OddError(1, 2)

    monkeypatch.setattr(batch, "process", work)
    monkeypatch.chdir(many)
    result = CliRunner().invoke(main, ["apply", "in", *BOX, "-o", "out/", "--on", "trial"], prog_name="convcli")
    assert isinstance(result.exception, RuntimeError)
    assert "OddError: odd" in str(result.exception)


def test_what_may_pass_is_tried_again(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    faults = {"in/01.png": [errno.EIO, errno.ESTALE], "in/02.png": [errno.EIO] * 3, "in/03.png": [errno.EACCES]}

    def work(source: str, *rest: Any) -> Done:
        tried.append(source)
        if faults.get(source):
            raise OSError(number := faults[source].pop(), os.strerror(number), source)
        return process(source, *rest)

    process = batch.process
    monkeypatch.setattr(batch, "process", work)
    result = run("apply", "in", *BOX, "-o", "out/", "--on", "trial", "--json", cwd=many)
    assert [item["input"] for item in lines(result) if "error" in item] == ["in/02.png", "in/03.png"]
    assert [tried.count(f"in/0{number}.png") for number in range(5)] == [1, 3, 3, 1, 1]


@pytest.mark.parametrize(
    ("error", "remote", "passes"),
    [
        (OSError(errno.EIO, "i/o"), False, True),
        (FileNotFoundError(errno.ENOENT, "none"), False, False),
        (PermissionError(errno.EACCES, "denied"), True, False),
        (OSError("truncated"), False, False),  # Pillow's
        (RuntimeError("timed out"), True, True),
        (RuntimeError("timed out"), False, False),
        (ImageError("not an image"), True, False),
        (ExistsError("exists"), False, False),
    ],
)
def test_which_errors_may_pass(error: Exception, remote: bool, passes: bool) -> None:
    assert may_pass(error, remote) == passes
    wrapped = ImageError("input 'x'", "cannot be read")
    wrapped.__context__ = error
    assert may_pass(wrapped, remote) == passes


def test_what_runs_out_ends_the_run(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(source: str, *rest: Any) -> Done:
        raise OSError(errno.EMFILE, "Too many open files", source)

    monkeypatch.setattr(batch, "process", work)
    result = run("apply", "in", *BOX, "-o", "out/", "--on", "trial", cwd=many)
    assert (result.code, result.err.count("too many files are open")) == (2, 1)


def test_more_memory_than_a_worker_has_is_refused(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_worker, "thread_bytes", lambda: 5e6)
    write(many / "in/99.png", np.zeros((3, 2000, 2000), np.uint8))
    result = run("apply", "in", *BOX, "-o", "out/", "--on", "trial", "--json", cwd=many)
    assert (result.code, len(made(many / "out"))) == (1, 40)
    assert "a task of this worker may have" in lines(result)[-1]["error"]
    assert memory.share().startswith("this machine has")


def test_an_interruption(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is at work and ends soon is told, too."""
    results = Near.results

    def interrupted(self: Near, items: Iterable[Portion]) -> Iterator[tuple[Portion, Any]]:
        for number, found in enumerate(results(self, items)):
            if number == 2:
                self.stop = lambda found=found: iter([found])  # type: ignore[method-assign,misc]
                raise KeyboardInterrupt
            yield found

    monkeypatch.setattr(Near, "results", interrupted)
    result = run("apply", "in", *BOX, "-o", "out/", "--on", "trial", "--json", cwd=many)
    assert result.code == 130
    count = sum(near.sizes)
    assert len(lines(result)) == len(made(many / "out")) == count
    assert f"{count} of 40 written" in result.err
    assert "; --skip-existing continues from here" in result.err
    assert near.closed == 2


@pytest.mark.parametrize("line", [["-", "in/00.png", "-o", "out/"], ["in/00.png", "in/01.png", "-o", "/dev/null"]])
def test_streams_are_refused(line: list[str], many: Path, near: Near) -> None:
    before = content(many / "in")
    result = run("apply", *line, *BOX, "--on", "trial", cwd=many)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "is a stream, which workers do not have" in result.err
    assert content(many / "in") == before


def test_a_worker_that_does_not_see_the_files() -> None:
    job = FilesJob(OPERATION, Writing(), False, "/none", "a.png")
    assert job.seen() == "does not see 'a.png'"
    assert job._replace(sample="").seen() == ""


def test_a_picture_that_can_be_read_in_parts_is_done_in_blocks(many: Path, near: Near) -> None:
    """Another one is one file."""
    tifffile.imwrite(many / "x.tif", np.zeros((32, 32), np.uint8), tile=(16, 16))
    assert portions.in_parts(str(many / "x.tif"))
    assert not portions.in_parts(str(many / "in/00.png"))
    document = done("apply", "in/00.png", *BOX, "-o", "x.png", "--on", "trial", "--json", cwd=many).json
    assert document["output"] == "x.png"
    assert (many / "x.png").read_bytes() == alone(many / "in/00.png")


def test_further_images_have_their_errors(many: Path, near: Near, monkeypatch: pytest.MonkeyPatch) -> None:
    from convcli.commands import apply

    monkeypatch.setattr(apply, "FEW", 2)
    names = [f"in/{number:02}.png" for number in range(40)]
    (many / "list").write_text("\n".join([*names, "in/00.png", *names[:7]]))
    result = run("apply", "--from-file", "list", *BOX, "-o", "out/", "--on", "trial", "--json", cwd=many)
    assert (result.code, len(lines(result))) == (1, 48)
    assert "40 of 48 written, 8 failed" in result.err


def test_an_error_keeps_its_kind() -> None:
    error = ExistsError("output '/a/x.png'", "exists")
    assert isinstance(portions._renamed(error, {"/a/x.png": "x.png"}), ExistsError)
    assert str(portions._renamed(error, {"/a/x.png": "x.png"})) == "output 'x.png' exists"
    assert isinstance(pickle.loads(pickle.dumps(ConvError("a", "b"))), ConvError)


@pytest.mark.skipif(sys.platform == "win32", reason="has no groups of processes")
def test_ctrl_c_in_a_terminal_is_for_the_client(many: Path) -> None:
    """It reaches the workers, too: they finish their portions, and print nothing."""
    pytest.importorskip("distributed")
    for number in range(40, 3000):
        (many / f"in/{number:04}.png").hardlink_to(many / "in/00.png")
    command = [sys.executable, "-m", "convcli", "apply", "in", *BOX, "-o", "out/", "--on", "local:2"]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment()}
    with subprocess.Popen(command, cwd=many, start_new_session=True, preexec_fn=heeding, **streams) as process:
        try:
            until = time.monotonic() + 60
            while len([*(many / "out").glob("*.png")]) < 100:
                assert time.monotonic() < until
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err.decode().splitlines()[-1] == "convcli: interrupted"
    assert b"Traceback" not in err
    written = {str(path.relative_to(many)) for path in (many / "out").iterdir()}
    assert {line.split()[2] for line in out.decode().splitlines()} <= written
    assert b"of 3000 written" in err
