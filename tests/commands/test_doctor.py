"""``convcli doctor``: what it finds, what is set, and what is wrong."""

from importlib.metadata import version
from pathlib import Path

import pytest

from convcli import __version__, inventory
from support.cli import SAMPLES, done, program, run


def test_the_doctor_tells_what_is_there() -> None:
    found = done("doctor", "--json").json
    assert found["version"] == __version__
    assert {package["name"]: package["version"] for package in found["packages"]}["numpy"] == version("numpy")
    assert found["devices"][0]["name"] == "cpu"
    assert {"PNG", "JPEG", "TIFF", "NPY", "PPM"} <= set(found["readable"]) & set(found["writable"])
    assert "EPS" not in found["readable"]
    assert {"TIFF", "NPY", "PPM"} <= set(found["readable_in_blocks"]) <= {"TIFF", "NPY", "PPM", "ZARR"}
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
        ("CONVCLI_MAX_PIXELS", "lots", "'lots' is not a number of pixels"),
        ("CONVCLI_DEVICE", "gpu", "'gpu' is not cpu"),
        ("CONVCLI_BACKEND", "tensorflow", "'tensorflow' is not one of"),
        ("CONVCLI_DTYPE", "int3", "'int3' is not one of"),
        ("CONVCLI_TREADS", "3", "did you mean CONVCLI_THREADS?"),
        ("CONVCLI_ZZZZZ", "3", "use CONVCLI_BACKEND, CONVCLI_COLOR,"),
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
    endings = {name: ending for ending, name in known.items()} | {"NPY": ".npy", "ZARR": ".zarr"}
    for name in set(done("doctor", "--json").json["writable"]) - {"ICNS"}:  # wants 1024×1024 pixels
        target = tmp_path / f"out{endings[name]}"
        done("apply", SAMPLES / "coffee.jpg", "-k", "identity", "-s", 8, "-o", target)
        assert target.stat().st_size > 0, name


def test_a_missing_and_an_old_package_are_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    there, found = {"rich": None, "numpy": "1.26.4"}, inventory._version
    monkeypatch.setattr(inventory, "_version", lambda name: there[name] if name in there else found(name))
    result = run("doctor", "-q")
    assert result.code == 1
    assert result.text.splitlines() == [
        "numpy 1.26.4 is older than 2.0: pip install 'numpy>=2.0'",
        "rich is not installed: pip install 'rich>=13.7'",
    ]
