"""Results into the caller's ``out``: an array or a tensor at once, a memmap or another object with windows block by block."""

from __future__ import annotations

import sys
from operator import index
from typing import Any

import numpy as np

from convcli import engine
from convcli.errors import ConvError, ImageError, param
from convcli.library import operations
from convcli.library.arguments import needs_grad
from convcli.library.banks import Given
from convcli.library.operations import Asked, Fitted, Range
from convcli.library.pictures import Form, Taken, has_windows


def written(taken: Taken, kernel: Given, asked: Asked, out: Any, client: Any, memory: int | None = None) -> Any:
    """Compute an operation, and write its result into `out`, which is returned. `memory` are the most bytes of its blocks.

    Raises
    ------
    ConvError
        The operation is not possible, or `out` cannot take its result.
    TypeError
        `out` is no array at all.
    """
    if out is None:
        name, place = ("memory", "is not that of all its values") if client is None else ("client", "all workers see")
        rule = "needs a place for the result that " + place
        raise ConvError(param(name), rule, f"give it as {param('out')}")
    torch: Any = sys.modules.get("torch")
    tensor = torch is not None and isinstance(out, torch.Tensor)
    kind = dtype_of(out)
    if needs_grad(out):
        raise ConvError(param("out"), "requires grad, and no gradients are computed", "use a tensor without")
    if tensor and memory is not None:
        raise ConvError(param("memory"), "is for blocks, and a tensor takes the whole result", "leave it out")
    fitted = operations.fitted(kernel, asked, taken.source, taken.form, kind)
    count, _, *size = taken.source.shape
    geometry = fitted.spec.resolve((size[0], size[1]), fitted.layer.kernel)
    batch = (count, fitted.finish.outputs(fitted.layer.outputs), *geometry.output)
    _check(out, taken.form, batch)
    if client is not None or memory is not None or not (tensor or (isinstance(out, np.ndarray) and _in_memory(out))):
        from convcli.library.pieces import written as written_in_pieces

        return written_in_pieces(taken, fitted, asked.range, geometry.output, out, client, memory)
    result = engine.run(taken.source, fitted.layer, fitted.spec, fitted.compute, fitted.finish, fitted.lift)
    array = taken.form.restored(finished(result.array, fitted, asked.range))
    if tensor:
        out.copy_(torch.from_numpy(array.copy() if min(array.strides, default=0) < 0 else array))
    else:
        np.copyto(out, array, casting="unsafe")
    return out


def finished(array: Any, fitted: Fitted, policy: Range | None, span: tuple[float, float] | None = None) -> Any:
    """A result as it is written: integers as they are, real values after the range policy. `span` are its extremes, if known."""
    if fitted.finish.dtype is not None or policy is None:
        return array
    return operations.ranged(array, policy if span is None else Range(policy.policy, span), fitted.white)


def dtype_of(out: Any) -> np.dtype[Any]:
    """The dtype of what takes results; that of a tensor as NumPy has it. A TypeError for what is no array at all."""
    if not (has_windows(out) and hasattr(out, "__setitem__")):
        raise TypeError(
            f"out is of type {type(out).__name__}: give an array, a tensor, or an object with shape, dtype and windows"
        )
    name = str(out.dtype).removeprefix("torch.")
    kind = np.dtype("float32" if name == "bfloat16" else out.dtype if isinstance(out.dtype, np.dtype) else name)
    if kind.kind not in "fiub":
        raise ImageError(f"{param('out')} of {kind}", "cannot take results", "use uint8, uint16 or a float")
    return kind


def _in_memory(out: Any) -> bool:
    """Whether an array is no memmap, and no view of one."""
    return not isinstance(out, np.memmap) and not isinstance(out.base, np.memmap)


def _check(out: Any, form: Form, batch: tuple[int, ...]) -> None:
    """Refuse an `out` that cannot take results ``(N, C, H, W)``."""
    shape, needed = tuple(map(index, out.shape)), form.shape(batch)
    if shape != needed:
        raise ImageError(f"{param('out')} of shape {shape}", "does not fit the result", f"use the shape {needed}")
    if not out.flags.writeable if isinstance(out, np.ndarray) else getattr(out, "read_only", False) is True:
        raise ImageError(param("out"), "is read-only", "open it for writing, with mode 'r+'")
