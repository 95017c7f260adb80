"""A short run of every fuzzing target; `make fuzz` is the long one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convcli import images
from support.fuzzing import targets
from support.fuzzing.targets import TARGETS, attempt


@pytest.mark.parametrize("name", list(TARGETS))
def test_seeds_make_sense(name: str, tmp_path: Path) -> None:
    """At least most of them: what is mutated from them reaches beyond the first check."""
    seeds = TARGETS[name].seeds()
    assert sum(attempt(name, seed, tmp_path) for seed in seeds) >= 0.7 * len(seeds)


@pytest.mark.parametrize("name", list(TARGETS))
def test_mutations(name: str, tmp_path: Path) -> None:
    seeds = TARGETS[name].seeds()
    change = st.tuples(st.integers(0, 4000), st.binary(max_size=3), st.integers(0, 3))

    @settings(suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(seeds), st.lists(change, max_size=5), st.one_of(st.none(), st.sampled_from(seeds)))
    def mutate(data: bytes, changes: list[tuple[int, bytes, int]], behind: bytes | None) -> None:
        for place, inserted, removed in changes:
            at = place % (len(data) + 1)
            data = data[:at] + inserted + data[at + removed :]
        attempt(name, data + (behind or b""), tmp_path)

    mutate()


@pytest.mark.parametrize("name", list(TARGETS))
def test_any_bytes(name: str, tmp_path: Path) -> None:
    @settings(suppress_health_check=list(HealthCheck), database=None)
    @given(st.binary(max_size=40))
    def anything(data: bytes) -> None:
        attempt(name, data, tmp_path)

    anything()


def test_deep_seeds_are_read_as_deep(tmp_path: Path) -> None:
    """The seeds made by hand are what they are meant to be."""
    whole, moving, *tiffs = targets._deep(np.full((4, 5, 3), 515, np.uint16))
    (tmp_path / "seed").write_bytes(moving)
    assert "read with 8" in images.load(str(tmp_path / "seed")).notes[-1]
    for seed in (whole, *tiffs):
        (tmp_path / "seed").write_bytes(seed)
        picture = images.load(str(tmp_path / "seed"))
        moves = b"acTL" in seed  # which is read with 8 bits
        assert picture.colour.dtype == (np.uint8 if moves else np.uint16)
        assert picture.colour.shape == (3, 4, 5)
        assert (picture.colour == (515 >> 8 if moves else 515)).all()


def test_large_pictures_are_left_alone(tmp_path: Path) -> None:
    """The limit that keeps the fuzzer quick is in use, and nothing is left of a picture that is refused."""
    assert attempt("image", b"P5\n2000 2000\n255\n" + bytes(4_000_000), tmp_path)
    assert not attempt("image", b"P5\n2100 2000\n255\n" + bytes(4_200_000), tmp_path)
