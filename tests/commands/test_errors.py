"""Wrong command lines: one line on stderr with the value, the rule and the remedy; exit code 2; nothing is left behind."""

import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from convcli import backends
from convcli.errors import one_line
from convcli.system import files
from convcli.system.files import reason
from support.cli import SAMPLES, Result, binary, environment, run
from support.pictures import write

REMEDY = re.compile(
    r"\b(use|give|add|apply|write|name|make|save|convert|check|try|leave|set|move|mend|rename|separate|reduce|change|join|free|"
    r"did you mean|is it|the keys are|weights are|must be|wanted|is not one of|go(es)? with|begins with|holds numbers|"
    r"lists the names)\b",
    re.IGNORECASE,
)
BOX = ["-k", "box"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, tensors, kernels and weights, most of them broken. The tests leave it as it is."""
    path = tmp_path_factory.mktemp("errors")
    generator = np.random.default_rng(0)
    write(path / "img.png", generator.integers(0, 256, (3, 8, 10), dtype=np.uint8))
    write(path / "gray.png", generator.integers(0, 256, (1, 8, 10), dtype=np.uint8))
    shutil.copy(SAMPLES / "icon.png", path)
    write(path / "cmyk.tif", generator.integers(0, 256, (4, 8, 10), dtype=np.uint8), "CMYK")
    np.save(path / "maps.npy", generator.normal(size=(4, 8, 10)))
    np.save(path / "batch.npy", generator.normal(size=(2, 1, 8, 10)))
    (path / "img-box.png").write_text("precious")
    (path / "sub").mkdir()
    # no images
    (path / "empty.png").touch()
    (path / "text.png").write_text("hello, I am no image")
    (path / "cut.png").write_bytes((SAMPLES / "small.png").read_bytes()[:9000])
    (path / "cut.jpg").write_bytes((SAMPLES / "coffee.jpg").read_bytes()[:9000])
    (path / "cut.gif").write_bytes((SAMPLES / "animation.gif").read_bytes()[:300])
    (path / "header.png").write_bytes((SAMPLES / "small.png").read_bytes()[:20])
    (path / "cut.npy").write_bytes((path / "maps.npy").read_bytes()[:400])
    np.save(path / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(path / "complex.npy", np.ones((4, 4), complex))
    np.save(path / "words.npy", np.array([["a", "b"]]))
    np.save(path / "line.npy", np.ones(5))
    np.save(path / "five.npy", np.ones((1, 1, 1, 2, 2)))
    np.save(path / "nothing.npy", np.ones((3, 0, 4)))
    # kernels
    np.save(path / "cube.npy", np.ones((2, 3, 3)))
    np.save(path / "nan_kernel.npy", np.array([[1, np.nan]]))
    (path / "kernel.foo").write_text("1,2\n3,4\n")
    (path / "ragged.csv").write_text("1,2\n3\n")
    (path / "letters.txt").write_text("1 2\n3 x\n")
    (path / "empty.csv").touch()
    (path / "binary.txt").write_bytes(b"\x89\x00\xff\x81")
    (path / "broken.json").write_text("[[1,2],[3")
    (path / "object.json").write_text('{"a": 1}')
    (path / "headless.mat").write_text("1 2 3 4 5\n")
    (path / "wrong.mat").write_text("3 3\n1 2\n3 4\n")
    # weights
    np.save(path / "w.npy", np.ones((6, 3, 3, 3)))
    np.save(path / "w2d.npy", np.ones((3, 3)))
    np.save(path / "w_nan.npy", np.full((1, 3, 1, 1), np.inf))
    np.save(path / "w_empty.npy", np.ones((1, 3, 0, 1)))
    np.savez(path / "w.npz", first=np.ones((1, 3, 1, 1)), second=np.ones((1, 3, 1, 1)), bias=np.ones(3))
    (path / "broken.npz").write_text("no archive")
    (path / "broken.safetensors").write_text("no tensors")
    return path


@pytest.fixture(scope="module")
def torch_files(folder: Path) -> None:
    """The .pt files among them: torch takes a second to import."""
    import torch

    torch.save({"a": torch.ones(1, 3, 1, 1), "b": torch.ones(1, 3, 1, 1)}, folder / "ab.pt")
    torch.save(np.float64, folder / "code.pt")
    torch.save([1, 2], folder / "list.pt")
    (folder / "cut.pt").write_bytes((folder / "ab.pt").read_bytes()[:200])


@pytest.fixture(autouse=True)
def _nothing_changes(folder: Path) -> Iterator[None]:
    def listing() -> dict[str, float]:
        return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if not path.name.endswith(".pt")}

    before = listing()
    yield
    assert listing() == before


def check(result: Result, *contains: str) -> None:
    """Exit code 2; exactly one line, which holds the value and a remedy; nothing on stdout."""
    assert result.code == 2
    assert result.out == b""
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("convcli: error: ")
    assert "Traceback" not in lines[0]
    for text in contains:
        assert text.lower() in lines[0].lower()
    assert REMEDY.search(lines[0].removeprefix("convcli: error: ")), f"no remedy in: {lines[0]}"
    assert len(lines[0]) < 500


def cases(table: str) -> list:
    """`command line | words that the error holds` a line; words are separated by `&`."""
    rows = [line.strip().rsplit("|", 1) for line in table.strip().splitlines()]
    return [
        pytest.param(line.split(), [word.strip() for word in words.split("&")], id=line.strip()) for line, words in rows
    ]


# Kernels


KERNELS = cases("""
    -k sobl                       | 'sobl' & did you mean sobel
    -k gausian:2                  | 'gausian:2' & did you mean gaussian
    -k laplace                    | 'laplace' & laplacian
    -k sobel-z                    | 'sobel-z' & sobel-x
    -k qqqqqq                     | 'qqqqqq' & 'convcli kernel'
    -k 1,2;3                      | '1,2;3' & row 2 & same number
    -k 1,2;3,4,5                  | '1,2;3,4,5' & row 2
    -k 1,,2                       | '1,,2' & empty
    -k ;                          | ';' & empty
    -k 1,x                        | 'x' & not a number
    -k 1,nan                      | nan & finite
    -k inf,1                      | inf & finite
    -k 1e999,1                    | 1e999 & finite
    -k 1/0,1                      | 1/0 & zero
    -k gaussian:0                 | sigma 0 & 0.01 or more
    -k gaussian:-1                | sigma -1 & 0.01 or more
    -k gaussian:x                 | 'x' & sigma
    -k gaussian:                  | 'gaussian:' & colon
    -k gaussian:nan               | 'nan' & finite
    -k gaussian:1,2,3             | 'gaussian:1,2,3' & too many
    -k gaussian:sgma=2            | 'sgma' & did you mean sigma
    -k gaussian:sigma=2,sigma=3   | sigma & twice
    -k gaussian:9999              | 9999 & smaller sigma
    -k box:0                      | box & 0
    -k box:2.5                    | '2.5' & whole
    -k box:999999999              | 999999999 & 4095
    -k identity:2                 | 2 & odd
    -k sobel:4                    | 4 & odd
    -k prewitt:3                  | 'prewitt:3' & none
    -k shift                      | 'shift' & dy
    -k laplacian:5                | 5 & 4 or 8
    -k disk:-1                    | -1
    -k disk:1e300                 | '1e300' & out of range & 1e+09
    -k gabor:0.0001               | 0.0001 & 0.001 to 0.5
    -k gabor:0.01,0,0.01          | 0.01 & wider than 4095 & frequency
    -k 0x0:                       | '0x0:' & at least 1
    -k zzz                        | 'zzz' & 'convcli kernel'
    -k 3x3:1,2                    | '3x3:1,2' & 9
    -k 2x2+5+0:1,2,3,4            | +5+0 & inside
    -k 3x3@:1,1,1,1,1,1,1,1,1     | rotations
    -k nofile.npy                 | 'nofile.npy' & no such file
    -k nofile.csv                 | 'nofile.csv' & no such file
    -k kernel.foo                 | 'kernel.foo' & .csv
    -k ragged.csv                 | 'ragged.csv' & row 2 has 1 value, row 1 has 2
    -k letters.txt                | 'letters.txt' & x
    -k empty.csv                  | 'empty.csv' & empty
    -k binary.txt                 | 'binary.txt' & not text
    -k broken.json                | 'broken.json' & JSON
    -k object.json                | 'object.json' & matrix
    -k headless.mat               | 'headless.mat' & header
    -k wrong.mat                  | 'wrong.mat' & 3×3
    -k cube.npy                   | 'cube.npy' & --weights
    -k nan_kernel.npy             | 'nan_kernel.npy' & finite
    -k pickled.npy                | 'pickled.npy' & pickled
    -k cut.npy                    | 'cut.npy' & truncated
    -k complex.npy                | 'complex.npy' & real
    -k box:2 -k box:3             | 'box:2' & 'box:3'
    -k box:9                      | 9 & larger than the padded image of 8 & --padding
    -k box:3,11                   | 11 & larger than the padded image of 10
    -k box -d 4                   | dilation 4 & 9 & --padding
    -k box:11 -p 1,0              | 11 & padded image of 10
""")


@pytest.mark.parametrize(("args", "contains"), KERNELS)
def test_kernels(args: list[str], contains: list[str], folder: Path) -> None:
    check(run("apply", "img.png", *args, "-o", "out.png", cwd=folder), *contains)


@pytest.mark.parametrize("kernel", ["", " ", "1,2\n;3", "so\nbel", "a\tb,c"])
def test_blank_and_multiline_kernels(kernel: str, folder: Path) -> None:
    check(run("apply", "img.png", "-k", kernel, "-o", "out.png", cwd=folder), "kernel")


# Operations


OPERATIONS = cases("""
    apply img.png                                      | -k & --weights
    apply img.png -k box --weights w.npy               | box & w.npy & exclude
    apply img.png -k box --groups 2                    | groups 2 & 3
    apply img.png -k box --channels sum --groups 3     | groups 3 & 1
    apply img.png -k box -k sobel-x --channels sum --groups 2 | groups 2 & 3
    apply img.png -k box -s 2 -p same                  | 'same' & stride 2 & same-upper
    apply img.png -k box --bias 1,2                    | 2 values & 3
    apply img.png -k box -k sobel-x --bias 1,2,3 --combine sum | 3 values & 6
    apply gray.png -k sobel --bias 1,2,3               | 3 values & 2
    apply img.png -k box -k sobel-x                    | 6 & .npy & --combine
    apply batch.npy -k box -o out.png                  | 2 & .npy
    apply cmyk.tif -k box --channels gray              | CMYK
    apply cmyk.tif -k box --linear                     | cmyk & --linear
    apply maps.npy -k box --linear                     | tensor & --linear
    apply icon.png -k sobel --alpha premultiply        | premultiply & keep
    apply icon.png -k box --channels sum --alpha filter | filter & keep
    apply icon.png -k box -o out.jpg                   | JPEG & --alpha drop & png
    apply img.png -k box --range raw -o out.png        | raw & .npy
    apply img.png -k box --quality 80 -o out.png       | --quality 80 & JPEG & PNG
    apply img.png -k box --compression 3 -o out.jpg    | --compression 3 & TIFF & JPEG
    apply img.png -k box --max-pixels 79               | 80 pixels & bomb & --max-pixels 80
    apply img.png -k box --max-pixels 1.5M             | 1.5M & 300M
    transpose img.png -k box -s 2 --op2 2              | output_padding 2 & stride 2 & at most 1
    transpose img.png -k box -s 2 --op2 0,3            | output_padding 3 & at most 1
    transpose img.png -k box --op2 1                   | output_padding 1 & stride 1
    transpose img.png -k box -s 2 --output-size 5,21   | 5 & 17 to 18
    transpose img.png -k box -s 2 --output-size 17,23  | 23 & 21 to 22
    transpose img.png -k box --output-size 11,12       | 11 & 10
    transpose img.png -k box -s 2 --output-size 17,21 --op2 1 | 17×21 & output_padding 1 & give one
    transpose img.png -k box -p 9                      | 9+9 & at most
    transpose img.png -k box -p same -s 2              | 'same' & same-upper
    transpose img.png -k box --groups 2                | groups 2 & 3
    apply img.png -k box -p 2000000000                 | GiB & --stride
    transpose img.png -k box -s 2000000                | GiB & --stride
    apply img.png -k box --backend numpy --dtype float16    | 'numpy' & float16 & --backend torch
    apply img.png -k box --backend reference --dtype float32 | 'reference' & float32 & float64
    apply img.png -k box --backend numpy --device cuda      | 'numpy' & 'cuda' & --backend torch
    compare img.png --in-channels 3                    | --in-channels & 'img.png'
    compare img.png -k box --out-channels 3            | --out-channels & --weights
    compare --kernel-size 3 --weights w.npy            | --kernel-size & --weights
    compare --size 9,9 --kernel-size 11                | 11 & 9
    compare --size 9,9 --groups 2                      | groups 2 & 3
    compare --size 9,9 --in-channels 4 --out-channels 6 --groups 4 | groups 4 & 6
    compare --size 9,9 --bias 1,2                      | 2 values & 3
    compare --backend numpy --dtype bfloat16 --size 9,9 | 'numpy' & bfloat16 & torch
    compare --size 9,9 -s 2 -p same                    | 'same' & same-upper
    compare nowhere.png                                | 'nowhere.png'
    compare --size 999999,999999                       | (3, 999999, 999999) & GiB & --size
    compare --kernel-size 999999                       | (3, 3, 999999, 999999) & GiB & --kernel-size
    shape --hin 5 --k 7                                | 7 & padded image of 5 & --padding
    shape --hin 9 --win 5 --k 7                        | 7 & columns & 5
    shape --hin 9 --k 3 --s 2 --p same                 | 'same' & same-upper
    shape --hin 9 --k 3 --s 2 --op2 2                  | output_padding 2 & at most 1
    shape --hin 9 --k 3 --op2 1 --p same --s 2         | 'same' & same-upper
    shape --hin 9 --k 3 --transpose --p 9              | 9+9 & at most
    shape --hin 32 --k 3 --s 2 --transpose --output-size 67,67 | 67 & 65 to 66
    shape --hin 32 --k 3 --s 2 --op2 1 --output-size 65,65 | 66×66 & output_padding 1 & give one
""")


@pytest.mark.parametrize(("args", "contains"), OPERATIONS)
def test_operations(args: list[str], contains: list[str], folder: Path) -> None:
    output = [] if "-o" in args or args[0] in ("shape", "compare") else ["-o", "out.png"]
    check(run(*args, *output, cwd=folder), *contains)


WEIGHTS = cases("""
    w.npy --groups 2           | groups 2 & 3
    w.npy --bias 1,2,3         | 3 values & 6
    w.npy --combine sum        | --combine & -k
    w.npy --channels sum       | --channels sum & -k
    w.npy                      | 6 & .npy
    w.npy:key                  | 'key' & w.npy
    w.npz                      | first, second & KEY
    w.npz:third                | 'third' & first
    w.npz:bias                 | 4-D & (3,)
    w.npz:                     | 'w.npz:' & KEY
    w2d.npy                    | 4-D & (3, 3) & -k
    w_nan.npy                  | 'w_nan.npy' & finite
    w_empty.npy                | 'w_empty.npy' & at least 1
    nowhere.npy                | 'nowhere.npy' & no such file
    nowhere.pt:a               | 'nowhere.pt' & no such file
    kernel.foo                 | 'kernel.foo' & .safetensors
    pickled.npy                | 'pickled.npy' & pickled
    cut.npy                    | 'cut.npy' & truncated
    broken.npz                 | 'broken.npz' & truncated
    broken.safetensors         | 'broken.safetensors' & truncated
    sub                        | 'sub'
""")


@pytest.mark.parametrize(("args", "contains"), WEIGHTS)
def test_weights(args: list[str], contains: list[str], folder: Path) -> None:
    check(run("apply", "img.png", "--weights", *args, "-o", "out.png", cwd=folder), *contains)


@pytest.mark.parametrize(
    ("args", "contains"),
    cases("""
    ab.pt       | a, b & KEY
    ab.pt:c     | 'c' & a, b
    code.pt     | 'code.pt' & code & tensors
    list.pt     | 'list.pt' & list & tensor
    cut.pt      | 'cut.pt' & truncated
"""),
)
def test_weights_of_torch(args: list[str], contains: list[str], folder: Path, torch_files: None) -> None:
    check(run("apply", "img.png", "--weights", *args, "-o", "out.png", cwd=folder), *contains)


@pytest.mark.parametrize("text", ["hello", "x", "no tensors", "{}"])
def test_text_as_torch_file_is_not_called_dangerous(text: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text(text)
    result = run("apply", "img.png", "--weights", tmp_path / "text.pt", "-o", "out.png", cwd=folder)
    check(result, "text.pt", "truncated")


@pytest.mark.parametrize(("image", "channels"), [("gray.png", "1"), ("img.png", "3")])
def test_weights_of_the_wrong_channel_count(image: str, channels: str, folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones((5, 4, 3, 3)))
    for command in ("apply", "transpose"):
        result = run(command, image, "--weights", tmp_path / "w.npy", "-o", "out.png", cwd=folder)
        check(result, "(5, 4, 3, 3)", f"the image has {channels}", "C_in")


# Files


FILES = cases("""
    nowhere.png                  | 'nowhere.png' & no such file
    nowhere/img.png              | 'nowhere/img.png' & no such file
    img.png/img.png              | 'img.png/img.png'
    .                            | '.' & folder
    ..                           | '..' & folder
    /                            | '/' & folder
    sub                          | 'sub' & folder
    sub/                         | 'sub/' & folder
    text.png                     | 'text.png' & not an image
    empty.png                    | 'empty.png' & empty
    cut.png                      | 'cut.png' & truncated
    cut.jpg                      | 'cut.jpg' & truncated
    cut.gif                      | 'cut.gif' & truncated
    header.png                   | 'header.png'
    pickled.npy                  | 'pickled.npy' & pickled
    cut.npy                      | 'cut.npy' & truncated
    complex.npy                  | 'complex.npy' & real
    words.npy                    | 'words.npy' & real
    line.npy                     | 'line.npy' & (5,) & (H, W)
    five.npy                     | 'five.npy' & (1, 1, 1, 2, 2) & (H, W)
    nothing.npy                  | 'nothing.npy' & (3, 0, 4) & can be 0
""")


@pytest.mark.parametrize(("args", "contains"), FILES)
@pytest.mark.parametrize("command", ["apply", "transpose"])
def test_files(command: str, args: list[str], contains: list[str], folder: Path) -> None:
    check(run(command, *args, *BOX, "-o", "out.npy", cwd=folder), *contains)


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_stdin(data: bytes, folder: Path) -> None:
    check(run("apply", "-", *BOX, input=data, cwd=folder), "'-'")


def test_folders_without_images(folder: Path) -> None:
    (folder.parent / "bare" / "sub").mkdir(parents=True)
    for name in (".", "../bare", "/", "sub"):
        check(run("apply", name, *BOX, cwd=folder.parent / "bare"), f"'{name}'", "folder without images")


def test_a_file_name_with_a_line_break(folder: Path) -> None:
    check(run("apply", "no\nwhere.png", *BOX, "-o", "out.png", cwd=folder), "where.png")


OUTPUTS = cases("""
    -o nowhere/out.png            | 'nowhere/out.png' & nowhere & make it first
    -o out.xyz                    | 'out.xyz' & .xyz & png
    -o out                        | 'out' & png
    -o {what}.png                 | {what} & {stem}
    -o {}.png                     | {} & {stem}
    -o out.png --in-place         | --in-place & out.png
    -o img.png                    | 'img.png' & --in-place
    -o - --format xyz             | 'xyz' & png
    -o out.png --format png       | --format & -o -
                                  | img-box.png & --overwrite
""")


@pytest.mark.parametrize(("args", "contains"), OUTPUTS)
def test_outputs(args: list[str], contains: list[str], folder: Path) -> None:
    check(run("apply", "img.png", *BOX, *args, cwd=folder), *contains)


def test_empty_output(folder: Path) -> None:
    check(run("apply", "img.png", *BOX, "-o", "", cwd=folder), "''")


def test_output_folder_is_a_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check(run("apply", "img.png", *BOX, "-o", f"{tmp_path}/file/", cwd=folder), "file")


def test_in_place_of_stdin(folder: Path) -> None:
    data = (folder / "img.png").read_bytes()
    check(run("apply", "-", *BOX, "--in-place", input=data, cwd=folder), "--in-place", "'-'")


def test_unwritable_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def refuse(path: object, flags: int, *more: int) -> int:
        if flags & os.O_CREAT or flags & os.O_TMPFILE == os.O_TMPFILE:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return really(path, flags, *more)

    monkeypatch.setattr(os, "open", refuse)
    check(run("apply", "img.png", *BOX, "-o", "out.png", cwd=folder), "'out.png'", "ermission")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_really_unwritable_folder_and_unreadable_file(folder: Path, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(0o555)
    check(run("apply", "img.png", *BOX, "-o", locked / "out.png", cwd=folder), "out.png", "ermission")
    check(run("apply", "img.png", *BOX, "-o", f"{locked}/new/", cwd=folder), "new", "ermission")
    secret = write(tmp_path / "secret.png", np.zeros((1, 4, 4), np.uint8))
    secret.chmod(0)
    check(run("apply", secret, *BOX, "-o", "out.png", cwd=folder), "secret.png", "ermission")


@pytest.mark.parametrize("name", ["out.png", "out.npy", "out.tif"])
def test_full_disk(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "replace", full)
    monkeypatch.setattr(files.os, "link", full)
    check(run("apply", "img.png", *BOX, "-o", name, cwd=folder), f"'{name}'", "full")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has /dev/full")
@pytest.mark.parametrize("name", ["out.png", "out.npy"])
def test_full_device(name: str, folder: Path, tmp_path: Path) -> None:
    """The disk fills up while the data is written; large data goes past Python's buffers."""
    np.save(tmp_path / "large.npy", np.ones((200, 200)))
    (tmp_path / name).symlink_to("/dev/full")
    check(run("apply", tmp_path / "large.npy", "-k", "identity", "-o", tmp_path / name, cwd=folder), name, "full")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has /dev/full")
@pytest.mark.parametrize(
    "args", ["shape --hin 9 --k 3", "apply large.npy -k identity -o -", "apply img.png -k box -o -"]
)
def test_full_standard_output(args: str, folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.ones((200, 200)))
    shutil.copy(folder / "img.png", tmp_path)
    with open("/dev/full", "wb") as stream:
        ended = subprocess.run(
            [sys.executable, "-m", "convcli", *args.split()],
            cwd=tmp_path, env=environment(), stdout=stream, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    check(Result(ended.returncode, b"", ended.stderr.decode()), "output", "full")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_really_full_disk(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mount does not work here")
    try:
        write(tmp_path / "noise.png", np.random.default_rng(0).integers(0, 256, (1, 400, 400), dtype=np.uint8))
        for name in ("out.png", "out.npy"):
            (small / name).write_text("old")
            check(run("apply", tmp_path / "noise.png", "-k", "identity", "-o", small / name, cwd=folder), name, "full")
        assert {path.name: path.read_text() for path in small.iterdir()} == {"out.png": "old", "out.npy": "old"}
    finally:
        subprocess.run(["umount", small], check=True)


def test_out_of_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(*args: object, **kwargs: object) -> None:
        raise MemoryError

    monkeypatch.setattr(backends, "load", exhaust)
    check(run("apply", "img.png", *BOX, "-o", "out.png", cwd=folder), "memory")
    check(run("compare", "--size", "9,9", cwd=folder), "memory")


# Options


OPTIONS = cases("""
    apply img.png -k box --nope                  | --nope
    apply img.png -k box --strid 2               | --strid & --stride
    apply img.png -k box --stride                | --stride
    apply img.png -k box -s 0                    | '0' & --stride
    apply img.png -k box -s -1                   | '-1' & --stride
    apply img.png -k box -s 1.5                  | '1.5' & --stride
    apply img.png -k box -s x                    | 'x' & --stride & H,W
    apply img.png -k box -s 1,2,3                | '1,2,3' & --stride & H,W
    apply img.png -k box -s 1,                   | '1,' & --stride
    apply img.png -k box --stride=               | '' & --stride
    apply img.png -k box -s 99999999999999999999 | '99999999999999999999' & --stride & 1 to 2147483647
    apply img.png -k box -s ２                   | '２' & --stride
    apply img.png -k box -p -1                   | '-1' & --padding
    apply img.png -k box -p 9999999999           | '9999999999' & --padding & 0 to 2147483647
    apply img.png -k box -p 1,2,3                | '1,2,3' & --padding & T,B,L,R
    apply img.png -k box -p sam                  | 'sam' & same-upper
    apply img.png -k box -p 0.5                  | '0.5' & --padding
    apply img.png -k box -p 1,2,3,-4             | '1,2,3,-4' & --padding
    apply img.png -k box --padding-mode foo      | 'foo' & reflect
    apply img.png -k box -d 0                    | '0' & --dilation
    apply img.png -k box -d 1;2                  | '1;2' & --dilation
    apply img.png -k box --groups 0              | '0' & --groups
    apply img.png -k box --groups x              | 'x' & --groups
    apply img.png -k box --bias x                | 'x' & --bias & 50%
    apply img.png -k box --bias 1,,2             | '1,,2' & --bias
    apply img.png -k box --bias nan              | 'nan' & --bias
    apply img.png -k box --bias inf              | 'inf' & --bias
    apply img.png -k box --bias 5%%              | '5%%' & --bias
    apply img.png -k box --op foo                | 'foo' & --op & corr
    apply img.png -k box --channels foo          | 'foo' & --channels & each
    apply img.png -k box --combine foo           | 'foo' & --combine & magnitude
    apply img.png -k box --backend foo           | 'foo' & --backend & numpy
    apply img.png -k box --device foo            | 'foo' & --device & cuda:N
    apply img.png -k box --device cuda:x         | 'cuda:x' & --device
    apply img.png -k box --dtype foo             | 'foo' & --dtype & float32
    apply img.png -k box --dtype int8            | 'int8' & --dtype
    apply img.png -k box --threads 0             | '0' & --threads
    apply img.png -k box --threads x             | 'x' & --threads
    apply img.png -k box --range foo             | 'foo' & --range & clip
    apply img.png -k box --alpha foo             | 'foo' & --alpha & keep
    apply img.png -k box --op2 1                 | --op2
    apply img.png -k box --transpose             | --transpose
    apply -k box                                 | IMAGE
    transpose -k box                             | IMAGE
    transpose img.png -k box --op2 -1            | '-1' & --output-padding
    transpose img.png -k box --op2 x             | 'x' & --output-padding
    transpose img.png -k box --output-size 5,0   | '5,0' & --output-size
    transpose img.png -k box --output-size 5,6,7 | '5,6,7' & --output-size
    transpose img.png -k box --output-size x     | 'x' & --output-size
    shape --k 3                                  | --hin
    shape --hin 9                                | --kernel-size
    shape --hin 0 --k 3                          | '0' & --hin
    shape --hin x --k 3                          | 'x' & --hin
    shape --hin 9 --win -3 --k 3                 | '-3' & --win
    shape --hin 9 --k 0                          | '0' & --kernel-size
    shape --hin 9 --k 3,3,3                      | '3,3,3' & --kernel-size
    shape --hin 9 --k x                          | 'x' & --kernel-size
    shape --hin 9 --k 3 --p2 -2                  | '-2' & --output-padding
    shape --hin 99999999999 --k 3                | '99999999999' & --hin
    shape --hin 9 --k 3 surplus                  | surplus
    shape --hin 9 --k 3 --json=1                 | --json
    compare --size 9,x                           | '9,x' & --size
    compare --in-channels 0                      | '0' & --in-channels
    compare --out-channels x                     | 'x' & --out-channels
    compare --kernel-size 0                      | '0' & --kernel-size
    compare --repeats 0                          | '0' & --repeats
    compare --repeats x                          | 'x' & --repeats
    compare --tolerance -1                       | -1 & --tolerance
    compare --tolerance x                        | 'x' & --tolerance
    compare --tolerance nan                      | 'nan' & --tolerance & at least 0
    compare --tolerance inf                      | 'inf' & --tolerance & finite
    compare --combine sum                        | --combine
    apply img.png -k box --bias 1e39             | '1e39' & --bias & 1e+38
    apply img.png -k box --bias=-1e308           | '-1e308' & --bias & -1e+38
    compare a.png b.png                          | b.png
    aply img.png                                 | 'aply' & apply
    --nope                                       | --nope
""")


@pytest.mark.parametrize(("args", "contains"), OPTIONS)
def test_options(args: list[str], contains: list[str], folder: Path) -> None:
    output = ["-o", "out.png"] if args[0] in ("apply", "transpose") and args[-1] != "--stride" else []
    check(run(*args, *output, cwd=folder), *contains)


# Devices


@pytest.fixture
def no_cuda() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
@pytest.mark.parametrize(
    "command", [["apply", "img.png", *BOX], ["transpose", "img.png", *BOX], ["compare", "--size", "9,9"]]
)
def test_an_absent_device_is_an_error(command: list[str], device: str, folder: Path, no_cuda: None) -> None:
    output = [] if command[0] == "compare" else ["-o", "out.png"]
    check(run(*command, "--device", device, *output, cwd=folder), f"'{device}'", "--device cpu")


# Long values


@pytest.mark.parametrize("option", [["--stride"], ["-k"], ["-k", "box", "--bias"], ["-k", "box", "--padding-mode"]])
def test_long_values_are_shortened_in_the_middle(option: list[str], folder: Path) -> None:
    value = "1,x," + "0" * 500 + ",y9"
    result = run("apply", "img.png", *option, value, "-o", "out.png", cwd=folder)
    check(result, "'1,x,000", "000…000", "000,y9'")
    assert len(result.err) < 400


def test_long_values_of_one_image_of_several(folder: Path) -> None:
    result = run("apply", "text.png", "n" * 200, *BOX, "-o", "out/", cwd=folder)
    assert "'nnn" in result.err
    assert "nnn…nnn" in result.err
    assert len(result.err) < 300


def test_apostrophes_are_no_quotes() -> None:
    text = "the numpy backend's plan " + "is a long story " * 9 + "and so is torch's: use 'x'"
    assert one_line(text) == text


def test_wild_guesses_are_not_offered(folder: Path) -> None:
    result = run("apply", "img.png", "-k", "gaussian:q=2", "-o", "out.png", cwd=folder)
    check(result, "'q'", "gaussian[:sigma=1,size]")
    assert "did you mean" not in result.err
    assert "did you mean" not in run("apply", "img.png", "-k", "losenge", "-o", "out.png", cwd=folder).err
    for near, name in (("sobl", "sobel"), ("lap", "laplacian"), ("gauss", "gaussian")):
        assert f"did you mean {name}" in run("apply", "img.png", "-k", near, "-o", "out.png", cwd=folder).err


# The real program


@pytest.mark.parametrize("module", ["click", "numpy"])
def test_interrupted_while_importing(module: str, folder: Path) -> None:
    """Ctrl-C in the first moments: exit code 130 and no traceback."""
    code = f"""
import runpy, sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
sys.argv = ["convcli", "apply", "img.png", "-k", "box", "-o", "out.png"]
runpy.run_module("convcli", run_name="__main__")
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 130
    assert "Traceback" not in ended.stderr
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize("line", ["apply nowhere.png -k box", "apply img.png -k sobl", "shape --hin x --k 3", "nope"])
def test_real_program(line: str, folder: Path) -> None:
    check(binary(*line.split(), cwd=folder))


def test_json_does_not_change_errors(folder: Path) -> None:
    check(run("apply", "nowhere.png", *BOX, "--json", cwd=folder), "'nowhere.png'")
    check(run("apply", "img.png", "-k", "1,2;3", "--json", "-q", cwd=folder), "ragged")


def test_a_bug_keeps_its_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(backends, "load", fail)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run("apply", "img.png", *BOX, "-o", "out.png", cwd=folder)


def test_no_arguments_show_the_help(folder: Path) -> None:
    result = run(cwd=folder)
    assert result.code == 2
    assert "Usage: convcli" in result.text + result.err
    assert "apply" in result.text + result.err


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.EFBIG, "ulimit -f"), (errno.EMFILE, "ulimit -n"), (errno.ENFILE, "ulimit -n")]
)
def test_a_limit_of_the_system_is_named(number: int, remedy: str) -> None:
    assert remedy in reason(OSError(number, os.strerror(number))).remedy


def test_a_file_beyond_the_limit(folder: Path) -> None:
    """``ulimit -f`` as a process meets it: a signal that Python ignores, and an error."""
    resource = pytest.importorskip("resource")
    ended = subprocess.run(
        [sys.executable, "-m", "convcli", "apply", str(SAMPLES / "coffee.jpg"), *BOX, "-o", "out.ppm"],
        cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "raise the limit (ulimit -f)" in ended.stderr
    assert not list(folder.glob("*.ppm"))


def test_more_input_sizes_than_can_be_told_apart(tmp_path: Path) -> None:
    line = "shape --hin ? --hout 1 --k 3 -q --s"
    check(run(*line.split(), "2147483647", cwd=tmp_path), "stride 2147483647", "up to 100000")
    assert run(*line.split(), "100000", cwd=tmp_path).code == 0


def test_a_bias_for_each_colour_and_none_for_the_opacity(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((4, 5, 5), np.uint8))
    line = ["apply", "in.png", "-k", "box:3", "--alpha", "filter", "-o", "out.png", "--bias"]
    check(run(*line, "1,2,3,4", cwd=tmp_path), "bias has 4 values for 3 colours", "alpha gets none")
    assert run(*line, "1,2,3", cwd=tmp_path).code == 0


def test_a_folder_without_images_in_a_list_does_not_stop_the_rest(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((3, 5, 5), np.uint8))
    (tmp_path / "dir.png").mkdir()
    (tmp_path / "list").write_text("dir.png\nin.png\n")
    result = run("apply", "--from-file", "list", "-k", "box:3", "-o", "out/", cwd=tmp_path)
    assert result.code == 1
    assert "'dir.png' is a folder" in result.err
    assert (tmp_path / "out" / "in.png").exists()


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_a_reader_that_left_before_the_group_answered(option: str) -> None:
    read, written = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "convcli", option]
    with os.fdopen(written, "wb") as stream:
        ended = subprocess.run(
            command, stdout=stream, stderr=subprocess.PIPE, env=environment(), timeout=60, check=False
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_file_that_is_taken_for_an_option(tmp_path: Path) -> None:
    write(tmp_path / "-dash.png", np.zeros((1, 5, 5), np.uint8))
    line = ("apply", "-dash.png", "-k", "box:3", "-o", "out.png")
    assert "the file of that name is ./-dash.png" in run(*line, cwd=tmp_path).err
    (tmp_path / "-dash.png").rename(tmp_path / "dash.png")
    assert "the file of that name" not in run(*line, cwd=tmp_path).err


def test_a_list_with_a_byte_order_mark(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((1, 5, 5), np.uint8))
    listed = b"\xef\xbb\xbfin.png\r\n"
    assert run("apply", "--from-file", "-", *BOX, "-o", "out/", "-q", input=listed, cwd=tmp_path).code == 0
    assert (tmp_path / "out" / "in.png").exists()


def test_a_remedy_that_keeps_names_apart(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for ending in ("png", "bmp"):
            write(tmp_path / folder / f"1.{ending}", np.zeros((1, 5, 5), np.uint8))
    line = ("apply", "a", "b", *BOX, "-o")
    wrong = run(*line, "out/{parent}_{stem}.png", cwd=tmp_path)
    assert "use {name} for {stem}, which has the ending too, -o 'out/{parent}_{name}.png'" in wrong.err
    assert run(*line, "out/{parent}_{name}.png", cwd=tmp_path).code == 0


def test_a_kernel_in_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path / "in.png", np.zeros((1, 5, 5), np.uint8))
    result = run("apply", "in.png", "-k", "pipe", cwd=tmp_path)
    assert result.code == 2
    assert "which say how to read it: save it under such a name" in result.err


def test_more_pixels_than_any_image_has(tmp_path: Path) -> None:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }".ljust(117) + "\n"
    (tmp_path / "in.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(64)
    )
    result = run("apply", "in.npy", *BOX, "-o", "out.npy", cwd=tmp_path)
    assert result.code == 2
    assert "more than any image has" in result.err
    assert "--max-pixels" not in result.err


def test_what_is_missing_is_named_with_how_it_is_written(folder: Path) -> None:
    check(run("shape", "--k", 3, cwd=folder), "--hin is missing: add --hin N", "convcli shape -h")
    check(run("explain", "--as", "torch", "-k", "sobel", cwd=folder), "no image is given: name one behind the command")


def test_the_example_of_a_kernel_fits_the_operation(folder: Path) -> None:
    check(run("apply", "rgb.png", cwd=folder), "for example -k sobel)")
    check(run("transpose", "rgb.png", cwd=folder), "for example -k bilinear:2 --stride 2)")
