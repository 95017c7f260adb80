"""``output_size``: integers in, integers out."""

from __future__ import annotations

from typing import Any, overload

from convcli.library import arguments
from convcli.library.arguments import Ints, Padding
from convcli.library.boundary import public


@overload
def output_size(  # type: ignore[overload-overlap]
    size: int, kernel_size: int, *, stride: int = 1, padding: int | str = 0, dilation: int = 1, output_padding: int = 0,
    transpose: bool = False,
) -> int: ...  # fmt: skip
@overload
def output_size(
    size: Ints, kernel_size: Ints, *, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, output_padding: Ints = 0,
    transpose: bool = False,
) -> tuple[int, int]: ...  # fmt: skip
@public
def output_size(
    size: Any, kernel_size: Any, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, output_padding: Any = 0,
    transpose: bool = False,
) -> Any:  # fmt: skip
    """The size of the output of a convolution, as `conv2d` and `conv_transpose2d` compute it.

    ``⌊(size + 2·padding - dilation·(kernel_size - 1) - 1) / stride⌋ + 1``, and for the transposed convolution
    ``(size - 1)·stride - 2·padding + dilation·(kernel_size - 1) + output_padding + 1``, as `torch.nn.Conv2d` and
    `torch.nn.ConvTranspose2d` define them.

    Parameters
    ----------
    size, kernel_size : int or (int, int)
        Height and width of the input and of the kernel, in pixels.
    stride, padding, dilation, output_padding : int or (int, int)
        As in `conv2d` and `conv_transpose2d`. `padding` may also be four integers (top, bottom, left, right), or a rule:
        ``valid``, ``same``, ``same-upper``, ``same-lower`` or ``full``.
    transpose : bool
        Whether the convolution is transposed.

    Returns
    -------
    int or (int, int)
        An integer if all sizes are integers, else height and width.

    Raises
    ------
    ValueError
        A value is out of range, or the output has no pixels.

    Examples
    --------
    >>> import convcli
    >>> convcli.output_size(224, 7, stride=2, padding=3)
    112
    >>> convcli.output_size((480, 640), 3, stride=2, padding="same-upper")
    (240, 320)
    >>> convcli.output_size(112, 2, stride=2, transpose=True)
    224
    """
    values = (size, kernel_size, stride, padding, dilation, output_padding)
    spec = arguments.spec(
        transpose, "corr", stride, padding, "zeros", dilation, 1, output_padding
    )  # fmt: skip
    found = spec.resolve(arguments.size("size", size), arguments.size("kernel_size", kernel_size)).output
    whole = all(isinstance(value, str) or hasattr(value, "__index__") for value in values)
    return found.height if whole else tuple(found)
