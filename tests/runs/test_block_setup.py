"""How large blocks are, and how many are made at once, in the memory that is allowed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Size
from convcli.runs import block_setup
from convcli.runs.block_setup import PROGRAM_BYTES, SMALL, Setup
from convcli.runs.block_work import Request
from convcli.runs.operation import assemble
from convcli.runs.single import Writing

CACHE = 1 << 20


def fitted(folder: Path, memory: int, threads: int = 2, begun: Size | None = None) -> tuple[Size, int]:
    source = folder / "in.npy"
    if not source.exists():
        np.save(source, np.zeros((1, 2000, 3000), np.float32))
    operation = assemble(ConvSpec(padding=Pads(1, 1, 1, 1)), ["box:3"], compute=Compute("numpy", threads=threads))
    request = Request(str(source), 1.0, operation, "NPY", None, cache_bytes=CACHE)
    setup = Setup(request, str(folder / "out.npy"), Writing(), threads, PROGRAM_BYTES + CACHE + memory, begun)
    setup.work.file.close()
    return setup.size, setup.threads


def test_small_blocks_are_not_worth_another_thread(tmp_path: Path) -> None:
    """Of the sizes that fit into less and less memory, two threads have none that is smaller; one thread then has a larger one."""
    found = [fitted(tmp_path, memory << 20) for memory in range(160, 13, -2)]
    assert {threads for _, threads in found} == {1, 2}
    for size, threads in found:
        assert threads == 1 or size.height * size.width >= SMALL
    last = max(place for place, (_, threads) in enumerate(found) if threads == 2)
    one, two = found[last + 1][0], found[last][0]
    assert one.height * one.width >= two.height * two.width


def test_without_that_rule_two_threads_would_have_smaller_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_setup, "SMALL", 0)
    found = [fitted(tmp_path, memory << 20) for memory in range(160, 13, -2)]
    assert any(threads == 2 and size.height * size.width < SMALL for size, threads in found)


def test_blocks_that_were_begun_keep_their_size(tmp_path: Path) -> None:
    small = min(
        (fitted(tmp_path, memory << 20)[0] for memory in range(160, 13, -2)), key=lambda size: size[0] * size[1]
    )
    assert fitted(tmp_path, 160 << 20, begun=small)[0] == small
