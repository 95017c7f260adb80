"""The examples of docstrings and of docs/python.md, a notebook, and all names after all modules are imported."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convcli
from support.cli import ROOT, SAMPLES, environment

PAGE = ROOT / "docs" / "python.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the file that examples call theirs."""
    (tmp_path / "photo.jpg").write_bytes((SAMPLES / "coffee.jpg").read_bytes())
    return tmp_path


def failures(found: list[doctest.DocTest]) -> tuple[str, int]:
    """What the examples that fail say, and how many there are altogether."""
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for one in found:
        runner.run(one, out=said.append)
    return "".join(said), sum(len(one.examples) for one in found)


@pytest.mark.parametrize("name", convcli.__all__)
def test_examples_of_docstrings(name: str, folder: Path) -> None:
    text = inspect.getdoc(getattr(convcli, name)) or ""
    with chdir(folder):
        said, count = failures([doctest.DocTestParser().get_doctest(text, {}, name, None, 0)])
    assert said == ""
    assert count >= 3


def test_examples_of_the_page(folder: Path) -> None:
    blocks = re.findall(r"^```pycon\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    with chdir(folder):
        said, count = failures([doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, None, 0)])
    assert said == ""
    assert count >= 25


def test_every_name_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for name in convcli.__all__:
        if name.islower():
            assert f"`{name}(" in text, name


def displayed(value: Any) -> dict[str, str]:
    """What Jupyter shows of the last expression of a cell."""
    bundle = getattr(value, "_repr_mimebundle_", None)
    return {"text/plain": repr(value)} if bundle is None else bundle(include=None, exclude=None)


def test_a_notebook_runs() -> None:
    notebook = json.loads((SAMPLES / "python.ipynb").read_text("utf-8"))
    names: dict[str, Any] = {}
    shown = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(displayed(eval(compile(ast.Expression(last.value), "cell", "eval"), names)))
    assert [set(one) for one in shown] == [{"text/plain"}, *[{"text/plain", "text/html", "image/svg+xml"}] * 2]
    assert all("<svg" in one["text/html"] for one in shown[1:])


@pytest.mark.parametrize("first", [True, False])
def test_all_names_are_called_after_every_module_is_imported(first: bool, tmp_path: Path) -> None:
    """A function and a module of one name would take each other's place."""
    assert not {name for _, name, _ in pkgutil.iter_modules(convcli.__path__)} & set(convcli.__all__)
    everything = (
        "for one in pkgutil.walk_packages(convcli.__path__, 'convcli.'):\n"
        "    if not one.name.endswith('__main__'):\n"
        "        importlib.import_module(one.name)\n"
    )
    calls = (
        "assert convcli.conv2d(x, 'box:3').shape == (4, 4)\n"
        "assert convcli.conv_transpose2d(x, 'box:3').shape == (8, 8)\n"
        "assert isinstance(convcli.plan(x, 'box:3'), convcli.Plan)\n"
        "assert convcli.output_size(6, 3) == 4\n"
        "assert convcli.kernel('box:3').shape == (3, 3)\n"
        "assert isinstance(convcli.explain(x, 'box:3', (0, 0)), convcli.Explanation)\n"
        "assert isinstance(convcli.animate(x, 'box:3'), convcli.Animation)\n"
        "assert isinstance(convcli.apply('x.npy', 'y.npy', 'box:3'), convcli.Applied)\n"
    )
    assert all(f"convcli.{name}" in calls for name in convcli.__all__)
    np.save(tmp_path / "x.npy", np.ones((6, 6)))
    code = "import importlib, pkgutil, numpy as np, convcli\nx = np.ones((6, 6))\n"
    code += everything + calls if first else calls + everything + calls
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_what_the_package_says_of_itself() -> None:
    assert (ROOT / "convcli" / "py.typed").exists()
    assert set(convcli.__all__) <= set(dir(convcli))
    for name in convcli.__all__:
        assert getattr(convcli, name).__module__.startswith("convcli.library.")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(convcli, "nothing")  # noqa: B009
    assert importlib.import_module("convcli").__version__
