"""Sets of very many hashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.system import hashes
from convcli.system.hashes import Hashes

VALUES = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5), max_size=200)


@given(VALUES, VALUES)
def test_it_is_a_set(added: list[int], asked: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashes, "PORTION", 3)
        made = Hashes(added)
    assert all(value in made for value in added)
    assert [value in made for value in asked] == [value in {*added} for value in asked]


def test_a_value_takes_eight_bytes_and_a_few_arrays() -> None:
    made = Hashes(hash(str(number)) for number in range(200_000))
    assert len(made) == 200_000
    assert made.nbytes <= 8 * 200_000
    assert len(made._sorted) < 8
    assert hash("199999") in made
    assert hash("200000") not in made
