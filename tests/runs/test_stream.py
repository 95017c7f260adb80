"""Very many images: found, named and checked while others are at work, under the same rules, in bounded memory."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.commands import apply
from convcli.errors import ImageError
from convcli.runs import batch, inputs
from convcli.runs.batch import Batch, Skipped
from convcli.runs.inputs import Inputs
from convcli.runs.outputs import Rules
from convcli.runs.single import Done, Writing
from convcli.runs.stream import Places, Stream
from convcli.system import hashes, names
from support.batches import OPERATION, lines
from support.cli import Result, done, run, terminal
from support.files import alone, content, made
from support.pictures import write

BOX = ["-k", "box"]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two images are known before the first is written."""
    monkeypatch.setattr(apply, "FEW", 2)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder with in/: 00.png to 11.png, and more in in/sub."""
    generator = np.random.default_rng(0)
    (tmp_path / "in/sub").mkdir(parents=True)
    for number in range(12):
        write(tmp_path / f"in/{number:02}.png", generator.integers(0, 256, (1, 6, 7), dtype=np.uint8))
    for number in range(3):
        write(tmp_path / f"in/sub/{number}.png", generator.integers(0, 256, (1, 6, 7), dtype=np.uint8))
    return tmp_path


def listed(folder: Path, *paths: str) -> list[str]:
    (folder / "list").write_text("".join(f"{path}\n" for path in paths))
    return ["--from-file", "list"]


def failures(result: Result) -> dict[str, str]:
    """Of JSON by lines: the errors by inputs."""
    return {item["input"]: item["error"] for item in lines(result) if "error" in item}


# The same as of few


def test_a_folder(many: Path) -> None:
    result = done("apply", "in", "--recursive", *BOX, "-o", "out/", "-q", cwd=many)
    names = [f"{number:02}.png" for number in range(12)] + [f"sub/{number}.png" for number in range(3)]
    assert sorted(result.text.split()) == [f"out/{name}" for name in names]
    assert made(many / "out") == names
    assert all((many / "out" / name).read_bytes() == alone(many / "in" / name) for name in names)
    assert "15 of 15 written" in done("apply", "in", "--recursive", *BOX, "-o", "out/", cwd=many).err


def test_results_are_told_in_order(many: Path) -> None:
    result = done("apply", "in", "--recursive", *BOX, "-o", "out/", "--json", "--threads", "5", cwd=many)
    assert [item["input"] for item in lines(result)] == [
        *(f"in/{number:02}.png" for number in range(12)),
        *(f"in/sub/{number}.png" for number in range(3)),
    ]


def test_what_waits_for_its_turn_is_bounded(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes long does not keep all others from being told."""
    monkeypatch.setattr(apply, "WINDOW", 3)
    process = batch.process

    def slow(source: str, *rest: Any) -> Done:
        if source.endswith("00.png"):
            while len([*(many / "out").glob("*.png")]) < 11:
                pass
        return process(source, *rest)

    monkeypatch.setattr(batch, "process", slow)
    result = done("apply", "in", *BOX, "-o", "out/", "--json", "--threads", "3", cwd=many)
    told = [item["input"][3:5] for item in lines(result)]
    assert sorted(told) == [f"{number:02}" for number in range(12)]
    assert told.index("00") > 3


def test_a_large_folder_is_sorted_on_disk(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MANY", 4)
    result = done("apply", "in", *BOX, "-o", "out/", "--json", "--threads", "1", cwd=many)
    assert [item["input"] for item in lines(result)] == [f"in/{number:02}.png" for number in range(12)]


def test_a_bar_gets_its_total(many: Path) -> None:
    assert "12/12" in terminal("apply", "in", *BOX, "-o", "out/", cwd=many).out.decode()


# Rules


def test_what_is_wrong_with_the_first_is_said_before_anything_is_written(many: Path) -> None:
    before = content(many / "in")
    result = run("apply", *listed(many, "in/00.png", "in/00.png", "in/01.png"), *BOX, "-o", "out/", cwd=many)
    assert (result.code, (many / "out").exists()) == (2, False)
    assert "use each image only once" in result.err
    result = run("apply", "in", *BOX, "-o", "in/", cwd=many)
    assert (result.code, content(many / "in")) == (2, before)


def test_what_is_wrong_with_a_further_image_is_its_own_error(many: Path) -> None:
    (many / "other").mkdir()
    (many / "other/00.png").write_bytes((many / "in/05.png").read_bytes())
    paths = [
        "in/00.png",
        "in/01.png",
        "in/02.png",
        "in/00.png",
        "in/sub/../02.png",
        "other/00.png",
        "gone.png",
        "in/03.png",
    ]
    result = run("apply", *listed(many, *paths), *BOX, "-o", "out/", "--json", cwd=many)
    assert result.code == 1
    assert made(many / "out") == ["00.png", "01.png", "02.png", "03.png"]
    documents = lines(result)
    assert [item["input"] for item in documents] == paths
    assert ["error" in item for item in documents] == [False] * 3 + [True] * 4 + [False]
    for item in documents[3:6]:
        assert "as another image of this run: use each image only once" in item["error"]
    assert "there is no such file" in documents[6]["error"]
    assert (many / "out/00.png").read_bytes() == alone(many / "in/00.png")
    assert "4 of 8 written, 4 failed" in result.err


def test_an_input_that_comes_later_is_not_replaced(many: Path) -> None:
    """What would replace a file waits until all inputs are known; it is found under another name, too."""
    for name, path in (("link.png", "in/07.png"), ("out/03.png", "in/08.png")):
        (many / name).parent.mkdir(exist_ok=True)
        (many / name).symlink_to(many / path)
    (many / "out/01.png").hardlink_to(many / "in/06.png")
    (many / "out/04.png").write_text("from before")
    before = content(many / "in")
    paths = [f"in/0{number}.png" for number in range(9)]
    result = run("apply", *listed(many, *paths), *BOX, "-o", "out/", "--json", "--threads", "1", cwd=many)
    assert result.code == 1
    assert content(many / "in") == before
    found = failures(result)
    assert [*found] == ["in/01.png", "in/03.png"]
    assert all("is an input of this run: use another name" in text for text in found.values())
    assert lines(result)[-1]["output"] == "out/04.png"  # it has waited
    assert (many / "out/04.png").read_bytes() == alone(many / "in/04.png")


def test_an_image_over_itself(many: Path) -> None:
    line = ["apply", *listed(many, "in/00.png", "in/01.png", "in/02.png", "in/sub/0.png"), *BOX]
    result = run(*line, "-o", "in/sub/{name}", "--json", cwd=many)
    assert (result.code, [*failures(result)]) == (1, ["in/sub/0.png"])
    assert "is the input 'in/sub/0.png'" in failures(result)["in/sub/0.png"]


def test_names_that_exist_and_kernels_are_kept(many: Path) -> None:
    (many / "05-k.png").write_text("precious")
    (many / "k.csv").write_text("1\n")
    line = ["apply", "in", "-k", "k.csv", "--json"]
    result = run(*line, cwd=many)
    assert (result.code, [*failures(result)]) == (1, ["in/05.png"])
    assert "'05-k.png' exists: use another name" in failures(result)["in/05.png"]
    assert (many / "05-k.png").read_text() == "precious"
    assert run(*line, "--overwrite", cwd=many).code == 0
    assert (many / "05-k.png").read_bytes() != b"precious"
    np.save(many / "in/07.npy", np.ones((9, 9)))
    np.save(many / "07.npy", np.ones((1, 1)))
    result = run("apply", "in", "-k", "07.npy", "-o", ".", "--json", cwd=many)
    assert [*failures(result)] == ["in/07.npy"]
    assert "is the kernel or weights file '07.npy'" in failures(result)["in/07.npy"]


def test_in_place(many: Path) -> None:
    expected = {name: alone(many / "in" / name) for name in made(many / "in")}
    (many / "again.png").symlink_to("in/03.png")
    paths = [f"in/{name}" for name in expected]
    result = run("apply", *listed(many, *paths, "again.png"), *BOX, "--in-place", "--json", cwd=many)
    assert (result.code, [*failures(result)]) == (1, ["again.png"])
    assert {name: (many / "in" / name).read_bytes() for name in expected} == expected


def test_another_format(many: Path) -> None:
    """An ending that contradicts it is that image's own error."""
    for name in ("a", "b", "c"):
        (many / f"{name}.png").write_bytes((many / "in/00.png").read_bytes())
    (many / "d.tif").write_bytes(b"")
    done("apply", "in", *BOX, "-o", "out/", "--format", "jpg", cwd=many)
    assert made(many / "out") == [f"{number:02}.jpg" for number in range(12)]


@pytest.mark.parametrize("fold", [False, True])
def test_names_that_differ_by_case(fold: bool, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are one file, or two, as the file system has it."""
    monkeypatch.setattr(names, "_probed", lambda *_: fold)
    places = Places()
    for name in ("b.png", "A.png", "Dir/x.png", "\u00e9.png"):
        assert not places.taken(f"{many}/{name}")
        places.add(f"{many}/{name}")
    assert places.taken(f"{many}/b.png")
    for name in ("B.png", "a.png", "dir/X.png", "e\u0301.png"):
        assert places.taken(f"{many}/{name}") == fold
    assert not places.taken(f"{many}/c.png")


# Results among the inputs


@pytest.mark.parametrize(("where", "output"), [("in", []), (".", ["-o", "in/{stem}-b.{ext}"])])
def test_going_on_where_results_lie_beside_inputs(where: str, output: list[str], many: Path) -> None:
    line = ["apply", "." if where == "in" else "in", *BOX, *output]
    done(*line, cwd=many / where)
    first = made(many / "in")
    next((many / "in").glob("04-*.png")).unlink()
    result = done(*line, "--skip-existing", cwd=many / where)
    assert "1 of 12 written, 11 skipped" in result.err
    assert made(many / "in") == first


def test_results_of_this_run_are_no_inputs(many: Path) -> None:
    """They are written into a folder that is searched later."""
    line = ["apply", "in", "--recursive", *BOX, "-o", "in/{stem}/x.png", "--threads", "1"]
    (many / "in/sub/0.png").unlink()
    (many / "in/00.png").rename(many / "in/sub.png")
    done(*line, cwd=many)
    assert not (many / "in/x").exists()
    assert (many / "in/sub/x.png").exists()


def test_skip_existing(many: Path) -> None:
    (many / "out").mkdir()
    (many / "out/05.png").write_text("from before")
    result = done("apply", "in", *BOX, "-o", "out/", "--skip-existing", "--json", cwd=many)
    assert [item["output"] for item in lines(result) if item.get("skipped")] == ["out/05.png"]
    assert (many / "out/05.png").read_text() == "from before"


# Lists


def test_what_is_wrong_far_down_in_a_list_ends_it(many: Path) -> None:
    """What comes before is done."""
    (many / "list").write_bytes(b"in/00.png\nin/01.png\nin/02.png\nin/03.png\n-\nin/04.png\n")
    result = run("apply", "--from-file", "list", *BOX, "-o", "out/", "--json", cwd=many)
    assert (result.code, made(many / "out")) == (1, [f"0{number}.png" for number in range(4)])
    assert failures(result) == {
        "list 'list'": "list 'list' has '-', which is not a file: write ./- for a file of that name"
    }


def test_a_line_without_end_is_not_read(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_PATH", 1 << 10)
    result = run("apply", "--from-file", "-", *BOX, "-o", "out/", cwd=many, input=b"x" * (1 << 20))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "has a path of more than" in result.err
    result = run("apply", "--from-file", "-", "-0", *BOX, "-o", "out/", cwd=many, input=b"in/00.png\n" * 1000)
    assert "has lines, but no NUL: leave -0 out" in result.err


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfin/00.png", b"\xef\xbb\xbf\nin/00.png\n", b"in/00.png\r\n"])
def test_a_mark_at_the_beginning_is_no_name(data: bytes, many: Path) -> None:
    done("apply", "--from-file", "-", *BOX, "-o", "out/", cwd=many, input=data)
    assert made(many / "out") == ["00.png"]


def test_a_list_of_a_mark_alone_is_empty(many: Path) -> None:
    assert "is empty" in done("apply", "--from-file", "-", *BOX, cwd=many, input=b"\xef\xbb\xbf").err


# Addresses


def test_names_of_addresses_are_taken_apart_as_they_are() -> None:
    def targets(output: str | None, *paths: str) -> list[str]:
        rules = Rules(output, "box")
        return [job.target for job in rules.jobs(paths, [""] * len(paths))]

    assert targets("s3://out/{parent}/{name}", "s3://in/a/1.png", "s3://in/2.png", "c/3.png") == [
        "s3://out/a/1.png",
        "s3://out/in/2.png",
        "s3://out/c/3.png",
    ]
    assert targets("memory://out/", "memory://in//a/1.png", "https://host/a/2.png?token=x/y.z") == [
        "memory://out/1.png",
        "memory://out/2.png",
    ]
    assert targets(None, "s3://in/a/1.png") == ["1-box.png"]
    assert targets("out/{stem}.{ext}", "s3://in/a/1.tif") == ["out/1.tif"]
    assert targets("s3://out/{dir}/{stem}/", "1.png") == ["s3://out/1/1.png"]
    with pytest.raises(ImageError, match="is the input"):
        targets("s3://in/{name}", "s3://in/1.png")
    with pytest.raises(ImageError, match=r"would both be written to 's3://out/1\.png'"):
        targets("s3://out/", "s3://a/1.png", "s3://b/1.png")
    assert len(targets("s3://out/", "s3://a/1.png", "s3://b/1.PNG")) == 2


def test_further_addresses(many: Path) -> None:
    paths = [f"memory://in/{name}.png" for name in ("a", "b", "c", "a", "a-x")]
    found = Inputs([], listed(many, *paths)[1], null=False, recursive=False, output=None)
    found.listed = str(many / "list")
    first, more = found.first(2)
    stream = Stream(found, Rules("memory://in/{stem}-x.png", "box"))
    jobs = [*stream.begin(first), *stream]
    assert more
    assert [job.target for job in jobs if job.error is None] == [f"memory://in/{name}-x.png" for name in "abc"]
    assert ["another image of this run" in job.error.text for job in jobs if job.error] == [True, False]
    assert jobs[-1].error is not None
    assert "was written by this run" in jobs[-1].error.text


# Memory


class Numbered(Inputs):
    """Names out of nothing."""

    def __init__(self, count: int, output: str) -> None:
        super().__init__([], "list", null=False, recursive=False, output=output)
        self._images = (inputs.Found(f"/none/{number // 1000}/image-{number}.png") for number in range(count))


def test_the_memory_of_a_run_is_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, targets and outcomes are not kept, but 8 bytes of a name."""
    monkeypatch.setattr(batch, "process", lambda source, target, *_: Skipped(source, target))
    monkeypatch.setattr(batch, "QUEUED", 64)
    monkeypatch.setattr(hashes, "PORTION", 256)
    rules = Rules("/none/out/{parent}/{name}", "box")
    found = Numbered(40_000, rules.output or "")
    first, _ = found.first(1000)
    stream = Stream(found, rules)
    held: list[int] = []

    def watched() -> Iterator[Any]:
        for number, job in enumerate(stream):
            if number % 10_000 == 5_000:
                gc.collect()
                held.append(sys.getallocatedblocks())
            yield job

    with Batch(stream.begin(first), OPERATION, Writing(), further=watched()) as running:
        assert sum(1 for _ in running) == 40_000
    assert running.tally.skipped == stream.total == 40_000
    assert held[-1] - held[0] < 5_000  # of 30,000 names
    assert stream._places._exact.nbytes < 8 * 40_000
