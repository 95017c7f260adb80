"""Every option of every command is taken by one field of the command's record, of the type that the option gives."""

import re
from collections.abc import Mapping
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import click
import pytest
from click.testing import CliRunner

from convcli.cli import main
from convcli.folding import ReportingOptions, fold, folded, is_record, record_of
from convcli.parameters import WordType
from convcli.parameters.numbers import Asked, AskedType
from support.cli import ROOT

CONTEXT = click.Context(main)
COMMANDS = {name: main.get_command(CONTEXT, name) for name in main.list_commands(CONTEXT)}


class Field(NamedTuple):
    """A field of a record, or of a record in it."""

    record: type
    name: str
    type: Any
    needed: bool


def fields(record: Any) -> list[Field]:
    found = []
    for name, kind in get_type_hints(record).items():
        if is_record(kind):
            found += fields(kind)
        elif name not in ("typed", "words"):  # which say how the command line was typed
            found.append(Field(record, name, kind, name not in record._field_defaults))
    return found


def options_of(name: str) -> dict[str, click.Parameter]:
    command = COMMANDS[name]
    assert command is not None
    return {str(param.name): param for param in command.params if param.expose_value}


def fields_of(name: str) -> list[Field]:
    command = COMMANDS[name]
    assert command is not None
    return fields(record_of(command.callback.__wrapped__))  # type: ignore[union-attr]


def alternatives(kind: Any) -> set[Any]:
    """The members of a union, or the type itself."""
    if get_origin(kind) in (Union, UnionType):
        return set().union(*map(alternatives, get_args(kind)))
    return {kind}


def value_type(kind: click.ParamType[Any]) -> set[Any]:
    """What a parameter type makes of a word."""
    if isinstance(kind, AskedType):
        return value_type(kind.inner) | {Asked}
    if isinstance(kind, click.Choice):
        return {type(choice) for choice in kind.choices}
    if isinstance(kind, click.IntRange):
        return {int}
    for ancestor in type(kind).__mro__:
        for base in getattr(ancestor, "__orig_bases__", ()):
            if get_origin(base) in (WordType, click.ParamType):
                return alternatives(get_args(base)[0])
    raise AssertionError(kind)


def given_type(option: click.Parameter) -> set[Any]:
    """What an option gives to its command."""
    if isinstance(option, click.Option) and option.is_flag:
        return {bool}
    kinds = value_type(option.type)
    if option.multiple or option.nargs == -1:
        [kind] = kinds
        return {tuple[kind, ...]}
    optional = not (option.required or isinstance(option.get_default(CONTEXT), str | int | float))
    return kinds | ({type(None)} if optional else set())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_taken_by_one_field(name: str) -> None:
    taken = [field.name for field in fields_of(name)]
    assert len(taken) == len(set(taken))
    assert set(options_of(name)) <= set(taken)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_field_without_a_default_has_an_option(name: str) -> None:
    assert {field.name for field in fields_of(name) if field.needed} <= set(options_of(name))


def test_every_field_is_an_option_of_some_command() -> None:
    everything = {(field.record, field.name) for name in COMMANDS for field in fields_of(name)}
    used = {
        (field.record, field.name) for name in COMMANDS for field in fields_of(name) if field.name in options_of(name)
    }
    assert everything == used


@pytest.mark.parametrize("name", COMMANDS)
def test_every_field_has_the_type_that_its_option_gives(name: str) -> None:
    options = options_of(name)
    for field in fields_of(name):
        if field.name in options:
            assert alternatives(field.type) == given_type(options[field.name]), field
        assert field.type is not Any


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_lacks_has_the_default_of_those_that_have_it(name: str) -> None:
    options = options_of(name)
    for field in fields_of(name):
        if not field.needed and field.name in options and not isinstance(options[field.name].type, AskedType):
            option = options[field.name]
            given = option.get_default(CONTEXT)
            default = field.record._field_defaults[field.name]  # type: ignore[attr-defined]
            assert default == (
                option.type_cast_value(CONTEXT, given) if isinstance(given, str | bool | int | float) else None
            )


def test_a_field_without_an_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="quiet"):
        fold(ReportingOptions, {"as_json": True})


class SampleOptions(NamedTuple):
    """Of a command made up for a test."""

    size: int
    reporting: ReportingOptions


def test_an_option_takes_a_decorator_and_a_field() -> None:
    @click.command
    @click.option("--size", type=int)
    @click.option("--json", "as_json", is_flag=True)
    @click.option("--quiet", is_flag=True)
    @folded
    def sample(asked: SampleOptions) -> None:
        print(asked.size + 1, asked.reporting.as_json)

    assert CliRunner().invoke(sample, ["--size", "4", "--json"]).output == "5 True\n"


class TypedOptions(NamedTuple):
    """A record in a record, with what was typed."""

    stride: int
    padding: int
    typed: Mapping[str, str]


class SampleWithTypedOptions(NamedTuple):
    """Of another such command."""

    size: int
    words: tuple[str, ...]
    typed: Mapping[str, str]
    more: TypedOptions


def test_a_record_knows_which_of_its_options_were_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command
    @click.option("--size", type=int, default=1)
    @click.option("-s", "--stride", "stride", type=int, default=1)
    @click.option("--padding", type=int, default=0, envvar="SAMPLE_PADDING")
    @folded
    def sample(asked: SampleWithTypedOptions) -> None:
        print(asked.typed, asked.more.typed, asked.words)

    monkeypatch.setenv("SAMPLE_PADDING", "3")
    assert CliRunner().invoke(sample, ["-s", "1"]).output == "{} {'stride': '--stride'} ()\n"
    assert CliRunner().invoke(sample, ["--size", "2"]).output == "{'size': '--size'} {} ()\n"
    found = fold(SampleWithTypedOptions, {"size": 2, "stride": 1, "padding": 0}, words=("sample", "--size"))
    assert found.words == ("sample", "--size")


def test_options_are_read_by_name_in_the_folding_alone() -> None:
    package = ROOT / "convcli"
    rooms = [path for room in ("commands", "presenters", "runs") for path in (package / room).rglob("*.py")]
    for path in (*rooms, package / "cli.py", package / "options.py"):
        assert not re.search(r"values(\[|\.get\()[\"']", path.read_text(encoding="utf-8")), path
