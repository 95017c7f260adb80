"""Every option of every command is in a group of the help, and says what it does in a few words or in full."""

import click
import pytest

from convcli.cli import COMMANDS, main
from convcli.options import GROUPS, TERM, Grouped, Option, option
from convcli.parameters.numbers import PairType

CONTEXT = click.Context(main)
EVERY = {"convcli": main, **{name: main.get_command(CONTEXT, name) for name in COMMANDS}}


def params_of(name: str) -> list[click.Parameter]:
    command = EVERY[name]
    assert command is not None
    return command.get_params(CONTEXT)


@pytest.mark.parametrize("name", EVERY)
def test_every_option_has_a_group_and_a_text(name: str) -> None:
    for param in params_of(name):
        assert isinstance(param, Grouped), param
        assert param.group in GROUPS, param
        assert param.help, param
        assert param.help.rpartition("  [")[0].endswith(".") or param.help.endswith("."), param


@pytest.mark.parametrize("name", COMMANDS)
def test_the_most_used_have_a_text_of_a_few_words(name: str) -> None:
    briefs = [param.brief for param in params_of(name) if isinstance(param, Grouped) and param.brief]
    assert all(len(brief) <= 80 - TERM - 4 and not brief.endswith(".") for brief in briefs)
    assert len(briefs) <= 21
    if name in ("apply", "transpose", "shape", "compare", "explain", "animate"):
        assert len(briefs) >= 12


def test_every_group_has_an_option() -> None:
    assert {param.group for name in EVERY for param in params_of(name) if isinstance(param, Grouped)} == set(GROUPS)


def test_an_option_without_a_group_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="group"):
        Option(["--x"])  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("names", "attrs", "term"),
    [
        (["-s", "--s", "--stride"], {"type": PairType(1)}, "-s, --s, --stride N|H,W"),
        (["-k", "--k", "--kernel-size"], {"type": PairType(1)}, "-k, --k, --kernel-size N"),
        (["--op2", "--p2", "--output-padding"], {"type": PairType(0)}, "--op2, --output-padding N"),
        (["--op"], {"type": click.Choice(["corr", "conv"])}, "--op [corr|conv]"),
        (["--range"], {"type": click.Choice(["clip", "abs", "offset", "minmax"])}, "--range WORD"),
        (["-q", "--quiet"], {"is_flag": True}, "-q, --quiet"),
    ],
)
def test_what_is_too_long_for_the_left_column_is_shortened(
    names: list[str], attrs: dict[str, object], term: str
) -> None:
    made = Option(names, group="Input", **attrs)
    assert made.brief_term(CONTEXT) == term
    assert len(term) <= TERM


def test_defaults_in_words_have_no_brackets_of_their_own_and_ranges_are_in_the_metavar() -> None:
    @click.command
    @option(
        "Output", "--quality", type=click.IntRange(1, 100), metavar="1-100", show_default="what is best", help="Good."
    )
    def sample() -> None:
        pass

    assert "--quality 1-100  Good.  [default: what is best]\n" in sample.get_help(CONTEXT)
