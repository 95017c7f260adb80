"""What is not used is not imported, and imports point downwards only."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from support.cli import ROOT, environment
from support.imports import PROGRAM, loaded, loaded_by, modules_after, modules_of
from support.pictures import write

PACKAGE = ROOT / "convcli"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("imports")
    write(path / "img.png", np.random.default_rng(0).integers(0, 256, (3, 9, 9), dtype=np.uint8))
    np.save(path / "maps.npy", np.ones((3, 9, 9), np.float32))
    np.save(path / "w.npy", np.ones((1, 3, 3, 3)))
    return path


def test_the_instrument_sees_what_is_loaded(tmp_path: Path) -> None:
    code = "import sys, numpy, PIL.Image\nprint(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    assert loaded(code, tmp_path) == {"numpy", "PIL"}


def test_a_small_png_loads_the_reader_of_png_alone(folder: Path) -> None:
    """Those of other formats take a thirtieth of the command."""
    code = (
        "import sys\nfrom convcli.cli import main\n"
        "main('apply img.png -k box -o small.png -q'.split(), standalone_mode=False)\n"
        "assert 'PIL.PngImagePlugin' in sys.modules\n"
        "others = [name for name in sys.modules if name.startswith('PIL.') and 'Plugin' in name and 'Png' not in name]\n"
        "assert not others, others\nprint('numpy', file=sys.stderr)"
    )
    assert loaded(code, folder) == {"numpy"}


@pytest.mark.parametrize(("size", "most"), [((98, 148), 74), ((1500, 2000), 83)])
def test_a_filter_loads_the_modules_that_it_uses(size: tuple[int, int], most: int, tmp_path: Path) -> None:
    """About 80 of ours, from the start of the program: every one takes its time. A large picture weighs every strategy, asks
    whether torch is installed, and is inflated on a thread."""
    write(tmp_path / "img.png", np.random.default_rng(0).integers(0, 256, (1, *size), dtype=np.uint8))
    found = modules_of("apply img.png -k sobel -o out.png -q", tmp_path)
    ours = [name for name in found if name.partition(".")[0] == "convcli"]
    assert {"convcli.__main__", "convcli.images.writing.png", "convcli.backends.numpy.strategies.taps"} <= set(ours)
    assert len(ours) <= most, (len(ours), sorted(ours))


def test_a_jpeg_loads_no_other_plugins_of_pillow(tmp_path: Path) -> None:
    write(tmp_path / "img.jpg", np.zeros((3, 40, 50), np.uint8))
    code = (
        "import os, sys\nos._exit = lambda code: None\n"
        "sys.argv = 'convcli apply img.jpg -k box -o out.jpg -q'.split()\n"
        "from convcli.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*(name for name in sys.modules if name.endswith('ImagePlugin')), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert ended.stderr.split() == ["PIL.JpegImagePlugin"]


SLOW = """
asyncio bz2 calendar csv ctypes datetime decimal difflib email fnmatch fractions getpass glob hashlib html http
inspect ipaddress json locale logging lzma mmap multiprocessing pathlib pickle platform random secrets selectors shlex
shutil socket ssl statistics string subprocess tarfile tempfile textwrap traceback unicodedata urllib uuid xml zipfile
importlib.metadata importlib.resources numpy numpy.fft numpy.ma numpy.polynomial numpy.random numpy.testing
numpy.typing rich tifffile PIL.ImageDraw PIL.ImageFont PIL.JpegImagePlugin PIL.TiffImagePlugin PIL.features
"""
"""Modules that take a part of a millisecond or more, and that few commands need."""

CLICK, NUMPY, PILLOW = "import click", "import click, numpy", "import click, numpy, PIL.Image, PIL.PngImagePlugin"


@pytest.mark.parametrize(
    ("line", "packages", "needed"),
    [
        ("shape --hin 32 --k 3 --s 2 -q", CLICK, ""),
        ("shape --hin 32 --k 3 --s 2", CLICK, ""),
        ("shape --hin 32 --layers conv:k3,s2 -q", CLICK, "fractions decimal"),  # what a resized picture sees
        ("batch list.txt", CLICK, "shlex ctypes"),  # lines are read as a shell does, and memory is freed after each
        ("kernel sobel -q", NUMPY, "fractions decimal"),  # kernels are shown as fractions
        ("kernel gaussian:2", NUMPY, "fractions decimal"),
        ("kernel gaussian:2 -o values.csv", NUMPY, "fractions decimal"),
        ("apply img.png -k sharpen -o out.png -q", PILLOW, ""),
        ("apply img.png -k sobel -o out.png", PILLOW, ""),
        ("apply img.png -k gaussian:1 -p same --linear -o out.ppm -q", PILLOW, ""),
        ("transpose img.png -k bilinear:2 -s 2 -p 1 -o out.png -q", PILLOW, ""),
        (
            "explain img.png -k sobel --at 3,3",
            PILLOW,
            "glob fnmatch shlex",
        ),  # errors about images have patterns and quotes
    ],
)
def test_a_command_loads_no_slow_module_that_it_does_not_need(
    line: str, packages: str, needed: str, folder: Path, tmp_path: Path
) -> None:
    """Of the standard library and of other packages, beyond what click, NumPy and Pillow load themselves."""
    (tmp_path / "list.txt").write_text("shape --hin 9 --k 3 -q\n")
    (tmp_path / "img.png").write_bytes((folder / "img.png").read_bytes())
    found = modules_of(line, tmp_path)
    assert "convcli.cli" in found
    slow = set(SLOW.split()) - modules_after(packages)
    assert slow & found <= set(needed.split())


def test_records_are_those_that_are_made_fast() -> None:
    """`typing.NamedTuple` compiles a constructor for each, and types that are written as text."""
    for name in SOURCES:
        text = (PACKAGE / name).read_text()
        assert name == "records.py" or not re.search(r"from typing import .*\bNamedTuple\b", text), name


@pytest.mark.parametrize(
    "line",
    [
        "shape --hin 32 --k 3 --s 2 --op2 1",
        "shape --hin 32 --win 48 --k 3,5 --p same-upper --s 2 -q",
        "shape --hin 32 --k 3 --json",
        "shape --hin 32 --k ? --s ? --hout 16",
        "shape --hin 32 --layers conv:k3,s2 --json",
        "shape --hin 8 --k 3 --s 2 --p 1 --op2 1 -o overlap.svg",
        "batch list.txt",
        "batch list.txt --json-lines",
        "-h",
        "--version",
        "shape --help",
        "apply -h",
        "apply --help",
        "kernel --help",
    ],
)
def test_arithmetic_and_help_load_nothing(line: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("shape --hin 9 --k 3\nshape --hin 9 --k 3 --json\n")
    assert loaded_by(line, tmp_path) == {"click"}


@pytest.mark.parametrize("line", ["shape --hin 5 --k 7", "shape --hin x --k 7", "nonsense"])
def test_errors_load_nothing(line: str, tmp_path: Path) -> None:
    code = PROGRAM.format(args=line.split()).replace("finally:", "except Exception:")
    assert loaded(code, tmp_path) == {"click"}


@pytest.mark.parametrize(
    "line",
    [
        "apply img.png -k sobel --stride 2 -o out.png",
        "apply img.png -k gaussian:1 --backend numpy --json -o out.png",
        "apply img.png --weights w.npy -q -o out.jpg",
        "apply img.png -k box -o out.tif --linear",
        "apply maps.npy -k box -o out.npy --backend reference",
        "transpose img.png -k bilinear:2 -s 2 -p 1 -o out.png",
        "explain img.png -k sobel -p 1 --at 0,0 -o figure.svg",
        "explain img.png -k box --input-at 4,4 --json",
        "apply img.png maps.npy -k box -o many/",
        "apply . -k box -o many/ --json",
        "apply maps.npy -k box -o blocks.npy --memory 1G",
    ],
)
def test_images_load_neither_torch_nor_rich(line: str, folder: Path) -> None:
    assert loaded_by(line, folder) == {"click", "numpy", "PIL"}


def test_torch_is_loaded_when_it_is_asked_for(folder: Path) -> None:
    assert loaded_by("apply img.png -k box --backend torch -o out.png", folder) == {"click", "numpy", "PIL", "torch"}


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("convcli", set()),
        ("convcli.geometry", set()),
        ("convcli.arithmetic.sizes", set()),
        ("convcli.errors", set()),
        ("convcli.vocabulary", set()),
        ("convcli.report", set()),
        ("convcli.options", {"click"}),
        ("convcli.cli", {"click"}),
        ("convcli.engine", {"numpy"}),
        ("convcli.kernels", {"numpy"}),
        ("convcli.pointwise.finish", {"numpy"}),
        ("convcli.backends", {"numpy"}),
        ("convcli.runs.comparison", {"numpy"}),
        ("convcli.images", set()),
        ("convcli.images.prefetch", {"PIL"}),
        ("convcli.images.reading", {"numpy", "PIL"}),
        ("convcli.runs.pipeline", {"numpy", "PIL"}),
    ],
)
def test_modules_load_what_they_need(module: str, allowed: set[str], tmp_path: Path) -> None:
    code = f"import sys, {module}\nprint(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    assert loaded(code, tmp_path) <= allowed


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("convcli.output_size((9, 9), 3, stride=2, padding='same-upper')", set()),
        ("dir(convcli)", set()),
        ("convcli.kernel('gaussian:2')", {"numpy"}),
        ("convcli.conv2d(__import__('numpy').ones((64, 64)), 'sobel', padding='same')", {"numpy"}),
        ("convcli.conv_transpose2d(__import__('numpy').ones((8, 8)), 'bilinear:2', stride=2)", {"numpy"}),
        ("convcli.plan((3, 64, 64), 'sobel')", {"numpy"}),
        ("convcli.explain(__import__('numpy').ones((8, 8)), 'sobel', (0, 0)).svg", {"numpy", "PIL"}),
        ("convcli.animate(5, 3).svg", {"numpy", "PIL"}),
    ],
)
def test_the_library_loads_what_it_needs(call: str, allowed: set[str], tmp_path: Path) -> None:
    names = "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    assert loaded(f"import sys, convcli\n{call}\n{names}", tmp_path) <= allowed


def test_importing_the_library_costs_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, convcli\nassert not [name for name in sys.modules if name.startswith('convcli.')]\n"
        "print('none', file=sys.stderr)"
    )
    assert loaded(code, tmp_path) == set()


def test_the_library_and_the_command_line_do_not_know_each_other() -> None:
    face = {"cli", "commands", "options", "folding", "parameters", "presenters", "commandline", "report"}
    for name, found in SOURCES.items():
        used = {module.split(".")[1] for module, _ in found if module.startswith("convcli.")}
        own = name.partition("/")[0].removesuffix(".py")
        if own == "library":
            assert not used & face, name
        elif own != "__init__":
            assert "library" not in used, name


def test_every_name_of_a_package_that_imports_late() -> None:
    from convcli import images

    assert set(images._HOMES) == set(images.__all__)
    assert all(getattr(images, name).__module__.startswith("convcli.images.") for name in images.__all__)


# The source


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every module that a file imports, and whether only for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) in for_types) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            found += [(f"{node.module}.{alias.name}", id(node) in for_types) for alias in node.names]
    return found


SOURCES = {str(path.relative_to(PACKAGE)): imports(path) for path in sorted(PACKAGE.rglob("*.py"))}


def importers(package: str) -> set[str]:
    """The files that import a package, be it for their types only."""
    return {name for name, found in SOURCES.items() if any(module.partition(".")[0] == package for module, _ in found)}


def below(files: set[str], *places: str) -> set[str]:
    """The files that lie outside these places."""
    return {name for name in files if not any(name == place or name.startswith(f"{place}/") for place in places)}


def test_the_scan_sees_the_package() -> None:
    assert {"cli.py", "options.py", "engine.py", "geometry.py", "commands/shape.py", "backends/torch/arrays.py"} <= set(
        SOURCES
    )
    assert "cli.py" in importers("click")


def test_who_imports_what() -> None:
    assert not below(importers("click"), "cli.py", "options.py", "folding.py", "parameters", "commands")
    assert not below(importers("PIL"), "images", "images.py")
    assert not below(importers("rich"), "report")
    assert not below(importers("torch"), "backends/torch", "kernels/containers/torch_file.py")
    assert not below(importers("fsspec"), "system/stores.py")
    assert not below(importers("distributed"), *(f"runs/places/dask{part}.py" for part in ("", "_cluster", "_worker")))
    assert not importers("scipy")


def test_pictures_beyond_memory_load_what_they_need(tmp_path: Path) -> None:
    """Neither zarr nor fsspec, if a path names a file that is neither."""
    np.save(tmp_path / "in.npy", np.zeros((4, 5)))
    code = (
        "import sys\nfrom convcli.images.reading.windows import opened_windows\n"
        "opened_windows('in.npy').read(slice(0, 2), slice(0, 2))\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    assert loaded(code, tmp_path) <= {"numpy", "PIL"}


def test_geometry_is_standard_library_only() -> None:
    drawn = [name for name in SOURCES if name.startswith(("drawing/", "arithmetic/"))]
    for name in (
        *drawn,
        "vocabulary.py",
        "geometry.py",
        "convspec.py",
        "errors.py",
        "extras.py",
        "commandline.py",
        "report/__init__.py",
        "report/terminal.py",
    ):
        outside = {module.partition(".")[0] for module, _ in SOURCES[name]} - sys.stdlib_module_names - {"convcli"}
        assert outside <= ({"rich"} if name == "report/terminal.py" else set())


LAYERS = [
    {"__init__", "records", "errors", "extras", "vocabulary", "drawing"},
    {"geometry"},
    {"convspec"},
    {"system", "commandline", "report", "arithmetic"},
    {"pointwise", "borders", "layer", "windows"},
    {"backends", "kernels", "images"},
    {"dispatch", "inventory"},
    {"engine"},
    {"runs"},
    {"explanation", "translate", "animation"},
    {"presenters"},
    {"parameters"},
    {"options", "folding"},
    {"commands", "library", "ahead"},
    {"cli"},
    {"__main__"},
]
"""From the ground up: a module imports from its own layer and the layers below it."""


def layer(module: str) -> int | None:
    return next((level for level, names in enumerate(LAYERS) if module in names), None)


def test_every_module_has_a_layer() -> None:
    modules = {name.partition("/")[0].removesuffix(".py") for name in SOURCES}
    assert modules == set().union(*LAYERS)


def test_imports_point_downwards() -> None:
    for name, found in SOURCES.items():
        own = layer(name.partition("/")[0].removesuffix(".py"))
        for module, typing_only in found:
            if module.startswith("convcli.") and not typing_only and own is not None:
                other = layer(module.split(".")[1])
                assert other is None or other <= own, f"{name} imports {module}"


def test_backends_are_independent() -> None:
    """The reference calls nothing that it is to check."""
    for name, found in SOURCES.items():
        if name.startswith("backends/") and name != "backends/__init__.py":
            own = name.split("/")[1].removesuffix(".py")
            others = {"reference", "torch", "numpy"} - {own}
            assert not [
                module for module, _ in found if any(module.startswith(f"convcli.backends.{other}") for other in others)
            ]
    assert {module for module, _ in SOURCES["backends/reference.py"] if module.startswith("convcli")} <= {
        "convcli.backends.Computed",
        "convcli.backends.Task",
        "convcli.backends.finished",
        "convcli.backends.handed_over",
        "convcli.backends.lifted",
        "convcli.vocabulary.BORDERS",
    }


def test_json_is_parsed_from_a_real_pipe(tmp_path: Path) -> None:
    """What the programs above print besides their modules is still the answer."""
    code = PROGRAM.format(args=["shape", "--hin", "32", "--k", "3", "--json"])
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, check=True
    )
    assert json.loads(ended.stdout)["output"]["height"] == 30


RUNS = [
    {"__init__"},
    {"outputs", "hints", "remarks", "journal_objects"},
    {"inputs", "operation"},
    {"comparison", "alpha"},
    {"pipeline", "journal"},
    {"montage", "preview", "comparison_input", "block_work"},
    {"single", "block_tasks"},
    {"block_setup", "stream"},
    {"blocks"},
    {"batch"},
    {"portions"},
]
"""The same within `convcli.runs`."""


def test_runs_have_layers_too() -> None:
    level = {name: number for number, names in enumerate(RUNS) for name in names}
    assert set(level) == {path.stem for path in (PACKAGE / "runs").glob("*.py")}
    for name, own in level.items():
        for module, typing_only in SOURCES[f"runs/{name}.py"]:
            if module.startswith("convcli.runs.") and not module.startswith("convcli.runs.places") and not typing_only:
                assert level[module.split(".")[2]] < own, f"{name} imports {module}"


def test_places_are_not_about_pictures() -> None:
    for path in (PACKAGE / "runs" / "places").glob("*.py"):
        imported = {module for module, typing_only in SOURCES[f"runs/places/{path.name}"] if not typing_only}
        runs = {
            module for module in imported if module.startswith(("convcli.runs.", "convcli.images", "convcli.engine"))
        }
        assert all(module.startswith("convcli.runs.places") for module in runs), path
