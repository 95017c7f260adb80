"""The bytes of files and objects in ranges, and what cannot be read so."""

import os
from pathlib import Path
from typing import Any

import pytest

from convcli import extras
from convcli.errors import ImageError
from convcli.system.ranges import Ranges, as_stream, opened
from support.servers import DATA, serving

fsspec = pytest.importorskip("fsspec")


def check(ranges: Ranges) -> None:
    assert ranges.size == len(DATA)
    assert ranges.read(1000, 20) == DATA[1000:1020]
    assert ranges.read(len(DATA) - 5, 20) == DATA[-5:]
    assert ranges.read(len(DATA), 20) == b""
    assert ranges.read_many([0, 5000, 77], 9) == [DATA[place : place + 9] for place in (0, 5000, 77)]
    stream = as_stream(ranges)
    stream.seek(-7, 2)
    assert stream.read() == DATA[-7:]
    stream.seek(3)
    assert stream.read(4) == DATA[3:7]
    ranges.close()


def test_ranges_of_a_file(path: Path) -> None:
    check(opened(str(path)))
    check(opened(path.as_uri()))


def test_ranges_where_the_system_reads_at_no_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread", raising=False)
    check(opened(str(path)))


def test_ranges_of_an_object(memory: Any) -> None:
    check(opened("memory://folder/data"))


def test_ranges_of_a_server(path: Path) -> None:
    pytest.importorskip("aiohttp")
    with serving(path.parent) as server:
        check(opened(f"{server.address}/data"))


def test_a_server_without_ranges(path: Path) -> None:
    """Of 40 GB it would send everything, each time."""
    pytest.importorskip("aiohttp")
    with serving(path.parent, ranges=False) as server:
        with pytest.raises(ImageError, match="cannot be read in parts: its server sends no ranges; fetch it first"):
            opened(f"{server.address}/data")
        with pytest.raises(ImageError, match="there is no such object; check the address"):
            opened(f"{server.address}/none")


def test_a_server_that_is_not_there() -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(ImageError, match="ClientConnectorError") as told:
        opened("http://me:secret@127.0.0.1:1/data?signature=secret")
    assert "secret" not in str(told.value)
    assert "input 'http://127.0.0.1:1/data?…' cannot be read" in str(told.value)


def test_fsspec_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda name: False)
    with pytest.raises(ImageError, match=r"needs fsspec: it is not installed; pip install 'convcli\[scale\]'"):
        opened("memory://a")


def test_what_is_no_file(tmp_path: Path, memory: Any) -> None:
    with pytest.raises(ImageError, match="is a folder: name a file"):
        opened(str(tmp_path))
    with pytest.raises(ImageError, match="there is no such file"):
        opened(str(tmp_path / "none"))
    with pytest.raises(ImageError, match="cannot be read"):
        opened("a\0b")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ImageError, match="cannot be read in parts: it is no file; write it to a file first"):
            opened(str(tmp_path / "pipe"))
    with pytest.raises(ImageError, match="is a folder"):
        opened("memory://folder")
