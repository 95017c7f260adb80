"""Where results go: names, folders, templates; never over an input, and never two to one place."""

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from convcli.errors import ImageError
from convcli.runs import outputs
from convcli.system import files
from support.cli import SAMPLES, done, environment, run
from support.files import content, filtered
from support.pictures import read

BOX = ["-k", "box"]


# Two inputs, one output


def test_one_file_under_two_names_is_not_worked_on_in_place(photos: Path) -> None:
    folder = photos / "photos"
    (folder / "link.png").symlink_to("1.png")
    before = (folder / "1.png").read_bytes()
    for other in ("link.png", "./1.png", "1.png"):
        result = run("apply", "1.png", other, *BOX, "--in-place", cwd=folder)
        assert result.code == 2
        assert "would both be written" in result.err
        assert (folder / "1.png").read_bytes() == before


def test_linked_folders_are_one_place(photos: Path) -> None:
    (photos / "out/photos").mkdir(parents=True)
    (photos / "out/sub").symlink_to("photos")
    result = run("apply", "photos/1.png", "photos/sub/1.png", *BOX, "-o", "out/{parent}/{name}", cwd=photos)
    assert result.code == 2
    assert "would both be written" in result.err


def test_targets_of_ten_thousand_cost_a_few_looks_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [0]

    def counted(function):
        def look(*args, **kwargs):
            looks[0] += 1
            return function(*args, **kwargs)

        return look

    for name in ("stat", "lstat"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    inputs = [f"{tmp_path}/in/{number}.png" for number in range(10_000)]
    targets = outputs.resolve(inputs, f"{tmp_path}/out/{{name}}", "box", read=["box", "sobel"])
    assert targets[9_999] == f"{tmp_path}/out/9999.png"
    assert looks[0] < 100_000
    with pytest.raises(ImageError, match="would both be written"):
        outputs.resolve([*inputs, f"{tmp_path}/other/5.png"], f"{tmp_path}/out/{{name}}", "box")


TINY = SAMPLES / "tiny.png"


# Names


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (["-k", "sobel"], "tiny-sobel.png"),
        (["-k", "gaussian:2", "-p", "8"], "tiny-gaussian-2.png"),
        (["-k", "gaussian:sigma=0.5,size=3"], "tiny-gaussian-sigma-0.5-size-3.png"),
        (["-k", "sobel-x", "-k", "sobel-y", "--combine", "sum"], "tiny-sobel-x+sobel-y.png"),
        (["-k", "1,2;3,4"], "tiny-kernel.png"),
        (["-k", "my filter.csv"], "tiny-my-filter.png"),
        (["--weights", "layer.npz:conv1/weight"], "tiny-conv1-weight.png"),
    ],
)
def test_default_name(options: list[str], name: str, tmp_path: Path) -> None:
    """STEM-KERNEL.EXT where the command runs, not where the image lies; safe as a file name."""
    (tmp_path / "my filter.csv").write_text("1,2\n3,4\n")
    np.savez(tmp_path / "layer.npz", **{"conv1/weight": np.ones((1, 3, 2, 2))})
    before = set(content(tmp_path))
    document = done("apply", TINY, *options, "--json", cwd=tmp_path).json
    assert document["output"] == name
    assert set(content(tmp_path)) - before == {name}
    assert not [path for path in SAMPLES.iterdir() if path.name == name]


@pytest.mark.parametrize(
    ("source", "name"), [("rotated.jpg", "rotated-box.jpg"), ("animation.gif", "animation-box.gif")]
)
def test_default_name_keeps_the_extension(source: str, name: str, tmp_path: Path) -> None:
    done("apply", SAMPLES / source, *BOX, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_default_name_of_a_tensor(tmp_path: Path) -> None:
    np.save(tmp_path / "maps.npy", np.ones((2, 5, 5)))
    assert done("apply", "maps.npy", *BOX, "-q", cwd=tmp_path).text == "maps-box.npy\n"
    assert np.load(tmp_path / "maps-box.npy").shape == (2, 3, 3)


def test_default_name_that_exists_is_refused(inputs: Path) -> None:
    (inputs / "a-box.png").write_text("precious")
    before = content(inputs)
    result = run("apply", "a.png", *BOX, cwd=inputs)
    assert result.code == 2
    assert "a-box.png" in result.err
    assert "--overwrite" in result.err
    assert content(inputs) == before
    done("apply", "a.png", *BOX, "--overwrite", cwd=inputs)
    assert (inputs / "a-box.png").read_bytes() == filtered(inputs / "a.png")


@pytest.fixture
def quicker(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program, which puts `a-box.png` into the folder while this one has its own half written."""
    usual = files._new

    def new(name: str, *rest: Any) -> BinaryIO:
        if "a-box" in Path(name).name:
            (inputs / "a-box.png").write_text("precious")
        return usual(name, *rest)

    monkeypatch.setattr(files, "_new", new)


def no_links(*_: object) -> None:
    """`os.link` where the file system has no hard links."""
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.usefixtures("quicker")
def test_a_default_name_that_comes_to_exist_meanwhile_is_refused(
    links: bool, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr("os.link", no_links)
        monkeypatch.delattr("os.O_TMPFILE", raising=False)
    before = content(inputs)
    result = run("apply", "a.png", *BOX, cwd=inputs)
    assert result.code == 2
    assert result.err == (
        "convcli: error: output 'a-box.png' exists: use another name with -o, or --overwrite to replace it\n"
    )
    assert content(inputs) == {**before, "a-box.png": b"precious"}
    result = run("apply", "a.png", "b.png", *BOX, "-q", cwd=inputs)  # refused before anything is written
    assert (result.code, (inputs / "b-box.png").exists()) == (2, False)
    (inputs / "a-box.png").unlink()
    result = run("apply", "a.png", "b.png", *BOX, "-q", cwd=inputs)
    assert (result.code, result.text) == (1, "b-box.png\n")
    assert content(inputs) == {**before, "a-box.png": b"precious", "b-box.png": filtered(inputs / "b.png")}


@pytest.mark.parametrize("options", [["--overwrite"], ["-o", "a-box.png"]])
@pytest.mark.usefixtures("quicker")
def test_what_may_be_replaced_may_appear_meanwhile(options: list[str], inputs: Path) -> None:
    done("apply", "a.png", *BOX, *options, cwd=inputs)
    assert (inputs / "a-box.png").read_bytes() == filtered(inputs / "a.png")


@pytest.mark.parametrize("output", [[], ["-o", "{stem}-box.png"]])
@pytest.mark.usefixtures("quicker")
def test_what_another_run_writes_meanwhile_is_skipped(output: list[str], inputs: Path) -> None:
    result = done("apply", "a.png", "b.png", *BOX, *output, "--skip-existing", cwd=inputs)
    assert "1 of 2 written, 1 skipped" in result.err
    assert (inputs / "a-box.png").read_text() == "precious"
    assert not list(inputs.glob(".*tmp"))


@pytest.mark.parametrize("links", [True, False])
def test_a_default_name_that_is_free(links: bool, inputs: Path, monkeypatch: pytest.MonkeyPatch, umask: None) -> None:
    """It is given in one step or, where there are no hard links, in two: the same file, with the same permissions."""
    if not links:
        monkeypatch.setattr("os.link", no_links)
        monkeypatch.delattr("os.O_TMPFILE", raising=False)
    (inputs / "a.png").chmod(0o640)
    done("apply", "a.png", *BOX, cwd=inputs)
    status = (inputs / "a-box.png").stat()
    assert (inputs / "a-box.png").read_bytes() == filtered(inputs / "a.png")
    assert (stat.S_IMODE(status.st_mode), status.st_nlink) == (0o640, 1)
    assert not list(inputs.glob(".*tmp"))


def test_a_claimed_name_that_cannot_be_used_is_given_back(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.link", no_links)
    monkeypatch.delattr("os.O_TMPFILE", raising=False)
    monkeypatch.setattr("os.replace", full)
    before = content(inputs)
    result = run("apply", "a.png", *BOX, cwd=inputs)
    assert result.code == 2
    assert "the disk is full" in result.err
    assert content(inputs) == before


def test_one_existing_name_of_several_stops_before_anything_is_written(inputs: Path) -> None:
    (inputs / "b-box.png").write_text("precious")
    before = content(inputs)
    assert run("apply", "a.png", "b.png", *BOX, cwd=inputs).code == 2
    assert content(inputs) == before


def test_folder(inputs: Path) -> None:
    """Made when its name ends in a slash; written into when it exists."""
    assert done("apply", "a.png", "b.png", *BOX, "-o", "new/deep/", "-q", cwd=inputs).text.split() == [
        "new/deep/a.png",
        "new/deep/b.png",
    ]
    assert (inputs / "new/deep/b.png").read_bytes() == filtered(inputs / "b.png")
    (inputs / "there").mkdir()
    done("apply", "a.png", *BOX, "-o", "there", cwd=inputs)
    assert (inputs / "there/a.png").read_bytes() == filtered(inputs / "a.png")


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("{stem}.tif", ["a.tif", "b.tif"]),
        ("{stem}_{kernel}.{ext}", ["a_gaussian-1.png", "b_gaussian-1.png"]),
        ("sub/{kernel}/{name}", ["sub/gaussian-1/a.png", "sub/gaussian-1/b.png"]),
        ("{stem}-{stem}.jpg", ["a-a.jpg", "b-b.jpg"]),
    ],
)
def test_template(template: str, names: list[str], inputs: Path) -> None:
    (inputs / "sub/gaussian-1").mkdir(parents=True)
    result = done("apply", "a.png", "b.png", "-k", "gaussian:1", "-p", "3", "-o", template, "-q", cwd=inputs)
    assert result.text.split() == names
    for name in names:
        with Image.open(inputs / name) as image:
            assert image.size == (7, 6)


@pytest.mark.parametrize("name", ["a", "no-extension"])
def test_inputs_without_extension_become_png(name: str, inputs: Path) -> None:
    (inputs / "a.png").rename(inputs / name)
    assert done("apply", name, *BOX, "-q", cwd=inputs).text == f"{name}-box.png\n"


# Collisions and inputs


@pytest.mark.parametrize(
    "args",
    [
        ["a.png", "b.png", "-o", "out.png"],
        ["a.png", "b.png", "-o", "{kernel}.png"],
        ["a.png", "b.png", "-o", "-"],
        ["a.png", "other/a.png"],
        ["a.png", "other/a.png", "-o", "out/"],
        ["a.png", "other/a.png", "-o", "./{name}.png"],
        ["a.png", "./a.png", "-o", "out.png"],
        ["x", "x", "-o", "out.png"],
        ["-", "-", "-o", "out.png"],
    ],
    ids=" ".join,
)
def test_collisions_are_refused(args: list[str], inputs: Path) -> None:
    (inputs / "other").mkdir()
    (inputs / "other/a.png").write_bytes((inputs / "b.png").read_bytes())
    (inputs / "x").write_bytes((inputs / "b.png").read_bytes())
    before = content(inputs)
    result = run("apply", *args, *BOX, cwd=inputs, input=(inputs / "a.png").read_bytes())
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert result.out == b""
    assert content(inputs) == before


@pytest.mark.parametrize(
    "args",
    [
        ["a.png", "-o", "a.png"],
        ["a.png", "-o", "./a.png"],
        ["a.png", "-o", "sub/../a.png"],
        ["a.png", "-o", "{name}"],
        ["a.png", "-o", "./"],
        ["a.png", "-o", "."],
        ["a.png", "-o", "symlink.png"],
        ["symlink.png", "-o", "a.png"],
        ["a.png", "-o", "hardlink.png"],
    ],
    ids=" ".join,
)
def test_an_input_is_never_overwritten(args: list[str], inputs: Path) -> None:
    (inputs / "sub").mkdir()
    (inputs / "symlink.png").symlink_to("a.png")
    (inputs / "hardlink.png").hardlink_to(inputs / "a.png")
    (inputs / "a-box.png").write_bytes((inputs / "b.png").read_bytes())
    before = content(inputs)
    result = run("apply", *args, *BOX, cwd=inputs)
    assert result.code == 2
    assert "--in-place" in result.err
    assert content(inputs) == before


def test_in_place(inputs: Path) -> None:
    expected = [filtered(inputs / "a.png"), filtered(inputs / "b.png")]
    result = done("apply", "a.png", "b.png", *BOX, "--in-place", "-q", cwd=inputs)
    assert result.text.split() == ["a.png", "b.png"]
    assert [(inputs / "a.png").read_bytes(), (inputs / "b.png").read_bytes()] == expected


def test_in_place_leaves_a_bad_file_as_it_is(inputs: Path) -> None:
    assert run("apply", "bad.png", "a.png", *BOX, "--in-place", cwd=inputs).code == 1
    assert (inputs / "bad.png").read_text() == "no image"
    assert read(inputs / "a.png").shape == (1, 4, 5)


# Folders that are made; devices; files that are read


def test_a_template_makes_its_folder(inputs: Path) -> None:
    done("apply", "a.png", "b.png", *BOX, "-o", "new/{stem}/x.png", cwd=inputs)
    assert (inputs / "new/b/x.png").read_bytes() == filtered(inputs / "b.png")


@pytest.mark.parametrize("output", ["new/deep/", "new/{stem}/deep/x.jpg"])
def test_a_failed_run_leaves_no_folder(output: str, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    Image.open(inputs / "a.png").save(inputs / "a.jpg")
    monkeypatch.setitem(Image.SAVE, "JPEG", fail)
    (inputs / "there").mkdir()
    before = sorted(inputs.rglob("*"))
    assert run("apply", "a.jpg", *BOX, "-o", output, cwd=inputs).code == 2
    assert run("apply", "a.jpg", *BOX, "-o", f"there/{output}", cwd=inputs).code == 2
    assert sorted(inputs.rglob("*")) == before


def test_an_interrupted_run_leaves_no_folder(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    Image.open(inputs / "a.png").save(inputs / "a.jpg")
    monkeypatch.setitem(Image.SAVE, "JPEG", interrupt)
    assert run("apply", "a.jpg", *BOX, "-o", "new/", cwd=inputs).code == 130
    assert not (inputs / "new").exists()


def test_devices_are_written_to_not_replaced(inputs: Path) -> None:
    """With and without a format; several images may go to the same one."""
    for options in ([], ["--format", "png"]):
        done("apply", "a.png", "b.png", *BOX, "-o", "/dev/null", *options, cwd=inputs)
        assert not Path("/dev/null").is_file()
    result = run("apply", "a.png", *BOX, "-o", "/dev/full", cwd=inputs)
    assert result.code == 2
    assert "the disk is full" in result.err


@pytest.mark.parametrize("options", [[], ["--format", "png"]])
def test_dev_stdout_is_standard_output(options: list[str], inputs: Path) -> None:
    """Also when that is a file, which is not to be replaced beneath the shell."""
    result = done("apply", "a.png", *BOX, "-o", "/dev/stdout", *options, cwd=inputs)
    assert result.out == filtered(inputs / "a.png")
    line = f"{sys.executable} -m convcli apply a.png -k box -o /dev/stdout {' '.join(options)} >> all"
    (inputs / "all").write_bytes(b"before")
    ended = subprocess.run(["sh", "-c", line], cwd=inputs, env=environment(), capture_output=True, check=False)
    assert ended.returncode == 0
    assert (inputs / "all").read_bytes() == b"before" + result.out


def test_a_pipe_is_written_to(inputs: Path) -> None:
    os.mkfifo(inputs / "pipe")
    line = f"cat pipe > got & {sys.executable} -m convcli apply a.png -k box -o pipe -q && wait"
    subprocess.run(["sh", "-c", line], cwd=inputs, env=environment(), capture_output=True, check=True, timeout=60)
    assert (inputs / "got").read_bytes() == filtered(inputs / "a.png")
    assert stat.S_ISFIFO((inputs / "pipe").stat().st_mode)


def test_a_folder_that_takes_no_files_is_named(inputs: Path) -> None:
    result = run("apply", "a.png", *BOX, "-o", "/proc/x.png", cwd=inputs)
    assert result.code == 2
    assert "no file can be made in '/proc'" in result.err


def test_kernels_and_weights_are_not_replaced(inputs: Path) -> None:
    (inputs / "k.csv").write_text("1\n")
    np.save(inputs / "k.npy", np.ones((1, 1)))
    np.save(inputs / "w.npy", np.ones((1, 1, 1, 1)))
    np.savez(inputs / "w.npz", w=np.ones((1, 1, 1, 1)))
    (inputs / "link.npy").symlink_to("w.npy")
    before = content(inputs)
    for options in (
        ["a.png", "-k", "k.csv", "-o", "k.csv"],
        ["a.png", "-k", "box", "-k", "k.npy", "--combine", "sum", "-o", "k.npy"],
        ["a.png", "--weights", "w.npy", "-o", "link.npy"],
        ["a.png", "--weights", "w.npz:w", "-o", "w.npz"],
        ["w.npy", "--weights", "w.npy", "--in-place"],
    ):
        result = run("apply", *options, cwd=inputs)
        assert result.code == 2
        assert "kernel or weights file" in result.err
    assert content(inputs) == before


@pytest.mark.parametrize("name", ["animation.gif", "pages.tif"])
def test_in_place_keeps_all_frames(name: str, inputs: Path) -> None:
    first = Image.open(inputs / "a.png")
    first.save(inputs / name, save_all=True, append_images=[Image.open(inputs / "b.png")])
    done("apply", name, *BOX, "--in-place", cwd=inputs)
    with Image.open(inputs / name) as image:
        assert image.n_frames == 2


def test_in_place_does_not_lose_pictures_that_are_not_read(inputs: Path) -> None:
    """A smaller copy is no frame: a result beside the input is fine, but the input keeps it."""
    pixels = np.arange(80, dtype=np.uint8).reshape(8, 10)
    with tifffile.TiffWriter(inputs / "slide.tif") as to:
        to.write(pixels, photometric="minisblack", metadata=None)
        to.write(pixels[::2, ::2], photometric="minisblack", subfiletype=1, metadata=None)
    before = (inputs / "slide.tif").read_bytes()
    result = run("apply", "slide.tif", *BOX, "--in-place", cwd=inputs)
    assert result.code == 2
    assert "--in-place would drop pictures of 'slide.tif'" in result.err
    assert (inputs / "slide.tif").read_bytes() == before
    done("apply", "slide.tif", *BOX, "-o", "out.tif", cwd=inputs)


def test_in_place_does_not_lose_frames(inputs: Path) -> None:
    """A telephone's photograph with another one behind it."""
    first = Image.open(inputs / "a.png").convert("RGB")
    first.save(inputs / "photo.jpg", "MPO", save_all=True, append_images=[first])
    before = (inputs / "photo.jpg").read_bytes()
    result = run("apply", "photo.jpg", *BOX, "--in-place", cwd=inputs)
    assert result.code == 2
    assert "1 of the 2 frames" in result.err
    assert (inputs / "photo.jpg").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content"), [("a.jpg", "PNG"), ("a.gif", "TIFF"), ("a.png", "GIF"), ("a.bmp", "JPEG")]
)
def test_in_place_does_not_change_the_format(name: str, content: str, inputs: Path) -> None:
    """A file whose name promises another format than its content."""
    Image.open(inputs / "a.png").convert("L").save(inputs / "other", content)
    (inputs / "other").replace(inputs / name)
    before = (inputs / name).read_bytes()
    result = run("apply", name, *BOX, "--in-place", cwd=inputs)
    assert result.code == 2
    assert f"'{name}' is {content}" in result.err
    assert len(result.err.splitlines()) == 1
    assert (inputs / name).read_bytes() == before


def test_in_place_keeps_icons_of_other_sizes(inputs: Path) -> None:
    Image.open(inputs / "a.png").convert("RGBA").resize((64, 64)).save(inputs / "a.ico", sizes=[(16, 16), (64, 64)])
    before = (inputs / "a.ico").read_bytes()
    result = run("apply", "a.ico", *BOX, "--in-place", cwd=inputs)
    assert result.code == 2
    assert "--in-place would drop pictures of 'a.ico'" in result.err
    assert (inputs / "a.ico").read_bytes() == before


def test_in_place_keeps_what_follows_a_picture(inputs: Path) -> None:
    """The film of a Motion Photo, for one; but padding is nothing to keep."""
    for ending in ("jpg", "png"):
        photo = inputs / f"photo.{ending}"
        Image.open(inputs / "a.png").convert("RGB").save(photo)
        whole = photo.read_bytes()
        photo.write_bytes(whole + b"ftypmp42 and so on")
        result = run("apply", photo.name, *BOX, "--in-place", cwd=inputs)
        assert result.code == 2
        assert f"--in-place would drop the 18 bytes that follow the picture of '{photo.name}'" in result.err
        photo.write_bytes(whole + bytes(100))
        done("apply", photo.name, *BOX, "--in-place", cwd=inputs)
