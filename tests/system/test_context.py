"""What a run changes in its process, and what it keeps: all of it is put back, and without a context there is none."""

from __future__ import annotations

import atexit
import io
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from convcli import engine
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import ImageError
from convcli.layer import Layer
from convcli.system import context
from convcli.system.context import Context, current, entered, hushed, silent
from convcli.system.files import writing
from support.cli import binary, environment
from support.pictures import write
from support.processes import BEGIN, COMPARE, SAME, SNAPSHOT, ran

EVERYTHING = """
from pathlib import Path
from convcli import engine, images
from convcli.animation import stage
from convcli.animation.timeline import Values, timeline_of
from convcli.commands import animate, apply, compare, explain, kernel, shape
from convcli.convspec import ConvSpec
from convcli.drawing.colors import PALETTES
from convcli.engine import Compute
from convcli.explanation import illustration, pixel, subject, touched
from convcli.geometry import Pads
from convcli.layer import Layer
from convcli.images.figures import movie
from convcli.runs import comparison, comparison_input
from convcli.runs.batch import Batch, Done
from convcli.runs.operation import assemble
from convcli.runs.outputs import Job
from convcli.runs.single import Writing
from convcli.translate import Request, translate
from convcli.vocabulary import TOOLS

names = []
for number, ending in enumerate((".png", ".jpg", ".tif", ".webp", ".gif", ".bmp", ".npy")):
    pixels = np.random.default_rng(number).integers(0, 256, (600, 700, 3), np.uint8)
    names.append(f"in{number}{ending}")
    if ending == ".npy":
        np.save(names[-1], pixels.transpose(2, 0, 1))
    else:
        Image.fromarray(pixels).save(names[-1])
Image.fromarray(pixels[:9, :9]).save("little.png")
spec = ConvSpec(padding=Pads(1, 1, 1, 1))
np.savez("weights.npz", weight=np.ones((4, 3, 3, 3), np.float32))
torch.save({"weight": torch.ones(4, 3, 3, 3)}, "weights.pt")
Path("damaged.pt").write_bytes(bytes(100))
for backend in ("numpy", "torch", "reference"):
    operation = assemble(spec, ["box:3", "sobel-x"], combine="magnitude", compute=Compute(backend, threads=2))
    small = assemble(spec, source="weights.pt", compute=Compute(backend, threads=1, dtype="float64"))
    sources = names if backend != "reference" else ["little.png"]
    choices = (".png", Writing()), (".tif", Writing()), (".png", Writing(montage=400)), (".npy", Writing(policy="raw"))
    for targets, how in choices:
        outs = [f"out-{backend}-{number}{targets}" for number in range(len(sources))]
        with Batch([*map(Job, sources, outs)], operation, how) as batch:
            found = [one for _, one in batch]
        assert all(isinstance(one, Done) for one in found), found
        same(f"{backend}, {targets}")
    image = np.ones((3, 20, 20), np.float32)
    engine.run(image, comparison_input.of_operation(images.load(names[0]), small).layer, spec, small.compute)
    same(f"the engine, {backend}")
operation = assemble(spec, ["box:3"])
given = comparison_input.of_operation(images.load(names[0]), operation)
comparison.compare(given.image[:, :40, :40], given.layer, given.spec, repeats=1)
same("compare")
one = subject.load(names[0], operation)
for answer in (pixel.explain(one, (3, 4)), touched.touched(one, (3, 4))):
    illustration.draw(answer, PALETTES["dark"])
same("explain")
film = stage.film(timeline_of(spec.resolve((4, 4), (3, 3))), Values(), stage.Look())
for container in ("GIF", "PNG", "WEBP"):
    with open("film", "w+b") as stream:
        movie.write(film, stream, container)
same("animate")
request = Request("in.png", Layer(np.ones((3, 1, 3, 3)), 3), spec.resolve((20, 20), (3, 3)))
for tool in TOOLS:
    translate(request, tool)
same("translate")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such descriptors")
def test_without_a_context_nothing_is_changed(tmp_path: Path) -> None:
    """All of convcli, as a library calls it."""
    code = f"{SNAPSHOT}\n{BEGIN}import torch\nbefore = snapshot()\n{SAME}\n{EVERYTHING}\n{COMPARE}"
    assert ran(code, tmp_path) == "the same\n"


NAMES = (context.BLAS_THREADS[0], context.PILLOW_BLOCKS[0])


def state() -> tuple[object, ...]:
    return sys.getswitchinterval(), dict(os.environ), os.fstat(2), sys.stderr, current().owns_process


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the variables is set."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("plain")
def test_what_the_command_line_changes_is_put_back() -> None:
    before = state()
    with Context(owns_process=True):
        assert sys.getswitchinterval() == pytest.approx(context.SWITCH_SECONDS)
        assert [os.environ[name] for name in NAMES] == ["1", "3"]
    assert state() == before


@pytest.mark.usefixtures("plain")
def test_others_change_nothing() -> None:
    before = state()
    with Context(), silent(), hushed():
        assert state() == before
    with silent(), hushed():
        assert state() == before


def test_variables_of_the_user_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAMES[0], "7")
    with Context(owns_process=True):
        assert os.environ[NAMES[0]] == "7"
    assert os.environ[NAMES[0]] == "7"


def test_who_owns_the_process_keeps_c_libraries_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    with Context(owns_process=True):
        with hushed(), silent():
            os.write(2, b"of a library\n")
            print("of Python", file=sys.stderr)
        os.write(2, b"after\n")
    assert capfd.readouterr().err == "of Python\nafter\n"


def test_what_is_kept_lasts_as_long_as_the_context() -> None:
    with Context() as context:
        store = current().kept("store", list)
        store.append(1)
        assert context.kept("store", list) is store
        assert context.kept("other", list) is not store
    assert current().kept("store", list) == []
    assert current().kept("store", list) is not current().kept("store", list)


def test_what_is_to_be_done_at_the_end_is_done_last_first() -> None:
    done: list[int] = []
    with pytest.raises(ValueError, match="in between"), Context() as context:
        context.at_end(done.append, 1)
        context.at_end(done.append, 2)
        raise ValueError("in between")
    assert done == [2, 1]
    assert context.ended


def test_contexts_within_each_other() -> None:
    with Context(owns_process=True) as outer:
        with entered() as same:
            assert same is outer
        with Context() as inner:
            assert current() is inner
        assert current() is outer
        assert not outer.ended
    with entered() as own:
        assert current() is own
    assert own.ended


def test_threads_see_it_in_a_copy_of_their_starter_s_context() -> None:
    seen: list[Context] = []
    with Context() as context:
        thread = Thread(target=copy_context().run, args=(lambda: seen.append(current()),))
        thread.start()
        thread.join()
    assert seen == [context]


@pytest.mark.parametrize("named", [True, False])
def test_an_abandoned_thread_writes_nothing_more(named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has begun is taken away, and it begins nothing new, even after the context was left."""
    if named:
        monkeypatch.delattr("os.O_TMPFILE")
    target, said = tmp_path / "out.bin", []

    def write() -> None:
        for _ in range(2):
            try:
                with writing(str(target)) as stream:
                    stream.write(b"1")
                    abandon()
            except ImageError as error:
                said.append(error.text)

    def abandon() -> None:
        assert [path.suffix for path in tmp_path.iterdir()] == [".tmp"] * named
        context.unfinished.abandon([thread])
        assert not [*tmp_path.iterdir()]

    with Context() as context:
        thread = Thread(target=copy_context().run, args=(write,))
        thread.start()
        thread.join()
    assert said == [f"output '{target}' is not written: the run was interrupted"] * 2
    assert not [*tmp_path.iterdir()]


PIXELS = np.random.default_rng(5).integers(0, 256, (12, 10, 3), dtype=np.uint8)


def test_c_libraries_do_not_talk_before_the_error(tmp_path: Path) -> None:
    """libtiff writes to the process's standard error, past Python."""
    path = write(tmp_path / "in.tif", np.moveaxis(PIXELS, -1, 0), compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    data[8:60] = bytes([255]) * 52
    path.write_bytes(data)
    result = binary("apply", path, "-k", "box", "-o", tmp_path / "out.png")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_silent_keeps_and_restores_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with Context(owns_process=True):
        with silent():
            os.write(2, b"of a library")
        os.write(2, b"ours")
    assert capfd.readouterr().err == "ours"


class GoneError(BaseException):
    """In the place of the end of this process."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], int | None]:
    """The code that `leave` ends a process with; None if it leaves that to Python."""

    def end(code: int) -> None:
        raise GoneError(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(atexit, "_run_exitfuncs", lambda: None)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.delenv("PYTHONINSPECT", raising=False)

    def code_of(code: object) -> int | None:
        try:
            context.leave(code)
        except GoneError as gone:
            return int(gone.args[0])
        return None

    return code_of


@pytest.mark.parametrize(("code", "ended"), [(None, 0), (0, 0), (2, 2), (130, 130), (True, 1), ("text", None)])
def test_codes(code: object, ended: int | None, ends: Callable[[object], int | None]) -> None:
    assert ends(code) == ended


@pytest.mark.parametrize(
    "watch",
    [
        lambda patch: patch.setattr(sys, "getprofile", lambda: print),
        lambda patch: patch.setattr(sys, "gettrace", lambda: print),
        lambda patch: patch.setitem(sys.modules, "torch", sys),
        lambda patch: patch.setenv("PYTHONINSPECT", "1"),
        lambda patch: patch.delattr(atexit, "_run_exitfuncs"),
    ],
)
def test_left_to_python(
    watch: Callable[[pytest.MonkeyPatch], Any],
    ends: Callable[[object], int | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch(monkeypatch)
    assert ends(0) is None


def test_a_stream_that_cannot_be_written(ends: Callable[[object], int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError("full")

    monkeypatch.setattr(sys, "stdout", Full())
    assert ends(0) is None


PROGRAM = """
import atexit, sys
from convcli.system import context
from convcli.__main__ import main
atexit.register(lambda: sys.stderr.write("at the end"))
sys.argv = ["convcli", *sys.argv[1:]]
try:
    main()
finally:
    print("taken apart", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [("shape --hin 32 --k 3 -q", 0, "30\n"), ("shape --hin 3 --k 5 -q", 2, ""), ("--version", 0, None)],
)
def test_the_program(line: str, code: int, out: str | None, tmp_path: Path) -> None:
    """What it says is said, into pipes too, and what was to be called at the end is called."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line.split()],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == code
    assert ended.stderr.endswith("at the end")
    assert "taken apart" not in ended.stderr
    if out is not None:
        assert ended.stdout == out


def test_under_a_profiler(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "cProfile", "-m", "convcli", "shape", "--hin", "32", "--k", "3", "-q"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout.startswith("30\n")
    assert "function calls" in ended.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(("line", "code"), [
    ("apply nothing.png -k box", 2), ("nonsense", 2), ("apply in.png -k sobel-x -o out.png", 0),
])  # fmt: skip
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_what_standard_error_does_not_take_is_dropped(line: str, code: int, stderr: str, tmp_path: Path) -> None:
    """The last line has a remark: something was clipped."""
    write(tmp_path / "in.png", np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8))
    command = f'"{sys.executable}" -m convcli {line} {stderr}'
    ended = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL, check=False
    )
    assert ended.returncode == code


@pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="no signals")
def test_a_signal_whose_exception_is_lost_is_not(tmp_path: Path) -> None:
    """Python drops what is raised while C calls it back, as when something is freed."""
    code = (
        "import os, signal, sys, convcli.cli\n"
        "from convcli import __main__\n"
        "class Freed:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
        "def line(prog_name):\n"
        "    freed = Freed()\n"
        "    del freed\n"
        "    sys.exit(0)\n"
        "convcli.cli.main = line\n"
        "sys.unraisablehook = lambda _: None\n"
        "__main__.main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), check=False)
    assert ended.returncode == 128 + 15


def test_commands_of_a_batch_share_threads_and_nothing_else() -> None:
    """The first command makes them. They are there for the second, and end with the batch."""
    pools, kept = [], []
    with Context() as outer:
        for _ in range(2):
            with Context(outer=outer) as inner:
                kept.append(inner.kept("thing", object))
                with inner.pool(1) as pool:
                    pools.append(pool)
                    assert pool.submit(current).result(10) is not inner  # who wants it there copies the context
        assert pools[0] is pools[1]
        assert kept[0] is not kept[1]
        pools[0].submit(int).result(10)
    with pytest.raises(RuntimeError):
        pools[0].submit(int)


def test_arrays_that_commands_share_are_not_pictures() -> None:
    """What a thread keeps for the next command is of a tile's size; the pictures of a command end with it."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 600, 900), np.uint8)
    layer = Layer.of(np.random.default_rng(1).normal(size=(3, 3, 5, 5)), ConvSpec())
    with Context() as outer:
        with Context(outer=outer):
            image = pixels.copy()
            result = engine.run(image, layer, ConvSpec(), Compute("numpy", threads=2)).array
            made = result if result.base is None else result.base
            ends = weakref.ref(image), weakref.ref(made)
            del image, result, made
        assert [end() for end in ends] == [None, None]
