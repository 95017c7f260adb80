"""A `Kernel` is one 2-D array, a `Filter` has the kernels of one SPEC, and a `Bank` makes weights from several SPECs."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from convcli.errors import KernelError, param
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Matrix = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]


class Kernel(NamedTuple):
    """One kernel. `values` is ``(kh, kw)``, float64 and finite, as a correlation lays it on the image."""

    name: str
    values: Matrix


class Filter(NamedTuple):
    """The kernels of one SPEC, and how their results are combined (one of `convcli.vocabulary.COMBINES`).

    `label` is a short name for file names. `spec` is the text that the user wrote. `factor` is the stride of the transposed
    operation that the kernel is made for; 1 if it is made for no other stride. `notes` say what may not be meant. `image` says
    that it was read from an image.
    """

    label: str
    kernels: tuple[Kernel, ...]
    combine: str = "none"
    spec: str = ""
    factor: int = 1
    notes: tuple[str, ...] = ()
    image: bool = False


class Bank:
    """The filters of one command, and how their results are combined.

    Parameters
    ----------
    filters : tuple of Filter
        One for each SPEC that the user gave.
    combine : str, optional
        One of `convcli.vocabulary.COMBINES`, for all kernels of the bank together. By default each filter is combined by its
        own rule, so that ``sobel`` becomes a magnitude and two plain kernels stay two outputs.
    """

    def __init__(self, filters: tuple[Filter, ...], combine: str | None = None) -> None:
        self.filters, self.combine = filters, combine

    @property
    def label(self) -> str:
        """The labels of the filters, joined by ``+``, for a file name."""
        return "+".join(f.label for f in self.filters)[:100]

    @property
    def kernels(self) -> list[Kernel]:
        """The kernels of all filters."""
        return [kernel for f in self.filters for kernel in f.kernels]

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes of the filters."""
        return tuple(note for f in self.filters for note in f.notes)

    @cached_property
    def values(self) -> Matrix:
        """All kernels, ``(K, kh, kw)`` in float64. Smaller ones are centred, with zeros around them.

        Raises `KernelError` for even and odd sizes, which have no common centre.
        """
        kernels = self.kernels
        size = [max(kernel.values.shape[axis] for kernel in kernels) for axis in (0, 1)]
        out = []
        for kernel in kernels:
            spare = [most - side for most, side in zip(size, kernel.values.shape, strict=True)]
            if any(room % 2 for room in spare):
                axis = 0 if spare[0] % 2 else 1
                other = max(kernels, key=lambda one: one.values.shape[axis])
                rule, why = "cannot share a bank", "even and odd sizes have no common centre"
                raise KernelError(f"kernels '{kernel.name}' and '{other.name}'", rule, "apply them one at a time", why)
            out.append(np.pad(kernel.values, [(room // 2, room // 2) for room in spare]))
        return np.stack(out)

    @property
    def parts(self) -> tuple[tuple[int, str], ...]:
        """The number of kernels in each combined result, and the rule that combines them."""
        if self.combine is None:
            return tuple((len(f.kernels), f.combine) for f in self.filters)
        return ((len(self.kernels), self.combine),)

    @cached_property
    def averages(self) -> bool:
        """Whether it is a single kernel whose sum is not zero, so that its pixels can be weighted by their alpha."""
        values = self.values
        return len(values) == 1 and bool(abs(values.sum()) > 1e-6 * np.abs(values).sum())

    def weight(self, channels: int, how: str, groups: int, transpose: bool) -> tuple[Matrix, int]:
        """The weights for an image with `channels` channels, float64, and the number of groups.

        Parameters
        ----------
        channels : int
            Input channels C.
        how : {"each", "sum", "gray"}
            ``each``: every kernel runs on every channel (a depthwise Conv2d with groups = C). The outputs are ordered by
            channel, then by kernel. ``sum`` and ``gray``: every kernel sums over the channels of its group.
        groups : int
            For ``sum``: the number of blocks of channels.
        transpose : bool
            The weights are ``(C_in, C_out/groups, kh, kw)``, else ``(C_out, C_in/groups, kh, kw)``.

        Raises
        ------
        KernelError
            The groups do not divide the channels or the kernels, or the kernels do not fit together (see `values`).
        """
        values = self.values
        count, kh, kw = values.shape
        if how == "each":
            if groups not in (1, channels):
                raise KernelError(
                    f"groups {groups}",
                    f"does not go with {param('channels', 'each')}, which is a group for each of the {channels} channels",
                    f"use {param('channels', 'sum')}, or {param('weights')}",
                )
            shape = (channels, count, kh, kw) if transpose else (channels * count, 1, kh, kw)
            return np.broadcast_to(values, (channels, count, kh, kw)).reshape(shape), channels
        if count % groups or channels % groups:
            which = f"{count} kernels" if count % groups else f"{channels} channels"
            remedy = f"use {param('groups', 1)}, or more {param('kernel')}"
            raise KernelError(f"groups {groups}", f"does not divide the {which}", remedy)
        if not transpose:
            return np.broadcast_to(values[:, None], (count, channels // groups, kh, kw)), groups
        per_group = values.reshape(groups, 1, count // groups, kh, kw)
        blocks = np.broadcast_to(per_group, (groups, channels // groups, count // groups, kh, kw))
        return blocks.reshape(channels, count // groups, kh, kw), groups


def checked(values: "ArrayLike", source: str) -> Matrix:
    """`values` as a finite float64 matrix ``(kh, kw)`` that is not empty. A single row may be 1-D.

    Raises `KernelError`, which names the kernel as `source`, if the rows have different lengths, there are no values, or
    they are not real and finite numbers in two dimensions.
    """
    try:
        array = np.array(values)
        if array.dtype.kind not in "biuf":
            raise ValueError
    except ValueError:  # ragged, or not numbers
        rule, remedy = "is not a matrix of numbers", "write [[0,1,0],[1,-4,1],[0,1,0]]"
        if isinstance(values, list) and all(isinstance(row, (list, np.ndarray)) for row in values):
            lengths = [len(row) for row in values]
            uneven = next((at for at, length in enumerate(lengths) if length != lengths[0]), None)
            if uneven is not None:
                counts = f"row {uneven + 1} has {lengths[uneven]} value{'s' * (lengths[uneven] != 1)}, row 1 has {lengths[0]}"
                rule, remedy = f"is ragged: {counts}", "give every row the same number of values"
        raise KernelError(f"kernel {source}", rule, remedy) from None
    if array.ndim == 1:
        array = array[np.newaxis]
    if array.ndim != 2:
        remedy = f"{param('kernel')} takes a 2-D matrix, 4-D arrays go with {param('weights')}"
        raise KernelError(f"kernel {source}", f"has {array.ndim} dimensions {array.shape}", remedy)
    if array.size == 0:
        raise KernelError(f"kernel {source}", "is empty", "give at least one number")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise KernelError(f"kernel {source}", f"contains {bad}", "every value must be finite")
    return array
