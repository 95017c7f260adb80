"""Tasks on threads of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from convcli.runs.places.here import Here
from convcli.system.context import entered


def test_every_item_has_its_answer_or_its_error() -> None:
    def act(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item * 10

    with entered():
        found = dict(Here(act, 2).results(range(6)))
    assert isinstance(found[3], ValueError)
    assert {item: answer for item, answer in found.items() if item != 3} == {0: 0, 1: 10, 2: 20, 4: 40, 5: 50}


def test_few_items_are_taken_before_they_are_needed() -> None:
    taken, done = 0, 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(50):
            taken += 1
            assert taken <= done + 4, "more than two at work and one that waits"
            yield number

    with entered():
        for _ in Here(lambda item: item, 2).results(items()):
            done += 1
    assert done == 50


def test_after_a_stop_those_at_work_are_told() -> None:
    begun = threading.Event()

    def act(item: int) -> int:
        begun.set()
        time.sleep(0.2)
        return item

    with entered():
        place = Here(act, 1)
        answers = place.results(range(9))
        next(answers)
        begun.wait()
        assert len([*place.stop()]) <= 2
        answers.close()
