"""Files that are read whole, up to a limit."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from convcli.errors import ConvError, ImageError
from convcli.system.bounded import contents


def said(path: object, most: int = 10) -> str:
    with pytest.raises(ImageError) as caught:
        contents(path, most, "list 'x'", "is it a list?", ImageError)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_file_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(10))
    assert contents(tmp_path / "x", 10, "x", "") == bytes(10)
    assert "list 'x' is larger than 9 bytes: is it a list?" in said(tmp_path / "x", 9)
    assert issubclass(ImageError, ConvError)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as stream:
        os.truncate(stream.fileno(), 1 << 40)
    assert "is larger than 1 MiB" in said(tmp_path / "x", 1 << 20)


def test_a_device_without_an_end() -> None:
    assert "is larger than 1 MiB" in said("/dev/zero", 1 << 20)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    assert "cannot be read: there is no such file" in said(tmp_path / "x")
    assert "cannot be read: it is a folder" in said(tmp_path)
    assert "cannot be read" in said("a\0b")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"abc")))
    assert contents("-", 3, "x", "") == b"abc"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"abcd")))
    assert "is larger than 3 bytes" in said("-", 3)


def test_a_pipe_that_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    with open(read, "rb", 0) as stream, open(write, "wb"):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        assert "the pipe does not wait for its writer" in said("-")
