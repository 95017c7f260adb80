"""Where a Zarr is written: folders that may be replaced, and object stores."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convcli.errors import ExistsError, ImageError
from convcli.images.writing.blocks import Layout, block_target, worker
from support.blocks import blocks_of, halves, layout_for, picture, put, read_back, written

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("zarr")

PIXELS = picture(1100, 700)
BLOCKS = blocks_of(1100, 700, 512, 512)
URL = "memory://bucket/picture.zarr"


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def remote(**more: bool) -> Layout:
    return layout_for(Path(), "ZARR", PIXELS, pyramid=True, **more)._replace(target=URL)


def names(store: fsspec.AbstractFileSystem) -> set[str]:
    return {*store.find("/bucket")} if store.exists("/bucket") else set()


def test_an_object_store(store: fsspec.AbstractFileSystem) -> None:
    layout = remote()
    target, other = block_target(layout), worker(layout)
    with pytest.raises(ImageError, match="cannot be written"):
        put(other, PIXELS, BLOCKS[:1])
    target.begin()
    receipts = put(target, PIXELS, BLOCKS[:3]) + put(other, PIXELS, BLOCKS[3:])
    assert "/bucket/picture.zarr/zarr.json" not in names(store)
    later = block_target(layout)
    later.resume()
    later.commit(receipts)
    for one, level in zip(read_back(layout), halves(PIXELS, 512), strict=True):
        np.testing.assert_array_equal(one, level)
    for go in (block_target(remote(replace=False)).begin, block_target(remote(replace=False)).resume):
        with pytest.raises(ExistsError, match=r"output 'memory://bucket/picture.zarr' exists"):
            go()


def test_what_is_replaced_in_a_store_stays_until_the_end(store: fsspec.AbstractFileSystem) -> None:
    layout = remote()
    written(layout, PIXELS, BLOCKS)
    before = names(store)
    again = block_target(layout)
    again.begin()
    parts = {f"/bucket/.picture.zarr.part/{level}/zarr.json" for level in range(3)}
    assert names(store) == before | parts
    again.abandon()
    assert names(store) == before
    begun = block_target(layout)
    begun.begin()
    put(begun, PIXELS, BLOCKS[:2])
    again.begin()  # what an earlier run left is deleted
    assert names(store) == before | parts
    dark = np.zeros_like(PIXELS)  # has no shards: those of the older picture must not stay
    receipts = put(again, dark, BLOCKS[:3]) + put(worker(layout), dark, BLOCKS[3:])
    np.testing.assert_array_equal(read_back(layout)[0], PIXELS)
    later = block_target(layout)
    later.resume()
    later.commit(receipts)
    assert names(store) == {f"/bucket/picture.zarr/{name}zarr.json" for name in ("", "0/", "1/", "2/")}
    np.testing.assert_array_equal(read_back(layout)[0], dark)


def test_a_replacement_that_fails_in_the_end_can_be_ended_again(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = remote()
    written(layout, PIXELS, BLOCKS)
    target = block_target(layout)
    target.begin()
    receipts = put(target, PIXELS[::-1], BLOCKS)
    with monkeypatch.context() as patch:
        patch.setattr(type(store), "pipe_file", all_but("/bucket/picture.zarr/zarr.json", type(store).pipe_file))
        with pytest.raises(ImageError, match="cannot be written"):
            target.commit(receipts)
    assert "/bucket/picture.zarr/zarr.json" not in names(store)  # rather none than a mixture
    later = block_target(layout)
    later.resume()
    later.commit(receipts)
    np.testing.assert_array_equal(read_back(layout)[0], PIXELS[::-1])
    assert not [name for name in names(store) if ".part" in name]


def all_but(ending: str, real: Any) -> Any:
    """What writes objects, but none whose name ends so."""

    def pipe_file(self: fsspec.AbstractFileSystem, path: str, *args: Any, **named: Any) -> None:
        if path.endswith(ending):
            raise OSError(5, "not now")
        real(self, path, *args, **named)

    return pipe_file


def test_nothing_is_left_of_a_beginning_that_failed(
    store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(store), "pipe_file", all_but("/1/zarr.json", type(store).pipe_file))
    with pytest.raises(ImageError, match="cannot be written"):
        block_target(remote()).begin()
    assert names(store) == set()


def test_an_object_store_with_something_else(store: fsspec.AbstractFileSystem) -> None:
    store.pipe_file("/bucket/picture.zarr/letters/one.txt", b"dear")
    with pytest.raises(ImageError, match="has something else than a Zarr in it: use another name"):
        block_target(remote()).begin()
    assert names(store) == {"/bucket/picture.zarr/letters/one.txt"}


def test_there_is_nothing_to_go_on_with(store: fsspec.AbstractFileSystem) -> None:
    with pytest.raises(
        ImageError, match=r"'memory://bucket/picture.zarr' cannot go on: there is no unfinished Zarr; begin again"
    ):
        block_target(remote()).resume()


def test_a_folder_with_something_else_is_not_replaced(tmp_path: Path) -> None:
    layout = layout_for(tmp_path, "ZARR", PIXELS)
    folder = Path(layout.target)
    folder.mkdir()
    written(layout, PIXELS, BLOCKS)  # an empty folder holds nothing to lose
    np.testing.assert_array_equal(read_back(layout)[0], PIXELS)
    (folder / "zarr.json").unlink()
    with pytest.raises(ImageError, match="is a folder with something else than a Zarr: use another name"):
        block_target(layout).begin()
    assert [*tmp_path.iterdir()] == [folder]
    (folder / ".zgroup").touch()  # Zarr 2
    written(layout, PIXELS[::-1], BLOCKS)
    np.testing.assert_array_equal(read_back(layout)[0], PIXELS[::-1])
    assert [*tmp_path.iterdir()] == [folder]


def test_a_zarr_that_is_there_stays_until_the_end(tmp_path: Path) -> None:
    layout = layout_for(tmp_path, "ZARR", PIXELS)
    written(layout, PIXELS, BLOCKS)
    target = block_target(layout)
    target.begin()
    receipts = put(target, PIXELS[::-1], BLOCKS)
    np.testing.assert_array_equal(read_back(layout)[0], PIXELS)
    target.commit(receipts)
    np.testing.assert_array_equal(read_back(layout)[0], PIXELS[::-1])
    assert [*tmp_path.iterdir()] == [Path(layout.target)]
