"""The man pages are those of this command line; one version everywhere."""

import importlib.util
import re
import shutil
import subprocess
from types import ModuleType

import pytest

from convcli import __version__
from convcli.cli import COMMANDS
from convcli.cli import main as cli
from convcli.vocabulary import BORDERS
from support.cli import ROOT, done


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "man" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_man_pages_are_fresh(generate: ModuleType) -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "man").glob("*.1")}
    assert committed == generate.pages(), "run `make docs`"


def test_every_command_and_option_is_documented(generate: ModuleType) -> None:
    commands = generate.commands_of(cli)
    modules = {path.stem for path in (ROOT / "convcli" / "commands").glob("*.py")} - {
        "__init__",
        "help",
        "reporters",
        "streams",
        "synonyms",
    }
    modules = {name for name in modules if not name.startswith(("shape_", "kernel_"))}
    assert set(commands) == modules >= {"apply", "transpose", "shape", "compare"}
    for name, command in commands.items():
        assert command.help, name
        assert getattr(command, "examples", None), name
        page = (ROOT / "man" / f"convcli-{name}.1").read_text(encoding="utf-8")
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), (name, parameter.name)
                assert parameter.opts[-1].replace("-", "\\-") in page


def test_what_help_and_man_page_must_say() -> None:
    page = (ROOT / "man" / "convcli-apply.1").read_text(encoding="utf-8").replace("\\-", "-")
    shown = " ".join(done("apply", "--help").text.split())
    for text in (page, shown):
        assert "k(sn,sm) I(x+sn, y+sm)" in text  # the strided sum as it is printed
        assert "sobel-x is positive where brightness grows to the right" in text
        for border in BORDERS:
            for name in (name for names in border[1:] if names for name in names.split(", ")):
                assert name in text.replace("- ", "-")
    for name in COMMANDS:
        page = (ROOT / "man" / f"convcli-{name}.1").read_text(encoding="utf-8")
        assert "\\fR\n\n" not in page, f"{name} has an empty description"
    help_ = " ".join(done("transpose", "--help").text.split())
    assert all(mode in help_ for mode in ("symmetric", "circular", "replicate"))  # where its input goes on


def test_every_page_is_installed() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for path in (ROOT / "man").glob("*.1"):
        assert f'"man/{path.name}" = "share/man/man1/{path.name}"' in project


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
    for path in (ROOT / "man").glob("*.1"):
        done = subprocess.run(["man", "--warnings", "-l", str(path)], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert "NAME" in done.stdout
