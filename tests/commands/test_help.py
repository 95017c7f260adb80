"""``-h`` is one screen, ``--help`` has every option in its group, no line is too long, and every example works."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from convcli.cli import COMMANDS, main
from convcli.commands.help import Documented
from convcli.options import GROUPS, TERM
from support.cli import ROOT, done, run
from support.pictures import write

WIDTHS = ["60", "80", "200", ""]
"""Values of COLUMNS; "" is none, as where there is no terminal."""

CONTEXT = click.Context(main, info_name="convcli")


def command_of(name: str) -> Documented:
    command = main.get_command(CONTEXT, name)
    assert isinstance(command, Documented)
    return command


@pytest.fixture(params=WIDTHS)
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param:
        monkeypatch.setenv("COLUMNS", request.param)
    else:
        monkeypatch.delenv("COLUMNS", raising=False)
    return str(request.param)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_parser_is_made_once(name: str) -> None:
    """It takes the settings of the context that it is asked for with, also after another one."""
    command = command_of(name)
    first, second = (click.Context(command, info_name=name) for _ in range(2))
    parser = command.make_parser(first)
    assert command.make_parser(second) is parser
    assert parser.ctx is second
    assert parser._long_opt["-h"] is parser._short_opt["-h"]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_brief_help_is_one_screen(name: str, columns: str) -> None:
    lines = done(*name.split(), "-h").text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"Usage: convcli {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_brief_help_is_the_same_in_every_terminal(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = set()
    for width in ("20", "80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        shown.add(done(name, "-h").out)
    assert len(shown) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_brief_help_says(name: str) -> None:
    """A line for each of the most used options, under its group; three examples; where the rest is."""
    text, command = done(name, "-h").text, command_of(name)
    context = click.Context(command, CONTEXT, name)
    group = ""
    listed = []
    for line in text.partition("\nExamples:")[0].splitlines():
        if line.rstrip(":") in GROUPS:
            group = line.rstrip(":")
        elif group:
            listed.append((group, line))
    wanted = [
        (group, f"  {param.brief_term(context):{TERM}}  {param.brief}")
        for group, params in command.groups().items()
        for param in params
        if param.brief
    ]
    assert [(group, line) for group, line in listed if line] == wanted
    examples = text.partition("\nExamples:\n")[2].partition("\n\n")[0].splitlines()
    assert [example.strip() for example in examples] == list(command.examples[:3])
    assert f"All options: convcli {name} --help." in text
    assert f"man convcli-{name}" in text
    assert ("convcli kernel." in text) == ("man convcli-kernels" in text and name != "kernel")
    spellings = [spelling for param in command.params for spelling in param.opts]
    assert ("man convcli-kernels" in text) == ("--kernel" in spellings)
    assert ("man convcli-borders" in text) == ("--padding-mode" in spellings)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_full_help_fits(name: str, columns: str) -> None:
    lines = done(*name.split(), "--help").text.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if re.search(r"\w-$", line)], "a name is broken at its hyphen"
    assert not [line for line in lines if line.endswith(("[default:", " man"))]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_full_help_has_every_option_in_its_group(name: str) -> None:
    text, command = done(name, "--help").text, command_of(name)
    headings = [line.rstrip(":") for line in text.splitlines() if line.rstrip(":") in GROUPS]
    assert headings == list(command.groups()) == [group for group in GROUPS if group in headings]
    parts = re.split(rf"\n({'|'.join(headings)}):\n", text)
    parts[-1] = parts[-1].partition("\n\n")[0]
    for heading, part in zip(parts[1::2], parts[2::2], strict=True):
        terms = re.findall(r"^  (?! )(.*?)(?:  |$)", part, re.MULTILINE)
        for param in command.groups()[heading]:
            [term] = [one for one in terms if param.opts[-1] in one.split(" ") or one == param.metavar]
            terms.remove(term)
        assert terms == []


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_lists_of_kernels_and_of_borders_are_elsewhere(name: str) -> None:
    text = done(*name.split(), "--help").text
    assert "robinson" not in text
    assert "BORDER_CONSTANT" not in text
    assert done("kernel", "-q").text.splitlines().count("robinson") == 1


def test_without_arguments_the_help_is_on_stderr() -> None:
    result = run()
    assert result.code == 2
    assert result.out == b""
    assert result.err == done("-h").text


def test_no_summary_of_a_command_is_cut_off() -> None:
    for name in COMMANDS:
        assert f"\n  {name:10}  {command_of(name).get_short_help_str()}\n" in done("-h").text


@pytest.mark.parametrize("name", COMMANDS)
def test_the_shell_is_offered_options_in_groups(name: str) -> None:
    command = command_of(name)
    items = command.shell_complete(click.Context(command, CONTEXT, name), "--")
    groups = [str(item.help).partition(":")[0] for item in items]
    assert groups == [group for group in GROUPS for _ in range(groups.count(group))]
    texts = {item.value: item.help for item in items}
    assert texts["--help"] == "Help: Show all options"
    [item] = main.shell_complete(CONTEXT, name)
    assert item.help == command.get_short_help_str()
    if name == "apply":
        assert texts["--stride"] == "Geometry: Step between outputs, in pixels"
        assert texts["--threads"] == "Engine: Number of threads"


# The examples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the examples name."""
    from safetensors.numpy import save_file

    path = tmp_path
    draw = np.random.default_rng(0)
    for name, channels in (
        ("img.png", 3),
        ("small.png", 1),
        ("icon.png", 3),
        ("photos/a.png", 3),
        ("photos/b/c.png", 1),
    ):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        write(path / name, draw.integers(0, 256, (channels, 20, 20), dtype=np.uint8))
    np.save(path / "maps.npy", draw.random((8, 6, 6), np.float32))
    np.save(path / "layer.npy", draw.random((8, 3, 4, 4), np.float32))
    (path / "list.txt").write_text("apply img.png -k box -o soft.png\nshape --hin 32 --k 3\n")
    save_file({"conv1.weight": draw.random((4, 3, 3, 3), np.float32)}, path / "model.safetensors")
    for name in (".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"):
        (path / name).mkdir(parents=True)
    return path


EXAMPLES = sorted({example for name in COMMANDS for example in command_of(name).examples} | set(main.examples))


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example: str, folder: Path) -> None:
    for word, other in (("curl -s URL", "cat img.png"), ("512,512", "32,32"), ("model.pt", "model.safetensors")):
        example = example.replace(word, other)
    script = f'set -euo pipefail; convcli() {{ "{sys.executable}" -m convcli "$@"; }}; {example}'
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    ended = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    for name in re.findall(r"(?: -o|>) (\S+?)(?: |$)", example.replace("~", str(folder))):
        if name != "-":
            assert (folder / name).stat().st_size > 0
