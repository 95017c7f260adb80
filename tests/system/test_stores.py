"""Paths and URLs: names, whole objects, and what is refused."""

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from convcli import extras
from convcli.errors import ImageError
from convcli.system import stores
from convcli.system.ranges import opened
from support.servers import DATA

fsspec = pytest.importorskip("fsspec")


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
    for use in (opened, stores.identity, lambda one: next(stores.entries(one)), lambda one: stores.put(one, b"")):
        with pytest.raises(ImageError, match=match) as told:
            use(source)
        assert "secret" not in str(told.value)
        assert "\n" not in str(told.value)


def test_identities(path: Path, memory: Any) -> None:
    before = stores.identity(str(path))
    assert before == f"{len(DATA)} bytes, {path.stat().st_mtime_ns} ns"
    os.utime(path, ns=(1, 77))
    assert stores.identity(str(path)) == f"{len(DATA)} bytes, 77 ns"
    before = stores.identity("memory://folder/data")
    memory.pipe_file("/folder/data", DATA[:-1])
    assert stores.identity("memory://folder/data") != before


def test_what_is_in_a_prefix(memory: Any) -> None:
    for name in ("a", "deep/b", "deep/er/c"):
        memory.pipe_file(f"/folder/{name}", b"")
    for folder in ("memory://folder", "memory://folder/"):
        assert sorted(stores.entries(folder)) == [("a", False), ("data", False), ("deep", True)]
    assert [*stores.entries("memory://none")] == []


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
                    yield {"name": f"{bucket}/{prefix}{page}-{number}.png", "type": "file"}

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return path.removeprefix("s3://").rstrip("/")

    monkeypatch.setattr(stores, "file_system", lambda source: Bucket())
    found = stores.entries("s3://bucket/some/")
    assert [next(found).name for _ in range(5)] == ["0-0.png", "0-1.png", "0-2.png", "1-0.png", "1-1.png"]
    assert asked == [("bucket", "/", "some/", 0), ("bucket", "/", "some/", 1)]
    assert len([*found]) == 2995


def test_put_replaces_the_whole(tmp_path: Path, memory: Any) -> None:
    for target in (str(tmp_path / "new"), "memory://folder/new"):
        for data in (b"first", b"then"):
            stores.put(target, data)
            found = opened(target)
            assert found.read(0, 99) == data
            assert stores.exists(target)
    assert not stores.exists("memory://folder/none")
    assert not stores.exists(str(tmp_path / "none"))
    assert stat.S_ISREG((tmp_path / "new").stat().st_mode)
    with pytest.raises(ImageError, match=r"output '.*/none/x' cannot be written"):
        stores.put(str(tmp_path / "none" / "x"), b"")


def test_folders(tmp_path: Path, memory: Any) -> None:
    assert stores.is_folder(str(tmp_path))
    assert stores.is_folder("memory://folder")
    assert not stores.is_folder("memory://folder/data")
    assert not stores.is_folder("https://nobody.invalid/a/")


def test_a_prefix_is_copied_and_removed(memory: Any) -> None:
    memory.pipe_file("/folder/deep/er/c", b"c")
    stores.copy("memory://folder", "memory://folder/to")
    assert memory.cat_file("/folder/to/deep/er/c") == b"c"
    assert memory.cat_file("/folder/to/data") == DATA
    stores.remove("memory://folder/to")
    stores.remove("memory://folder/to")
    assert sorted(memory.find("/folder")) == ["/folder/data", "/folder/deep/er/c"]


def test_what_was_not_deleted_is_told(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """s3fs says nothing of objects that the store has kept."""
    monkeypatch.setattr(type(memory), "rm", lambda *_, **__: None)
    with pytest.raises(ImageError, match="output 'memory://folder' cannot be deleted: access is denied"):
        stores.remove("memory://folder")


def test_a_zarr_is_there_when_it_is_complete(memory: Any) -> None:
    memory.pipe_file("/folder/x.zarr/0/zarr.json", b"{}")
    assert not stores.exists("memory://folder/x.zarr/")
    assert stores.exists("memory://folder/x.zarr/0")
    memory.pipe_file("/folder/x.zarr/.zgroup", b"{}")
    assert stores.exists("memory://folder/x.zarr")


def test_patience_ends() -> None:
    never, soon = Event(), Event()
    stores.patiently(soon.set)
    assert soon.is_set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "PATIENCE", 0.01)
        stores.patiently(lambda: never.wait() and None)
    never.set()
