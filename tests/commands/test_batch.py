"""Commands of a list: as they come, as a coprocess, with their errors, interrupted; and what is refused."""

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.commands import shape
from support.cli import ROOT, SAMPLES, Result, binary, environment, heeding, run, terminal
from support.pictures import read, write
from support.profiles import long

SIZE = "shape --hin {} --k 3 -q"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "img.png", np.random.default_rng(0).integers(0, 256, (3, 9, 11), dtype=np.uint8))
    return tmp_path


def listed(*lines: str, folder: Path, options: str = "") -> Result:
    """A batch of these lines on standard input."""
    return run("batch", *options.split(), input="".join(f"{line}\n" for line in lines).encode(), cwd=folder)


def documents(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.text.splitlines()]


# The list


def test_each_line_is_a_command(folder: Path) -> None:
    lines = ["# sizes", "", "  # more", SIZE.format(32), " \t", f"  {SIZE.format(9)}\t", "kernel box:2 -q"]
    result = listed(*lines, folder=folder)
    assert (result.code, result.text, result.err) == (0, "30\n7\n1/4,1/4;1/4,1/4\n", "")


def test_a_list_is_a_file_or_standard_input(folder: Path) -> None:
    (folder / "list.txt").write_text(SIZE.format(32))  # the last line needs no end
    for words, data in ((["list.txt"], b""), (["-"], SIZE.format(32).encode()), ([], SIZE.format(32).encode())):
        assert run("batch", *words, input=data, cwd=folder).text == "30\n"


def test_lines_of_other_systems(folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"\xef\xbb\xbf" + SIZE.format(32).encode() + b"\r\n# end\r\n\r\n")
    result = run("batch", "list.txt", cwd=folder)
    assert (result.code, result.text) == (0, "30\n")


def test_words_are_quoted_as_in_a_shell(folder: Path) -> None:
    lines = [
        "apply img.png -k '1,2;3,4' -o 'a b.png' -q",
        'apply img.png -k "1,2;3,4" -o "it\'s.png" -q',
        "apply img.png -k 1,2\\;3,4 -o $HOME*.png -q",
        "apply img.png -k box -o c.png -q # no comment",
    ]
    result = listed(*lines, folder=folder, options="--keep-going")
    assert result.text.splitlines() == ["a b.png", "it's.png", "$HOME*.png"]
    assert "line 4" in result.err
    assert (folder / "$HOME*.png").is_file()


def test_names_keep_their_bytes(folder: Path) -> None:
    name = os.fsdecode(b"a\xff.png")
    (folder / name).write_bytes((folder / "img.png").read_bytes())
    line = b"apply a\xff.png -k box -o b\xff.png -q\n"
    result = run("batch", input=line, cwd=folder)
    assert (result.code, result.out) == (0, b"b\xff.png\n"), result.err
    [document] = documents(run("batch", "--json-lines", input=line, cwd=folder))
    assert os.fsencode(document["stdout"]) == b"b\xff.png\n"
    assert os.fsencode(document["command"]) == line[:-1]


def test_an_empty_list_is_no_error(folder: Path) -> None:
    result = listed("# nothing", folder=folder)
    assert (result.code, result.text, result.err) == (0, "", "convcli: list '-' is empty: nothing to do\n")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "list 'list.txt' cannot be read: there is no such file"),
        (b"\x89PNG\0\0", "list 'list.txt' has a NUL byte in line 1: is it a list of commands?"),
        (b"#\n" + b"x" * ((1 << 20) + 1), "list 'list.txt' has more than 1 MiB in line 2: is it a list of commands?"),
    ],
)
def test_what_is_no_list(data: bytes | None, said: str, folder: Path) -> None:
    if data is not None:
        (folder / "list.txt").write_bytes(data)
    result = run("batch", "list.txt", "--keep-going", cwd=folder)
    assert result.code == 2
    assert result.err.startswith(f"convcli: error: {said}")
    assert result.err.count("\n") == 1


def test_a_folder_is_no_list(folder: Path) -> None:
    result = run("batch", ".", cwd=folder)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "list '.' cannot be read" in result.err


def test_a_pipe_that_does_not_wait_is_refused(folder: Path) -> None:
    """Its lines would seem to be at an end whenever none is there."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    ended = subprocess.run(
        [sys.executable, "-m", "convcli", "batch"], stdin=ours, env=environment(), capture_output=True, text=True, timeout=60
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert ended.returncode == 2
    assert "the pipe does not wait for its writer; put 'cat |' before" in ended.stderr


# Errors


def test_an_error_ends_the_batch(folder: Path) -> None:
    lines = [SIZE.format(32), "", "shape --hin x --k 3", SIZE.format(9)]
    result = listed(*lines, folder=folder)
    assert (result.code, result.text) == (2, "30\n")
    rule = "Invalid value for '--hin': 'x' is not a whole number from 1 (try 'convcli shape -h')"
    assert result.err == f"convcli: error: line 3: {rule}\n"
    result = listed(*lines, folder=folder, options="--keep-going")
    assert (result.code, result.text) == (1, "30\n7\n")
    assert result.err == f"convcli: error: line 3: {rule}\nconvcli: 1 of 3 commands failed\n"


@pytest.mark.parametrize(("line", "code"), [("shape --hin 1 --k 3", 2), ("apply img.png no.png -k box -o many/ -q", 1)])
def test_the_exit_code_is_that_of_the_command(line: str, code: int, folder: Path) -> None:
    assert listed(line, SIZE.format(9), folder=folder).code == code
    assert listed(line, SIZE.format(9), folder=folder, options="--keep-going").code == 1


def test_an_exit_code_without_an_error_is_told(folder: Path) -> None:
    line = "compare img.png -k box --tolerance 1e-9 --backend numpy -q"
    result = listed("", line, SIZE.format(9), folder=folder)
    assert (result.code, result.text) == (1, "")
    assert result.err == "convcli: line 2 ended with exit code 1\n"
    result = listed(line, SIZE.format(9), folder=folder, options="--keep-going")
    assert (result.code, result.text) == (1, "7\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("aply img.png", "'aply' is not a command: did you mean apply?"),
        ("img.png -k box", "'img.png' is not a command: use 'convcli apply img.png -k box'"),
        ("convcli shape --hin 3 --k 3", "'convcli' is the name of the program: leave it out"),
        ("shape --hin 3 --k '3", "a quote is not closed: close it, or write \\' or \\\" for the sign alone"),
        ("shape --hin 3 \\", "a backslash is at the end: write the whole command on one line"),
        ("shape --kernl 3 --hin 3", "No such option '--kernl'"),
        ("''", "'' is not a command"),
        ("--", "Missing command"),
        ("batch", "'batch' cannot be in a batch: write the lines of its list in its place"),
        ("batch other.txt --keep-going", "'batch' cannot be in a batch"),
    ],
)
def test_a_wrong_line_is_one_error_with_its_number(line: str, said: str, folder: Path) -> None:
    (folder / "other.txt").write_text(SIZE.format(32))
    result = listed("#", line, folder=folder)
    assert (result.code, result.text) == (2, "")
    assert result.err.startswith(f"convcli: error: line 2: {said}")
    assert result.err.count("\n") == 1
    [document] = documents(listed("#", line, folder=folder, options="--json-lines"))
    assert (document["line"], document["exit_code"]) == (2, 2)
    assert f"convcli: error: line 2: {document['error']}\n" == result.err


@pytest.mark.parametrize("word", ["script", "stdin", "repl"])
def test_other_words_for_it(word: str, folder: Path) -> None:
    assert "use 'convcli batch FILE'" in run(word, cwd=folder).err


def test_a_document_has_no_secret(folder: Path) -> None:
    """Not of an address, in the command or in its error."""
    line = "apply 'http://me:hidden@127.0.0.1:9/x.png?signature=hidden' -k box -o out.png"
    result = listed(line, folder=folder, options="--json-lines")
    assert b"hidden" not in result.out + result.err.encode()
    [document] = documents(result)
    assert document["command"] == "apply 'http://127.0.0.1:9/x.png?…' -k box -o out.png"


@pytest.mark.parametrize(("typed", "meant"), [("--ignore-errors", "--keep-going"), ("--jsonl", "--json-lines")])
def test_other_words_for_its_options(typed: str, meant: str, folder: Path) -> None:
    assert f"did you mean {meant}?" in run("batch", typed, cwd=folder).err


def test_a_bug_of_one_command_keeps_its_traceback(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oh no")

    monkeypatch.setattr(shape, "_size", broken)
    for options, seen in (("", ""), ("--keep-going", "1/4,1/4;1/4,1/4\n")):
        with pytest.raises(ZeroDivisionError, match="oh no"):
            listed(SIZE.format(32), "kernel box:2 -q", folder=folder, options=options)
        out = folder / "out"
        code = (
            "import sys\nfrom convcli.commands import shape\ndef broken(*_):\n    raise ZeroDivisionError('oh no')\n"
            "shape._size = broken\nfrom convcli.__main__ import main\nmain()"
        )
        with out.open("wb") as stream:
            ended = subprocess.run(
                [sys.executable, "-c", code, "batch", *options.split()], stdout=stream, stderr=subprocess.PIPE, text=True,
                input=f"{SIZE.format(32)}\nkernel box:2 -q\n", env=environment(), timeout=60,
            )  # fmt: skip
        assert (ended.returncode, out.read_text()) == (1, seen)
        assert "convcli: error: line 1: internal error, ZeroDivisionError: oh no\n" in ended.stderr
        assert ended.stderr.endswith("ZeroDivisionError: oh no\n")


# Documents


def test_a_document_has_what_a_command_prints(folder: Path) -> None:
    lines = ["shape --hin 32 --k 3 --json", "shape --hin 32 --k 3 -q", "apply img.png -k sobel -o out.png -q", "shape"]
    result = listed("", *lines, folder=folder, options="--json-lines --keep-going")
    assert result.code == 1
    shaped, quiet, applied, failed = documents(result)
    assert [*shaped] == ["schema", "line", "command", "exit_code", "result", "stdout", "notes", "error"]
    assert shaped["result"] == run(*lines[0].split()).json
    assert (shaped["line"], shaped["command"], shaped["stdout"]) == (2, lines[0], None)
    assert (quiet["result"], quiet["stdout"], quiet["notes"], quiet["error"]) == (None, "30\n", [], None)
    assert applied["stdout"] == "out.png\n"
    assert applied["notes"][0].startswith("out.png: ")
    assert "were clipped" in applied["notes"][0]
    assert (failed["exit_code"], failed["stdout"]) == (2, None)
    assert failed["error"] == "--hin is missing: add --hin N (try 'convcli shape -h')"
    assert result.err == "convcli: 1 of 4 commands failed\n"


def test_several_documents_of_a_command_are_a_list(folder: Path) -> None:
    (folder / "img2.png").write_bytes((folder / "img.png").read_bytes())
    for form in ("--json", "--json-lines"):
        line = f"apply img.png img2.png -k box -o many/ {form}"
        [document] = documents(listed(line, folder=folder, options="--json-lines"))
        assert [one["input"] for one in document["result"]] == ["img.png", "img2.png"]
        assert document["stdout"] is None


def test_a_name_that_looks_like_a_document_is_none(folder: Path) -> None:
    (folder / '{"schema": 1.png').write_bytes((folder / "img.png").read_bytes())
    line = """apply '{"schema": 1.png' -k box -q"""
    [document] = documents(listed(line, folder=folder, options="--json-lines"))
    assert (document["result"], document["stdout"]) == (None, '{"schema": 1-box.png\n')


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_documents_are_json_in_every_encoding(encoding: str, folder: Path) -> None:
    (folder / "é.png").write_bytes((folder / "img.png").read_bytes())
    (folder / "list.txt").write_text(
        "shape --hin 5 --k 3 --json\napply é.png -k box -o é2.png --json\nshape --hin 5 --k 3\n"
    )
    result = binary("batch", "list.txt", "--json-lines", cwd=folder, PYTHONIOENCODING=encoding)
    shaped, applied, table = (json.loads(line) for line in result.out.decode(encoding).splitlines())
    assert shaped["result"]["formula"]["height"].startswith("H_out = ⌊(5")
    assert applied["result"]["output"] == "é2.png"
    assert applied["command"] == "apply é.png -k box -o é2.png --json"
    assert ("⌊" if encoding == "utf-8" else "\\u230a") in table["stdout"]


# Standard streams


def test_images_on_standard_output_follow_each_other(folder: Path) -> None:
    lines = ["apply img.png -k box -o - --format ppm -q", "apply img.png -k sobel -o - --format ppm -q"]
    alone = [run(*line.split(), cwd=folder).out for line in lines]
    result = listed(lines[0], SIZE.format(9), lines[1], folder=folder)
    assert result.out == alone[0] + b"7\n" + alone[1]
    assert [one[:2] for one in alone] == [b"P6", b"P6"]


@pytest.mark.parametrize(
    "line",
    [
        "apply img.png -k box -o - -q",
        "apply img.png -k box -o /dev/stdout -q",
        "animate --hin 4 --k 3 -o - --format gif",
        "kernel box -o - --format csv -q",
        "kernel box -o /dev/stdout --format csv -q",
    ],
)
def test_among_documents_no_file_is_written(line: str, folder: Path) -> None:
    (folder / "list.txt").write_text(f"{line}\n{SIZE.format(9)}\n")
    result = binary("batch", "list.txt", "--json-lines", "--keep-going", cwd=folder)
    refused, other = documents(result)
    assert (refused["exit_code"], refused["stdout"], refused["result"]) == (2, None, None)
    assert re.fullmatch(
        "output '(-|/dev/stdout)' would stand among the documents of --json-lines: name a file", refused["error"]
    )
    assert other["stdout"] == "7\n"


READERS = [
    "apply - -k box -o out.png -q",
    "apply --from-file - -k box -o many/ -q",
    "explain - -k box --at 1,1 -q",
    "compare - -k box -q",
    "shape --hin 9 --layers - -q",
]


@pytest.mark.parametrize("line", READERS)
def test_standard_input_belongs_to_the_list(line: str, folder: Path) -> None:
    result = binary("batch", "--keep-going", input=f"{line}\n{SIZE.format(9)}\n".encode(), cwd=folder)
    assert (result.code, result.text) == (1, "7\n")
    assert result.err.startswith("convcli: error: line 1: standard input has the commands of this batch: name a file\n")
    assert [path.name for path in folder.iterdir()] == ["img.png"]


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_no_other_name_takes_lines_from_the_list(name: str, folder: Path) -> None:
    if not os.path.exists(name):
        pytest.skip("not on this system")
    more = "# more than is read at once\n" * 8000
    lines = f"apply {name} -k box -o out.png -q\n{SIZE.format(9)}\n{more}{SIZE.format(10)}\n"
    result = binary("batch", "--keep-going", input=lines.encode(), cwd=folder)
    assert (result.code, result.text) == (1, "7\n8\n")
    assert f"line 1: input '{name}' is empty" in result.err


def test_with_a_list_in_a_file_one_command_reads_standard_input(folder: Path) -> None:
    line = "apply - -k box -o {} -q"
    (folder / "list.txt").write_text("\n".join([SIZE.format(9), line.format("a.png"), line.format("b.png")]))
    result = binary("batch", "list.txt", input=(folder / "img.png").read_bytes(), cwd=folder)
    assert (result.code, result.text) == (2, "7\na.png\n")
    assert result.err.endswith(
        "convcli: error: line 3: standard input was read by an earlier command of this batch: name a file\n"
    )
    assert read(folder / "a.png").shape == (3, 7, 9)


# The coprocess


class Coprocess:
    """A batch that is asked line by line. What it does not answer within a minute fails the test."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self._ready, self._held = selectors.DefaultSelector(), b""
        self._ready.register(process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]

    def say(self, line: str) -> None:
        self.process.stdin.write(f"{line}\n".encode())  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]

    def hear(self) -> str:
        """The next line; "" at the end."""
        while b"\n" not in self._held:
            assert self._ready.select(60), "no answer"
            part = os.read(self.process.stdout.fileno(), 1 << 16)  # type: ignore[union-attr]
            if not part:
                return ""
            self._held += part
        line, _, self._held = self._held.partition(b"\n")
        return line.decode()

    def ask(self, line: str) -> str:
        self.say(line)
        return self.hear()

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said on standard error."""
        self.process.stdin.close()  # type: ignore[union-attr]
        err = self.process.stderr.read().decode()  # type: ignore[union-attr]
        return self.process.wait(60), err


@contextmanager
def coprocess(*options: str, cwd: Path) -> Iterator[Coprocess]:
    command = [sys.executable, "-m", "convcli", "batch", *options]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=cwd, env=environment(), preexec_fn=heeding, bufsize=0, **pipes) as process:
        try:
            yield Coprocess(process)
        finally:
            process.kill()


def test_an_answer_comes_before_the_next_question(folder: Path) -> None:
    with coprocess(cwd=folder) as asked:
        for side in (32, 9, 7):
            assert asked.ask(SIZE.format(side)) == str(side - 2)
        assert asked.ask("apply img.png -k box -o out.png -q") == "out.png"
        assert (folder / "out.png").is_file()
        assert asked.end() == (0, "")


def test_every_command_has_an_answer_as_a_document(folder: Path) -> None:
    lines = [SIZE.format(32), "shape", "apply img.png -k box -o out.png", "completion bash", "doctor -q --color never"]
    with coprocess("--json-lines", "--keep-going", cwd=folder) as asked:
        for number, line in enumerate(lines, 1):
            answer = json.loads(asked.ask(line))
            assert (answer["line"], answer["command"]) == (number, line)
            assert answer["exit_code"] == (2 if line == "shape" else 0)
        assert asked.end() == (1, "convcli: 1 of 5 commands failed\n")


def test_half_a_line_is_waited_for(folder: Path) -> None:
    with coprocess(cwd=folder) as asked:
        asked.process.stdin.write(b"shape --hin 3")  # type: ignore[union-attr]
        time.sleep(0.3)
        assert asked.ask("2 --k 3 -q\nshape --hin 9 --k 3 -q") == "30"
        assert asked.hear() == "7"
        assert asked.end() == (0, "")


def test_nothing_is_added_on_a_terminal(folder: Path) -> None:
    (folder / "list.txt").write_text(f"{SIZE.format(32)}\n{SIZE.format(9)}\n")
    assert terminal("batch", "list.txt", cwd=folder).text == "30\r\n7\r\n"


# Interrupted, and a reader that goes away


def test_ctrl_c_ends_a_batch_that_waits(folder: Path) -> None:
    for options in ((), ("--keep-going", "--json-lines")):
        with coprocess(*options, cwd=folder) as asked:
            assert "30" in asked.ask(SIZE.format(32))
            asked.process.send_signal(signal.SIGINT)
            assert asked.hear() == ""
            assert asked.end() == (130, "convcli: interrupted\n")


def test_sigterm_ends_a_batch_that_waits(folder: Path) -> None:
    with coprocess(cwd=folder) as asked:
        assert asked.ask(SIZE.format(32)) == "30"
        asked.process.terminate()
        assert asked.end() == (143, "")


PROGRAM = """
import os, signal, sys

moment, seen = int(sys.argv.pop(1)), 0

def watch(event, _):
    global seen
    seen += 1
    if seen == moment:
        os.kill(os.getpid(), signal.SIGINT)

from convcli.__main__ import main
from convcli.system import context
context.leave = lambda _: None  # so that this program sees its end
sys.addaudithook(watch)
try:
    main()
finally:
    if not moment:
        open("count", "w").write(str(seen))
"""
"""It counts what Python reports of itself: modules that are imported, files that are opened, code that is run."""


def interrupted(moment: int, folder: Path) -> subprocess.CompletedProcess[str]:
    lines = "".join(f"apply {SAMPLES / 'small.png'} -k gaussian:{n} -o {n}.png --json\n" for n in (1, 2, 3, 4))
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, str(moment), "batch", "--json-lines", "--keep-going"],
        input=lines, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=heeding,
    )  # fmt: skip


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> int:
    folder = tmp_path_factory.mktemp("whole")
    ended = interrupted(0, folder)
    assert ended.returncode == 0, ended.stderr
    return int((folder / "count").read_text())


PARTS = 8


@pytest.mark.parametrize("part", range(1, PARTS))
def test_any_moment_of_a_batch_can_be_interrupted(part: int, moments: int, tmp_path: Path) -> None:
    ended = interrupted(moments * part // PARTS, tmp_path)
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.stderr in ("", "convcli: interrupted\n")
    assert ended.returncode == 130
    assert ended.stdout == "" or ended.stdout.endswith("}\n")
    answers = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [*range(1, len(answers) + 1)]
    assert all(answer["exit_code"] == 0 for answer in answers)
    names = {path.name for path in tmp_path.iterdir()} - {"count"}
    written = {f"{answer['line']}.png" for answer in answers}
    assert written <= names <= written | {f"{len(answers) + 1}.png"}
    for name in names:
        assert read(tmp_path / name).ndim == 3


@pytest.mark.parametrize("options", [(), ("--json-lines",), ("--keep-going",)])
@pytest.mark.parametrize("line", [SIZE.format(9), "kernel box", "apply img.png -k box -o {}.png"])
def test_a_reader_that_goes_away_ends_it_quietly(line: str, options: tuple[str, ...], folder: Path) -> None:
    (folder / "list.txt").write_text("".join(line.format(number) + "\n" for number in range(20)))
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        ended = subprocess.run(
            [sys.executable, "-m", "convcli", "batch", "list.txt", *options], cwd=folder, env=environment(),
            stdout=reader.stdin, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert len([*folder.glob("[0-9]*.png")]) <= 1


def test_a_full_device_ends_it_with_one_error(folder: Path) -> None:
    (folder / "list.txt").write_text(f"{SIZE.format(9)}\n" * 5)
    for options in ((), ("--json-lines", "--keep-going")):
        with open("/dev/full", "w") as full:
            ended = subprocess.run(
                [sys.executable, "-m", "convcli", "batch", "list.txt", *options], cwd=folder, env=environment(),
                stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            )  # fmt: skip
        assert ended.returncode == 2
        assert "standard output cannot be written: the disk is full" in ended.stderr
        assert ended.stderr.count("\n") == 1


# Memory


def held(process: "subprocess.Popen[bytes]") -> float:
    """The memory of a process in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def growth(count: int, folder: Path) -> float:
    """How many MiB a batch grows from its first commands to the last of `count`, all of them different."""
    kinds = (
        "shape --hin {0} --k 3 --json",
        "apply img.png -k gaussian:{1} -o out.png",
        "shape --hin {0} --k 0",
        "apply img.png --kernel={1},1;0,1 -p same -o out.tif --json",
        "explain img.png -k 'box:3' --at 1,1 --bias {1} -q",
        "apply img.png no-{0}.png -k box -o many/",
        "kernel gaussian:{1} --json",
    )
    with coprocess("--json-lines", "--keep-going", cwd=folder) as asked:
        first = 0.0
        for number in range(count):
            asked.ask(kinds[number % len(kinds)].format(number + 10, 1 + number / count))
            if number == count // 2:  # by now everything is loaded, and what is kept is full
                first = held(asked.process)
        last = held(asked.process)
    return last - first


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="not on Linux")
def test_memory_is_flat(folder: Path) -> None:
    assert growth(1400, folder) < 3


@long
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="not on Linux")
def test_memory_is_flat_over_ten_thousand_commands(folder: Path) -> None:
    assert growth(10_000, folder) < 4


# The documents


@pytest.mark.parametrize("kind", ["bash", "python"])
def test_the_coprocess_of_the_recipes(kind: str, folder: Path) -> None:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    [code] = re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    (folder / "samples").symlink_to(SAMPLES)
    (folder / "convcli").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m convcli "$@"\n')
    (folder / "convcli").chmod(0o755)
    variables = environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")
    command = ["bash", "-c", code] if kind == "bash" else [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    if kind == "bash":
        assert ended.stdout == "224 becomes 112\n112 becomes 56\n56 becomes 28\n"
    else:
        shown = ended.stdout.splitlines()
        assert shown[:2] == ["[3, 88, 138]", "[3, 98, 148]"]
        assert shown[2].startswith("kernel 'gaussia:2' is not a known name")
        assert (folder / "batch sobel.png").is_file()
