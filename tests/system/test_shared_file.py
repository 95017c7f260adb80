"""A file that threads write to."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from convcli.system.shared_file import File


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield File(descriptor)
    os.close(descriptor)


def test_threads_append_to_a_file(file: File) -> None:
    texts = [bytes([number]) * (number * 7 % 50 + 1) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        places = [*pool.map(file.append, texts)]
    assert [file.read(len(text), place) for text, place in zip(texts, places, strict=True)] == texts
    assert all(place % 8 == 0 for place in places)
    assert len({*places}) == 200


@pytest.mark.parametrize("positioned", [True, False])
def test_a_write_of_the_system_may_be_of_a_part(positioned: bool, file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    """As signals and almost full disks have it; and there are systems without writes to a place."""
    if positioned:
        usual, reads = os.pwrite, os.pread
        monkeypatch.setattr(os, "pwrite", lambda descriptor, data, place: usual(descriptor, data[:3], place))
        monkeypatch.setattr(os, "pread", lambda descriptor, count, place: reads(descriptor, min(count, 2), place))
    else:
        for name in ("pwrite", "pread"):
            monkeypatch.delattr(os, name)
    file.append(b"once upon")
    assert file.append(b"a time") == 16
    assert file.read(22, 0) == b"once upon\0\0\0\0\0\0\0a time"
    assert file.read(100, 16) == b"a time"
    file.cut(9)
    assert file.append(b"there") == 16


def test_a_file_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"nine byte")
    descriptor = os.open(tmp_path / "file", os.O_RDWR)
    assert File(descriptor).append(b"x") == 16
    os.close(descriptor)


def test_a_full_disk_while_it_copies_is_no_end(file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").write_bytes(b"all of it")
    descriptor = os.open(tmp_path / "other", os.O_RDONLY)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "copy_file_range", full, raising=False)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        file.take(File(descriptor))
    os.close(descriptor)
