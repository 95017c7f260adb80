"""Which images are meant: folders and lists."""

import os
from pathlib import Path

import numpy as np
import pytest

from support.batches import lines
from support.cli import binary, done, run
from support.files import alone, made
from support.pictures import write

BOX = ["-k", "box"]


def test_a_folder_is_its_images(photos: Path) -> None:
    result = done("apply", "photos", *BOX, "-o", "out/", "-q", cwd=photos)
    assert result.text.split() == ["out/1.png", "out/2.ppm"]
    assert made(photos / "out") == ["1.png", "2.ppm"]
    assert (photos / "out/2.ppm").read_bytes() == alone(photos / "photos/2.ppm")


def test_subfolders_are_mirrored(photos: Path) -> None:
    result = binary("apply", "photos", "--recursive", *BOX, "-o", "out/", "-q", cwd=photos)
    assert (result.code, result.err) == (0, "")
    assert result.text.split() == ["out/1.png", "out/2.ppm", "out/sub/1.png", "out/sub/deep/3.png"]
    for name in made(photos / "out"):
        assert (photos / "out" / name).read_bytes() == alone(photos / "photos" / name)


def test_subfolders_are_mirrored_into_a_folder_that_is_there(photos: Path) -> None:
    (photos / "out").mkdir()
    done("apply", "photos/", "--recursive", *BOX, "-o", "out", cwd=photos)
    assert made(photos / "out") == ["1.png", "2.ppm", "sub/1.png", "sub/deep/3.png"]


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("out/{dir}/{stem}.tif", ["1.tif", "2.tif", "sub/1.tif", "sub/deep/3.tif"]),
        ("out/{parent}-{name}", ["deep-3.png", "photos-1.png", "photos-2.ppm", "sub-1.png"]),
        ("out/{stem}/", ["1/1.png", "2/2.ppm", "3/3.png"]),
    ],
)
def test_templates_of_folders(template: str, names: list[str], photos: Path) -> None:
    if "{stem}/" in template:
        (photos / "photos/sub/1.png").unlink()
    done("apply", "photos", "--recursive", *BOX, "-o", template, cwd=photos)
    assert made(photos / "out") == names


def test_results_of_an_earlier_run_are_passed_over(photos: Path) -> None:
    """The output folder may lie in the one that is searched."""
    for _ in range(2):
        result = done("apply", ".", "--recursive", *BOX, "-o", "photos/out/", "--json", cwd=photos)
        assert [document["input"] for document in lines(result)] == [
            f"./photos/{name}" for name in ("1.png", "2.ppm", "sub/1.png", "sub/deep/3.png")
        ]
    done("apply", "photos", "--recursive", *BOX, "-o", "photos/out/{dir}/{name}", cwd=photos)
    assert len(made(photos / "photos/out")) == 8  # those that mirrored photos/, and those that mirror its content


def test_links_to_folders_are_followed_once(photos: Path) -> None:
    (photos / "photos/sub/loop").symlink_to("../..")
    (photos / "photos/self").symlink_to("self")
    (photos / "photos/gone.png").symlink_to("nowhere.png")
    (photos / "away").mkdir()
    write(photos / "away/6.png", np.zeros((1, 5, 5), np.uint8))
    (photos / "photos/zlink").symlink_to("../away")
    result = run("apply", "photos", "--recursive", *BOX, "-o", "out/", "--json", cwd=photos)
    assert result.code == 1  # the link that leads nowhere
    names = [document["input"].removeprefix("photos/") for document in lines(result)]
    assert sorted(names) == ["1.png", "2.ppm", "gone.png", "sub/1.png", "sub/deep/3.png", "sub/loop/away/6.png"] or (
        sorted(names) == ["1.png", "2.ppm", "gone.png", "sub/1.png", "sub/deep/3.png", "zlink/6.png"]
    )


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"photos/1.png\nphotos/sub/1.png\n", []),
        (b"\nphotos/1.png\r\n\nphotos/sub/1.png", []),
        (b"photos/1.png\0photos/sub/1.png\0", ["-0"]),
        (b"photos/1.png\0photos/sub/1.png", ["--null"]),
    ],
)
@pytest.mark.parametrize("listed", ["list", "-"])
def test_a_list(data: bytes, options: list[str], listed: str, photos: Path) -> None:
    (photos / "list").write_bytes(data)
    command = ["apply", "--from-file", listed, *options, *BOX, "-o", "out/{parent}-{name}", "-q"]
    result = binary(*command, input=data if listed == "-" else None, cwd=photos)
    assert (result.code, result.err) == (0, "")
    assert result.text.split() == ["out/photos-1.png", "out/sub-1.png"]


def test_a_list_of_odd_names(photos: Path) -> None:
    """As `find -print0` writes them: with line breaks, and bytes that are no text."""
    names = [b"two\nlines.png", b" space .png", b"byte\xff.png", b"-k.png"]
    for name in names:
        try:
            (photos / os.fsdecode(name)).write_bytes((photos / "photos/1.png").read_bytes())
        except OSError:
            pytest.skip("this file system wants names that are text")
    result = binary("apply", "--from-file", "-", "-0", *BOX, "-o", "out/", input=b"\0".join(names), cwd=photos)
    assert result.code == 0
    assert sorted(os.listdir(os.fsencode(photos / "out"))) == sorted(names)


@pytest.mark.parametrize("data", [b"", b"\n\n"])
@pytest.mark.parametrize("more", [[], ["-q"], ["--json-lines"], ["-o", "out/"]])
def test_an_empty_list_is_no_error(data: bytes, more: list[str], photos: Path) -> None:
    """As xargs -r: what finds nothing does not stop a script."""
    result = run("apply", "--from-file", "-", *BOX, *more, input=data, cwd=photos)
    assert (result.code, result.text) == (0, "")
    assert result.err == "convcli: list '-' is empty: nothing to do\n"


def test_lists_folders_and_paths_together(photos: Path) -> None:
    (photos / "list").write_text("photos/sub\n")
    result = done("apply", "photos/2.ppm", "--from-file", "list", *BOX, "-o", "out/", "-q", cwd=photos)
    assert result.text.split() == ["out/2.ppm", "out/1.png"]


@pytest.mark.parametrize(
    ("args", "data", "words"),
    [
        (["--from-file", "none"], b"", "list 'none' cannot be read: there is no such file"),
        (["--from-file", "photos"], b"", "list 'photos' cannot be read: it is a folder"),
        (["--from-file", "-"], b"photos/1.png\0", "needs -0"),
        (["--from-file", "-"], b"photos/1.png\n-\n", "has '-'"),
        (["-", "--from-file", "-"], b"", "both the image '-' and the list"),
        (["photos/1.png", "-0"], b"", "-0 is for --from-file"),
        ([], b"", "no image is given"),
        (["photos/folder.png"], b"", "a folder without images"),
        (["photos", "-o", "out.png"], b"", "a folder of 2 images"),
        (["photos", "-o", "-"], b"", "a folder of 2 images"),
        (["photos", "--recursive", "-o", "out/{name}"], b"", "'photos/1.png' and 'photos/sub/1.png' would both"),
        (["photos", "-o", "photos/1.png/"], b"", "'photos/1.png/' is not a folder"),
        (["photos", "--recursive"], b"", "would both be written to '1-box.png'"),
        (["photos", "photos/1.png", "-o", "out/"], b"", "use each image only once"),
        (["photos", "--in-place", "--skip-existing"], b"", "exclude each other"),
        (["photos", "--overwrite", "--skip-existing"], b"", "exclude each other"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_refused(args: list[str], data: bytes, words: str, photos: Path) -> None:
    before = made(photos)
    result = binary("apply", *args, *BOX, input=data, cwd=photos)
    assert result.code == 2
    assert words in result.err
    assert len(result.err.splitlines()) == 1
    assert result.out == b""
    assert made(photos) == before
