"""The operation that a user asks for. It is checked once, and its paddings become integers once. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from convcli.errors import GeometryError, param
from convcli.geometry import Geometry, Pads, Pair, Size, direct_size, extent, transposed_size
from convcli.vocabulary import OPS, PADDING_MODES, PADDING_RULES


@dataclass(frozen=True, slots=True)
class ConvSpec:
    """The operation that the user asked for, before any size is known. Every default is PyTorch's.

    Parameters
    ----------
    op : {"corr", "conv"}
        ``conv`` flips the kernel in both axes; nothing else differs.
    transpose : bool
        The transposed operation, as `torch.nn.ConvTranspose2d` computes it.
    stride, dilation : Pair
        Positive integers.
    padding : Pads or str
        Explicit pads, or a rule of `PADDING_RULES` that is resolved once the sizes are known.
    padding_mode : str
        One of `PADDING_MODES`: what lies beyond the border. The transposed operation reads as much of it as its kernel
        reaches from; it crops its result as always.
    groups : int
        Number of blocks of channels. An output depends only on the input channels of its own block.
    output_padding : Pair
        Transposed only: extra rows at the bottom and columns at the right.
    output_size : Size, optional
        Transposed only, instead of `output_padding`: the size to reach, in pixels.

    Raises
    ------
    GeometryError
        A value is outside its range, or two values exclude each other.
    """

    op: str = "corr"
    transpose: bool = False
    stride: Pair = Pair(1, 1)
    padding: Pads | str = Pads(0, 0, 0, 0)
    padding_mode: str = "zeros"
    dilation: Pair = Pair(1, 1)
    groups: int = 1
    output_padding: Pair = Pair(0, 0)
    output_size: Size | None = None

    def __post_init__(self) -> None:
        if self.op not in OPS:
            rule = "is unknown"
            raise GeometryError(f"operation '{self.op}'", rule, "use corr (kernel as it is) or conv (kernel flipped)")
        for name in ("stride", "dilation"):
            if min(getattr(self, name)) < 1:
                raise GeometryError(f"{name} {_pair(getattr(self, name))}", "is below 1", "use a positive integer")
        if self.groups < 1:
            raise GeometryError(f"groups {self.groups}", "is below 1", "use a positive integer")
        if self.padding_mode not in PADDING_MODES:
            remedy = f"use one of {', '.join(PADDING_MODES)}"
            raise GeometryError(f"padding mode '{self.padding_mode}'", "is unknown", remedy)
        if isinstance(self.padding, str):
            if self.padding not in PADDING_RULES:
                remedy = f"use one of {', '.join(PADDING_RULES)}"
                raise GeometryError(f"padding rule '{self.padding}'", "is unknown", remedy)
        elif min(self.padding) < 0:
            raise GeometryError(f"padding {','.join(map(str, self.padding))}", "is negative", "use 0 or more pixels")
        if self.padding == "same" and max(self.stride) > 1:
            rule = f"is not defined for stride {_pair(self.stride)} (PyTorch allows stride 1 only)"
            raise GeometryError("padding 'same'", rule, "use 'same-upper', TensorFlow's and ONNX's rule")
        if not self.transpose and (max(self.output_padding) > 0 or self.output_size is not None):
            rule = "belong to the transposed convolution"
            raise GeometryError("output_padding and output_size", rule, f"add {param('transpose')}")
        if min(self.output_padding) < 0:
            raise GeometryError(f"output_padding {_pair(self.output_padding)}", "is negative", "use 0 or more pixels")
        if self.transpose:
            self._check_transposed()

    @property
    def rule(self) -> str | None:
        """The padding rule; None if the padding is given in pixels."""
        return self.padding if isinstance(self.padding, str) else None

    def _check_transposed(self) -> None:
        for axis, p2, s, d in zip(Pair._fields, self.output_padding, self.stride, self.dilation, strict=True):
            if p2 and p2 >= max(s, d):
                raise GeometryError(
                    f"output_padding {p2} ({axis})",
                    f"must be smaller than stride {s} or dilation {d}",
                    f"use at most {max(s, d) - 1}" if max(s, d) > 1 else "use 0, or a larger stride",
                )
        if self.output_size is not None and max(self.output_padding) > 0:
            raise GeometryError(
                f"output_size {self.output_size} and output_padding {_pair(self.output_padding)}",
                "exclude each other",
                "give one of them",
            )

    def resolve(self, image: tuple[int, int], kernel: tuple[int, int]) -> Geometry:
        """Work out every padding and size for one input size and one kernel size.

        Parameters
        ----------
        image, kernel : (int, int)
            Height and width of the input and of the kernel, in pixels.

        Raises
        ------
        GeometryError
            The kernel is larger than the padded image, the output has no pixels, or the output size cannot be reached.
        """
        return _resolved(self, *image, *kernel)

    def _resolve(self, image: Size, kernel: Size) -> Geometry:
        for what, size in (("input", image), ("kernel", kernel)):
            if min(size) < 1:
                raise GeometryError(f"{what} size {size}", "has no pixels", "both sides must be at least 1")
        axes = [self._resolve_axis(axis, image[axis], kernel[axis]) for axis in (0, 1)]
        (top, bottom, op_rows, height), (left, right, op_columns, width) = axes
        return Geometry(
            transpose=self.transpose,
            input=image,
            kernel=kernel,
            output=Size(height, width),
            stride=Pair(*self.stride),
            dilation=Pair(*self.dilation),
            pads=Pads(top, bottom, left, right),
            padding_mode=self.padding_mode,
            output_padding=Pair(op_rows, op_columns),
        )

    def _resolve_axis(self, axis: int, h: int, k: int) -> tuple[int, int, int, int]:
        """One axis: (padding before, padding after, output padding, output size)."""
        s, d, p2 = self.stride[axis], self.dilation[axis], self.output_padding[axis]
        before, after, p2 = self._pads(axis, h, k, s, d, p2)
        if not self.transpose:
            size = direct_size(h, k, s, d, before, after)
            if size < 1:
                raise _too_large(axis, h, k, d, before, after)
            return before, after, p2, size
        if self.output_size is not None:
            p2 += _solve_output_padding(axis, self.output_size[axis], h, k, s, d, before, after, p2)
        size = transposed_size(h, k, s, d, before, after, p2)
        if size < 1:
            whole = size + before + after
            rule = f"crops the transposed result of {whole} {_AXES[axis]} to nothing"
            raise GeometryError(f"padding {before}+{after}", rule, f"use at most {(whole - 1) // 2} on each side")
        return before, after, p2, size

    def _pads(self, axis: int, h: int, k: int, s: int, d: int, p2: int) -> tuple[int, int, int]:
        """Padding before and after one axis, and its output padding: given as numbers, or by a rule."""
        if not isinstance(self.padding, str):
            return (*((self.padding[0], self.padding[1]) if axis == 0 else (self.padding[2], self.padding[3])), p2)
        if self.padding == "valid":
            return 0, 0, p2
        if self.padding == "full":
            return d * (k - 1), d * (k - 1), p2
        if self.padding == "same":
            total = d * (k - 1)
        elif self.transpose:
            # ONNX ConvTranspose, auto_pad: crop so that the output is h·s. Where the kernel is too small to reach
            # that far, nothing is cropped, and output padding fills the rest.
            total = extent(k, d) - s + p2
            if total < 0:
                total, p2 = 0, p2 - total
        else:
            # TensorFlow and ONNX Conv, auto_pad: enough for an output of ⌈h/s⌉.
            total = max(0, (-(-h // s) - 1) * s + extent(k, d) - h)
        smaller, larger = total // 2, total - total // 2
        return (larger, smaller, p2) if self.padding == "same-lower" else (smaller, larger, p2)


@lru_cache(maxsize=256)
def _resolved(spec: ConvSpec, height: int, width: int, kernel_height: int, kernel_width: int) -> Geometry:
    """`ConvSpec.resolve`, with its results kept: many images have the same size."""
    return spec._resolve(Size(height, width), Size(kernel_height, kernel_width))


_AXES = ("rows", "columns")


def _pair(pair: tuple[int, ...]) -> str:
    return str(pair[0]) if len(set(pair)) == 1 else ",".join(map(str, pair))


def _too_large(axis: int, h: int, k: int, d: int, before: int, after: int) -> GeometryError:
    size = extent(k, d)
    spread = f" (dilation {d}: {size})" if d > 1 and k > 1 else ""
    missing = size - h - before - after
    rule = f"is larger than the padded image of {h + before + after}"
    remedy = f"use a smaller kernel or at least {-(-missing // 2)} more padding on each side ({param('padding')})"
    return GeometryError(f"kernel of {k} {_AXES[axis]}{spread}", rule, remedy)


def _solve_output_padding(
    axis: int, want: int, h: int, k: int, s: int, d: int, before: int, after: int, p2: int
) -> int:
    """The additional output padding that gives `want` pixels, solved as PyTorch's ConvTranspose2d does for `output_size`."""
    smallest = transposed_size(h, k, s, d, before, after, p2)
    if smallest <= want < smallest + s:
        return want - smallest
    first = max(1, smallest)
    last = smallest + s - 1
    sizes = f"{first}" if first == last else f"{first} to {last}"
    value = f"output size {want} ({_AXES[axis]})"
    rule = f"cannot be had from {h} {_AXES[axis]} with kernel {k}, stride {s}, padding {before}+{after}, dilation {d}"
    remedy = f"for {want} change {param('padding')}, {param('stride')} or the kernel"
    raise GeometryError(value, rule, remedy, f"the sizes that can are {sizes}" if last >= 1 else "")


class Bias(NamedTuple):
    """Values that are added to the output channels: in pixel units, or in percent of the full scale."""

    values: tuple[float, ...]
    percent: tuple[bool, ...]

    def units(self, full_scale: float) -> tuple[float, ...]:
        """The values in pixel units."""
        return tuple(v * full_scale / 100 if p else v for v, p in zip(self.values, self.percent, strict=True))

    def of(self, channels: int, full_scale: float) -> tuple[float, ...]:
        """One value for each of `channels` outputs, in pixel units.

        Raises
        ------
        GeometryError
            There is neither one value nor one for each channel.
        """
        values = self.units(full_scale)
        if len(values) not in (1, channels):
            raise bias_misfit(len(values), channels)
        return values * channels if len(values) == 1 else values


def bias_misfit(values: int, outputs: int) -> GeometryError:
    """The error for a bias with neither one value nor one for each output channel."""
    rule = f"for {outputs} output channels"
    return GeometryError(f"bias has {values} values", rule, "give one value, or one per output channel")
