"""``animate``: a convolution step by step, as a film."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from convcli.animation import stage
from convcli.animation.timeline import Timeline, Values, timeline_of
from convcli.drawing import reel, svg
from convcli.drawing.reel import Reel
from convcli.errors import ConvError, GeometryError, ImageError, KernelError, param
from convcli.images.formats import animations
from convcli.library import arguments, banks, pictures
from convcli.library.arguments import Ints, Op, Padding
from convcli.library.boundary import public
from convcli.library.notebooks import bundle
from convcli.system import files
from convcli.vocabulary import THEMES

Frame = NDArray[np.uint8]


class Frames(Sequence[Frame]):
    """The frames of a film ``(H, W, 3)``, uint8. Each is drawn when it is asked for."""

    def __init__(self, film: Reel) -> None:
        self._film = film

    def __len__(self) -> int:
        return len(self._film.frames)

    @overload
    def __getitem__(self, number: int) -> Frame: ...
    @overload
    def __getitem__(self, number: slice) -> list[Frame]: ...
    def __getitem__(self, number: Any) -> Any:
        from convcli.images.figures import raster

        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return raster.paint(self._film.still(range(len(self))[index(number)]))

    def __iter__(self) -> Iterator[Frame]:
        return map(self.__getitem__, range(len(self)))


@dataclass(frozen=True, slots=True, eq=False)
class Animation:
    """A convolution step by step. `convcli.animate` makes it, and in a notebook it plays.

    Attributes
    ----------
    frames : sequence of ndarray
        The frames as pictures ``(H, W, 3)``, uint8, in order. Each is drawn when it is asked for.
    svg : str
        The film as an SVG document that plays in a loop. Viewers that cannot play it show the last frame.
    timeline : Timeline
        Every step, with its window.
    values : Values
        The numbers, as far as they are known.

    Examples
    --------
    >>> import convcli
    >>> film = convcli.animate(4, 3)
    >>> len(film), film.frames[-1].dtype
    (4, dtype('uint8'))
    >>> film.save("film.gif")
    """

    timeline: Timeline
    values: Values
    _film: Reel

    def __repr__(self) -> str:
        geometry = self.timeline.geometry
        return f"Animation({geometry.input} → {geometry.output}, {len(self)} frames)"

    def __len__(self) -> int:
        return len(self._film.frames)

    @property
    def frames(self) -> Frames:
        """The frames as pictures ``(H, W, 3)``, uint8, in order."""
        return Frames(self._film)

    @property
    def svg(self) -> str:
        """The film as an SVG document that plays in a loop. Viewers that cannot play it show the last frame."""
        return reel.render(self._film)

    @public
    def still(self, number: int) -> str:
        """One frame as an SVG document.

        Parameters
        ----------
        number : int
            The first is 0. Negative numbers count from the end.

        Raises
        ------
        ValueError
            There is no such frame.
        """
        (place,), count = arguments.integers("number", number, (1,)), len(self)
        if not -count <= place < count:
            raise ConvError(f"frame {place}", f"is not among the {count} frames", f"use 0 to {count - 1}")
        return svg.render(self._film.still(place % count))

    @public
    def save(self, path: str | os.PathLike[str], *, scale: float = 1.0) -> None:
        """Write the film to a .gif, .png (animated), .webp or .svg file.

        Parameters
        ----------
        path : path-like
        scale : float
            Pixels in the file for each pixel of the drawing.

        Raises
        ------
        ValueError
            The path ends otherwise, the film is too large, or the file cannot be written.
        """
        target, zoom = arguments.path("path", path), arguments.number("scale", scale, 0.01, 100)
        known = {**animations(), ".svg": "SVG"}
        ending = Path(target).suffix.lower()
        if ending not in known:
            raise ImageError(f"path '{target}'", "is not for an animation", f"use one of {', '.join(known)}")
        with files.writing(target) as stream:
            if ending == ".svg":
                stream.write(self.svg.encode())
            else:
                from convcli.images.figures import movie

                movie.write(self._film, stream, known[ending], zoom)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        return bundle(self.svg, repr(self), include, exclude)


@public
def animate(
    image: Any, kernel: Any, *, channel: int | None = None, transpose: bool = False, op: Op = "corr", stride: Ints = 1,
    padding: Padding = 0, output_padding: Ints = 0, output_size: Ints | None = None, padding_mode: str = "zeros",
    dilation: Ints = 1, channel_axis: int | None = None, fps: float | None = None, cell: int | None = None,
    theme: str = "light", title: str | None = None,
) -> Animation:  # fmt: skip
    """Show a convolution at work, step by step.

    Parameters
    ----------
    image : array_like, int or (int, int)
        A small image, as for `convcli.conv2d`: the cells show its values. Or a size: the film shows the geometry alone.
    kernel : str, array_like, int or (int, int)
        One kernel, as for `convcli.conv2d`; with a size as `image` also the size of a kernel.
    channel : int, optional
        The channel that is shown, if there are several. By default the first.
    transpose : bool
        Whether the convolution is transposed. `output_padding` and `output_size` are for that one.
    op, stride, padding, output_padding, output_size, padding_mode, dilation, channel_axis
        As for `convcli.conv2d` and `convcli.conv_transpose2d`.
    fps : float, optional
        Steps per second.
    cell : int, optional
        The side of a cell in pixels. By default what fits.
    theme : {"light", "dark"}
    title : str, optional
        The line at the top. By default the operation and the sizes.

    Returns
    -------
    Animation
        The film. It plays in a notebook, and `Animation.save` writes it.

    Raises
    ------
    ValueError
        Arguments do not fit together, or nobody could follow so many steps.
    TypeError
        `image` is no picture at all.

    Examples
    --------
    >>> import convcli
    >>> film = convcli.animate(5, 3, stride=2, padding=1)
    >>> film
    Animation(5×5 → 3×3, 9 frames)
    >>> film.frames[0].ndim
    3
    """
    spec = arguments.spec(
        transpose, op, stride, padding, padding_mode, dilation, 1, output_padding, output_size
    )  # fmt: skip
    if not isinstance(title, str | None):
        raise ConvError(f"{param('title')} {title!r}", "is not text", "give text, or leave it out")
    look = stage.Look(
        arguments.whole("cell", cell, 1, 400), arguments.word("theme", theme, THEMES), title,
        None if fps is None else arguments.number("fps", fps, 0.1, 50),
    )  # fmt: skip
    if _is_size(image):
        weights = None if _is_size(kernel) else _one(kernel)
        size = arguments.size("kernel", kernel) if weights is None else (weights.shape[0], weights.shape[1])
        timeline = timeline_of(spec.resolve(arguments.size("image", image), size), spec.op)
        values = Values(kernel=None if weights is None else weights.tolist())
    else:
        if _is_size(kernel):
            raise KernelError(
                f"kernel {kernel!r}", "is a size, and the image has values", "give a kernel such as 'sobel-x'"
            )
        from convcli.animation import source

        plane = _plane(pictures.taken(image, channel_axis), channel)
        timeline, values = source.of_plane(plane, _one(kernel), spec)
    return Animation(timeline, values, stage.film(timeline, values, look, spec.rule))


def _is_size(value: Any) -> bool:
    """Whether it is an integer or a pair of integers."""
    pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value,)
    return all(hasattr(one, "__index__") and not getattr(one, "ndim", 0) and not isinstance(one, bool) for one in pair)


def _one(kernel: Any) -> NDArray[np.float64]:
    """The one kernel ``(kh, kw)``."""
    given = banks.given(kernel)
    if given.array is not None and given.array.ndim == 4:
        raise KernelError("4-D weights", "are not animated", "give one kernel (kh, kw)")
    bank = banks.weights_of(given, False, 1, None, None, None, None).bank
    assert bank is not None
    kernels = bank.kernels
    if len(kernels) > 1:
        names = ", ".join(dict.fromkeys(one.name for one in kernels))
        raise KernelError(f"kernel {bank.label}", f"is {len(kernels)} kernels", f"animate one of them: {names}")
    return kernels[0].values


def _plane(taken: pictures.Taken, channel: Any) -> NDArray[np.float64]:
    """The channel that is shown, ``(H, W)``."""
    count, channels, *_ = taken.source.shape
    if count != 1:
        raise ImageError("the image", f"is a batch of {count}", "animate one of them")
    (number,) = arguments.integers("channel", 0 if channel is None else channel, (1,))
    if not -channels <= number < channels:
        raise GeometryError(param("channel", number), f"is not in an image of {channels}", f"use 0 to {channels - 1}")
    plane: NDArray[np.float64] = taken.source.read(0)[number].astype(np.float64)
    return plane
