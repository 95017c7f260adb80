"""What a shell offers behind the options: the words of the vocabulary, the kernels, and files elsewhere; and its script."""

import subprocess
import sys
from pathlib import Path

import pytest

from convcli.vocabulary import (
    ALPHAS,
    BACKENDS,
    BORDERS,
    CHANNELS,
    COMBINES,
    DTYPES,
    PADDING_MODES,
    PADDING_RULES,
    PLANS,
    RANGES,
)
from support.cli import done, environment, run


@pytest.mark.parametrize(
    ("shell", "sign"), [("bash", "complete -o"), ("zsh", "#compdef convcli"), ("fish", "complete --no-files")]
)
def test_completion_scripts(shell: str, sign: str) -> None:
    text = done("completion", shell).text
    assert sign in text
    assert f"_CONVCLI_COMPLETE={shell}_complete" in text


def test_a_comma_does_not_end_what_fish_shows() -> None:
    text = done("completion", "fish").text
    assert 'set -l metadata (string split -m 1 "," $completion);' in text
    assert text.count("string split") == 1


def test_bash_takes_its_script(tmp_path: Path) -> None:
    script = tmp_path / "convcli.bash"
    script.write_text(done("completion", "bash").text)
    ended = subprocess.run(
        ["bash", "-c", f"source {script} && complete -p convcli"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "convcli" in ended.stdout


def test_an_unknown_shell_is_told_the_known_ones() -> None:
    result = run("completion", "tcsh")
    assert result.code == 2
    assert all(word in result.err for word in ("tcsh", "bash", "zsh", "fish"))


def offered(shell: str, *words: str) -> list[str]:
    """The completions of the last of `words`, as the shell's script gets them."""
    line = " ".join(("convcli", *words))
    if shell == "fish":
        variables = {"COMP_WORDS": line, "COMP_CWORD": words[-1]}
    else:
        variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    ended = subprocess.run(
        [sys.executable, "-c", "from convcli.__main__ import main; main()"],
        env=environment(_CONVCLI_COMPLETE=f"{shell}_complete", **variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def words_of(shell: str, *words: str) -> list[str]:
    """The words alone, without their types and help texts."""
    lines = offered(shell, *words)
    if shell == "bash":  # type,word
        return [line.partition(",")[2] for line in lines if line.startswith("plain,")]
    if shell == "fish":  # type,word<TAB>help
        return [line.partition(",")[2].partition("\t")[0] for line in lines if line.startswith("plain,")]
    return [lines[at + 1] for at in range(0, len(lines) - 2, 3) if lines[at] == "plain"]  # type, word, help


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell(shell: str) -> None:
    assert words_of(shell, "sh") == ["shape"]
    assert words_of(shell, "apply", "-k", "bino") == ["binomial"]
    assert words_of(shell, "apply", "--padding-mode", "re") == ["reflect", "replicate"]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--padding-mode", PADDING_MODES),
        ("--padding", PADDING_RULES),
        ("--backend", ("auto", *BACKENDS)),
        ("--dtype", DTYPES["torch"]),
        ("--plan", PLANS),
        ("--range", RANGES),
        ("--alpha", ALPHAS),
        ("--combine", COMBINES),
        ("--channels", CHANNELS),
        ("--device", ("cpu", "cuda")),
    ],
)
def test_options(option: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in words_of("bash", "apply", option, word[:2])


def test_numbers_of_a_range_are_typed() -> None:
    for command in ("apply", "transpose", "explain"):
        assert words_of("bash", command, "--range", "-1,") == []
        assert words_of("bash", command, "--range", "") == [*RANGES]


def test_kernels_and_their_members() -> None:
    assert words_of("bash", "apply", "-k", "scharr") == ["scharr", "scharr-x", "scharr-y"]
    assert {"kirsch-n", "kirsch-nw"} < set(words_of("bash", "transpose", "--kernel", "kir"))


@pytest.mark.parametrize(
    "words",
    [("apply", "pho"), ("apply", "-k", "my"), ("apply", "--weights", "mod"), ("apply", "-o", "o"), ("compare", "x")],
)
def test_files_are_left_to_the_shell(words: tuple[str, ...]) -> None:
    assert offered("bash", *words) == [f"file,{words[-1]}"]


def test_a_value_behind_its_sign() -> None:
    """Bash breaks the word at the sign."""
    assert words_of("bash", "apply", "--padding-mode", "=", "ci") == ["circular"]
    assert words_of("bash", "apply", "--padding-mode", "=", "circular", "--range", "min") == ["minmax"]
    assert words_of("bash", "apply", "--padding-mode", "=") == [border.name for border in BORDERS]
