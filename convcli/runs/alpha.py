"""Alpha: which policy is used, and how it changes an operation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convcli.borders import sources
from convcli.convspec import Bias
from convcli.errors import ImageError, param
from convcli.geometry import ZERO, Geometry
from convcli.layer import Layer
from convcli.runs.operation import Operation


def for_colours(operation: Operation, colours: int) -> Operation:
    """The operation for colours and alpha together. A bias for the colours does not change alpha."""
    if operation.bias is None or operation.bank is None:
        return operation
    values, percent = operation.bias.values, operation.bias.percent
    if len(values) not in (1, colours):
        remedy = "give one value, or one per colour; alpha gets none"
        raise ImageError(f"bias has {len(values)} values", f"for {colours} colours", remedy)
    if len(values) == 1:
        values, percent = values * colours, percent * colours
    return operation._replace(bias=Bias((*values, 0.0), (*percent, False)))


def gain_of(operation: Operation) -> float:
    """The sum of a single kernel, as it reaches an output: a transposed operation spreads the kernel over its stride."""
    assert operation.bank is not None
    stride = operation.spec.stride
    return float(operation.bank.values.sum()) / (stride.rows * stride.columns if operation.spec.transpose else 1)


def policy_for(colours: int, operation: Operation) -> str:
    """The alpha policy for a picture with alpha. `colours` is the number of colours that the kernel reads.

    ``auto`` weights by alpha if a single kernel averages; otherwise alpha is kept, resampled. A kernel of one value mixes no
    pixels: alpha is kept then, too. Weights that take one channel more than there are colours filter alpha.

    Raises
    ------
    ImageError
        The kernels do not suit the alpha policy that the user asks for.
    """
    bank, asked, each = operation.bank, operation.alpha, operation.channels == "each"
    averages = bank is not None and bank.averages and operation.channels in ("each", "gray")
    taken = 0 if operation.weight is None else Layer.of(operation.weight, operation.spec).inputs
    if asked == "auto" and bank is not None and averages:
        alone = bank.values.shape[-2:] == (1, 1) and not operation.spec.transpose  # there, zeros are between the pixels
        return "keep" if alone else "premultiply"
    if asked == "auto":
        return "filter" if taken == colours + 1 and operation.channels != "gray" else "keep"
    rule, others = "", "keep or drop"
    if asked == "filter" and bank is None and taken != colours + 1:
        rule = f"needs weights of {colours + 1} input channels, these take {taken}"
    elif asked == "filter" and bank is not None and (not each or len(bank.parts) > 1):
        rule = "needs one kernel or combination on each channel"
    elif asked == "premultiply" and not averages:
        rule, others = "needs a single kernel that does not sum to zero, on each channel", "keep or filter"
    if rule:
        raise ImageError(param("alpha", asked), rule, f"use {param('alpha', others)}")
    return asked


def picked(alpha: NDArray[np.generic], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.generic]:
    """Alpha at some rows and columns, for example `under_centres`; 0 where one of them is `ZERO`."""
    found = alpha[rows[:, np.newaxis], columns[np.newaxis, :]]
    found[rows == ZERO] = 0
    found[:, columns == ZERO] = 0
    return found


def under_centres(geometry: Geometry, axis: int, outputs: range | None = None) -> NDArray[np.intp]:
    """For each output of an axis, the source index under the kernel's centre: the unfiltered alpha in the picture's new geometry.

    For the transposed operation, the nearest input pixel. It is beyond the border, and then `ZERO`, only if a border is read
    there. `outputs` are all by default.
    """
    places = np.arange(geometry.output[axis]) if outputs is None else np.asarray(outputs)
    before, mode, size = geometry.pads[2 * axis], geometry.padding_mode, geometry.input[axis]
    if geometry.transpose:
        position = places + before - (geometry.extent[axis] - 1) / 2
        nearest = np.floor(position / geometry.stride[axis] + 0.5).astype(np.intp)
        return sources(nearest, size, "replicate" if mode == "zeros" else mode)
    centre = geometry.dilation[axis] * ((geometry.kernel[axis] - 1) // 2) - before
    return sources(centre + geometry.stride[axis] * places, size, mode)
