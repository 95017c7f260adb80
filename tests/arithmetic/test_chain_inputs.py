"""Input sizes that a chain returns."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcli.arithmetic import chain, chain_inputs, layers
from convcli.errors import GeometryError
from convcli.geometry import Size
from support.chains import words


@pytest.mark.parametrize(
    ("text", "which"),
    [
        ("conv:k4,s2,p1 transpose:k4,s2,p1", "multiples of 2"),
        ("conv:k3,s2,p1 conv:k3,s2,p1 transpose:k3,s2,p1,op2=1 transpose:k3,s2,p1,op2=1", "multiples of 4"),
        ("conv:k3,s2,p1 transpose:k3,s2,p1", "odd sizes"),
        ("conv:k3,s2 transpose:k3,s2", "odd sizes from 3 on"),
        ("pool:k3 upsample:3 conv:k3,p1", "multiples of 3"),
        ("conv:k3,s3 transpose:k5,s3,d1", "3n + 2 from 5 on"),
        ("conv:k3 transpose:k3", "every size from 3 on"),
        ("conv:k3,s2 transpose:k4,s2,p2", "no size"),
        ("save:a pool:k2 upsample:2 add:a", "multiples of 2"),
    ],
)
def test_sizes_that_return(text: str, which: str) -> None:
    parsed = layers.parse(text)
    found = chain_inputs.returning(parsed, chain.walk(parsed, Size(24, 24), 3))
    assert found is not None
    assert {str(found[0]), str(found[1])} == {which}


@settings(deadline=None)
@given(st.lists(words(("conv", "transpose", "pool")), min_size=2, max_size=4), st.integers(20, 60))
def test_sizes_that_return_are_those_that_do(text: list[str], size: int) -> None:
    parsed = layers.from_words([*text, "conv:k1"])
    try:
        result = chain.walk(parsed, Size(size, size), 6)
    except GeometryError:
        return
    if (found := chain_inputs.returning(parsed, result)) is None:
        return
    for tried in range(40, 40 + 2 * found[0].period):
        try:
            output = chain.walk(parsed, Size(tried, size), 6).steps[-1].size
        except GeometryError:
            continue
        assert (output.height == tried) == (tried % found[0].period in found[0].remainders)


def test_each_axis_returns_by_itself() -> None:
    """The given width is even: every height returns with it, none with an odd one, which cat refuses."""
    parsed = layers.parse("save:a pool:k1x2,s1x2,ceil transpose:k1x2,s1x2 cat:a")
    found = chain_inputs.returning(parsed, chain.walk(parsed, Size(9, 8), 3))
    assert found is not None
    assert [str(axis) for axis in found] == ["every size", "multiples of 2"]


def test_chains_that_do_not_return() -> None:
    for text in ("conv:k3,p1", "conv:k3,s2 conv:k3", "transpose:k2,s2"):
        parsed = layers.parse(text)
        assert chain_inputs.returning(parsed, chain.walk(parsed, Size(24, 24), 3)) is None
