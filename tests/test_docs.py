"""The man pages and the generated parts of the README are those of this command line; one version everywhere."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from convcli import __version__
from convcli.cli import main as cli

ROOT = Path(__file__).parent.parent


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


def test_readme_is_fresh(generate: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert generate.readme(text) == text, "run `make docs`"


def test_every_command_and_option_is_documented() -> None:
    assert set(cli.commands) >= {"apply", "transpose", "shape", "compare"}
    for name, command in cli.commands.items():
        assert command.help, name
        assert getattr(command, "examples", None), name
        page = (ROOT / "man" / f"convcli-{name}.1").read_text(encoding="utf-8")
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), (name, parameter.name)
                assert parameter.opts[-1].replace("-", "\\-") in page


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
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
def test_man_finds_nothing_wrong() -> None:
    for path in (ROOT / "man").glob("*.1"):
        done = subprocess.run(["man", "--warnings", "-l", str(path)], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert "NAME" in done.stdout
