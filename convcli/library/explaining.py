"""``explain``: the sum behind one value of a result, as numbers and as a figure."""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convcli.drawing import svg
from convcli.drawing.colors import PALETTES
from convcli.drawing.scene import Scene
from convcli.engine import Compute
from convcli.errors import ImageError, as_arguments, param
from convcli.explanation import illustration, pixel
from convcli.explanation.pixel import Pixel, Written
from convcli.explanation.subject import Subject, fitted, index
from convcli.images import Metadata, Picture
from convcli.images.formats import TENSOR
from convcli.library import arguments, banks, pictures
from convcli.library.arguments import BiasLike, Channels, Combine, Ints, Layout, Op, Padding, RangeLike
from convcli.library.boundary import public
from convcli.library.notebooks import bundle
from convcli.library.operations import Asked, asked
from convcli.runs import pipeline
from convcli.runs.operation import Operation
from convcli.system.names import STDIO
from convcli.vocabulary import THEMES
from convcli.windows import Array

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The sum behind one value of a result. `convcli.explain` makes it, and in a notebook it shows itself.

    If one kernel reads one channel, `window`, `kernel` and `products` are ``(kh, kw)``, float64. If it sums over C channels,
    they are ``(C, kh, kw)``. If n kernels are combined, an axis of n comes first.

    Attributes
    ----------
    at : (int, int)
        Row and column of the output.
    channel : int
        The channel of the output.
    value : float
        The value of the result: the sum, or the combined sums.
    window, kernel, products : ndarray
        What the kernel reads, with zeros beyond the border; the kernel as it is applied; both multiplied.
    bias, sum : float or tuple of float
        The bias, and the sum of the products and the bias. If several kernels are combined, one for each.
    written : float
        The value after the range policy.
    how : str
        How it is written, in words.
    svg : str
        The figure as an SVG document.

    Examples
    --------
    >>> import numpy as np, convcli
    >>> found = convcli.explain(np.eye(3), "1,2;3,4", (0, 1), bias=10)
    >>> found.window
    array([[0., 0.],
           [1., 0.]])
    >>> found.sum, found.value
    (13.0, 13.0)
    >>> found.save("sum.svg")
    """

    at: tuple[int, int]
    channel: int
    value: float
    window: Matrix
    kernel: Matrix
    products: Matrix
    bias: float | tuple[float, ...]
    sum: float | tuple[float, ...]
    written: float
    how: str
    _pixel: Pixel = field(repr=False)

    @property
    def svg(self) -> str:
        """The figure as an SVG document."""
        return svg.render(self._scene("light"))

    @public
    def save(self, path: str | os.PathLike[str], *, theme: str = "light") -> None:
        """Write the figure to a .svg or .png file.

        Parameters
        ----------
        path : path-like
        theme : {"light", "dark"}

        Raises
        ------
        ValueError
            The path ends otherwise, or it cannot be written.
        """
        from convcli.images.figures import raster

        raster.save(self._scene(arguments.word("theme", theme, THEMES)), arguments.path("path", path))

    def _scene(self, theme: str) -> Scene:
        return illustration.draw(self._pixel, PALETTES[theme], as_arguments)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        return bundle(self.svg, repr(self), include, exclude)


@public
def explain(
    image: Any, kernel: Any, at: tuple[int, int], *, channel: int = 0, item: int | None = None, transpose: bool = False,
    op: Op = "corr", stride: Ints = 1, padding: Padding = 0, output_padding: Ints = 0, output_size: Ints | None = None,
    padding_mode: str = "zeros", dilation: Ints = 1, groups: int = 1, bias: BiasLike | None = None,
    layout: Layout | None = None, channels: Channels | None = None, combine: Combine | None = None,
    divisor: float | str | None = None, channel_axis: int | None = None, range: RangeLike | None = None,
    full_scale: float | None = None,
) -> Explanation:  # fmt: skip
    """Explain one value of a result: the window of the image, the kernel, their products, and the sum.

    Everything is worked out from the definition in float64; no backend computes it.

    Parameters
    ----------
    image, kernel
        As for `convcli.conv2d`.
    at : (int, int)
        Row and column of the output, from 0. Negative numbers count from the end.
    channel : int
        The channel of the output, from 0.
    item : int, optional
        Which image of a batch ``(N, C, H, W)``.
    transpose : bool
        Whether the convolution is transposed. `output_padding` and `output_size` are for that one.
    op, stride, padding, output_padding, output_size, padding_mode, dilation, groups, bias, layout, channels, combine
        As for `convcli.conv2d` and `convcli.conv_transpose2d`.
    divisor, channel_axis, full_scale
        As for `convcli.conv2d`.
    range : str or (float, float), optional
        ``clip``, ``abs``, ``offset``, ``minmax``, ``raw``, or two numbers that become black and white: what is done to the
        value before it is written, as an integer for images of uint8 and uint16. By default nothing.

    Returns
    -------
    Explanation
        The numbers. It shows itself in a notebook, and `Explanation.save` writes the figure.

    Raises
    ------
    ValueError, TypeError
        As for `convcli.conv2d`; or there is no such output.

    Examples
    --------
    >>> import numpy as np, convcli
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> found = convcli.explain(image, "1,0;0,-1", (0, 1), bias=2)
    >>> found.window
    array([[1., 2.],
           [5., 6.]])
    >>> found.products
    array([[ 1.,  0.],
           [ 0., -6.]])
    >>> found.sum
    -3.0
    """
    spec = arguments.spec(
        transpose, op, stride, padding, padding_mode, dilation, groups, output_padding, output_size
    )  # fmt: skip
    wanted = asked(spec, bias, layout, channels, combine, divisor, "auto", None, None, None, None, range, full_scale)
    subject = _subject(image, kernel, wanted, item, channel_axis)
    rows = arguments.integers("at", at, (2,))
    (number,) = arguments.integers("channel", channel, (1,))
    found = pixel.explain(subject, (rows[0], rows[1]), number)
    if wanted.range is None:
        found = found._replace(written=Written(found.value, "as it is"))
    else:
        words = found.written.words.replace(f", {subject.ready.storage.container}", "")
        found = found._replace(written=Written(found.written.value, words))
    return _explanation(found)


def _subject(image: Any, kernel: Any, wanted: Asked, item: int | None, channel_axis: Any) -> Subject:
    """The operation, fitted to the image as `convcli apply` fits it to a file."""
    taken, given = pictures.taken(image, channel_axis), banks.given(kernel)
    count, place = taken.source.shape[0], arguments.whole("item", item)
    if place is None and count != 1:
        remedy = f"name one of them with {param('item', f'0 to {count - 1}')}"
        raise ImageError("the image", f"is a batch of {count}", remedy)
    if place is not None and taken.form.rank < 4:
        raise ImageError(param("item", place), "is for a batch (N, C, H, W), and this is one image", "leave it out")
    if wanted.channels == "gray" and not taken.form.gray:
        raise ImageError(param("channels", "gray"), "is for gray and RGB images", "use image.convert('RGB') first")
    colour: Array = taken.source.read(index(place or 0, count, "item", "the batch"))
    white = pictures.white_of(taken.source.dtype) if wanted.full_scale is None else wanted.full_scale
    picture = Picture(colour, None, "tensor", white, taken.form.rank, metadata=Metadata(TENSOR))
    whole = colour.dtype in (np.uint8, np.uint16)
    container = "TIFF" if whole and wanted.range is not None and wanted.range.policy != "raw" else TENSOR
    operation = operation_of(given, wanted, Compute(dtype="float64"))
    ready = pipeline.prepare(picture, operation, container, None if wanted.range is None else wanted.range.word)
    return fitted(STDIO, picture, picture, operation, ready)


def operation_of(given: banks.Given, wanted: Asked, compute: Compute, **more: Any) -> Operation:
    """The caller's arguments as an operation on pictures. `more` are further fields of it."""
    made = banks.weights_of(
        given, wanted.spec.transpose, wanted.spec.groups, wanted.channels, wanted.combine, wanted.divisor, wanted.layout
    )  # fmt: skip
    spec, how, bias = wanted.spec, wanted.channels or "each", wanted.bias
    label = "weights" if made.bank is None else made.bank.label
    if made.groups is not None:
        from dataclasses import replace

        spec = replace(spec, groups=made.groups)
    return Operation(spec, label, made.bank, made.weight, bias, how, compute=compute, **more)


def _explanation(found: Pixel) -> Explanation:
    """The numbers of a pixel."""
    traces = found.traces
    several, summed = len(traces) > 1, len(traces[0].channels) > 1

    def shown(matrices: list[Matrix]) -> Matrix:
        stacked = np.stack(matrices if summed else [one[0] for one in matrices])
        return stacked if several else stacked[0]

    biases, sums = tuple(one.bias for one in traces), tuple(one.sum for one in traces)
    return Explanation(
        found.at, found.channel, found.value, shown([one.values for one in traces]), shown([one.kernel for one in traces]),
        shown([one.products for one in traces]), biases if several else biases[0], sums if several else sums[0],
        found.written.value, as_arguments(found.written.words), found,
    )  # fmt: skip
