"""A command of a batch is as if alone: the same results, texts, files and exit codes as in a process of its own."""

import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from support.cli import SAMPLES, Result, binary, environment
from support.pictures import write
from support.processes import BEGIN, COMPARE, SAME, SNAPSHOT

LINES = """
shape --hin 32 --k 3 --s 2 --op2 1 --color always
shape --hin 32 --k 3 --s 2 --op2 1
shape --hin 32 --win 48 --k 3,5 --p same-upper --s 2 --json
shape --hin 32 --k 3 -q
shape --hin 5 --k 7
shape --hin x --k 7
shape --kernl 3
shape --hin 224 --hout 112 --k ? --s ? --p ?
shape --hin 32 --k 3 --s ? --hout 29
shape --hin 224 --layers 'conv:k7,s2,p3,c64 pool:k3,s2,p1' --json
shape --hin 8 --k 3 --s 2 --p 1 --op2 1 -o overlap.svg -q
apply small.png -k sobel -o sobel.png
apply small.png -k sobel -o threads.png --threads 1 --json
apply small.png -k box -o torch.png --backend torch
apply small.png -k box -o auto.png --json
apply maps.npy --weights weights.npy -o auto.npy --json
apply small.png -k gaussian:3 -p same --padding-mode reflect -o linear.png --linear -q
apply small.png --max-pixels 10 -k box -o refused.png
apply small.png -k box --max-pixels 100000 -o allowed.png -q
apply icon.png -k gaussian:2 -p same -o icon.jpg --quality 40
apply icon.png -k gaussian:2 -p same -o icon.webp
apply rotated.jpg -k sharpen -p same -o sharp.jpg
apply gradient16.png -k sobel-x --range raw -o raw.tif
apply gradient16.png -k box -o deep.tif --json
apply animation.gif -k box -p same -o film.gif
apply missing.png -k box -o refused.png
apply broken.png -k box -o refused.png
apply small.png -k nonsense -o refused.png
apply small.png tiny.png broken.png -k box -o many/
apply small.png tiny.png broken.png -k box -o lines/ --json-lines
apply small.png tiny.png -k box -o many.json/ --json
apply pictures -k sobel -o edges/ --format jpg
apply old.npy -k box -o old-box.npy
apply large.npy -k box -o overflow.npy
apply small.png -k random:5 --range minmax -o random.png
apply small.png -k random:5 --range minmax -o random-again.png
apply small.png --weights weights.npy -o refused.png
apply tiny.png --kernel='1,2;3,4' --normalize --then box -o refused.png
apply maps.npy -k box -o blocks.npy --memory 1G --json
apply maps.npy --weights weights.npy --montage -o sheet.png
transpose tiny.png -k bilinear:4 -s 4 -p same-upper --padding-mode replicate -o big.png
transpose tiny.png -k bilinear:4 -s 2 -o odd.png
explain small.png -k sobel --at 10,12
explain small.png -k sobel --at 10,12 --json
explain small.png -k box --as scipy
explain small.png -k box --at 5000,1
animate --hin 5 --k 3 --s 2 -o film.svg
animate --hin 5 --k 3 --frame 2 -o still.png --json
kernel
kernel gaussian:2
kernel sobel -o kernel.csv
kernel gaussia:2
kernel --weights weights.npy --json
compare --size 16,16 --in-channels 2 --kernel-size 3 --backend numpy --tolerance 1e-12 -q
doctor --json
completion bash
aply small.png
-h
apply -h
--version
batch --help
"""

AFTER = """
apply sobel.png -k box --in-place -q
apply small.png -k sobel -o sobel.png --skip-existing
apply small.png -k box
apply small.png -k box
apply small.png -k box --overwrite
"""
"""Lines that need what an earlier one has written."""


def words(text: str) -> list[str]:
    return [line for line in text.splitlines() if line]


def even(text: str) -> str:
    """A text without what differs from run to run: times, in JSON, in tables and in lines."""
    text = re.sub(r'("(?:\w*seconds|load|import|compute|save)": )[\d.e-]+', r"\1T", text)
    return re.sub(r"\d[\d.]*(?:e-?\d+)? (?:ms|s|µs)(?=\b|[a-z])", "T", text)


class Ended(NamedTuple):
    """How a command ended."""

    line: str
    code: int
    out: str
    err: str


def told(line: str, result: Result) -> Ended:
    return Ended(line, result.code, even(result.text), even(result.err))


def fill(folder: Path) -> Path:
    """A folder with what the lines read."""
    generator = np.random.default_rng(0)
    (folder / "pictures").mkdir(parents=True)
    for name in ("small.png", "tiny.png", "icon.png", "gradient16.png", "rotated.jpg", "animation.gif"):
        (folder / name).write_bytes((SAMPLES / name).read_bytes())
    write(folder / "pictures" / "a.png", generator.integers(0, 256, (3, 40, 50), dtype=np.uint8))
    (folder / "broken.png").write_bytes((SAMPLES / "small.png").read_bytes()[:500])
    np.save(folder / "maps.npy", generator.random((64, 96, 96), np.float32))
    np.save(folder / "weights.npy", generator.random((64, 64, 3, 3), np.float32))
    np.save(folder / "large.npy", np.full((9, 9), 3e38, np.float32))
    with (folder / "old.npy").open("wb") as stream:  # as Python 2 has written it
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (9L, 9L), }".ljust(117) + "\n"
        stream.write(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header.encode())
        stream.write(generator.random((9, 9), np.float32).tobytes())
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Ended]]:
    """Each command in a process of its own."""
    folder = fill(tmp_path_factory.mktemp("alone") / "work")

    def end(line: str) -> Ended:
        return told(line, binary(*shlex.split(line), cwd=folder))

    with ThreadPoolExecutor(2) as pool:
        ended = [*pool.map(end, words(LINES))]
    return folder, ended + [end(line) for line in words(AFTER)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def modes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mode for path in folder.rglob("*")}


def test_the_lines_show_something(alone: tuple[Path, list[Ended]]) -> None:
    folder, ended = alone
    assert len(ended) > 60
    assert {one.code for one in ended} == {0, 1, 2}
    assert sum(bool(one.out) for one in ended) > 30
    assert sum(bool(one.err) for one in ended) > 20
    assert len(files(folder)) > 40


@pytest.mark.parametrize("order", [1, -1])
def test_as_documents(order: int, alone: tuple[Path, list[Ended]], tmp_path: Path) -> None:
    """In any order: nothing of one is left for the next."""
    lines = words(LINES)[::order] + words(AFTER)
    folder = fill(tmp_path / "work")
    result = binary("batch", "--json-lines", "--keep-going", input="\n".join(lines).encode(), cwd=folder)
    assert result.code == 1
    documents = [json.loads(line) for line in result.text.splitlines()]
    assert [one["command"] for one in documents] == lines
    wanted = {(one.line, number if one.line in words(AFTER) else 0): one for number, one in enumerate(alone[1])}
    first = len(words(LINES))
    for number, document in enumerate(documents):
        one = wanted[document["command"], number if number >= first else 0]
        out = document["stdout"]
        if document["result"] is not None:
            listed = document["result"] if isinstance(document["result"], list) else [document["result"]]
            printed = [json.loads(text.replace('": T', '": 0')) for text in one.out.splitlines()]
            printed = printed[0] if isinstance(printed[0], list) else printed
            assert [even(json.dumps(each)) for each in listed] == [even(json.dumps(each)) for each in printed], one.line
        else:
            assert even(out or "") == one.out, one.line
        assert document["exit_code"] == one.code, one.line
        said = [line.removeprefix("convcli: ") for line in one.err.splitlines()]
        heard = [*map(even, document["notes"])] + ([f"error: {even(document['error'])}"] if document["error"] else [])
        assert heard == said, one.line
    assert files(folder) == files(alone[0])
    assert modes(folder) == modes(alone[0])


def test_as_they_come(alone: tuple[Path, list[Ended]], tmp_path: Path) -> None:
    lines = words(LINES) + words(AFTER)
    folder = fill(tmp_path / "work")
    (tmp_path / "list.txt").write_text("\n".join(lines))
    result = binary("batch", "../list.txt", "--keep-going", cwd=folder)
    assert result.code == 1
    assert even(result.text) == "".join(one.out for one in alone[1])
    said, failed = "", 0
    for number, one in enumerate(alone[1], 1):
        failed += one.code != 0
        said += one.err.replace("convcli: error: ", f"convcli: error: line {number}: ") if one.code == 2 else one.err
        if one.code and f": line {number}: " not in said:
            said += f"convcli: line {number} ended with exit code {one.code}\n"
    assert even(result.err) == f"{said}convcli: {failed} of {len(lines)} commands failed\n"
    assert files(folder) == files(alone[0])


def test_a_process_is_as_before(tmp_path: Path) -> None:
    """The caller of a batch in its own process finds it as it was, its standard input too."""
    folder = fill(tmp_path / "work")
    (folder / "list.txt").write_text("\n".join(line for line in words(LINES) if "doctor" not in line))
    code = f"""
import numpy, PIL.Image, tifffile, torch
{SNAPSHOT}
{BEGIN}
{SAME}
import contextlib, io
from convcli.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    main(["shape", "--hin", "9", "--k", "3"], standalone_mode=False)
before = snapshot()
given = os.fstat(0)
for options in ([], ["--json-lines"]):
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        main(["batch", "list.txt", "--keep-going", *options], standalone_mode=False)
    same(str(options))
main(["batch"], standalone_mode=False)
assert os.path.samestat(given, os.fstat(0))
{COMPARE}
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    ended = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False,
        input="shape --hin 32 --k 3 -q\n",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "30\nthe same\n"
