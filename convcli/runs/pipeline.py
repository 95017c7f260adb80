"""One picture and one operation: fitted, computed by the engine, and made a picture again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli import engine
from convcli.engine import ConvResult
from convcli.errors import param
from convcli.images import Picture, Storage, row_of
from convcli.runs.fitting import prepare
from convcli.runs.operation import Operation


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The result of an operation on a picture."""

    # its colours are real values in the input's units or, if the engine could make them, the file's integers
    picture: Picture
    result: ConvResult  # the engine's result for the colours
    storage: Storage  # how the file will store the picture
    groups: int  # of the layer
    alpha: str | None  # the alpha policy that was used; None if there is no alpha
    layer_shape: tuple[int, ...] | None = None  # of the channels that a contact sheet shows; None without a sheet


def run(picture: Picture, operation: Operation, container: str, policy: str | None = None) -> Outcome:
    """Apply an operation to a picture.

    Parameters
    ----------
    picture : Picture
        As loaded.
    operation : Operation
        What is done to it.
    container : str
        The format for the result. It is checked before anything is computed.
    policy : str, optional
        The range policy.

    Raises
    ------
    ConvError
        The operation does not fit this picture, or the result does not fit the format.
    """
    ready = prepare(picture, operation, container, policy)
    kept = ready.storage
    result = engine.run(ready.source, ready.layer, ready.spec, operation.compute, ready.finish, ready.lift)
    colour: NDArray[Any] = result.array if picture.colour.ndim == 4 else result.array[0]
    alpha: NDArray[Any] | None = None
    if ready.computes_alpha:
        colour, alpha = colour[:-1], colour[-1]
    elif ready.has_alpha:
        assert picture.alpha is not None
        from convcli.runs.alpha import resample

        alpha = resample(picture.alpha, result.geometry)
        if colour.dtype.kind == "f":
            alpha = alpha.astype(colour.dtype)
    if row_of(kept.container).tensor:  # a tensor keeps its dtype
        own = picture.colour.dtype.kind == "f" and operation.compute.dtype is None
        kept = replace(kept, dtype=picture.colour.dtype.name if own else colour.dtype.name)
    kept = replace(kept, notes=(*kept.notes, *remarks(picture.colour, colour, result.dtype)))
    followed = None if picture.alpha is None else ready.alpha
    return Outcome(ready.with_result(colour, alpha), result, kept, ready.layer.groups, followed)


EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24}
"""Each dtype holds all integers up to this one."""


def remarks(given: NDArray[Any], results: NDArray[Any], dtype: str) -> tuple[str, ...]:
    """Remarks on the pixels `given`, and on the results as computed in `dtype`."""
    said = []
    if given.dtype.kind in "iu" and dtype in EXACT and np.iinfo(given.dtype).max > EXACT[dtype]:
        largest = max(-int(given.min(initial=0)), int(given.max(initial=0)))
        if largest > EXACT[dtype]:
            remedy = f"use {param('dtype', 'float64')}"
            said.append(f"the values reach {largest}, and {dtype} is exact to {EXACT[dtype]} only: {remedy}")
    if dtype == "float16" and results.dtype.kind == "f" and np.isinf(results).any() and np.isfinite(given).all():
        remedy = f"use {param('dtype', 'float32 or bfloat16')}"
        said.append(f"some results are beyond float16, which ends at 65504, and became infinite: {remedy}")
    return tuple(said)
