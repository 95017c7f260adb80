"""``--format`` with folders, templates and default names: all results in another format than the inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.cli import done, run
from support.pictures import write

BOX = ("-k", "box")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures of two formats, one of them in a subfolder."""
    pixels = np.random.default_rng(5).integers(0, 256, (3, 6, 7), np.uint8)
    (tmp_path / "in/sub").mkdir(parents=True)
    for name in ("a.png", "b.tif", "scan.001.png", "sub/c.PNG"):
        write(tmp_path / "in" / name, pixels)
    return tmp_path


def made(folder: Path) -> list[str]:
    """The files below ``out``."""
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "out").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("in -o out/ --format jpg", ["out/a.jpg", "out/b.jpg", "out/scan.001.jpg"]),
        ("in -o out/ --format JPG", ["out/a.jpg", "out/b.jpg", "out/scan.001.jpg"]),
        ("in/a.png in/b.tif -o out/ --format .webp", ["out/a.webp", "out/b.webp"]),
        ("in/a.png -o out/ --format npy", ["out/a.npy"]),
        ("in --recursive -o out/ --format jpg", ["out/a.jpg", "out/b.jpg", "out/scan.001.jpg", "out/sub/c.jpg"]),
        ("in -o out/{stem}-{kernel}.{ext} --format bmp", ["out/a-box.bmp", "out/b-box.bmp", "out/scan.001-box.bmp"]),
        ("in/a.png -o out/{parent}/{name} --format jpeg", ["out/in/a.jpeg"]),
        ("in/a.png -o out/{stem}.jpeg --format jpg", ["out/a.jpeg"]),
        ("--from-file list.txt -o out/ --format jpg", ["out/a.jpg", "out/b.jpg"]),
    ],
)
def test_names(line: str, files: list[str], folder: Path) -> None:
    (folder / "list.txt").write_text("in/a.png\nin/b.tif\n")
    done("apply", *line.split(), *BOX, cwd=folder)
    assert made(folder) == files
    for name in files:
        if not name.endswith(".npy"):
            with Image.open(folder / name) as image:
                assert (
                    image.format
                    == {"jpg": "JPEG", "jpeg": "JPEG", "bmp": "BMP", "webp": "WEBP"}[name.rpartition(".")[2]]
                )


def test_a_default_name(folder: Path) -> None:
    assert done("apply", "in/a.png", *BOX, "--format", "webp", "-q", cwd=folder).text == "a-box.webp\n"
    assert (folder / "a-box.webp").exists()
    result = run("apply", "in/a.png", *BOX, "--format", "webp", cwd=folder)
    assert result.code == 2
    assert "exists" in result.err


def test_standard_input_into_a_folder(folder: Path) -> None:
    data = (folder / "in/a.png").read_bytes()
    done("apply", "-", *BOX, "-o", "out/", "--format", "jpg", input=data, cwd=folder)
    assert made(folder) == ["out/stdin.jpg"]


def test_transpose_and_an_existing_folder(folder: Path) -> None:
    (folder / "out").mkdir()
    done("transpose", "in/a.png", *BOX, "-o", "out", "--format", "tif", cwd=folder)
    assert made(folder) == ["out/a.tif"]


def test_going_on_where_a_run_ended(folder: Path) -> None:
    done("apply", "in", *BOX, "-o", "out/", "--format", "jpg", cwd=folder)
    before = {name: (folder / name).stat().st_mtime_ns for name in made(folder)}
    write(folder / "in/new.png", np.zeros((3, 6, 7), np.uint8))
    result = done("apply", "in", *BOX, "-o", "out/", "--format", "jpg", "--skip-existing", cwd=folder)
    assert "1 of 4 written, 3 skipped" in result.err
    assert made(folder) == sorted([*before, "out/new.jpg"])
    assert before == {name: (folder / name).stat().st_mtime_ns for name in before}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("in/a.png -o x.png --format png", "--format png is for -o -, a folder or a template"),
        ("in/a.png -o x --format png", "leave it out"),
        (
            "in -o out/{stem}.png --format jpg",
            "'out/a.png' does not end as --format jpg does: use .{ext} as its ending",
        ),
        ("in -o out/{stem} --format jpg", "has no ending"),
        ("in -o out/ --format xyz", "format 'xyz' cannot be written: use png, jpg"),
        ("in -o out/ --format a/b", "format 'a/b' cannot be written"),
        ("in/a.png --in-place --format jpg", "--format jpg and --in-place exclude each other"),
    ],
)
def test_what_is_refused(line: str, words: str, folder: Path) -> None:
    result = run("apply", *line.split(), *BOX, cwd=folder)
    assert result.code == 2
    assert words in result.err
    assert result.err.count("\n") == 1
    assert not (folder / "out").exists()


def test_results_that_collide_and_the_way_out(folder: Path) -> None:
    write(folder / "in/a.jpg", np.zeros((3, 6, 7), np.uint8))
    result = run("apply", "in", *BOX, "-o", "out/", "--format", "jpg", cwd=folder)
    assert result.code == 2
    assert "would both be written to 'out/a.jpg': use -o 'out/{name}.jpg' without --format" in result.err
    assert "in-place" not in result.err
    done("apply", "in", *BOX, "-o", "out/{name}.jpg", cwd=folder)
    assert made(folder) == ["out/a.jpg.jpg", "out/a.png.jpg", "out/b.tif.jpg", "out/scan.001.png.jpg"]


def test_results_that_collide_in_subfolders(folder: Path) -> None:
    write(folder / "in/sub/c.jpg", np.zeros((3, 6, 7), np.uint8))
    result = run("apply", "in", "--recursive", *BOX, "-o", "out/", "--format", "jpg", cwd=folder)
    assert "use -o 'out/{dir}/{name}.jpg' without --format" in result.err
    done("apply", "in", "--recursive", *BOX, "-o", "out/{dir}/{name}.jpg", cwd=folder)
    assert "out/sub/c.jpg.jpg" in made(folder)


@pytest.mark.parametrize(
    "line",
    [
        "in -o in/ --format jpg",
        "in/a.png in/a.jpg -o sub/../in/a.jpg",
        "in/a.png sub/a.png -o in/",
        "in/a.png a-box.png --overwrite",
    ],
)
def test_in_place_is_not_offered_where_an_image_would_take_the_place_of_another(line: str, folder: Path) -> None:
    (folder / "sub").mkdir()
    for name in ("in/a.jpg", "sub/a.png", "a-box.png"):
        write(folder / name, np.zeros((3, 6, 7), np.uint8))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run("apply", *line.split(), *BOX, cwd=folder)
    assert result.code == 2
    assert "use another name" in result.err
    assert "in-place" not in result.err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_in_place_is_offered_where_each_image_takes_its_own(folder: Path) -> None:
    assert "or --in-place" in run("apply", "in/a.png", *BOX, "-o", "in/a.png", cwd=folder).err
    assert "or --in-place" in run("apply", "in", *BOX, "-o", "in/", cwd=folder).err
