"""The order of the axes of weights, as libraries save them: which it is, and how they become PyTorch's.

``oihw`` is PyTorch's Conv2d, and ``iohw`` its ConvTranspose2d. TensorFlow, Keras and Flax have ``hwio``, and ``hwoi`` in
transposed layers; their depthwise layers have ``hwcm``: channels, and outputs for each of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError, param

LARGEST_SIDE = 11
"""The largest side of a kernel that is usual in a layer."""


def own(transpose: bool) -> str:
    """PyTorch's layout of a layer, direct or transposed."""
    return "iohw" if transpose else "oihw"


def arranged(
    weight: NDArray[Any], layout: str, transpose: bool, groups: int, source: str
) -> tuple[NDArray[Any], int | None]:
    """4-D weights in PyTorch's order, and the number of groups if the layout says it: those of a depthwise layer.

    ``oihw`` and ``hwio`` have all outputs, and the inputs of a group; ``iohw`` and ``hwoi`` all inputs, and the outputs of one.

    Raises `KernelError` if the groups do not divide the axis that has all.
    """
    if layout == "hwcm":
        height, width, channels, each = weight.shape
        turned = weight.transpose(2, 3, 0, 1)
        return (turned if transpose else turned.reshape(channels * each, 1, height, width)), channels
    transposed = layout in ("iohw", "hwoi")
    ordered = weight.transpose([layout.index(axis) for axis in own(transposed)])
    if transposed == transpose:
        return ordered, None
    count, each, *size = ordered.shape
    if count % groups:
        what = f"weights {source} of shape {weight.shape} in layout {layout}"
        raise KernelError(what, f"do not have {groups} groups", f"use another {param('groups')}")
    return ordered.reshape(groups, count // groups, each, *size).swapaxes(1, 2).reshape(groups * each, -1, *size), None


def with_rows(weight: NDArray[Any], layout: str) -> NDArray[Any]:
    """The 3-D weights of a Conv1d as 4-D ones, with kernels of one row."""
    return weight[np.newaxis] if layout.startswith("hw") else weight[:, :, np.newaxis]


def suspected(shape: tuple[int, ...]) -> str:
    """A remark if weights that are taken in PyTorch's order look like TensorFlow's: rows and columns come first; else empty."""
    first, second, third, fourth = shape
    square = 1 < first == second <= LARGEST_SIDE and first % 2
    if (
        not square
        or (third == fourth and third <= LARGEST_SIDE and (third % 2 or first != 3))
        or third == fourth == first
    ):
        return ""
    words = param("layout", "hwcm") if fourth == 1 else param("layout", "hwio")
    return (
        f"weights of shape {shape} are {first} filters of {third}×{fourth}: if rows and columns come first, use {words}"
    )
