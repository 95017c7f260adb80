"""How the process is set up before NumPy is loaded."""

from pathlib import Path

import pytest

from convcli.system import process

WIDE = "fpu sse avx2 avx512f avx512dq avx512cd avx512bw avx512vl"


def told(monkeypatch: pytest.MonkeyPatch, path: Path, **before: str) -> dict[str, str]:
    monkeypatch.setattr("os.environ", before)
    return process.settings(str(path))


def described(tmp_path: Path, vendor: str, flags: str) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: {flags}\n\nprocessor\t: 1\nflags\t\t: none\n")
    return path


def test_new_amd_processors_get_the_wide_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = described(tmp_path, "AuthenticAMD", WIDE)
    assert told(monkeypatch, path) == {"OPENBLAS_NUM_THREADS": "1", "OPENBLAS_CORETYPE": "SkylakeX"}


def test_what_the_user_has_set_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = described(tmp_path, "AuthenticAMD", WIDE)
    own = {"OPENBLAS_NUM_THREADS": "3", "OPENBLAS_CORETYPE": "Zen"}
    assert told(monkeypatch, path, **own) == {}


@pytest.mark.parametrize(
    ("vendor", "flags"),
    [("GenuineIntel", WIDE), ("AuthenticAMD", "fpu sse avx2"), ("AuthenticAMD", WIDE.replace("avx512bw", ""))],
)
def test_others_are_left_to_openblas(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, vendor: str, flags: str) -> None:
    path = described(tmp_path, vendor, flags)
    assert told(monkeypatch, path) == {"OPENBLAS_NUM_THREADS": "1"}


def test_no_such_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert told(monkeypatch, tmp_path / "none") == {"OPENBLAS_NUM_THREADS": "1"}
