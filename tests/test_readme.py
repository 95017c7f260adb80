"""Every command line of the README and of docs/ is run; their links, pictures and generated parts are as they should be."""

import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from convcli.cli import COMMANDS
from convcli.kernels.named import REGISTRY
from support.cli import ROOT, SAMPLES, Result, environment, run
from support.modules import module_of

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
PICTURES: dict[str, tuple[float, str]] = run_path(str(SAMPLES / "pictures.py"))["PICTURES"]


def rows(text: str) -> list[list[str]]:
    """The cells of all rows of all tables of a page."""
    found = re.findall(r"^\| (.+) \|$", text, re.MULTILINE)
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", row)] for row in found]


def code(cell: str) -> str:
    """What a cell says, if all of it is code; else nothing."""
    return cell[1:-1] if re.fullmatch("`[^`]+`", cell) else ""


def lines_of(page: Path) -> list[str]:
    """The command lines of a page: those in ``sh`` blocks, and in the README those that fill a cell of a table."""
    blocks = re.findall(r"^```sh\n(.*?)^```", TEXTS[page], re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    if page == README:
        lines += [code(cell) for row in rows(TEXTS[page]) for cell in row]
    return [line for line in lines if line.startswith(("convcli ", "find ", "eval ", "printf "))]


COMMAND_LINES = [(page, line) for page in PAGES for line in lines_of(page)]


def words(line: str) -> list[str] | None:
    """The words of a command line, or None if a shell has to run it."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found = [*lexer]
    return None if found[0] != "convcli" or any(word[:1] in "|<>&;()" for word in found if word) else found[1:]


SCHEDULER = "tcp://localhost:8786"
"""Where the pages say that a cluster is."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of one that is."""
    import distributed

    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as made:
        yield made.scheduler_address


def obey(line: str, folder: Path) -> Result:
    """Run a line as it stands: in this process where no shell is needed, which takes a tenth of the time."""
    if (plain := words(line)) is not None:
        return run(*plain, cwd=folder)
    script = f'set -euo pipefail; convcli() {{ "{sys.executable}" -m convcli "$@"; }}; {line}'
    command = ["bash", "-c", script]
    ended = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, check=False)
    return Result(ended.returncode, ended.stdout, ended.stderr.decode())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the samples, the files that the README calls the reader's own, and what one line makes for the next."""
    path = tmp_path_factory.mktemp("documents")
    (path / "samples").symlink_to(SAMPLES)
    (path / "out").mkdir()
    (path / "photos" / "summer").mkdir(parents=True)
    own = {
        "photo.jpg": "rotated.jpg",
        "icon.png": "icon.png",
        "scan16.png": "gradient16.png",
        "film.gif": "animation.gif",
    }
    own |= {"photos/a.jpg": "rotated.jpg", "photos/summer/b.png": "tiny.png", "layer.safetensors": "layer.safetensors"}
    for name, source in own.items():
        (path / name).write_bytes((SAMPLES / source).read_bytes())
    (path / "list.txt").write_text("# sizes\nshape --hin 17 --k 3 -q\nkernel box -q\n")
    (path / "kernel.csv").write_text("0,-1,0\n-1,5,-1\n0,-1,0\n")
    made = run("apply", "samples/rotated.jpg", "-k", "identity", "-o", "scene.tif", cwd=path)
    assert made.code == 0
    made = run("apply", "samples/rotated.jpg", "--weights", "samples/conv1.npy", "-o", "features.npy", cwd=path)
    assert made.code == 0
    return path


def test_there_are_commands_but_not_too_many() -> None:
    lines = [line for _, line in COMMAND_LINES]
    assert 80 <= len(lines) <= 140
    assert sum(line in lines_of(README) for line in lines) >= 40
    assert sum("# prints " in line for line in lines) >= 4
    assert len({line.partition(" #")[0].rstrip() for line in lines}) == len(lines), "a command is shown twice"


@pytest.mark.parametrize(("page", "line"), COMMAND_LINES, ids=[f"{page.name}: {line}" for page, line in COMMAND_LINES])
def test_command(page: Path, line: str, folder: Path, request: pytest.FixtureRequest) -> None:
    if SCHEDULER in line:
        line = line.replace(SCHEDULER, request.getfixturevalue("cluster"))
    done = obey(line, folder)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    for name in re.findall(r" -o (\S+\.\w+)(?= |$)", line):
        if "{" not in name:
            assert (folder / name).stat().st_size > 0
    for expected in re.findall(r"# prints (.+)$", line):
        assert done.text.strip() == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_left_to_a_shell_by_chance(page: Path) -> None:
    for line in lines_of(page):
        assert len(line) <= 112 or page == README, "wider than the page"
        bare = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", line)
        assert not re.search(r"[?*\[\]()]", bare), line


def test_the_readme_shows_what_its_commands_make(folder: Path) -> None:
    shown = 0
    for command, made, *_ in rows(TEXTS[README]):
        if picture := re.search('<img src="samples/gallery/([^"]+)"', made):
            assert f"convcli {PICTURES[picture[1]][1]}" == code(command).partition(" -o ")[0]
            shown += 1
        elif code(command) and code(made):
            assert obey(code(command), folder).text.strip() == code(made)
            shown += 1
    assert shown == 7
    assert f"\nconvcli {PICTURES['edges.jpg'][1]} -o edges.jpg\n" in TEXTS[README]


def test_length_and_contents_of_the_readme() -> None:
    text = TEXTS[README]
    assert 8_000 <= len(text.encode()) <= 10_240
    for command in COMMANDS:
        assert f"convcli {command}" in text, command
    for page in PAGES[1:]:
        assert f"(docs/{page.name}" in text, page.name
    assert "apply it, size it, explain it, prove it" in text
    man = (ROOT / "man" / "convcli.1").read_text(encoding="utf-8")
    codes = re.findall(r"\\fB([\d, ]+)\\fR", man)
    said = re.search(r"^## Exit codes\n\n(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
    assert said is not None
    assert set(re.findall(r"\d+", said[1])) == set(re.findall(r"\d+", " ".join(codes)))


TWINS = [row for row in rows(TEXTS[ROOT / "docs" / "faq.md"]) if "(x, " in row[0]]


@pytest.mark.parametrize(("there", "here"), TWINS)
def test_the_same_in_other_libraries(there: str, here: str, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x, k = generator.normal(size=(9, 11)), generator.normal(size=(3, 3))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "k.npy", k)
    done = run(
        "apply", "x.npy", "-k", "k.npy", *shlex.split(code(here) if "-p" in here else ""), "-o", "y.npy", cwd=tmp_path
    )
    assert done.code == 0, done.err
    name, _, call = code(there).partition("(")
    module, _, function = name.rpartition(".")
    arrays = {"x": x, "k": k}
    if "torch" in module:
        import torch

        arrays = {name: torch.from_numpy(array)[None, None] for name, array in arrays.items()}
    theirs = eval(f"function({call}", {"function": getattr(importlib.import_module(module), function), **arrays})
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), np.squeeze(np.asarray(theirs)), rtol=1e-9, atol=1e-9)


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them on hosting sites."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r'(?:src="|\]\()([^")]+)[")]', TEXTS[page]):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_picture_is_small_and_shown() -> None:
    shown = {Path(found).name for text in TEXTS.values() for found in re.findall(r'src="([^"]+)"', text)}
    files = {path.name: path.stat().st_size for path in (SAMPLES / "gallery").iterdir()}
    assert set(files) == set(PICTURES) <= shown
    assert max(files.values()) < 50_000
    assert sum(path.stat().st_size for path in (SAMPLES / "kernels").iterdir()) < 600_000


def test_every_kernel_has_its_picture() -> None:
    assert {path.name for path in (SAMPLES / "kernels").iterdir()} == {f"{name}.jpg" for name in REGISTRY}


@pytest.mark.parametrize(
    "name", ["identity", "gaussian", "sobel", "log", "gabor", "pillow-contour", "nearest", "lanczos"]
)
def test_a_kernels_picture_is_what_it_does(name: str, tmp_path: Path) -> None:
    pictures = run_path(str(SAMPLES / "pictures.py"))
    pictures["parts"](tmp_path)
    line = pictures["command_of"](name)
    assert run(*line.split(), "-o", "made.npy", cwd=tmp_path).code == 0
    with Image.open(SAMPLES / "kernels" / f"{name}.jpg") as picture:
        stored = np.asarray(picture, float)
    made = pictures["pixels"](name, np.load(tmp_path / "made.npy"))
    assert stored.shape == made.shape == (96, 96, 3)
    assert np.abs(stored - made).mean() < 8  # JPEG


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return module_of(ROOT / "docs" / "generate.py")


def test_generated_parts_are_fresh(generate: ModuleType) -> None:
    blocks = generate.generated()
    found = [name for text in TEXTS.values() for name in re.findall(r"<!-- (\w+):begin -->\n", text)]
    assert sorted(found) == sorted(blocks)
    for page, text in TEXTS.items():
        assert generate.fresh(text, blocks) == text, f"{page.name}: run `make docs`"


def test_a_stale_part_is_seen(generate: ModuleType) -> None:
    text = "a\n<!-- one:begin -->\nold\n<!-- one:end -->\nb\n"
    assert generate.fresh(text, {"one": "new|\\1"}) == text.replace("old", "new|\\1")


def test_every_page_says_for_whom_it_is() -> None:
    for page in PAGES[1:]:
        title, _, first = TEXTS[page].split("\n")[:3]
        assert title.startswith("# ")
        assert first.startswith("For "), page.name


def test_tables_are_whole() -> None:
    for page, text in TEXTS.items():
        for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
            assert len({len(row) for row in rows(table)}) == 1, (page.name, table[:200])
            assert set("".join(rows(table)[1])) == {"-"}
