"""``plan``: how an operation would be computed, without computing it."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from convcli import engine
from convcli.backends import Considered
from convcli.geometry import Geometry
from convcli.library import arguments, banks, operations, pictures, writing
from convcli.library.arguments import BiasLike, Channels, Combine, Ints, Layout, Op, Padding, RangeLike
from convcli.library.boundary import public


@dataclass(frozen=True, slots=True)
class Plan:
    """How an operation would be computed, as `convcli.plan` says it.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
        The shapes of the image, and of the result as `convcli.conv2d` gives it.
    geometry : Geometry
        All sizes, strides and paddings, as integers.
    backend : str
        What computes: ``numpy``, ``torch`` or ``reference``.
    reason : str
        Why ``auto`` chose it; empty if it was asked for.
    device, dtype : str
        Of the computation.
    plan : str
        The strategy in words; for other backends than numpy their name.
    considered : tuple of Considered
        The strategies that numpy compared, the chosen one first, each with a `name`.

    Examples
    --------
    >>> import convcli
    >>> made = convcli.plan((480, 640), "sobel-x", padding="same-upper", stride=2)
    >>> made.output_shape, made.dtype
    ((240, 320), 'float32')
    >>> made.geometry.pads
    Pads(top=0, bottom=1, left=0, right=1)
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    geometry: Geometry
    backend: str
    reason: str
    device: str
    dtype: str
    plan: str
    considered: tuple[Considered, ...]


@public
def plan(
    image: Any, kernel: Any, *, transpose: bool = False, op: Op = "corr", stride: Ints = 1, padding: Padding = 0,
    output_padding: Ints = 0, output_size: Ints | None = None, padding_mode: str = "zeros", dilation: Ints = 1,
    groups: int = 1, bias: BiasLike | None = None, layout: Layout | None = None, channels: Channels | None = None,
    combine: Combine | None = None, divisor: float | str | None = None, channel_axis: int | None = None,
    backend: str = "auto", device: Any = None, dtype: Any = None, threads: int | None = None, plan: str | None = None,
    out: Any = None, range: RangeLike | None = None, full_scale: float | None = None,
) -> Plan:  # fmt: skip
    """Say how an operation would be computed. Nothing is computed.

    Parameters
    ----------
    image : array_like or tuple of int
        As for `convcli.conv2d`; or the shape of an image, of `dtype` or else float32.
    transpose : bool
        Whether the convolution is transposed. `output_padding` and `output_size` are for that one.
    kernel, op, stride, padding, output_padding, output_size, padding_mode, dilation, groups, bias, layout, channels
        As for `convcli.conv2d` and `convcli.conv_transpose2d`.
    combine, divisor, channel_axis, backend, device, dtype, threads, plan, out, range, full_scale
        As for `convcli.conv2d`. Of `out`, only the dtype counts.

    Returns
    -------
    Plan
        The geometry, the backend, the strategy, and what else was considered.

    Raises
    ------
    ValueError, TypeError
        As for `convcli.conv2d`.

    Examples
    --------
    >>> import convcli
    >>> made = convcli.plan((3, 480, 640), "gaussian:5", padding="same")
    >>> made.output_shape, made.backend, made.dtype
    ((3, 480, 640), 'numpy', 'float32')
    >>> made.considered[0].name
    'separable'
    """
    spec = arguments.spec(
        transpose, op, stride, padding, padding_mode, dilation, groups, output_padding, output_size
    )  # fmt: skip
    asked = operations.asked(
        spec, bias, layout, channels, combine, divisor, backend, device, dtype, threads, plan, range, full_scale
    )
    if isinstance(image, (tuple, list)) and all(hasattr(side, "__index__") for side in image):
        form = pictures.form_of(tuple(map(index, image)), channel_axis)
        whole = form.batch(np.broadcast_to(np.float32(0), tuple(map(index, image)))).shape
        kind = "float64" if asked.compute.dtype == "float64" else "float32"
        announced = pictures.Announced((whole[0], whole[1], whole[2], whole[3]), kind)
    else:
        taken = pictures.taken(image, channel_axis)
        announced, form = pictures.shaped(taken.source), taken.form
    target = None if out is None else writing.dtype_of(out)
    fitted = operations.fitted(banks.given(kernel), asked, announced, form, target)
    call = engine.prepare(announced, fitted.layer, fitted.spec, fitted.compute, fitted.finish, fitted.lift)
    text, considered = call.backend, tuple[Considered, ...]()
    if call.backend == "numpy":
        from convcli.backends.numpy.recipe import recipe_of

        recipe = recipe_of(call.task)
        text, considered = recipe.text, recipe.considered
    batch = announced.shape[0], fitted.finish.outputs(fitted.layer.outputs), *call.task.geometry.output
    return Plan(
        form.shape(announced.shape), form.shape(batch), call.task.geometry, call.backend, call.reason,
        call.task.device, call.task.dtype, text, considered,
    )  # fmt: skip
