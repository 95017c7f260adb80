"""What all targets have in common: nothing is seen before the end, one run at a time, errors of one line that leave nothing."""

import json
import os
import pickle
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from convcli.errors import ExistsError, ImageError
from convcli.images import Picture, Settings, save_frames
from convcli.images.formats import ROWS
from convcli.images.picture import Metadata
from convcli.images.writing.blocks import Layout, block_target, worker
from convcli.images.writing.storage import Storage
from support.blocks import (
    ENDINGS,
    blocks_of,
    by_a_run_that_is_killed,
    by_another_process,
    layout_for,
    picture,
    put,
    read_back,
    written,
)  # fmt: skip

PIXELS = picture(700, 1100)
BLOCKS = blocks_of(700, 1100, 512, 512)

CONTAINERS = [row.name for row in ROWS.values() if row.blocks]
every_container = pytest.mark.parametrize("container", CONTAINERS)


def shuffled(seed: int = 0) -> list[tuple[range, range]]:
    return [BLOCKS[number] for number in np.random.default_rng(seed).permutation(len(BLOCKS))]


def check(layout: Layout, pixels: np.ndarray = PIXELS) -> None:
    np.testing.assert_array_equal(read_back(layout)[0], pixels)


def test_every_container_has_its_tests() -> None:
    assert set(CONTAINERS) == set(ENDINGS)


@every_container
def test_blocks_in_any_order(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    target = written(layout, PIXELS, shuffled())
    assert target.notes == ()
    check(layout)
    assert [entry.name for entry in tmp_path.iterdir()] == [Path(layout.target).name]


@every_container
def test_nothing_is_seen_before_the_end(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    Path(layout.target).write_text("the old one")
    target = block_target(layout)
    assert [*tmp_path.iterdir()] == [Path(layout.target)]
    target.begin()
    receipts = put(target, PIXELS, BLOCKS)
    assert Path(layout.target).read_text() == "the old one"
    assert {entry.name for entry in tmp_path.iterdir() if not entry.name.startswith(".")} == {Path(layout.target).name}
    target.commit(receipts)
    check(layout)
    assert [*tmp_path.iterdir()] == [Path(layout.target)]


@every_container
def test_abandoned_nothing_is_left(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    target = block_target(layout)
    target.begin()
    put(target, PIXELS, BLOCKS[:2])
    other = worker(layout)
    put(other, PIXELS, BLOCKS[2:3])
    other.close()
    target.abandon()
    assert [*tmp_path.iterdir()] == []


@every_container
def test_threads(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    target = block_target(layout)
    target.begin()
    with ThreadPoolExecutor(6) as pool:
        receipts = [*pool.map(lambda block: put(target, PIXELS, [block])[0], shuffled(1))]
    target.commit(receipts)
    check(layout)


@every_container
def test_other_processes(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    target = block_target(layout)
    target.begin()
    receipts = by_another_process(layout, PIXELS, BLOCKS[:2])
    receipts += put(target, PIXELS, BLOCKS[2:3])
    receipts += by_another_process(layout, PIXELS, BLOCKS[3:])
    target.commit(receipts)
    check(layout)
    assert [*tmp_path.iterdir()] == [Path(layout.target)]


@every_container
def test_of_two_receipts_for_a_block_the_last_counts(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    target = block_target(layout)
    target.begin()
    other = worker(layout)
    receipts = put(target, PIXELS // 2, BLOCKS) + put(other, PIXELS // 3, BLOCKS[1:])
    receipts += put(other, PIXELS, BLOCKS[::2]) + put(target, PIXELS, BLOCKS[1::2])
    other.close()
    target.commit(receipts)
    check(layout)


@every_container
def test_a_run_goes_on_after_a_kill(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    receipts = by_a_run_that_is_killed(layout, PIXELS, BLOCKS[:3])
    target = block_target(layout)
    target.resume()
    target.commit(receipts + put(target, PIXELS, BLOCKS[3:]))
    check(layout)
    assert [*tmp_path.iterdir()] == [Path(layout.target)]


@every_container
def test_a_run_goes_on_after_close(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    target = block_target(layout)
    target.begin()
    other = worker(layout)
    receipts = put(target, PIXELS, BLOCKS[:2]) + put(other, PIXELS, BLOCKS[2:4])
    other.close()
    target.close()
    target.abandon()  # of what it has let go of, it deletes nothing
    later = block_target(layout)
    later.resume()
    later.commit(receipts + put(later, PIXELS, BLOCKS[4:]))
    check(layout)


@every_container
def test_there_is_nothing_to_go_on_with(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    with pytest.raises(ImageError, match=r"cannot go on: there is no '.*\.part'; begin again, without"):
        block_target(layout).resume()
    assert [*tmp_path.iterdir()] == []


@every_container
def test_begun_again_nothing_of_the_first_run_is_left(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    by_a_run_that_is_killed(layout, np.full_like(PIXELS, 255), BLOCKS)
    other = worker(layout)
    put(other, PIXELS, BLOCKS[:1])
    written(layout, PIXELS, BLOCKS)
    other.close()
    check(layout)
    assert [*tmp_path.iterdir()] == [Path(layout.target)]


@every_container
def test_a_worker_follows_an_output_that_is_begun_again(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    first = block_target(layout)
    first.begin()
    other = worker(layout)
    put(other, PIXELS, BLOCKS)
    first.abandon()
    with pytest.raises(ImageError, match="cannot be written"):
        put(other, PIXELS, BLOCKS[:1])
    assert [*tmp_path.iterdir()] == []
    again = block_target(layout)
    again.begin()
    receipts = put(other, PIXELS, BLOCKS)
    again.commit(receipts)
    other.close()
    check(layout)


@every_container
def test_two_runs_on_one_target(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    first, second = block_target(layout), block_target(layout)
    first.begin()
    receipts = put(first, PIXELS, BLOCKS)
    for go in (second.begin, second.resume):
        with pytest.raises(
            ImageError, match=r"is being written by another run: it has '.*'; wait until it ends, or use"
        ):
            go()
        second.abandon()
    first.commit(receipts)
    check(layout)
    written(layout, PIXELS[::-1], BLOCKS)  # the lock has ended with the run
    check(layout, PIXELS[::-1])


@every_container
def test_an_output_that_exists(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS, replace=False)
    Path(layout.target).write_text("there")
    for go in (block_target(layout).begin, block_target(layout).resume):
        with pytest.raises(ExistsError, match="exists"):
            go()
    assert [*tmp_path.iterdir()] == [Path(layout.target)]
    Path(layout.target).unlink()
    target = block_target(layout)
    target.begin()
    receipts = put(target, PIXELS, BLOCKS)
    Path(layout.target).write_text("made meanwhile")
    with pytest.raises(ExistsError, match="exists"):
        target.commit(receipts)
    assert Path(layout.target).read_text() == "made meanwhile"
    Path(layout.target).unlink()
    target.commit(receipts)  # nothing is lost
    check(layout)


@every_container
def test_a_folder_that_is_not_there(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path / "none", container, PIXELS)
    with pytest.raises(ImageError, match=r"cannot be written: there is no folder '.*none'; make it first"):
        block_target(layout).begin()
    assert [*tmp_path.iterdir()] == []


@every_container
def test_a_worker_that_does_not_see_the_output(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)
    with pytest.raises(ImageError, match="cannot be written"):
        worker(layout).put(*BLOCKS[0], PIXELS[:512, :512])
    assert [*tmp_path.iterdir()] == []


@every_container
def test_a_stream_cannot_be_written_in_blocks(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS)._replace(target="-")
    with pytest.raises(ImageError, match="output '-' is written from front to back: name a file"):
        block_target(layout).begin()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    layout = layout_for(tmp_path, "TIFF", PIXELS)
    Path(layout.target).mkdir()
    with pytest.raises(ImageError, match="is a folder"):
        block_target(layout).begin()


def test_other_formats_are_refused(tmp_path: Path) -> None:
    layout = layout_for(tmp_path, "TIFF", PIXELS)._replace(container="PNG")
    for make in (block_target, worker):
        with pytest.raises(ImageError, match=r"format PNG cannot be written in blocks: write \.tif or \.zarr"):
            make(layout)


@pytest.mark.parametrize("container", ["NPY", "PPM"])
def test_a_pyramid_needs_a_format_with_levels(container: str, tmp_path: Path) -> None:
    layout = layout_for(tmp_path, container, PIXELS, pyramid=True)
    for make in (block_target, worker):
        with pytest.raises(
            ImageError, match=rf"pyramid does not fit into {container}, which has one picture: write \.tif or"
        ):
            make(layout)


@pytest.mark.parametrize("container", ["TIFF", "ZARR"])
@pytest.mark.parametrize(
    ("rows", "columns"),
    [((0, 100), (0, 512)), ((10, 512), (0, 512)), ((0, 512), (0, 1101)), ((0, 0), (0, 512)), ((512, 700), (-512, 512))],
)
def test_a_block_that_is_not_on_the_grid(
    container: str, rows: tuple[int, int], columns: tuple[int, int], tmp_path: Path
) -> None:
    target = block_target(layout_for(tmp_path, container, PIXELS))
    target.begin()
    with pytest.raises(ValueError, match="is not on a grid of 512"):
        target.put(range(*rows), range(*columns), PIXELS)
    target.abandon()


@pytest.mark.parametrize("container", ["TIFF", "NPY", "PPM"])
@pytest.mark.parametrize("there", [None, 0o640, 0o600])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o440])
def test_permissions_are_those_of_an_ordinary_output(
    container: str, there: int | None, mode: int, tmp_path: Path, umask: None
) -> None:
    os.umask(0o027)
    source = tmp_path / "source.tif"
    source.touch(mode)
    source.chmod(mode)
    found = []
    for name in ("ordinary", "blocks"):
        target = tmp_path / f"{name}.{ENDINGS[container]}"
        if there is not None:
            target.touch()
            target.chmod(there)
        if name == "blocks":
            layout = layout_for(tmp_path, container, PIXELS, source=str(source))
            written(layout._replace(target=str(target)), PIXELS, BLOCKS)
        else:
            planes = np.moveaxis(PIXELS, -1, 0)
            stored = Storage(container, "rgb", "uint8", 1.0, 255.0, "clip")
            save_frames(iter([(Picture(planes, None, "rgb", 255.0), stored)]), str(target), source=str(source))
        found.append(target.stat().st_mode & 0o777)
    assert found[0] == found[1]


def test_the_unfinished_output_is_as_private_as_the_input(tmp_path: Path, umask: None) -> None:
    source = tmp_path / "source.tif"
    source.touch(0o600)
    for container, mode in (("TIFF", 0o600), ("ZARR", 0o700)):
        target = block_target(layout_for(tmp_path, container, PIXELS, source=str(source)))
        target.begin()
        (part,) = tmp_path.glob(".*.part")
        assert part.stat().st_mode & 0o777 == mode
        target.abandon()


def test_the_unfinished_output_is_private_where_one_is_replaced(tmp_path: Path, umask: None) -> None:
    layout = layout_for(tmp_path, "TIFF", PIXELS)
    Path(layout.target).touch()
    Path(layout.target).chmod(0o644)
    target = block_target(layout)
    target.begin()
    assert (tmp_path / ".picture.tif.part").stat().st_mode & 0o777 == 0o600
    target.abandon()


@every_container
def test_what_workers_get_is_small(container: str, tmp_path: Path) -> None:
    layout = layout_for(
        tmp_path, container, PIXELS, pyramid=container in ("TIFF", "ZARR"), metadata=Metadata("TIFF", b"profile")
    )
    copy = pickle.loads(pickle.dumps(layout))
    assert copy == layout
    target = block_target(layout)
    target.begin()
    for receipt in put(target, PIXELS, [(range(700), range(1100))]):
        assert len(json.dumps(receipt)) < 100
    target.abandon()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@every_container
def test_a_full_disk(container: str, small_disk: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    blocks = blocks_of(1024, 1024, 512, 512)
    layout = layout_for(small_disk, container, noise)
    target = block_target(layout)
    with pytest.raises(ImageError, match=r"output '.*picture.*' cannot be written: the disk is full; free some room"):
        target.begin()
        put(target, noise, blocks)
    target.abandon()
    other = block_target(layout)
    other.begin()
    with (
        closing(worker(layout)) as elsewhere,
        pytest.raises(ImageError, match=r"output '.*picture.*' cannot be written: the disk is full; free some room"),
    ):
        put(elsewhere, noise, blocks)
    other.abandon()
    assert [*small_disk.iterdir()] == []


def test_settings_of_both_writers_are_the_same() -> None:
    """A layout has a compression where an ordinary writer's settings have one."""
    assert set(Settings._fields) & set(Layout._fields) == {"compression"}


@pytest.mark.parametrize("container", ["TIFF", "NPY", "PPM"])
def test_what_a_worker_puts_is_on_the_disk(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its receipt is handed over: its machine may be lost. In this process nobody waits."""
    synced = []
    usual = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (synced.append(descriptor), usual(descriptor)))
    layout = layout_for(tmp_path, container, PIXELS)
    target, other = block_target(layout), worker(layout)
    target.begin()
    put(target, PIXELS, BLOCKS[:2])
    assert synced == []
    put(other, PIXELS, BLOCKS[:2])
    assert len(synced) == 2
    other.close()
    target.abandon()
