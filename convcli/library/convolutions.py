"""``conv2d`` and ``conv_transpose2d``: a picture and kernels in, real values out."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Literal, TypeVar, overload

from numpy.typing import DTypeLike, NDArray

from convcli import engine
from convcli.library import arguments, banks, operations, pictures
from convcli.library.arguments import BiasLike, Channels, Combine, Ints, Layout, Op, Padding, RangeLike
from convcli.library.boundary import public
from convcli.library.operations import Asked
from convcli.system.context import Context, within

Out = TypeVar("Out")


@overload
def conv2d(
    image: Any, kernel: Any, *, op: Op = ..., stride: Ints = ..., padding: Padding = ..., padding_mode: str = ...,
    dilation: Ints = ..., groups: int = ..., bias: BiasLike | None = ..., layout: Layout | None = ...,
    channels: Channels | None = ..., combine: Combine | None = ..., divisor: float | Literal["sum", "abs"] | None = ...,
    channel_axis: int | None = ..., backend: str = ..., device: Any = ..., dtype: DTypeLike | Any = ...,
    threads: int | None = ..., plan: str | None = ..., out: Out, range: RangeLike | None = ...,
    full_scale: float | None = ..., client: Any = ..., memory: int | str | None = ...,
) -> Out: ...  # fmt: skip
@overload
def conv2d(
    image: NDArray[Any], kernel: Any, *, op: Op = ..., stride: Ints = ..., padding: Padding = ..., padding_mode: str = ...,
    dilation: Ints = ..., groups: int = ..., bias: BiasLike | None = ..., layout: Layout | None = ...,
    channels: Channels | None = ..., combine: Combine | None = ..., divisor: float | Literal["sum", "abs"] | None = ...,
    channel_axis: int | None = ..., backend: str = ..., device: Any = ..., dtype: DTypeLike | Any = ...,
    threads: int | None = ..., plan: str | None = ..., out: None = ..., range: RangeLike | None = ...,
    full_scale: float | None = ..., client: Any = ..., memory: int | str | None = ...,
) -> NDArray[Any]: ...  # fmt: skip
@overload
def conv2d(
    image: Any, kernel: Any, *, op: Op = ..., stride: Ints = ..., padding: Padding = ..., padding_mode: str = ...,
    dilation: Ints = ..., groups: int = ..., bias: BiasLike | None = ..., layout: Layout | None = ...,
    channels: Channels | None = ..., combine: Combine | None = ..., divisor: float | Literal["sum", "abs"] | None = ...,
    channel_axis: int | None = ..., backend: str = ..., device: Any = ..., dtype: DTypeLike | Any = ...,
    threads: int | None = ..., plan: str | None = ..., out: None = ..., range: RangeLike | None = ...,
    full_scale: float | None = ..., client: Any = ..., memory: int | str | None = ...,
) -> Any: ...  # fmt: skip
@public
def conv2d(
    image: Any, kernel: Any, *, op: Op = "corr", stride: Ints = 1, padding: Padding = 0, padding_mode: str = "zeros",
    dilation: Ints = 1, groups: int = 1, bias: BiasLike | None = None, layout: Layout | None = None,
    channels: Channels | None = None, combine: Combine | None = None,
    divisor: float | Literal["sum", "abs"] | None = None, channel_axis: int | None = None, backend: str = "auto",
    device: Any = None, dtype: DTypeLike | Any = None, threads: int | None = None, plan: str | None = None,
    out: Any = None, range: RangeLike | None = None, full_scale: float | None = None, client: Any = None,
    memory: int | str | None = None,
) -> Any:  # fmt: skip
    """Convolve a picture with kernels or with a layer's weights, as `torch.nn.Conv2d` does.

    ``R(o, y, x) = bias(o) + Σc Σi Σj k(o, c, i, j) · I(c, s·y + d·i - top, s·x + d·j - left)``. All defaults are
    PyTorch's; the kernel is not flipped unless `op` is ``conv``.

    Parameters
    ----------
    image : array_like
        ``(H, W)``, ``(C, H, W)`` or ``(N, C, H, W)`` of any real dtype: a NumPy array, a torch tensor, a Pillow image
        (``(H, W)`` or ``(H, W, C)``), or any object with `shape`, `dtype` and windows, such as a Zarr array. Values are taken
        as they are.
    kernel : str, array_like
        A SPEC (``"gaussian:2"``, ``"0,1,0;1,-4,1;0,1,0"``) or a list of them; a kernel ``(kh, kw)`` or a bank
        ``(n, kh, kw)``; or weights ``(C_out, C_in/groups, kh, kw)``. A pair such as ``"sobel"`` is combined to a magnitude.
    op : {"corr", "conv"}
        ``conv`` flips the kernel in both axes, and changes nothing else.
    stride, dilation : int or (int, int)
        Rows, then columns.
    padding : int, (int, int), (int, int, int, int) or str
        Pixels at all sides; for rows and columns; at the top, bottom, left and right; or ``valid``, ``same``,
        ``same-upper``, ``same-lower`` or ``full``.
    padding_mode : str
        ``zeros``, ``reflect``, ``replicate``, ``circular`` or ``symmetric``. SciPy's ``reflect`` is ``symmetric`` here.
    groups : int
        Blocks of channels; the outputs of a block depend only on its inputs.
    bias : float, str or sequence, optional
        Added to all outputs, or a value for each. ``"50%"`` is half of `full_scale`.
    layout : {"oihw", "iohw", "hwio", "hwoi", "hwcm"}, optional
        The order of the axes of 4-D weights. ``hwio`` is TensorFlow's and Keras's.
    channels : {"each", "sum", "gray"}, optional
        What a 2-D kernel does: run on every channel (the default), on all with one sum, or on their gray.
    combine : {"none", "magnitude", "sum", "max"}, optional
        How the results of several kernels are combined. By default only pairs such as ``"sobel"`` are.
    divisor : float, "sum" or "abs", optional
        Divide every kernel by a number, by its own sum, or by the sum of its magnitudes.
    channel_axis : int, optional
        The axis of the channels: -1 for ``(H, W, C)``. By default they come before rows and columns.
    backend : {"auto", "numpy", "torch", "reference"}
        What computes.
    device : str, optional
        ``cpu``, ``cuda`` or ``cuda:N``; by default where a tensor is.
    dtype : dtype, optional
        Of the computation and the result: float32, float64, or with torch float16 or bfloat16. Or uint8 or uint16 for a result
        of integers, with `range`.
    threads : int, optional
        The most threads to use; by default all.
    plan : str, optional
        A strategy of the numpy backend, see `convcli.plan`.
    out : array_like, optional
        Takes the result: an array, a tensor, a memmap, or any object with `shape`, `dtype` and windows to set, such as a
        Zarr array. Memmaps and other objects are written block by block, in bounded memory. Integers (uint8, uint16) need
        `range`.
    range : str or (float, float), optional
        How results become integers: ``clip``, ``abs``, ``offset``, ``minmax``, or two numbers that become black and white.
        Real results are mapped likewise, with white at `full_scale`, and are not rounded.
    full_scale : float, optional
        White of the image, for `range` and for percentages: by default the largest value of an integer type, or 1.
    client : distributed.Client, optional
        A Dask client whose workers compute the blocks. Image and `out` have to be stored where all workers see them.
    memory : int or str, optional
        About how much memory the blocks may take together, in bytes or as ``"500M"``, beside what the process has already; with
        `client`, each block. By default some 50 MB for each thread. It needs `out`.

    Returns
    -------
    ndarray, tensor or `out`
        Real values, not clipped, with the rank and the order of axes of the image; several results of an image ``(H, W)``
        are ``(n, H, W)``. A tensor gives a tensor on its device. uint8, int8, float16 and bfloat16 give float32, wider
        integers float64; float32 and float64 stay.

    Raises
    ------
    ValueError
        Arguments are wrong or do not fit together. The text names them.
    TypeError
        `image` is no picture at all.

    See Also
    --------
    conv_transpose2d, plan, explain

    Examples
    --------
    >>> import numpy as np, convcli
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> convcli.conv2d(image, "box:3")
    array([[5., 6.]])
    >>> convcli.conv2d(image, [[1, 0], [0, -1]], stride=(1, 2))
    array([[-5., -5.],
           [-5., -5.]])
    >>> photo = np.zeros((48, 64, 3), np.uint8)
    >>> convcli.conv2d(photo, "gaussian:2", padding="same", padding_mode="reflect", channel_axis=-1).shape
    (48, 64, 3)
    """
    spec = arguments.spec(False, op, stride, padding, padding_mode, dilation, groups)
    asked = operations.asked(
        spec, bias, layout, channels, combine, divisor, backend, device, dtype, threads, plan, range, full_scale
    )
    return _computed(image, kernel, asked, channel_axis, out, client, memory)


@overload
def conv_transpose2d(
    image: Any, kernel: Any, *, op: Op = ..., stride: Ints = ..., padding: Padding = ..., output_padding: Ints = ...,
    output_size: Ints | None = ..., padding_mode: str = ..., dilation: Ints = ..., groups: int = ...,
    bias: BiasLike | None = ..., layout: Layout | None = ..., channels: Channels | None = ..., combine: Combine | None = ...,
    divisor: float | Literal["sum", "abs"] | None = ..., channel_axis: int | None = ..., backend: str = ...,
    device: Any = ..., dtype: DTypeLike | Any = ..., threads: int | None = ..., plan: str | None = ..., out: Out,
    range: RangeLike | None = ..., full_scale: float | None = ..., client: Any = ..., memory: int | str | None = ...,
) -> Out: ...  # fmt: skip
@overload
def conv_transpose2d(
    image: NDArray[Any], kernel: Any, *, op: Op = ..., stride: Ints = ..., padding: Padding = ..., output_padding: Ints = ...,
    output_size: Ints | None = ..., padding_mode: str = ..., dilation: Ints = ..., groups: int = ...,
    bias: BiasLike | None = ..., layout: Layout | None = ..., channels: Channels | None = ..., combine: Combine | None = ...,
    divisor: float | Literal["sum", "abs"] | None = ..., channel_axis: int | None = ..., backend: str = ...,
    device: Any = ..., dtype: DTypeLike | Any = ..., threads: int | None = ..., plan: str | None = ..., out: None = ...,
    range: RangeLike | None = ..., full_scale: float | None = ..., client: Any = ..., memory: int | str | None = ...,
) -> NDArray[Any]: ...  # fmt: skip
@overload
def conv_transpose2d(
    image: Any, kernel: Any, *, op: Op = ..., stride: Ints = ..., padding: Padding = ..., output_padding: Ints = ...,
    output_size: Ints | None = ..., padding_mode: str = ..., dilation: Ints = ..., groups: int = ...,
    bias: BiasLike | None = ..., layout: Layout | None = ..., channels: Channels | None = ..., combine: Combine | None = ...,
    divisor: float | Literal["sum", "abs"] | None = ..., channel_axis: int | None = ..., backend: str = ...,
    device: Any = ..., dtype: DTypeLike | Any = ..., threads: int | None = ..., plan: str | None = ..., out: None = ...,
    range: RangeLike | None = ..., full_scale: float | None = ..., client: Any = ..., memory: int | str | None = ...,
) -> Any: ...  # fmt: skip
@public
def conv_transpose2d(
    image: Any, kernel: Any, *, op: Op = "corr", stride: Ints = 1, padding: Padding = 0, output_padding: Ints = 0,
    output_size: Ints | None = None, padding_mode: str = "zeros", dilation: Ints = 1, groups: int = 1,
    bias: BiasLike | None = None, layout: Layout | None = None, channels: Channels | None = None,
    combine: Combine | None = None, divisor: float | Literal["sum", "abs"] | None = None,
    channel_axis: int | None = None, backend: str = "auto", device: Any = None, dtype: DTypeLike | Any = None,
    threads: int | None = None, plan: str | None = None, out: Any = None, range: RangeLike | None = None,
    full_scale: float | None = None, client: Any = None, memory: int | str | None = None,
) -> Any:  # fmt: skip
    """Compute the transposed convolution, as `torch.nn.ConvTranspose2d` does.

    It is the adjoint of `conv2d`: every input pixel adds ``k(c, o, i, j) · I(c, y, x)`` to
    ``R(o, s·y + d·i - top, s·x + d·j - left)``. `padding` crops the result.

    Parameters
    ----------
    image, kernel
        As for `conv2d`; 4-D weights are ``(C_in, C_out/groups, kh, kw)``.
    output_padding : int or (int, int)
        Rows at the bottom and columns at the right of the result; smaller than the stride or the dilation.
    output_size : (int, int), optional
        The size to reach, instead of `output_padding`.
    op, stride, padding, padding_mode, dilation, groups, bias, layout, channels, combine, divisor
        As for `conv2d`. ``same-upper`` and ``same-lower`` give the input's size times the stride. `padding_mode` says what is
        beyond the border of the input.
    channel_axis, backend, device, dtype, threads, plan, out, range, full_scale, client, memory
        As for `conv2d`.

    Returns
    -------
    ndarray, tensor or `out`
        As for `conv2d`.

    Raises
    ------
    ValueError, TypeError
        As for `conv2d`.

    Examples
    --------
    >>> import numpy as np, convcli
    >>> convcli.conv_transpose2d(np.array([[1.0, 2.0]]), [[1, 1]], stride=(1, 2))
    array([[1., 1., 2., 2.]])
    >>> small = np.zeros((3, 16, 16), np.uint8)
    >>> convcli.conv_transpose2d(small, "bilinear:2", stride=2, padding="same-upper", padding_mode="replicate").shape
    (3, 32, 32)
    """
    spec = arguments.spec(
        True, op, stride, padding, padding_mode, dilation, groups, output_padding, output_size
    )  # fmt: skip
    asked = operations.asked(
        spec, bias, layout, channels, combine, divisor, backend, device, dtype, threads, plan, range, full_scale
    )
    return _computed(image, kernel, asked, channel_axis, out, client, memory)


def _computed(
    image: Any, kernel: Any, asked: Asked, channel_axis: Any, out: Any, client: Any, memory: Any
) -> Any:  # fmt: skip
    """The result of an operation, or the caller's `out` with it."""
    taken, given = pictures.taken(image, channel_axis), banks.given(kernel)
    if out is not None or client is not None or memory is not None:
        from convcli.library import writing

        return writing.written(taken, given, asked, out, client, arguments.memory(memory))
    source, form, _ = taken
    fitted = operations.fitted(given, asked, source, form)
    large = fitted.layer.weight.nbytes > banks.LARGEST_KEPT
    with within(Context()) if large else nullcontext():  # what is made for large weights is not kept
        result = engine.run(source, fitted.layer, fitted.spec, fitted.compute, fitted.finish, fitted.lift)
    array = result.array
    if asked.range is not None and fitted.finish.dtype is None:
        array = operations.ranged(array, asked.range, fitted.white)
    if array.dtype != fitted.dtype and fitted.dtype != "bfloat16":
        array = array.astype(fitted.dtype)
    return pictures.given_back(array, form, fitted.dtype)
