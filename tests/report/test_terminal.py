"""Colours: on a terminal, or where they are asked for."""

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
