"""Every command line of the README is run, as it stands, by a shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.cli import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(("convcli ", "find "))]


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = f'set -euo pipefail; convcli() {{ "{sys.executable}" -m convcli "$@"; }}; {line}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the samples, the folder `out`, and `features.npy`, which one recipe makes and the next one reads."""
    path = tmp_path_factory.mktemp("readme")
    (path / "samples").symlink_to(ROOT / "samples")
    (path / "out").mkdir()
    (made,) = (line for line in commands() if line.endswith("-o features.npy"))
    assert shell(made, path).returncode == 0
    return path


def test_the_readme_has_commands() -> None:
    assert len(commands()) >= 20
    assert sum("# prints " in line for line in commands()) >= 3


@pytest.mark.parametrize("line", commands())
def test_command(line: str, folder: Path) -> None:
    done = shell(line, folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for name in re.findall(r" -o (\S+\.\w+)(?= |$)", line):
        if "{" not in name:
            assert (folder / name).stat().st_size > 0
    for expected in re.findall(r"# prints (.+)$", line):
        assert done.stdout.strip() == expected


def test_links_and_pictures_exist() -> None:
    for target in re.findall(r'(?:src="|\]\()([^")#]+)[")]', README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
