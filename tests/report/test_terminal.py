"""Colours: on a terminal, or where they are asked for."""

from contextlib import nullcontext

import pytest

from convcli.errors import ConvError
from convcli.report import terminal as drawing
from support.cli import done, terminal


def test_colours_on_a_pipe_only_when_asked_for() -> None:
    shape = ("shape", "--hin", "5", "--k", "3")
    assert "\x1b" not in done(*shape).text
    assert "\x1b" not in done(*shape, "--color", "never").text
    assert "\x1b[36m" in done(*shape, "--color", "always").text
    assert "\x1b" not in done(*shape).text  # the choice does not outlive its command


def test_colours_on_a_terminal() -> None:
    shape = ("shape", "--hin", "5", "--k", "3")
    assert "\x1b[36m" in terminal(*shape).text
    assert "\x1b[36m" not in terminal(*shape, "--color", "never").text
    assert "\x1b[36m" not in terminal(*shape, NO_COLOR="1").text
    assert "\x1b[36m" in terminal(*shape, "--color", "always", NO_COLOR="1").text
    assert "\x1b[36m" not in terminal(*shape, CONVCLI_COLOR="never").text


@pytest.mark.parametrize(("width", "height", "fits"), [(20, 4, True), (20, 5, False), (21, 4, False)])
def test_frames_that_the_terminal_has_no_room_for(
    width: int, height: int, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 columns and 5 lines, the last of which is the prompt's."""
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    with nullcontext() if fits else pytest.raises(ConvError, match=f"has no room for {width}×{height}"):
        drawing.play([["#" * width] * height], 1e6)


def test_what_was_done_before_is_no_speed_of_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, object]] = []
    monkeypatch.setattr("rich.progress.Progress.add_task", lambda self, name, **more: made.append(more) or 0)
    with drawing.bar(10, 8):
        pass
    assert made == [{"total": 10, "completed": 8}]
