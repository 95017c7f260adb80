"""What a run changes in its process, and what it keeps: all of it is put back, and without a context there is none."""

from __future__ import annotations

import os
import sys
from contextvars import copy_context
from pathlib import Path
from threading import Thread

import pytest

from convcli.errors import ImageError
from convcli.system import context
from convcli.system.context import Context, current, entered, hushed, silent
from convcli.system.files import writing

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
            os.write(2, b"c")
            print("python", file=sys.stderr)
        os.write(2, b"after")
    assert "c" not in capfd.readouterr().err.replace("after", "").replace("python", "")


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


def test_an_abandoned_thread_writes_nothing_more(tmp_path: Path) -> None:
    """What it has begun is taken away, and it begins nothing new, even after the context was left."""
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
        assert [path.suffix for path in tmp_path.iterdir()] == [".tmp"]
        context.unfinished.abandon([thread])
        assert not [*tmp_path.iterdir()]

    with Context() as context:
        thread = Thread(target=copy_context().run, args=(write,))
        thread.start()
        thread.join()
    assert said == [f"output '{target}' is not written: the run was interrupted"] * 2
    assert not [*tmp_path.iterdir()]
