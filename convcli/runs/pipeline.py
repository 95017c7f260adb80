"""One picture and one operation: fitted, computed by the engine, and made a picture again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from convcli.engine import ConvResult
from convcli.images import Picture, Storage, alpha
from convcli.runs.fitting import prepare
from convcli.runs.operation import Operation
from convcli.runs.remarks import remarks


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The result of an operation on a picture.

    Attributes
    ----------
    picture : Picture
        Its colours are real values in the input's units or, if the engine could make them, the file's integers.
    result : ConvResult
        The engine's result for the colours.
    storage : Storage
        How the file will store the picture.
    groups : int
        Of the layer.
    alpha : str or None
        The alpha policy that was used; None if there is no alpha.
    """

    picture: Picture
    result: ConvResult
    storage: Storage
    groups: int
    alpha: str | None


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
    fitted, kept, rule = ready.fitted, ready.storage, ready.alpha
    result = fitted.run(ready.image, operation.compute)
    colour: NDArray[Any] = result.array
    opacity: NDArray[Any] | None = None
    if ready.opaque:
        colour, opacity = colour[:-1], colour[-1]
    elif rule == "keep" and ready.transparent:
        assert picture.alpha is not None
        opacity = alpha.resample(picture.alpha, result.geometry)
        if colour.dtype.kind == "f":
            opacity = opacity.astype(colour.dtype)
    if kept.container == "NPY":  # a tensor keeps its dtype
        own = picture.colour.dtype.kind == "f" and operation.compute.dtype is None
        kept = replace(kept, dtype=picture.colour.dtype.name if own else colour.dtype.name)
    kept = replace(kept, notes=(*kept.notes, *remarks(picture.colour, colour, result.dtype)))
    followed = None if picture.alpha is None else rule
    return Outcome(ready.with_result(colour, opacity), result, kept, fitted.layer.groups, followed)
