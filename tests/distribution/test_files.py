"""What is made for distribution is fresh: completions, citation, changelog; and the licences that go along."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from convcli import __version__
from support.cli import ROOT, done
from support.modules import module_of

HERE = ROOT / "distribution"


def test_completion_scripts_are_fresh_and_installed() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in (HERE / "completions").iterdir()}
    assert committed == module_of(ROOT / "man" / "generate.py").completions(), "run `make docs`"
    for shell, name in (("bash", "convcli"), ("zsh", "_convcli"), ("fish", "convcli.fish")):
        assert committed[name] == done("completion", shell).text
    shared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "shared-data"
    ]
    assert {path: target for path, target in shared.items() if path.startswith("distribution/")} == {
        "distribution/completions/convcli": "share/bash-completion/completions/convcli",
        "distribution/completions/_convcli": "share/zsh/site-functions/_convcli",
        "distribution/completions/convcli.fish": "share/fish/vendor_completions.d/convcli.fish",
    }


def test_the_readme_names_the_versions_of_python_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one) for one in project["classifiers"])
    *most, last = [name[1] for name in names if name]
    assert f"with Python {', '.join(most)} and {last}." in (ROOT / "README.md").read_text()
    assert project["requires-python"] == f">={most[0]}"


def test_the_citation_and_the_changelog_name_this_version() -> None:
    said = dict(re.findall(r"^([a-z-]+): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    assert (said["cff-version"], said["version"], said["license"]) == ("1.2.0", __version__, "MIT")
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[:2] == ["Unreleased", f"{__version__} ({said['date-released']})"]


def test_what_is_installed_for_everyone_and_what_is_an_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[>=\[]", line)[0] for line in project["dependencies"]}
    assert names == {"click", "numpy", "pillow", "rich", "tifffile"}
    extras = project["optional-dependencies"]
    assert [re.split("[>=]", line)[0] for line in extras["torch"] + extras["tiff"] + extras["fits"]] == [
        "torch",
        "imagecodecs",
        "astropy",
    ]
    assert {"zarr", "fsspec", "imagecodecs", "aiohttp"} == {re.split("[>=]", line)[0] for line in extras["scale"]}
    assert "convcli[cluster,fits,keras,s3,scale,tiff,torch]" in extras["test"]
    pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    wanted = {re.split(r"[>=\[]", line)[0] for lines in (project["dependencies"], *extras.values()) for line in lines}
    untried, below = {"gcsfs", "adlfs"}, {"numcodecs", "dask"}  # of Zarr, and of distributed
    assert wanted - {"convcli"} - untried == pinned - below


def test_a_package_without_a_licence_is_an_error(tmp_path: Path) -> None:
    notices = module_of(HERE / "notices.py").notices
    folder = tmp_path / "bare-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: bare\nVersion: 1.0\n")
    (folder / "RECORD").write_text("bare-1.0.dist-info/METADATA,,\nbare/licenses.py,,\n")
    with pytest.raises(SystemExit, match=r"bare 1\.0 has no text of a licence"):
        list(notices([str(tmp_path)]))
    (folder / "LICENSE").write_text("Do as you like.")
    (folder / "RECORD").write_text("bare-1.0.dist-info/METADATA,,\nbare-1.0.dist-info/LICENSE,,\n")
    text = "".join(notices([str(tmp_path)]))
    assert "bare 1.0: see below" in text
    assert "Do as you like." in text


def test_a_readme_without_files_beside_it() -> None:
    described = described_by_the_hook()
    text = '<p>\n<img src="a.png" alt="a">\n</p>\n\n![b](b.png)\n[guide](docs/guide.md) [web](https://example.org) [here](#here)\n'
    assert described(text, "") == "guide [web](https://example.org) [here](#here)\n"
    assert described('| `a` | <img src="a.png" width="9" alt="an edge"> |', "") == "| `a` | an edge |"
    assert described(text, "https://example.org/raw/v1") == (
        '<p>\n<img src="https://example.org/raw/v1/a.png" alt="a">\n</p>\n\n![b](https://example.org/raw/v1/b.png)\n'
        "[guide](https://example.org/raw/v1/docs/guide.md) [web](https://example.org) [here](#here)\n"
    )


def test_nothing_local_is_left_in_the_description() -> None:
    described = described_by_the_hook()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert '<img src="samples/' in readme
    for address in ("", "https://example.org/raw/v1"):
        text = described(readme, address)
        sources = re.findall(r'src="([^"]*)"', text) + re.findall(r"\]\(([^)]*)\)", text)
        assert all(source.startswith(("https://", "http://", "#")) for source in sources)
        assert ("img src" in text) == bool(address)
        assert len(text) > 0.85 * len(readme)


def described_by_the_hook():  # type: ignore[no-untyped-def]
    """The function of the build's hook, whose module wants Hatchling: it is there only while a package is built."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "hatchling",
            "hatchling.metadata",
            "hatchling.metadata.plugin",
            "hatchling.metadata.plugin.interface",
        ):
            stub = ModuleType(name)
            stub.MetadataHookInterface = object  # type: ignore[attr-defined]
            patch.setitem(sys.modules, name, stub)
        return module_of(HERE / "description.py").described
