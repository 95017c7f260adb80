"""One picture through one operation: fitted, computed by the engine, and made a picture again."""

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
    """A picture that went through an operation.

    Attributes
    ----------
    picture : Picture
        Its colours are real values in the input's units, or, where the engine could do it, the file's integers.
    result : ConvResult
        What the engine says of the colours.
    storage : Storage
        How the file will keep it.
    groups : int
        Of the layer that the operation is on this picture.
    alpha : str or None
        The alpha policy that was followed; None where there is no alpha.
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
        What was loaded.
    operation : Operation
        What is done to it.
    container : str
        The format that will hold the result: checked before anything is computed.
    policy : str, optional
        The range policy.

    Raises
    ------
    ConvError
        An operation that does not fit this picture, or a result that does not fit the format.
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
