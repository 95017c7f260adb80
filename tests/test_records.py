"""Records behave as `typing.NamedTuple` does, in all that convcli and its users do with them."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import sys
import typing
from typing import Any

import pytest

from convcli import records
from convcli.geometry import Pair

OURS: Any = records.NamedTuple
BODY = """
class Point(NamedTuple):
    "A place."
    x: int
    y: float = 0.5
    name: str = "here"

    @property
    def twice(self) -> float:
        return 2 * self.y

class Further(Point):
    @property
    def twice(self) -> float:
        return 3 * self.y
"""


class Plain:
    """A class of another kind."""

    __slots__ = ()


def made(base: Any) -> dict[str, Any]:
    names: dict[str, Any] = {"NamedTuple": base, "__name__": __name__}
    exec(BODY, names)
    return names


BOTH = [made(OURS), made(typing.NamedTuple)]
Point, Further = BOTH[0]["Point"], BOTH[0]["Further"]


@pytest.mark.parametrize(
    "code",
    [
        "Point(1)",
        "Point(1, 2)",
        "Point(1, 2, 'there')",
        "Point(x=1)",
        "Point(1, name='there')",
        "Point(name='there', x=1)",
        "Point._make([1, 2, 'there'])",
        "Point(1)._replace(y=3)",
        "Point(1)._replace()",
        "Point(1)._asdict()",
        "Point(1).twice, Further(1).twice, Further(1)._replace(y=2).twice, type(Further(1)._replace(y=2)).__name__",
        "Point._fields, Point._field_defaults, Point.__match_args__, Point.__doc__, Point.__slots__",
        "Point(1) == (1, 0.5, 'here'), hash(Point(1)) == hash((1, 0.5, 'here')), Point(1) < Point(2)",
        "[*Point(1)], Point(1)[1], len(Point(1)), isinstance(Point(1), tuple), Point.__mro__[1:]",
        "[*Point.__annotations__]",
        "hasattr(Point(1), '__dict__')",
        "str(inspect.signature(Point)), str(inspect.signature(Further))",
        "typing.get_type_hints(Point)",
    ],
)
def test_they_do_the_same(code: str) -> None:
    values = [eval(code, {**names, "inspect": inspect, "typing": typing}) for names in BOTH]
    if "__mro__" in code:  # ours is its own base
        values = [value[:-1] for value in values]
    assert repr(values[0]) == re.sub(r"ForwardRef\(('\w+')\)", r"\1", repr(values[1]))


@pytest.mark.parametrize(
    "code",
    [
        "Point()",
        "Point(1, 2, 3, 4)",
        "Point(1, x=2)",
        "Point(1, z=2)",
        "Point(y=1)",
        "Point._make([1])",
        "Point(1)._replace(z=1)",
        "setattr(Point(1), 'x', 2)",
        "setattr(Point(1), 'z', 2)",
    ],
)
def test_they_refuse_the_same(code: str) -> None:
    found = []
    for names in BOTH:
        with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
            eval(code, dict(names))
        found.append(caught.type)
    assert found[0] is found[1] or {*found} == {TypeError, ValueError}  # Python 3.13 raises the other for a name


def test_a_field_without_a_default_comes_first() -> None:
    for base in (OURS, typing.NamedTuple):
        with pytest.raises(TypeError, match="default"):
            exec("class Odd(NamedTuple):\n x: int = 1\n y: int", {"NamedTuple": base, "__name__": __name__})


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="where Python's own are used")
def test_a_second_base_is_refused() -> None:
    """Its annotations would otherwise be no fields, without a word."""
    with pytest.raises(TypeError, match="one base"):
        exec("class Odd(NamedTuple, Plain):\n x: int", {"NamedTuple": OURS, "Plain": Plain, "__name__": __name__})


def test_they_are_copied_and_pickled() -> None:
    pair = Pair(2, 3)
    assert type(pickle.loads(pickle.dumps(pair))) is Pair
    for other in (copy.copy(pair), copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        assert other == pair
        assert other.columns == 3


@pytest.mark.skipif(sys.version_info < (3, 13), reason="where Python has none")
def test_they_are_replaced() -> None:
    replace: Any = vars(copy)["replace"]
    assert replace(Pair(2, 3), columns=4) == Pair(2, 4)


def test_they_are_matched() -> None:
    match Point(1, 2):
        case Point(x, y=other):
            assert (x, other) == (1, 2)
        case _:
            pytest.fail("not matched")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="where Python's own are used")
def test_they_are_made_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("builtins.eval", compiled)
    namespace = {"__annotations__": {"x": int}}
    assert type(OURS)("Small", (OURS,), namespace)(4).x == 4
