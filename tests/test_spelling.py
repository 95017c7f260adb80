"""Errors carry value, rule and remedy as data; each face spells the parameters in its own way."""

import ast
import inspect
import re
import tokenize
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import click
import pytest

import convcli
from convcli import errors
from convcli.cli import main
from convcli.errors import PARAMETER, GeometryError, as_arguments, as_options, param
from convcli.kernels.named import REGISTRY
from support.cli import ROOT

ERROR = GeometryError(
    "groups 3", "does not divide the 4 input channels", f"use {param('groups', '2')} or no {param('padding_mode')}"
)


def test_each_face_spells_parameters() -> None:
    assert as_options(ERROR.text).endswith(": use --groups 2 or no --padding-mode")
    assert as_arguments(ERROR.text).endswith(": use groups=2 or no padding_mode")
    assert as_options(f"{param('kernel', 'sobel')}, {param('output')}") == "-k sobel, -o"


def test_what_users_write_is_left_alone() -> None:
    assert as_options("'a«groups 2»b' {groups} <groups>") == "'a«groups 2»b' {groups} <groups>"


# The source: what lies below the faces speaks of parameters, and says value, rule and remedy apart


ROOMS = (
    "kernels",
    "arithmetic",
    "geometry.py",
    "convspec.py",
    "borders.py",
    "system",
    "drawing",
    "images",
    "inventory.py",
    "vocabulary.py",
    "pointwise",
    "engine.py",
    "dispatch.py",
    "layer.py",
    "windows.py",
    "backends",
)
"""Converted so far."""


FACES = {"arithmetic/documents.py"}
"""Within them: what writes options is a face."""


PACKAGE = ROOT / "convcli"
SOURCES = {
    str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8")
    for room in ROOMS
    for path in ([PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).rglob("*.py")))
    if str(path.relative_to(PACKAGE)) not in FACES
}


def every_option() -> set[str]:
    context = click.Context(main)
    commands = filter(None, (main.get_command(context, name) for name in main.list_commands(context)))
    return {option for command in commands for parameter in command.params for option in parameter.opts}


OPTIONS = {option for option in every_option() if option.startswith("-")}


def options_in(source: str) -> list[str]:
    """Options that stand in a module's texts, docstrings and comments."""
    kinds = (tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    texts = [token.string for token in tokenize.generate_tokens(StringIO(source).readline) if token.type in kinds]
    return [
        word for text in texts for word in re.findall(r"(?<![\w-])(?<!ulimit )--?[a-z][\w-]*", text) if is_option(word)
    ]


def is_option(word: str) -> bool:
    return word.startswith("--") or word in OPTIONS


def errors_in_one_text(source: str) -> list[str]:
    """Errors that are made of one text, though they could say value, rule and remedy apart."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [ast.unparse(call) for call in calls if called(call) in ERRORS and len(call.args) + len(call.keywords) < 2]


def parameters_without_an_option(source: str) -> list[str]:
    """Parameters in texts that no command has an option for."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = [call.args[0] for call in calls if called(call) == "param"]
    return [
        ast.unparse(name)
        for name in names
        if not isinstance(name, ast.Constant) or as_options(param(name.value)) not in OPTIONS
    ]


ARGUMENTS = {
    name
    for one in (getattr(convcli, name) for name in convcli.__all__)
    if inspect.isfunction(one)
    for name in inspect.signature(one).parameters
}
"""The arguments of the library's functions."""

ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.ConvError)}


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


@pytest.mark.parametrize("name", SOURCES)
def test_no_room_below_the_faces_spells_options(name: str) -> None:
    assert not options_in(SOURCES[name])


@pytest.mark.parametrize("name", SOURCES)
def test_errors_say_value_rule_and_remedy_apart(name: str) -> None:
    assert not errors_in_one_text(SOURCES[name])


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_parameter_in_a_text_is_an_option_of_a_command(path: Path) -> None:
    found = parameters_without_an_option(path.read_text(encoding="utf-8"))
    if path.parent.name == "library":  # a face of its own
        found = [name for name in found if name[0] in "'\"" and ast.literal_eval(name) not in ARGUMENTS]
    assert (
        not found or path.name in ("errors.py", "named.py", "dispatch.py") or path.parent.name == "writing"
    )  # where the name is a variable


def test_every_parameter_in_a_kernel_s_description_too() -> None:
    found = [match[1] for recipe in REGISTRY.values() for match in re.finditer(PARAMETER, recipe.about)]
    assert "bias" in found
    assert {as_options(param(name)) for name in found} <= OPTIONS


@pytest.mark.parametrize(
    ("look", "source"),
    [
        (options_in, '"""What ``--padding same`` does."""'),
        (options_in, "x = f'{a} use -k'"),
        (options_in, "x = 1  # as of -o"),
        (options_in, "'a ' '(--unheard-of)'"),
        (errors_in_one_text, "raise KernelError(f'kernel {a} is empty: give one')"),
        (parameters_without_an_option, "param('kernels')"),
        (parameters_without_an_option, "param(name)"),
    ],
)
def test_the_looks_see_what_they_look_for(look: Callable[[str], list[str]], source: str) -> None:
    assert look(source)


@pytest.mark.parametrize(
    ("look", "source"),
    [
        (options_in, "'a-k, x - k, ulimit -v, a --> b, 1--2'"),
        (errors_in_one_text, "raise KernelError(value, remedy='give one')"),
        (parameters_without_an_option, "param('padding_mode', mode)"),
    ],
)
def test_the_looks_see_nothing_else(look: Callable[[str], list[str]], source: str) -> None:
    assert not look(source)
