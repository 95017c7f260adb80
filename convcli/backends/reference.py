"""The definition, in float64 NumPy: slow, short, and independent of the other backends.

    direct      R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i, s·x + d·j)
    transposed  every input pixel adds k(c, o, i, j) · I(c, y, x) to R(o, s·y + d·i, s·x + d·j)

Borders come from `numpy.pad`, not from the border index map that the fast backends use.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convcli.backends import Computed, Task, finished, lifted
from convcli.vocabulary import BORDERS


def run(task: Task) -> Computed:
    """Compute in float64, on one core."""
    act, how = (_scatter, "scatter input · kernel") if task.geometry.transpose else (_gather, "windows · kernel")
    out, bias = act(task), task.layer.bias
    if bias is not None:
        out = out + bias.astype(np.float64)[:, None, None]
    return finished(out, task.finish, f"definition: {how}, float64")


def _padded(x: NDArray[Any], top: int, bottom: int, left: int, right: int, mode: str) -> NDArray[np.float64]:
    name: Any = next(border.numpy for border in BORDERS if border.name == mode)
    return np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, bottom), (left, right)), mode=name)


def _gather(task: Task) -> NDArray[np.float64]:
    """The direct operation: each output pixel is the sum of the kernel times a window of the padded input."""
    x, weight, geometry, groups = lifted(task), task.layer.weight, task.geometry, task.layer.groups
    (top, bottom, left, right), (s, t), (d, e) = geometry.pads, geometry.stride, geometry.dilation
    padded = _padded(x, top, bottom, left, right, geometry.padding_mode)
    windows = sliding_window_view(padded, geometry.extent, axis=(2, 3))[:, :, ::s, ::t, ::d, ::e]
    n, c, height, width, kh, kw = windows.shape
    out: NDArray[np.float64] = np.einsum(
        "ngcyxij,gocij->ngoyx",
        windows.reshape(n, groups, c // groups, height, width, kh, kw),
        weight.astype(np.float64).reshape(groups, -1, c // groups, kh, kw),
    )
    return out.reshape(n, task.layer.outputs, height, width)


def _scatter(task: Task) -> NDArray[np.float64]:
    """The transposed operation: every input pixel adds its value times the kernel to the output; then the padding is cut off.

    With a padding mode, pixels are added on every side first: as many as have kernels that reach the output.
    """
    x, weight, geometry, groups = lifted(task), task.layer.weight, task.geometry, task.layer.groups
    _, per_group, kh, kw = weight.shape
    (top, bottom, left, right), (s, t), (d, e) = geometry.pads, geometry.stride, geometry.dilation
    if geometry.padding_mode != "zeros":
        rows = (d * (kh - 1) + geometry.output_padding.rows) // s
        columns = (e * (kw - 1) + geometry.output_padding.columns) // t
        x = _padded(x, rows, rows, columns, columns, geometry.padding_mode)
        top, bottom, left, right = top + s * rows, bottom + s * rows, left + t * columns, right + t * columns
    n, c, height, width = x.shape
    image = x.astype(np.float64).reshape(n, groups, c // groups, height, width)
    kernel = weight.astype(np.float64).reshape(groups, c // groups, per_group, kh, kw)
    canvas = np.zeros(
        (n, groups, per_group, geometry.output.height + top + bottom, geometry.output.width + left + right)
    )
    for i in range(kh):
        for j in range(kw):
            landing = np.s_[d * i : d * i + s * (height - 1) + 1 : s, e * j : e * j + t * (width - 1) + 1 : t]
            canvas[:, :, :, landing[0], landing[1]] += np.einsum("ngcyx,gco->ngoyx", image, kernel[..., i, j])
    out = canvas[..., top : top + geometry.output.height, left : left + geometry.output.width]
    return out.reshape(n, groups * per_group, *geometry.output)
