"""The man pages are those of this command line; one version everywhere."""

import os
import re
import shutil
import subprocess
from types import ModuleType

import click
import pytest

from convcli import __version__
from convcli.cli import COMMANDS
from convcli.cli import main as cli
from convcli.kernels.named import REGISTRY
from convcli.vocabulary import BORDERS
from support.cli import ROOT, done
from support.modules import module_of

PAGES = sorted((ROOT / "man").glob("*.[17]"))


def page(name: str) -> str:
    return (ROOT / "man" / name).read_text(encoding="utf-8").replace("\\-", "-").replace("\\(aq", "'")


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return module_of(ROOT / "man" / "generate.py")


def test_man_pages_are_fresh(generate: ModuleType) -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
    assert committed == generate.pages(), "run `make docs`"


def test_every_command_and_option_is_documented(generate: ModuleType) -> None:
    commands = generate.commands_of(cli)
    modules = {path.stem for path in (ROOT / "convcli" / "commands").glob("*.py")} - {
        "__init__",
        "help",
        "reporters",
        "synonyms",
        "dashes",
    }
    modules = {name for name in modules if not name.startswith(("shape_", "kernel_"))}
    assert set(commands) == modules >= {"apply", "transpose", "shape", "compare"}
    for name, command in commands.items():
        assert command.help, name
        assert getattr(command, "examples", None), name
        for group, parameters in command.groups().items():
            part = page(f"convcli-{name}.1").partition(f"\n.SS {group}\n")[2].partition("\n.S")[0]
            assert all(parameter.opts[-1] in part or str(parameter.metavar) in part for parameter in parameters)


def test_what_help_and_man_page_must_say() -> None:
    shown = " ".join(done("apply", "--help").text.split())
    for text in (page("convcli-apply.1"), shown):
        assert "k(sn,sm) I(x+sn, y+sm)" in text  # the strided sum as it is printed
    shown = " ".join(done("kernel", "--help").text.split())
    for text in (page("convcli-kernels.7"), shown):
        assert "sobel-x is positive where brightness grows to the right" in text
    for path in PAGES:
        assert "\\fR\n\n" not in path.read_text(encoding="utf-8"), f"{path.name} has an empty description"
    help_ = " ".join(done("transpose", "--help").text.split())
    assert all(mode in help_ for mode in ("symmetric", "circular", "replicate"))  # where its input goes on


def test_the_page_of_kernels_has_every_kernel_and_every_argument() -> None:
    text = page("convcli-kernels.7")
    for recipe in REGISTRY.values():
        part = text.partition(f"\\fB{recipe.usage}\\fR\n")[2].partition("\n.")[0]
        assert recipe.about.partition(".")[0].partition("\ufdd0")[0] in part
        assert all(word in part for word in (*recipe.members, recipe.scale, recipe.source))
        assert all(name in text.partition(".SH KERNELS")[0] for name in recipe.parameters)


def test_the_page_of_borders_has_every_name() -> None:
    text = page("convcli-borders.7")
    for border in BORDERS:
        part = text.partition(f"\\fB{border.name}\\fR\n")[2].partition("\n.TP")[0].partition("\n.SH")[0]
        assert all(name in part for names in border[1:] if names for name in names.split(", "))


def test_kernels_and_borders_have_one_page_that_the_others_name() -> None:
    for name, command in {"": cli, **{name: cli.get_command(click.Context(cli), name) for name in COMMANDS}}.items():
        text = page(f"convcli{name and '-'}{name}.1")
        assert "robinson" not in text
        assert "BORDER_CONSTANT" not in text
        assert command is not None
        spellings = {spelling for param in command.params for spelling in param.opts}
        for other, about in (("convcli-kernels", "--kernel"), ("convcli-borders", "--padding-mode")):
            assert (rf"\fB{other}\fR(7)" in text) == (about in spellings or name == "")


def test_every_page_is_installed() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for path in PAGES:
        assert f'"man/{path.name}" = "share/man/man{path.suffix[1:]}/{path.name}"' in project


def test_one_version_string() -> None:
    found = [
        path
        for path in ROOT.rglob("*.py")
        if ".venv" not in path.parts
        and re.search(rf'^__version__ = "{re.escape(__version__)}"', path.read_text(), re.MULTILINE)
    ]
    assert found == [ROOT / "convcli" / "__init__.py"]
    assert 'dynamic = ["readme", "version"]' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
def test_man_finds_nothing_wrong() -> None:
    for path in PAGES:
        done = subprocess.run(
            ["man", "--warnings", "-l", str(path)],
            env={**os.environ, "MANWIDTH": "80"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        assert "NAME" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 80, path.name
