"""Pictures behind addresses, and Zarrs: in blocks where both sides can, else as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

import convcli
from convcli import images
from convcli.cli import main
from convcli.images.reading import windows
from convcli.runs import blocks
from convcli.runs.journal import Journal
from support.servers import serving

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)


@pytest.fixture
def memory() -> Iterator[Any]:
    """An empty store."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def invoke(*args: object) -> Result:
    return CliRunner().invoke(main, [*map(str, args)], catch_exceptions=False)


def document(*args: object) -> dict[str, Any]:
    result = invoke(*args, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def local(tmp_path: Path, ending: str) -> Path:
    path = tmp_path / f"local.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, PIXELS, tile=(16, 16), photometric="rgb")
    else:
        images.save(
            images.Picture(PIXELS.transpose(2, 0, 1), None, "rgb", 255.0), str(path),
            images.Storage(images.format_of(str(path), None, None), "rgb", "uint8", 1.0, 255.0, "clip"),
        )  # fmt: skip
    return path


@pytest.mark.parametrize("ending", ["png", "jpg", "ppm"])
def test_a_file_behind_an_address(ending: str, memory: Any, tmp_path: Path) -> None:
    source = local(tmp_path, ending)
    memory.pipe_file("/in/a.img", source.read_bytes())
    invoke("apply", source, "-k", "box:3", "-o", tmp_path / "out.png")
    assert (
        document("apply", "memory://in/a.img", "-k", "box:3", "-o", "memory://out/b.png")["output"]
        == "memory://out/b.png"
    )
    assert memory.cat_file("/out/b.png") == (tmp_path / "out.png").read_bytes()


def test_in_blocks_where_both_can(memory: Any, tmp_path: Path) -> None:
    source = local(tmp_path, "tif")
    memory.pipe_file("/in/a.tif", source.read_bytes())
    found = document("apply", "memory://in/a.tif", "-k", "gaussian:1", "-p", "same", "-o", tmp_path / "out.zarr")
    assert found["blocks"]["count"] == 1
    whole = document("apply", source, "-k", "gaussian:1", "-p", "same", "-o", tmp_path / "out.png")
    assert "blocks" not in whole
    invoke("apply", tmp_path / "out.zarr", "-k", "identity", "-o", tmp_path / "back.png")  # as a whole
    np.testing.assert_array_equal(
        images.load(str(tmp_path / "back.png")).colour, images.load(str(tmp_path / "out.png")).colour
    )


def test_a_zarr_is_explained_and_compared(tmp_path: Path) -> None:
    invoke("apply", local(tmp_path, "tif"), "-k", "identity", "-o", tmp_path / "in.zarr")
    told = document("explain", tmp_path / "in.zarr", "-k", "sobel-x", "--at", "5,5")
    truth = document("explain", tmp_path / "local.tif", "-k", "sobel-x", "--at", "5,5")
    for name in ("value", "written", "sum"):
        assert told.get(name) == truth.get(name)
    assert truth["value"] is not None


def test_what_exists_is_skipped_or_kept(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/out.png", b"there")
    source = local(tmp_path, "png")
    skipped = document("apply", source, "-k", "box:3", "-o", "memory://out.png", "--skip-existing")
    assert skipped["skipped"]
    assert memory.cat_file("/out.png") == b"there"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("memory://none.png", "input 'memory://none.png' cannot be read: there is no such object; check the address"),
        ("ftp://host/a.png", "address 'ftp://host/a.png' has the scheme 'ftp': use a path, or one of"),
        ("memory://a::file:///etc/passwd", "is a chain of addresses: '::' is not taken"),
    ],
)
def test_addresses_that_are_not_read(source: str, said: str, memory: Any, tmp_path: Path) -> None:
    result = invoke("apply", source, "-k", "box:3", "-o", tmp_path / "out.png")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(("ending", "blocks"), [("tif", True), ("png", False)])
def test_a_file_is_opened_once_to_be_looked_at_and_read(
    ending: str, blocks: bool, memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    real = windows.opened
    monkeypatch.setattr(windows, "opened", lambda source: opened.append(source) or real(source))
    memory.pipe_file("/in/a.img", local(tmp_path, ending).read_bytes())
    found = document("apply", "memory://in/a.img", "-k", "box:3", "-o", tmp_path / "out.tif")
    assert ("blocks" in found) == blocks
    assert opened == ["memory://in/a.img"]
    convcli.apply("memory://in/a.img", str(tmp_path / "again.tif"), "box:3")
    assert opened == ["memory://in/a.img"] * 2
    assert (tmp_path / "again.tif").read_bytes() == (tmp_path / "out.tif").read_bytes()


def test_no_line_shows_a_signature(tmp_path: Path) -> None:
    """Users, passwords and queries of addresses are for the server alone."""
    local(tmp_path, "png")
    local(tmp_path, "tif")
    (tmp_path / "words.png").write_text("no image")
    with serving(tmp_path) as server:
        start = server.address.replace("://", "://me:SECRET@")
        png, tif, none, words = (
            f"{start}/{name}?sig=SECRET" for name in ("local.png", "local.tif", "none.png", "words.png")
        )
        kernel = ["-k", "box:3"]
        lines = [
            (0, ["apply", png, *kernel, "-o", tmp_path / "a.png"]), (0, ["apply", tif, *kernel, "-o", tmp_path / "a.tif", "-v"]),
            (0, ["apply", tif, *kernel, "-o", tmp_path / "b.tif", "--json"]), (2, ["apply", none, *kernel]),
            (2, ["apply", words, *kernel]), (2, ["apply", png, *kernel, "-o", png]), (0, ["compare", png, *kernel]),
            (1, ["apply", none, words, png, *kernel, "-o", f"{tmp_path}/out/"]), (0, ["explain", png, *kernel, "--at", "5,5"]),
            (1, ["apply", none, words, *kernel, "-o", f"{tmp_path}/out/", "--json-lines"]),
            (2, ["apply", tif, *kernel, "--max-pixels", "9"]), (2, ["apply", png, "-k", f"{start}/k.npy?sig=SECRET"]),
        ]  # fmt: skip
        for code, line in lines:
            result = invoke(*line)
            assert result.exit_code == code, result.stderr
            assert "SECRET" not in result.stdout + result.stderr, line
        with pytest.MonkeyPatch.context() as patch:  # the journal of a run that was stopped
            patch.setattr(blocks.Run, "done", lambda self: pytest.fail("stopped"))
            patch.setattr(Journal, "remove", Journal.close)
            with pytest.raises(pytest.fail.Exception):
                invoke("apply", tif, *kernel, "-o", tmp_path / "stopped.tif")
    assert "SECRET" not in (tmp_path / ".stopped.tif.convcli").read_text()
