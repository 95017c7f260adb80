"""The operation: tile after tile by its recipe, on as many threads as are worth it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.backends import Computed, Task, finished
from convcli.backends.numpy.job import lines
from convcli.backends.numpy.output import Output
from convcli.backends.numpy.recipe import BUFFERS, Recipe, recipe_of
from convcli.backends.numpy.steps import Buffers
from convcli.pointwise.finish import Finish
from convcli.system.parallel import run_all


def correlate(task: Task) -> Computed:
    """Convolve, or, if the geometry says so, transpose, in plain NumPy; `task.dtype` is float32 or float64.

    Where the extremes have to be known first, real results are kept until they are; large ones are computed twice instead.
    """
    if task.finish.looks and not _twice(task):
        computed = correlate(replace(task, finish=Finish()))
        return finished(computed.array, task.finish, computed.plan, computed.mixes)._replace(
            considered=computed.considered
        )
    recipe = recipe_of(task)
    output = Output(task, recipe.job, recipe.span, recipe.rounding)
    if task.finish.looks:
        _each(task, recipe, output.look)
        output.stretch()
    _each(task, recipe, output.emit)
    return Computed(output.array, recipe.text, output.clipped, recipe.considered, recipe.mixes)


def _each(task: Task, recipe: Recipe, act: Callable[[int, NDArray[Any], range, range, Buffers], None]) -> None:
    """Have `act` take every tile of every image."""
    for image, picture in enumerate(task.x):
        planes = lines(picture, recipe.job.step)

        def work(tile: tuple[range, range], image: int = image, planes: NDArray[Any] = planes) -> None:
            rows, columns = tile
            act(image, recipe.tile(planes, rows, columns, task.lift), rows, columns, BUFFERS)

        run_all(work, recipe.tiles, recipe.threads)


correlate_transpose = correlate


KEPT_BYTES = 64 << 20
"""Real results that are kept until their extremes are known."""


def _twice(task: Task) -> bool:
    """Whether the results of a task whose finish looks at them first are too large to keep."""
    count = len(task.x) * task.filters * prod(task.geometry.output)
    return count * np.dtype(task.dtype).itemsize > KEPT_BYTES


def predicted_seconds(task: Task) -> float:
    """What the planner thinks that `task` takes."""
    times = 2 if task.finish.looks and _twice(task) else 1
    return recipe_of(task).considered[0].seconds * len(task.x) * times
