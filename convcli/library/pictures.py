"""Pictures of the caller as batches ``(N, C, H, W)``, and results in the caller's form.

A picture is a NumPy array, a torch tensor, a Pillow image, or anything with a shape, a dtype and windows. Neither torch nor
Pillow is imported: whoever has such an object has imported it.
"""

from __future__ import annotations

import sys
from operator import index
from typing import Any

import numpy as np

from convcli.errors import ImageError, one_line, param
from convcli.library.arguments import needs_grad
from convcli.records import NamedTuple
from convcli.windows import WHOLE, Array, Held, Source, is_interleaved

NARROW = {"uint8", "int8", "bool", "float16", "bfloat16", "float32"}
"""Dtypes whose results are float32. Those of all other dtypes are float64."""

COLOURED = {"L": 1, "RGB": 3, "1": 1, "F": 1, "I": 1, "I;16": 1, "I;16B": 1, "I;16L": 1}
"""Modes of Pillow that become gray by the weights of their channels."""


class Form(NamedTuple):
    """How the caller's picture is laid out, and what it is."""

    rank: int  # its number of axes, 2 to 4
    axis: int  # the axis of the channels, counted from the front; -1 if there is none
    kind: str = "array"  # ``array``, ``tensor``, ``pillow`` or ``windows``
    device: Any = None  # of a tensor
    dtype: str = ""  # of a tensor that NumPy has no name for: ``bfloat16``
    gray: bool = True  # whether its channels can become gray

    def order(self) -> tuple[int, ...]:
        """The caller's axes in the order ``(N, C, H, W)``, without those that it does not have."""
        axes = [axis for axis in range(self.rank) if axis != self.axis]
        if self.axis >= 0:
            axes.insert(self.rank - 3, self.axis)
        return tuple(axes)

    def batch(self, array: Array) -> Array:
        """The caller's array as ``(N, C, H, W)``, without a copy."""
        if self.axis not in (-1, self.rank - 3):
            array = array.transpose(self.order())
        batch: Array = array if self.rank == 4 else array[(np.newaxis,) * (4 - self.rank)]
        return batch

    def restored(self, batch: Array) -> Array:
        """A result ``(N, C, H, W)`` in the caller's form. Several results of a picture ``(H, W)`` are ``(n, H, W)``."""
        if self.rank == 2:
            plane: Array = batch[0, 0] if batch.shape[1] == 1 else batch[0]
            return plane
        array = batch if self.rank == 4 else batch[0]
        made: Array = array if self.axis == self.rank - 3 else array.transpose(np.argsort(self.order()))
        return made

    def shape(self, batch: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a result ``(N, C, H, W)`` in the caller's form."""
        if self.rank == 2:
            return batch[2:] if batch[1] == 1 else batch[1:]
        shape = batch[4 - self.rank :]
        return tuple(shape[place] for place in np.argsort(self.order()))


class Taken(NamedTuple):
    """A picture of the caller."""

    source: Source  # ``(N, C, H, W)``
    form: Form
    image: Any  # an array, or an object with windows, with the caller's axes

    @property
    def channels(self) -> int:
        """C."""
        return self.source.shape[1]


def taken(image: Any, channel_axis: Any = None) -> Taken:
    """The caller's picture.

    Raises
    ------
    TypeError
        It is no picture at all.
    ImageError
        Its axes, its values or its mode cannot be used, or it requires grad.
    """
    if type(image) is np.ndarray:
        form = form_of(image.shape, channel_axis)
        return Taken(Held(_native(form.batch(image))), form, image)
    if (module := sys.modules.get("torch")) is not None and isinstance(image, module.Tensor):
        return _tensor(image, channel_axis)
    if (module := sys.modules.get("PIL.Image")) is not None and isinstance(image, module.Image):
        return _pillow(image, channel_axis)
    if isinstance(image, np.ma.MaskedArray):
        raise ImageError("a masked array", "has no values under its mask", "use image.filled(0), or another value")
    if isinstance(image, np.ndarray) and not isinstance(image, np.memmap):
        image = np.asarray(image)
        form = form_of(image.shape, channel_axis)
        return Taken(Held(_native(form.batch(image))), form, image)
    if has_windows(image):
        form = form_of(tuple(map(index, image.shape)), channel_axis)._replace(kind="windows")
        return Taken(Windows(image, form), form, image)
    raise TypeError(
        f"image is of type {type(image).__name__}: give an array (numpy.asarray makes one of lists), a torch tensor, "
        "a Pillow image, or an object with shape, dtype and windows"
    )


def has_windows(image: Any) -> bool:
    """Whether an object has a shape, a dtype, and windows by slices."""
    return not isinstance(image, type) and all(hasattr(image, name) for name in ("shape", "dtype", "__getitem__"))


def form_of(shape: tuple[int, ...], channel_axis: Any = None) -> Form:
    """The form of an array of this shape.

    Raises `ImageError` if it has other than 2 to 4 axes, if there is no such axis, or if its channels are probably last.
    """
    rank = len(shape)
    if not 2 <= rank <= 4:
        rule = f"has {rank} axes" if rank != 1 else "has 1 axis"
        raise ImageError(f"an image of shape {shape}", rule, "give (H, W), (C, H, W) or (N, C, H, W)")
    if channel_axis is None:
        if rank == 3 and shape[2] in (3, 4) and shape[0] > 4:
            remedy = f"use {param('channel_axis', -1)} for (H, W, C), or {param('channel_axis', 0)} for (C, H, W)"
            raise ImageError(f"an image of shape {shape}", "may have its channels first or last", remedy)
        return Form(rank, rank - 3 if rank > 2 else -1)
    try:
        if isinstance(channel_axis, bool):
            raise TypeError
        axis = index(channel_axis)
    except TypeError:
        rule, remedy = "is not an axis", f"use {param('channel_axis', -1)}, or leave it out"
        raise ImageError(f"{param('channel_axis')} {channel_axis!r}", rule, remedy) from None
    if rank == 2:
        rule = f"is for arrays of 3 or 4 axes, not of shape {shape}"
        raise ImageError(param("channel_axis", axis), rule, "leave it out")
    if not -rank <= axis < rank:
        raise ImageError(param("channel_axis", axis), f"is no axis of {shape}", f"use {-rank} to {rank - 1}")
    return Form(rank, axis % rank)


def _native(array: Array) -> Array:
    """The same values in a dtype that the engine reads; see `convcli.layer.native`."""
    if array.dtype.isnative and array.dtype.char in "?bBhHiIlLqQefd":
        return array
    from convcli.layer import native

    return native(array, "an image", ImageError)


def _tensor(image: Any, channel_axis: Any) -> Taken:
    """A tensor. Its values are read where they are, if that is the host."""
    if needs_grad(image):
        rule = "cannot be used: no gradients are computed"
        raise ImageError("an image that requires grad", rule, "use image.detach(), or torch.no_grad()")
    array, name = host(image, "an image")
    form = form_of(tuple(image.shape), channel_axis)
    form = form._replace(kind="tensor", device=image.device, dtype=name)
    return Taken(Held(_native(form.batch(array))), form, array)


def host(tensor: Any, what: str) -> tuple[Array, str]:
    """The values of a tensor as an array in the host's memory, and the name of its dtype. bfloat16 becomes float32.

    Raises `ImageError` for tensors that are complex, sparse or quantized.
    """
    name = str(tensor.dtype).removeprefix("torch.")
    plain = str(tensor.layout) == "torch.strided" and not tensor.is_quantized
    if tensor.is_complex() or not plain:
        rule = "cannot be convolved" if plain else "is sparse or quantized"
        remedy = "use real numbers; of complex ones, filter each part alone" if plain else "use a dense tensor"
        raise ImageError(f"{what} of dtype {name}", rule, remedy)
    tensor = tensor.detach()
    if name == "bfloat16" or name.startswith("float8"):
        tensor = tensor.float()
    array: Array = tensor.cpu().resolve_neg().numpy()
    return array, name


def _pillow(image: Any, channel_axis: Any) -> Taken:
    """A Pillow image: ``(H, W)``, or ``(H, W, C)`` as `numpy.asarray` gives it."""
    mode = image.mode
    if mode in ("P", "PA"):
        raise ImageError(f"a Pillow image of mode {mode}", "has indices, not colours", "use image.convert('RGB')")
    try:
        array = np.asarray(image)
    except (OSError, ValueError) as error:  # a file that ends early, or is closed
        raise ImageError("a Pillow image", "cannot be read", "open it again", one_line(str(error))) from None
    if array.ndim not in (2, 3):
        raise ImageError(f"a Pillow image of mode {mode}", "cannot be read as an array", "use image.convert('RGB')")
    if channel_axis not in (None, -1, 2):
        rule, remedy = "does not fit a Pillow image, which is (H, W, C)", "leave it out"
        raise ImageError(f"{param('channel_axis')} {channel_axis!r}", rule, remedy)
    form = form_of(array.shape, -1 if array.ndim == 3 else None)._replace(kind="pillow", gray=mode in COLOURED)
    return Taken(Held(_native(form.batch(array))), form, array)


class Windows:
    """An object with windows, for example a memmap or a Zarr array, as a `convcli.windows.Source`."""

    nbytes = 0

    def __init__(self, image: Any, form: Form) -> None:
        self.image, self.form = image, form
        shape = tuple(map(index, image.shape))
        batch = (1,) * (4 - form.rank) + tuple(shape[axis] for axis in form.order())
        self.shape: tuple[int, int, int, int] = (batch[0], batch[1], batch[2], batch[3])
        kind = image.dtype if isinstance(image.dtype, np.dtype) else np.dtype(str(image.dtype))
        self.dtype = _native(np.empty(0, kind)).dtype
        self.interleaved = isinstance(image, np.ndarray) and is_interleaved(form.batch(image))

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> Array:
        """See `convcli.windows.Source.read`."""
        *_, height, width = self.shape
        window: list[Any] = [slice(None)] * self.form.rank
        order = self.form.order()
        window[order[-2]], window[order[-1]] = slice(*rows.indices(height)), slice(*columns.indices(width))
        if self.form.rank == 4:
            window[order[0]] = slice(image, image + 1)
        found: Array = self.form.batch(_native(np.asarray(self.image[tuple(window)])))[0]
        return found


class Announced:
    """A picture of which only the shape and the dtype are known, for `plan`."""

    nbytes = 0

    def __init__(self, shape: tuple[int, int, int, int], dtype: Any) -> None:
        self.shape, self.dtype, self.interleaved = shape, np.dtype(dtype), False

    def read(self, image: int, rows: slice = WHOLE, columns: slice = WHOLE) -> Array:
        """There is nothing to read."""
        raise NotImplementedError


def shaped(image: Source) -> Announced:
    """The same picture without its pixels."""
    made = Announced(image.shape, image.dtype)
    made.interleaved = image.interleaved
    return made


def result_dtype(form: Form, dtype: np.dtype[Any]) -> str:
    """The dtype of the result: float32 for narrow types and float32, float64 for all others."""
    return "float32" if (form.dtype or dtype.name) in NARROW or dtype.name in NARROW else "float64"


def white_of(dtype: np.dtype[Any]) -> float:
    """White, if the caller does not say it: the largest integer, or 1 for real numbers."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def given_back(array: Array, form: Form, dtype: str) -> Any:
    """A result in the caller's form: an array, or a tensor on the caller's device."""
    made = form.restored(array)
    if form.kind != "tensor":
        return made
    torch: Any = sys.modules["torch"]
    tensor = torch.from_numpy(np.ascontiguousarray(made) if min(made.strides, default=0) < 0 else made)
    if dtype == "bfloat16":
        tensor = tensor.bfloat16()
    return tensor.to(form.device)
