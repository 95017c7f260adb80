"""The weights as they are applied. Only this module knows C_in, C_out, the flip and Σ|w| of an operation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from convcli.convspec import ConvSpec, bias_misfit
from convcli.errors import ConvError, GeometryError, KernelError, param
from convcli.geometry import Size
from convcli.windows import Array

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Layer:
    """The weights and the bias of an operation."""

    # ``(C_out, C_in/groups, kh, kw)``; if transposed ``(C_in, C_out/groups, kh, kw)``. As applied: the weights of a
    # convolution are already flipped.
    weight: NDArray[np.floating]
    groups: int = 1  # number of blocks of channels. The outputs of a block depend only on the inputs of the same block.
    transpose: bool = False  # whether the operation is transposed
    bias: NDArray[np.float64] | None = None  # ``(C_out,)``, in the image's units
    flipped: bool = False  # whether the weights were flipped, as those of a convolution are

    @classmethod
    def of(cls, weight: NDArray[np.floating], spec: ConvSpec, bias: NDArray[np.floating] | None = None) -> Layer:
        """The layer that a specification makes of weights from a file or a bank.

        Parameters
        ----------
        weight : ndarray
            As in `Layer`, but not flipped.
        spec : ConvSpec
        bias : ndarray, optional
            ``(C_out,)``, in the image's units.

        Raises
        ------
        GeometryError
            The weights are not 4-D.
        KernelError
            The weights or the bias hold complex numbers, or no numbers.
        """
        weight = native(weight, "weights", KernelError)
        if weight.ndim != 4:
            remedy = "give (C_out, C_in/groups, kh, kw)"
            raise GeometryError(f"weights of shape {weight.shape}", "are not 4-D", remedy)
        if spec.op == "conv":
            weight = weight[:, :, ::-1, ::-1]
        offsets = None if bias is None else native(bias, "a bias", KernelError).astype(np.float64, copy=False)
        return cls(weight, spec.groups, spec.transpose, offsets, spec.op == "conv")

    @property
    def inputs(self) -> int:
        """Number of channels that the layer reads, C_in."""
        return int(self.weight.shape[0] if self.transpose else self.weight.shape[1] * self.groups)

    @property
    def outputs(self) -> int:
        """Number of channels that the layer writes, C_out."""
        return int(self.weight.shape[1] * self.groups if self.transpose else self.weight.shape[0])

    @property
    def kernel(self) -> Size:
        """Rows and columns of the kernel."""
        return Size(*self.weight.shape[2:])

    @property
    def terms(self) -> int:
        """The most products that are summed for one output: C_in/groups · kh · kw."""
        return self.inputs // self.groups * self.kernel.height * self.kernel.width

    @cached_property
    def content(self) -> tuple[bytes, tuple[int, ...], bytes | None]:
        """The weights and the bias as a key: float64 bytes of the weights, their shape, and float64 bytes of the bias."""
        bias = None if self.bias is None else self.bias.tobytes()
        return self.weight.astype(np.float64).tobytes(), self.weight.shape, bias

    @cached_property
    def largest_weight(self) -> float:
        """The largest |w|; NaN or infinite if a weight is."""
        return float(np.abs(self.weight).max(initial=0))

    @cached_property
    def largest_sum(self) -> float:
        """The largest Σ|w| of an output channel."""
        sizes = np.abs(self.weight.astype(np.float64))
        if self.transpose:
            return float(sizes.reshape(self.groups, -1, *sizes.shape[1:]).sum(axis=(1, 3, 4)).max())
        return float(sizes.sum(axis=(1, 2, 3)).max())

    def check(self, channels: int) -> None:
        """Check that the channels of an image, the weights, the groups and the bias fit together.

        Raises
        ------
        GeometryError
            They do not fit.
        """
        groups, shape, transpose = self.groups, self.weight.shape, self.transpose
        if channels % groups or not (transpose or shape[0] % groups == 0):
            count, side = (channels, "input") if channels % groups else (shape[0], "output")
            rule = f"does not divide the {count} {side} channels"
            raise GeometryError(f"groups {groups}", rule, self._remedy(channels))
        if self.inputs != channels:
            rule = f"expect {self.inputs} input channel{'s' * (self.inputs != 1)}, the image has {channels}"
            what, with_groups = ("transposed weights", "") if transpose else ("weights", f" with groups {groups}")
            axes = "(C_in, C_out/groups, kh, kw)" if transpose else "(C_out, C_in/groups, kh, kw)"
            remedy = f"{self._remedy(channels)} ({what} are {axes})"
            raise GeometryError(f"weights of shape {shape}{with_groups}", rule, remedy)
        if self.bias is not None and self.bias.shape != (self.outputs,):
            raise bias_misfit(self.bias.size, self.outputs)

    def _remedy(self, channels: int) -> str:
        """How to make an image's channels and the weights fit: other groups, or else another image."""
        first, second = self.weight.shape[:2]
        most = channels + 1 if not self.transpose or first == channels else 0
        fitting = [g for g in range(1, most) if first % g == 0 and (self.transpose or second * g == channels)]
        if fitting:
            return f"use {param('groups', ' or '.join(map(str, fitting)))}"
        return f"use {param('channels', 'gray')}" if self.inputs == 1 else f"use an image of {self.inputs} channels"


def native(array: Array, what: str, error: type[ConvError]) -> Array:
    """An array of real numbers in a dtype that all backends accept: in this machine's byte order, and at most float64.

    Raises
    ------
    ConvError
        `error`, if the array holds complex numbers or no numbers. `what` names the array in its text.
    """
    if array.dtype.kind not in "buif":
        raise error(
            f"{what} of dtype {array.dtype}",
            "cannot be convolved",
            "use real numbers; of complex ones, filter each part alone",
        )
    if array.dtype.char == "g":  # long double: torch does not know it, even on machines where it is the same as float64
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
