"""Paths and URLs: ranges, names, whole objects, and what is refused."""

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from convcli import extras
from convcli.errors import ImageError
from convcli.system import stores
from support.servers import serving

fsspec = pytest.importorskip("fsspec")
DATA = bytes(range(256)) * 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data").write_bytes(DATA)
    return tmp_path / "data"


@pytest.fixture
def memory() -> Any:
    system = fsspec.filesystem("memory")
    system.pipe_file("/folder/data", DATA)
    yield system
    system.rm("/folder", recursive=True)


def check(ranges: stores.Ranges) -> None:
    assert ranges.size == len(DATA)
    assert ranges.read(1000, 20) == DATA[1000:1020]
    assert ranges.read(len(DATA) - 5, 20) == DATA[-5:]
    assert ranges.read(len(DATA), 20) == b""
    assert ranges.read_many([0, 5000, 77], 9) == [DATA[place : place + 9] for place in (0, 5000, 77)]
    stream = stores.stream(ranges)
    stream.seek(-7, 2)
    assert stream.read() == DATA[-7:]
    stream.seek(3)
    assert stream.read(4) == DATA[3:7]
    ranges.close()


def test_ranges_of_a_file(path: Path) -> None:
    check(stores.opened(str(path)))
    check(stores.opened(path.as_uri()))


def test_ranges_where_the_system_reads_at_no_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread", raising=False)
    check(stores.opened(str(path)))


def test_ranges_of_an_object(memory: Any) -> None:
    check(stores.opened("memory://folder/data"))


def test_ranges_of_a_server(path: Path) -> None:
    pytest.importorskip("aiohttp")
    with serving(path.parent) as server:
        check(stores.opened(f"{server.address}/data"))


def test_a_server_without_ranges(path: Path) -> None:
    """Of 40 GB it would send everything, each time."""
    pytest.importorskip("aiohttp")
    with serving(path.parent, ranges=False) as server:
        with pytest.raises(ImageError, match="cannot be read in parts: its server sends no ranges; fetch it first"):
            stores.opened(f"{server.address}/data")
        with pytest.raises(ImageError, match="there is no such object; check the address"):
            stores.opened(f"{server.address}/none")


def test_a_server_that_is_not_there() -> None:
    pytest.importorskip("aiohttp")
    with pytest.raises(ImageError, match="ClientConnectorError") as told:
        stores.opened("http://me:secret@127.0.0.1:1/data?signature=secret")
    assert "secret" not in str(told.value)
    assert "input 'http://127.0.0.1:1/data?…' cannot be read" in str(told.value)


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("ftp://h/k", "has the scheme 'ftp': use a path, or one of file, memory, http,"),
        ("zip://a::http://h/k", "is a chain of addresses: '::' is not taken"),
        ("http::s3://b/k", "is a chain of addresses"),
        ("simplecache::https://me:secret@h/k?x=secret", "is a chain of addresses"),
        ("gs://b/k", r"needs gcsfs: it is not installed; pip install 'convcli\[gs\]'"),
        ("az://b/k", r"needs adlfs: it is not installed; pip install 'convcli\[az\]'"),
    ],
)
def test_addresses_that_are_refused(source: str, match: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda name: name == "fsspec")
    for use in (stores.opened, stores.identity, lambda one: next(stores.names(one)), lambda one: stores.put(one, b"")):
        with pytest.raises(ImageError, match=match) as told:
            use(source)
        assert "secret" not in str(told.value)
        assert "\n" not in str(told.value)


def test_fsspec_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda name: False)
    with pytest.raises(ImageError, match=r"needs fsspec: it is not installed; pip install 'convcli\[scale\]'"):
        stores.opened("memory://a")


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder: name a file"):
        stores.opened(str(tmp_path))
    with pytest.raises(ImageError, match="there is no such file"):
        stores.opened(str(tmp_path / "none"))
    with pytest.raises(ImageError, match="cannot be read"):
        stores.opened("a\0b")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ImageError, match="cannot be read in parts: it is no file; write it to a file first"):
            stores.opened(str(tmp_path / "pipe"))


def test_identities(path: Path, memory: Any) -> None:
    before = stores.identity(str(path))
    assert before == f"{len(DATA)} bytes, {path.stat().st_mtime_ns} ns"
    os.utime(path, ns=(1, 77))
    assert stores.identity(str(path)) == f"{len(DATA)} bytes, 77 ns"
    before = stores.identity("memory://folder/data")
    memory.pipe_file("/folder/data", DATA[:-1])
    assert stores.identity("memory://folder/data") != before


def test_names_below_a_folder(tmp_path: Path, memory: Any) -> None:
    for name in ("a", "deep/b", "deep/er/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
        memory.pipe_file(f"/folder/{name}", b"")
    assert sorted(stores.names(str(tmp_path))) == sorted(str(tmp_path / name) for name in ("a", "deep/b", "deep/er/c"))
    assert sorted(stores.names("memory://folder")) == [
        f"memory://folder/{name}" for name in ("a", "data", "deep/b", "deep/er/c")
    ]
    with pytest.raises(ImageError, match="there is no such"):
        next(stores.names(str(tmp_path / "none")))


def test_names_of_a_bucket_come_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next page is asked for when the one before is used up."""
    from fsspec.asyn import AsyncFileSystem

    asked = []

    class Bucket(AsyncFileSystem):
        protocol = ("s3", "s3a")

        async def _iterdir(self, bucket: str, delimiter: str = "/", prefix: str = "") -> AsyncIterator[dict[str, str]]:
            for page in range(1000):
                asked.append((bucket, delimiter, prefix, page))
                for number in range(3):
                    yield {"name": f"{bucket}/{prefix}{page}-{number}.png"}

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix("s3://").rstrip("/")

    monkeypatch.setattr(stores, "file_system", lambda source: Bucket())
    names = stores.names("s3://bucket/some/")
    assert [next(names) for _ in range(5)] == [
        f"s3://bucket/some/{page}-{n}.png" for page, n in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    ]
    assert asked == [("bucket", "", "some/", 0), ("bucket", "", "some/", 1)]
    assert len([*names]) == 2995


def test_put_replaces_the_whole(tmp_path: Path, memory: Any) -> None:
    for target in (str(tmp_path / "new"), "memory://folder/new"):
        for data in (b"first", b"then"):
            stores.put(target, data)
            found = stores.opened(target)
            assert found.read(0, 99) == data
            assert stores.has(target)
    assert not stores.has("memory://folder/none")
    assert not stores.has(str(tmp_path / "none"))
    assert stat.S_ISREG((tmp_path / "new").stat().st_mode)
    with pytest.raises(ImageError, match=r"output '.*/none/x' cannot be written"):
        stores.put(str(tmp_path / "none" / "x"), b"")


def test_folders(tmp_path: Path, memory: Any) -> None:
    assert stores.is_folder(str(tmp_path))
    assert stores.is_folder("memory://folder")
    assert not stores.is_folder("memory://folder/data")
    assert not stores.is_folder("https://nobody.invalid/a/")
    with pytest.raises(ImageError, match="is a folder"):
        stores.opened("memory://folder")
