"""What every command has: defaults from the environment, colours, versions, completion, and the doctor."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cli import SAMPLES, done, environment, run, terminal

from convcli import __version__, inventory

TINY = str(SAMPLES / "tiny.png")


def program(*args: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "convcli", *args],
        cwd=cwd, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def report_of(ended: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert ended.returncode == 0, ended.stderr
    document: dict[str, object] = json.loads(ended.stdout)
    return document


# Defaults from the environment

APPLY = ("apply", TINY, "-k", "box", "-o", "out.png", "--json")


def test_variables_set_the_defaults(tmp_path: Path) -> None:
    assert report_of(program(*APPLY, cwd=tmp_path))["backend"] == "numpy"
    assert report_of(program(*APPLY, cwd=tmp_path, CONVCLI_BACKEND="reference"))["backend"] == "reference"
    assert report_of(program(*APPLY, cwd=tmp_path, CONVCLI_DTYPE="float64"))["dtype"] == "float64"


def test_the_command_line_goes_first(tmp_path: Path) -> None:
    ended = program(*APPLY, "--backend", "numpy", cwd=tmp_path, CONVCLI_BACKEND="reference")
    assert report_of(ended)["backend"] == "numpy"


@pytest.mark.parametrize(
    ("options", "variables", "backend", "dtype"),
    [
        (("--backend", "numpy"), {"CONVCLI_DEVICE": "cuda"}, "numpy", "float32"),
        (("--plan", "taps"), {"CONVCLI_BACKEND": "torch"}, "numpy", None),
        (("--plan", "taps"), {"CONVCLI_BACKEND": "torch", "CONVCLI_DEVICE": "cuda"}, "numpy", None),
        (("--backend", "reference"), {"CONVCLI_DTYPE": "float16"}, "reference", "float64"),
        (("--plan", "fft"), {"CONVCLI_DTYPE": "bfloat16"}, "numpy", "float32"),
    ],
)
def test_a_variable_gives_way_to_what_the_command_line_implies(
    options: tuple[str, ...], variables: dict[str, str], backend: str, dtype: str | None, tmp_path: Path
) -> None:
    found = report_of(program(*APPLY, *options, cwd=tmp_path, **variables))
    assert found["backend"] == backend
    assert dtype is None or found["dtype"] == dtype


def test_what_the_command_line_says_does_not_give_way(tmp_path: Path) -> None:
    ended = program(*APPLY, "--backend", "numpy", "--device", "cuda", cwd=tmp_path)
    assert ended.returncode == 2
    assert "cuda" in ended.stderr


def test_an_absent_device_in_the_environment_is_an_error(tmp_path: Path) -> None:
    ended = program(*APPLY, cwd=tmp_path, CONVCLI_DEVICE="cuda:77")
    assert ended.returncode == 2
    assert "cuda:77" in ended.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("name", ["BACKEND", "DEVICE", "DTYPE", "THREADS", "COLOR"])
def test_a_bad_variable_is_named(name: str, tmp_path: Path) -> None:
    ended = program(*APPLY, cwd=tmp_path, **{f"CONVCLI_{name}": "nonsense"})
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"CONVCLI_{name}" in ended.stderr
    assert "nonsense" in ended.stderr
    assert f"CONVCLI_{name}" in done("apply", "--help").text


# Colours


def test_colours_on_a_pipe_only_when_asked_for() -> None:
    shape = ("shape", "--hin", "5", "--k", "3")
    assert "\x1b" not in done(*shape).text
    assert "\x1b" not in done(*shape, "--color", "never").text
    assert "\x1b[36m" in done(*shape, "--color", "always").text
    assert "\x1b" not in done(*shape).text  # the choice does not outlive its command


def test_colours_on_a_terminal() -> None:
    shape = ("shape", "--hin", "5", "--k", "3")
    assert "\x1b[36m" in terminal(*shape).text
    assert "\x1b[36m" not in terminal(*shape, "--color", "never").text
    assert "\x1b[36m" not in terminal(*shape, NO_COLOR="1").text
    assert "\x1b[36m" in terminal(*shape, "--color", "always", NO_COLOR="1").text
    assert "\x1b[36m" not in terminal(*shape, CONVCLI_COLOR="never").text


# Versions


def test_versions_of_all_that_it_is_built_on() -> None:
    lines = done("--version").text.splitlines()
    assert lines[0] == f"convcli {__version__}"
    for name in ("click", "numpy", "pillow", "rich", "tifffile", "torch"):
        assert f"{name} {version(name)}" in lines
    assert f"python {sys.version.split()[0]}" in lines


# Completion


@pytest.mark.parametrize(
    ("shell", "sign"), [("bash", "complete -o"), ("zsh", "#compdef convcli"), ("fish", "complete --no-files")]
)
def test_completion_scripts(shell: str, sign: str) -> None:
    text = done("completion", shell).text
    assert sign in text
    assert f"_CONVCLI_COMPLETE={shell}_complete" in text


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


# The doctor


def test_the_doctor_tells_what_is_there() -> None:
    found = done("doctor", "--json").json
    assert found["version"] == __version__
    assert {package["name"]: package["version"] for package in found["packages"]}["numpy"] == version("numpy")
    assert found["devices"][0]["name"] == "cpu"
    assert {"PNG", "JPEG", "TIFF", "NPY", "PPM"} <= set(found["readable"]) & set(found["writable"])
    assert "EPS" not in found["readable"]
    assert found["problems"] == []
    assert done("doctor", "-q").text == ""
    table = done("doctor").text
    assert "libjpeg" in table
    assert version("torch") in table


def test_the_doctor_says_what_is_set(tmp_path: Path) -> None:
    ended = program("doctor", cwd=tmp_path, CONVCLI_THREADS="3")
    assert "CONVCLI_THREADS" in ended.stdout


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CONVCLI_THREADS", "many", "'many' is not a whole number"),
        ("CONVCLI_COLOR", "pink", "'pink' is not one of"),
        ("CONVCLI_MAX_PIXELS", "lots", "'lots' is no count of pixels"),
        ("CONVCLI_DEVICE", "gpu", "'gpu' is not cpu"),
        ("CONVCLI_BACKEND", "tensorflow", "'tensorflow' is not one of"),
        ("CONVCLI_DTYPE", "int3", "'int3' is not one of"),
        ("CONVCLI_TREADS", "3", "did you mean CONVCLI_THREADS?"),
        ("CONVCLI_ZZZ", "3", "use CONVCLI_BACKEND, CONVCLI_COLOR,"),
    ],
)
def test_the_doctor_says_which_variables_are_wrong(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    result = run("doctor", "-q")
    assert result.code == 1
    (line,) = result.text.splitlines()
    assert line.startswith(name)
    assert words in line


def test_the_doctor_has_nothing_to_say_of_good_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("THREADS", "3"),
        ("COLOR", "never"),
        ("MAX_PIXELS", "2G"),
        ("DEVICE", ""),
        ("BACKEND", "numpy"),
    ):
        monkeypatch.setenv(f"CONVCLI_{name}", value)
    assert done("doctor", "-q").text == ""


@pytest.mark.filterwarnings("ignore:IM image format:DeprecationWarning")
def test_every_format_that_is_said_to_be_written_is(tmp_path: Path) -> None:
    from PIL import Image

    known = {ending: name for ending, name in Image.registered_extensions().items() if ending not in (".pbm", ".pfm")}
    endings = {name: ending for ending, name in known.items()} | {"NPY": ".npy"}
    for name in set(done("doctor", "--json").json["writable"]) - {"ICNS"}:  # wants 1024×1024 pixels
        target = tmp_path / f"out{endings[name]}"
        done("apply", SAMPLES / "coffee.jpg", "-k", "identity", "-s", 8, "-o", target)
        assert target.stat().st_size > 0, name


def test_a_missing_and_an_old_package_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    found = inventory._version
    monkeypatch.setattr(inventory, "_version", lambda name: {"rich": None, "numpy": "1.26.4"}.get(name, found(name)))
    result = run("doctor", "-q")
    assert result.code == 1
    assert result.text.splitlines() == [
        "numpy 1.26.4 is older than 2.0: pip install 'numpy>=2.0'",
        "rich is not installed: pip install 'rich>=13.7'",
    ]
