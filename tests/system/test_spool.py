"""Names that are kept on disk."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.system import spool
from convcli.system.spool import Spool, in_order

NAMES = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).map(lambda name: f"{name}.png")
)


@given(NAMES)
def test_names_come_back(names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "HELD_BYTES", 20)
        assert [*Spool([*names, "byte\udcff.png", ""])] == [*names, "byte\udcff.png", ""]


@given(NAMES)
def test_they_are_sorted(names: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "PORTION", 3)
        assert [*in_order(names)] == sorted(names)


def test_all_are_read_at_once() -> None:
    """A folder is open only meanwhile."""
    names = [f"{number}" for number in range(1000)]
    random.Random(0).shuffle(names)
    source = iter(names)
    ordered = in_order(source)
    assert next(source, None) is None
    assert [*ordered] == sorted(names)
