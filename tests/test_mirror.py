"""tests/ mirrors convcli/: the test of a module has its place and its name, and what tests share is in support/."""

import ast
from pathlib import Path

import pytest

from support.cli import ROOT

PACKAGE, TESTS = ROOT / "convcli", ROOT / "tests"

THEMES = {
    ".": {
        "docs": "man pages, and one version everywhere",
        "fuzzing": "short runs of support/fuzzing",
        "imports": "what is imported, and which way",
        "mirror": "this",
        "portability": "nothing needs what only POSIX has",
        "random_runs": "short runs of support/random_runs",
        "readme": "every command line of the README and of docs/",
        "spelling": "errors say value, rule and remedy, and how a face spells them",
    },
    "arithmetic": {
        "architectures": "printed modules of known networks",
        "networks": "published figures of known networks",
    },
    "presenters": {"schema": "every JSON document is as docs/schema.json says"},
    "backends": {
        "algebra": "adjoints, impulses, linearity",
        "definition": "the formulas as literal loops",
        "photograph": "a real picture against SciPy and torch",
        "properties": "every backend is the reference",
        "rounding": "which integers come out",
        "torch_modules": "every backend against torch.nn",
        "transforms": "large kernels, in numpy and in torch",
        "transposed_borders": "the transposed operation beyond its input's border",
    },
    "commands": {
        "batch_alone": "a command of a batch is as if alone",
        "environment": "defaults from environment variables",
        "errors": "wrong command lines",
        "given_ranges": "--range LO,HI, in every kind of file",
        "interrupted": "Ctrl-C at any moment",
        "mistakes": "a hundred mistakes as they are typed",
        "remedies": "what errors advise leads somewhere",
        "sizes_and_rules": "sizes as 32x32, and other tools' words for paddings",
        "streams": "what joins two programs",
    },
    "explanation": {"explained_borders": "the transposed operation beyond its input's border"},
    "images": {
        "bands": "pictures of any number of samples",
        "damaged": "files that are not as they should be",
        "fidelity": "every mode through every lossless format",
        "full_scale": "--full-scale, in and out",
        "limits": "--max-pixels, and bombs",
        "white": "white of real values, in and out",
    },
    "distribution": {
        "files": "man pages, completions and notices",
        "installation": "the package and the image, installed",
    },
    "images/reading": {"odd_tiffs": "TIFFs as other programs write them"},
    "kernels": {
        "catalogue": "every named kernel",
        "libraries": "the values of libraries that have our kernels",
    },
    "library": {
        "examples": "docstrings, docs/python.md, a notebook, and every name",
        "ports": "snippets of other libraries",
        "typing": "what mypy says of programs that use the library",
    },
    "runs": {
        "cluster": "pictures in blocks on a Dask cluster",
        "batch_interrupted": "many images, interrupted",
        "batch_memory": "many images that share the memory",
        "hosts": "workers with file systems, networks and versions of their own",
        "memory": "the memory of one image",
        "output_format": "--format for folders and templates",
        "soak": "very many files on a cluster whose workers are killed",
        "buckets": "a server of S3 that fails, is slow, or never answers",
        "remote": "pictures behind addresses, and Zarrs",
    },
    "translate": {
        "shells": "ImageMagick and vips",
        "translated_borders": "scripts of the transposed operation with borders",
    },
}
"""What tests several modules of a folder together, and what it is about."""

FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("*.py"))
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def misplaced(file: Path, modules: list[Path] = MODULES) -> str | None:
    """Why a file of tests/ should lie elsewhere or have another name."""
    folder, stem = file.parent, file.stem
    if folder.parts[:1] == ("support",):
        return "tests do not lie in support/" if stem.startswith("test_") or stem == "conftest" else None
    if folder not in {module.parent for module in modules} and folder.as_posix() not in THEMES:
        return f"convcli/ has no folder {folder}"
    if stem == "conftest":
        return None
    if not stem.startswith("test_"):
        return "what tests share lies in support/"
    name = stem.removeprefix("test_")
    if folder / f"{name}.py" in modules or folder.name == name or name in THEMES.get(folder.as_posix(), ()):
        return None
    return f"convcli/{folder.as_posix()} has no module {name}, and the folder no such theme"


def imports_of_tests(source: str) -> list[str]:
    """The tests and conftests that a source text imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names] if node.level else [""]
            found += [".".join([node.module or "", name]).strip(".") for name in names]
    return [name for name in found if any(_is_test(part) for part in name.split("."))]


def _is_test(part: str) -> bool:
    return part.startswith("test_") or part in ("conftest", "tests")


def test_every_file_is_in_its_place() -> None:
    assert {str(file): reason for file in FILES if (reason := misplaced(file))} == {}


def test_no_test_is_imported() -> None:
    assert {str(file): found for file in FILES if (found := imports_of_tests((TESTS / file).read_text("utf-8")))} == {}


def test_every_theme_has_its_file() -> None:
    themes = {Path(folder) / f"test_{name}.py" for folder, names in THEMES.items() for name in names}
    assert themes <= set(FILES)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("kernels/test_edges.py", None),
        ("test_edges.py", "convcli/. has no module edges, and the folder no such theme"),
        ("kernels/test_theme.py", "convcli/kernels has no module theme, and the folder no such theme"),
        ("kernels/test_readme.py", "convcli/kernels has no module readme, and the folder no such theme"),
        ("kernels/helpers.py", "what tests share lies in support/"),
        ("core/test_edges.py", "convcli/ has no folder core"),
        ("support/test_edges.py", "tests do not lie in support/"),
        ("support/edges.py", None),
        ("kernels/conftest.py", None),
    ],
)
def test_the_look_at_places_sees_what_it_looks_for(file: str, reason: str | None) -> None:
    assert misplaced(Path(file)) == reason


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from support.cli import run\nimport pytest", []),
        ("from conftest import layers", ["conftest"]),
        ("def test_a():\n    from test_a import png16", ["test_a"]),
        ("import tests.images.test_png", ["tests.images.test_png"]),
        ("import conftest", ["conftest"]),
        ("from . import test_a", ["test_a"]),
        ("from unittest.mock import test_a", []),
    ],
)
def test_the_look_at_imports_sees_what_it_looks_for(source: str, found: list[str]) -> None:
    assert imports_of_tests(source) == found
