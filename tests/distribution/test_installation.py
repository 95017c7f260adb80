"""convcli as strangers install it: into a new environment with what everyone needs and no extra, as the Dockerfile says.

Its lines are run here with other folders, without Docker. What they make has none of torch, safetensors, imagecodecs and astropy.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from convcli import __version__
from convcli.extras import EXTRAS
from support.cli import ROOT, SAMPLES

DOCKERFILE = ROOT / "distribution" / "Dockerfile"
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "CONVCLI", "VIRTUAL_ENV"))}


def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage of the Dockerfile."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[tuple[str, str]]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(" ", 1)
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest))
    return found


@dataclass(frozen=True)
class Installed:
    """An environment with convcli in it, and the notices that were made of it."""

    folder: Path

    @property
    def bin(self) -> Path:
        return self.folder / "opt" / "convcli" / "bin"

    @property
    def packages(self) -> Path:
        (found,) = (self.folder / "opt" / "convcli" / "lib").glob("python3*/site-packages")
        return found

    def run(self, *args: object, cwd: Path, input: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        command = [str(self.bin / "convcli"), *map(str, args)]
        return subprocess.run(command, cwd=cwd, input=input, env=CLEAN, capture_output=True, timeout=120, check=False)

    def refusal(self, *args: object, cwd: Path) -> str:
        ended = self.run(*args, cwd=cwd)
        assert ended.returncode == 2, ended
        assert ended.stdout == b""
        (line,) = ended.stderr.decode().splitlines()
        return line


def has_index(pip_output: str) -> bool:
    return "connection" not in pip_output.lower() and "name resolution" not in pip_output.lower()


def shell(line: str, cwd: Path) -> None:
    """Run a line of the Dockerfile with this Python's pip."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ended = subprocess.run(
        line, shell=True, cwd=cwd, env={**CLEAN, "PATH": path}, capture_output=True, text=True, timeout=540, check=False
    )  # fmt: skip
    if ended.returncode and not has_index(ended.stderr) and not os.environ.get("CI"):
        pytest.skip("no index of packages can be reached")
    assert ended.returncode == 0, f"{line}\n{ended.stderr}"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process of several at a time."""
    while True:
        try:
            folder.mkdir()
            break
        except FileExistsError:
            time.sleep(0.2)
    try:
        yield
    finally:
        folder.rmdir()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """What the Dockerfile's first stage makes; once for all processes of the tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "installed"
    with alone(folder.with_name("installing")):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(folder)
            (folder / "done").touch()
    return Installed(folder)


def _install(folder: Path) -> None:
    source = folder / "src"
    source.mkdir(parents=True)
    for word, rest in stages()[0][1:]:
        if word == "COPY":
            *names, target = rest.split()
            for name in names:
                if (ROOT / name).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / name, source / target, ignore=ignored)
                else:
                    shutil.copy(ROOT / name, source / target)
        elif word == "RUN":
            shell(rest.replace("/opt/", f"{folder}/opt/"), source)
        else:
            assert (word, rest) == ("WORKDIR", "/src")


def test_the_image_is_small_and_a_citizen_of_pipes() -> None:
    build, final = stages()
    assert {rest for word, rest in (build[0], final[0])} <= {"python:3.13-slim AS build", "python:3.13-slim"}
    said = dict(final)
    assert json.loads(said["ENTRYPOINT"]) == ["convcli"]
    assert int(said["USER"].partition(":")[0]) > 0  # not root
    assert said["ENV"].startswith("PATH=/opt/convcli/bin:")
    assert "RUN" not in said  # nothing of what builds it stays
    copied = [rest.split()[1:] for word, rest in final if word == "COPY"]
    assert copied == [["/opt/convcli", "/opt/convcli"], ["/opt/doc", "/usr/share/doc/convcli"]]
    assert not re.search("torch", DOCKERFILE.read_text().replace("without torch", ""))


def test_what_is_installed(installed: Installed) -> None:
    names = {path.name.partition("-")[0].lower() for path in installed.packages.glob("*.dist-info")}
    needed = {"click", "convcli", "markdown_it_py", "mdurl", "numpy", "pillow", "pygments", "rich", "tifffile"}
    assert names == needed
    used = sum(
        path.stat().st_size for path in installed.packages.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert used < 200e6
    share = installed.folder / "opt" / "convcli" / "share"
    for section in (1, 7):
        pages = {path.name for path in (ROOT / "man").glob(f"*.{section}")}
        assert {path.name for path in (share / "man" / f"man{section}").iterdir()} == pages
    for path in (
        "bash-completion/completions/convcli",
        "zsh/site-functions/_convcli",
        "fish/vendor_completions.d/convcli.fish",
    ):
        assert (share / path).read_text() == (ROOT / "distribution" / "completions" / Path(path).name).read_text()


def test_its_notices(installed: Installed) -> None:
    text = (installed.folder / "opt" / "doc" / "NOTICES").read_text(encoding="utf-8")
    for package in installed.packages.glob("*.dist-info"):
        assert re.search(rf"(?im)^{package.name.partition('-')[0].replace('_', '.')} [0-9]", text), package
    for words in ("OpenBLAS", "Bitstream", "Independent JPEG Group", "Will McGugan", "The convcli authors"):
        assert words in text, words


def test_the_doctor_finds_nothing_wrong(installed: Installed, tmp_path: Path) -> None:
    ended = installed.run("doctor", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert re.search(rb"torch +is not installed", ended.stdout)
    said = ended.stderr.decode()
    for words in (
        "pip install 'convcli[torch]'",
        "2.8 GB",
        "index of CPU builds, see pytorch.org",
        "pip install 'convcli[tiff]'",
    ):
        assert words in said
    assert installed.run("doctor", "-q", cwd=tmp_path).stdout == b""
    found = json.loads(installed.run("doctor", "--json", cwd=tmp_path).stdout)
    assert (found["problems"], found["devices"]) == ([], [])
    assert len(found["missing"]) == len(set(EXTRAS.values()))
    assert {one["name"]: one["extra"] for one in found["packages"] if one["version"] is None} == EXTRAS
    versions = installed.run("--version", cwd=tmp_path).stdout.decode().splitlines()
    assert versions[0] == f"convcli {__version__}"
    assert "torch is not installed" in versions


def test_a_picture_through_pipes(installed: Installed, tmp_path: Path) -> None:
    """As ``docker run -i`` calls it: no terminal, no home."""
    ended = subprocess.run(
        [installed.bin / "convcli", "apply", "-", "-k", "sobel", "-o", "-"],
        input=(SAMPLES / "coffee.jpg").read_bytes(), env={}, cwd=tmp_path, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert ended.stdout.startswith(b"\x89PNG") or ended.stdout.startswith(b"\xff\xd8")
    assert os.listdir(tmp_path) == []


def test_auto_neither_offers_nor_predicts_it(installed: Installed, tmp_path: Path) -> None:
    """64 to 64 channels are what torch is predicted to do sooner."""
    np.save(tmp_path / "maps.npy", np.ones((64, 256, 256), np.float32))
    np.save(tmp_path / "w.npy", np.ones((64, 64, 3, 3), np.float32))
    for line in ("apply maps.npy --weights w.npy -v -o out.npy", "apply maps.npy --weights w.npy --json -o out.npy"):
        ended = installed.run(*line.split(), cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        assert b"torch" not in ended.stdout + ended.stderr
    found = json.loads(ended.stdout)
    assert (found["backend"], found["reason"]) == ("numpy", "the fastest that is installed")


def test_compare_shows_what_is_there(installed: Installed, tmp_path: Path) -> None:
    found = json.loads(installed.run("compare", "--size", "9,9", "--repeats", 1, "--json", cwd=tmp_path).stdout)
    assert {row["backend"] for row in found["rows"]} == {"numpy", "reference"}
    assert found["agree"] is True
    assert "torch: it is not installed; pip install 'convcli[torch]'" in found["missing"]
    ended = installed.run("compare", "--size", "9,9", "--repeats", 1, cwd=tmp_path)
    assert ended.returncode == 0
    assert b"pip install 'convcli[torch]'" in ended.stderr


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("--backend torch", "backend 'torch'"),
        ("--device cuda", "device 'cuda'"),
        ("--device cuda:1 --backend torch", "device 'cuda:1'"),
        ("--dtype float16", "dtype 'float16'"),
        ("--dtype bfloat16", "dtype 'bfloat16'"),
    ],
)
def test_what_needs_torch_names_the_extra(options: str, what: str, installed: Installed, tmp_path: Path) -> None:
    for command in ("apply {} -k box -o out.png", "transpose {} -k box -o out.png", "compare {} -k box"):
        line = installed.refusal(*command.format(SAMPLES / "tiny.png").split(), *options.split(), cwd=tmp_path)
        said = f"{what} needs torch, which is not installed: pip install 'convcli[torch]', or use --"
        assert line.startswith(f"convcli: error: {said}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["w.pt", "w.pth"])
def test_files_of_torch_name_the_extra(name: str, installed: Installed, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK\3\4")
    for command in (("apply", SAMPLES / "tiny.png", "--weights", name), ("kernel", "--weights", name)):
        line = installed.refusal(*command, cwd=tmp_path)
        assert f"weights '{name}' need torch, which is not installed: pip install 'convcli[torch]'" in line


def test_safetensors_are_read_without_their_package(installed: Installed, tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "BF16", "shape": [1, 1, 1, 2], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes([0x80, 0x3F, 0x00, 0x40]))
    (found,) = json.loads(installed.run("kernel", "--weights", path, "--json", cwd=tmp_path).stdout)["tensors"]
    assert (found["dtype"], found["min"], found["max"]) == ("bfloat16", 1, 2)


def test_a_rare_compression_names_the_extra(installed: Installed, tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "lerc.tif"
    tifffile.imwrite(path, np.arange(48, dtype=np.uint8).reshape(4, 4, 3), photometric="rgb")
    with tifffile.TiffFile(path) as file:
        at = file.pages[0].tags["Compression"].valueoffset
    content = bytearray(path.read_bytes())
    content[at : at + 2] = struct.pack("<H", 34887)
    path.write_bytes(content)
    line = installed.refusal("apply", "lerc.tif", "-k", "box", cwd=tmp_path)
    assert "compressed by LERC, which needs imagecodecs: it is not installed; pip install 'convcli[tiff]'" in line


@pytest.mark.parametrize("options", [(), ("--backend", "numpy")])
def test_what_only_torch_can_do_names_the_extra(options: tuple[str, ...], installed: Installed, tmp_path: Path) -> None:
    """A dilation that makes nearly all phases gaps."""
    args = ("transpose", SAMPLES / "tiny.png", "-k", "box:4", "-s", 3, "-d", 700, "-p", 700, "-o", "o.npy", *options)
    line = installed.refusal(*args, cwd=tmp_path)
    assert "with almost only gaps; use --backend torch (pip install 'convcli[torch]'), or another" in line


def test_source_distribution_and_wheel(tmp_path: Path) -> None:
    """The wheel is built from the source distribution alone."""
    pytest.importorskip("build")
    shell(f"PROJECT_FILES=https://example.org/raw/v1 python -m build -o {tmp_path} .", ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    (wheel,) = tmp_path.glob("*.whl")
    assert (archive.name, wheel.name) == (f"convcli-{__version__}.tar.gz", f"convcli-{__version__}-py3-none-any.whl")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    wanted = {"tests/conftest.py", "samples/coffee.jpg", "constraints.txt", "docs/schema.json", "CITATION.cff"}
    assert wanted <= names
    with zipfile.ZipFile(wheel) as opened_wheel:
        members = opened_wheel.namelist()
        metadata = opened_wheel.read(f"convcli-{__version__}.dist-info/METADATA").decode()
    assert "convcli/drawing/font/LICENSE" in members
    assert f"convcli-{__version__}.data/data/share/man/man1/convcli.1" in members
    assert not [name for name in members if name.startswith(("tests", "docs", "distribution"))]
    assert '<img src="https://example.org/raw/v1/samples/gallery/photo.jpg"' in metadata
    assert {line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra" not in line} == {
        "Requires-Dist: click>=8.5",
        "Requires-Dist: numpy>=2.0",
        "Requires-Dist: pillow>=11.3",
        "Requires-Dist: rich>=13.7",
        "Requires-Dist: tifffile>=2024.8",
    }
