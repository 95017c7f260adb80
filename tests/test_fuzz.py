"""A short run of every fuzzing target; `make fuzz` is the long one."""

from pathlib import Path

import pytest
from fuzzing.targets import TARGETS, attempt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


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
