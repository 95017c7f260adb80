"""The operation that a user wants. It is checked once, and its paddings become integers once. Standard library only."""

from dataclasses import dataclass, replace
from functools import lru_cache

from convcli.errors import GeometryError, param
from convcli.geometry import Geometry, Pads, Pair, Size, direct_size, extent, transposed_size
from convcli.records import NamedTuple
from convcli.vocabulary import OPS, PADDING_MODES, PADDING_RULES


@dataclass(frozen=True, slots=True)
class ConvSpec:
    """The operation that the user wants, before any size is known. Every default is PyTorch's.

    Raises
    ------
    GeometryError
        A value is outside its range, or two values exclude each other.
    """

    op: str = "corr"  # ``corr``, or ``conv``, which flips the kernel in both axes; nothing else differs
    transpose: bool = False  # the transposed operation, as `torch.nn.ConvTranspose2d` computes it
    stride: Pair = Pair(1, 1)
    padding: Pads | str = Pads(0, 0, 0, 0)  # in pixels, or a rule of `PADDING_RULES`, resolved once the sizes are known
    # one of `PADDING_MODES`: what is beyond the border. The transposed operation reads all of it whose kernel
    # reaches the output; it crops its result as always.
    padding_mode: str = "zeros"
    dilation: Pair = Pair(1, 1)
    groups: int = 1  # number of blocks of channels. An output depends only on the input channels of its own block.
    output_padding: Pair = Pair(0, 0)  # transposed only: extra rows at the bottom and columns at the right
    # transposed only: the size to reach, in pixels, which decides `output_padding`; one that is given must lead to the same size
    output_size: Size | None = None

    def __post_init__(self) -> None:
        if self.op not in OPS:
            rule = "is unknown"
            raise GeometryError(f"operation '{self.op}'", rule, "use corr (kernel as it is) or conv (kernel flipped)")
        for name, numbers in (("stride", self.stride), ("dilation", self.dilation), ("groups", (self.groups,))):
            if min(numbers) < 1:
                raise GeometryError(f"{name} {_pair(numbers)}", "is below 1", "use a positive integer")
        for name, word, known in (("mode", self.padding_mode, PADDING_MODES), ("rule", self.padding, PADDING_RULES)):
            if isinstance(word, str) and word not in known:
                raise GeometryError(f"padding {name} '{word}'", "is unknown", f"use one of {', '.join(known)}")
        if not isinstance(self.padding, str) and min(self.padding) < 0:
            raise GeometryError(f"padding {','.join(map(str, self.padding))}", "is negative", "use 0 or more pixels")
        if self.padding == "same" and max(self.stride) > 1:
            rule = f"is not defined for stride {_pair(self.stride)} (PyTorch allows stride 1 only)"
            raise GeometryError("padding 'same'", rule, "use 'same-upper', TensorFlow's and ONNX's rule")
        if not self.transpose and (max(self.output_padding) > 0 or self.output_size is not None):
            rule = "are only for the transposed convolution"
            raise GeometryError("output_padding and output_size", rule, f"add {param('transpose')}")
        if min(self.output_padding) < 0:
            raise GeometryError(f"output_padding {_pair(self.output_padding)}", "is negative", "use 0 or more pixels")
        for axis, p2, s, d in zip(Pair._fields, self.output_padding, self.stride, self.dilation, strict=True):
            if p2 and p2 >= max(s, d):
                raise GeometryError(
                    f"output_padding {p2} ({axis})",
                    f"must be smaller than stride {s} or dilation {d}",
                    f"use at most {max(s, d) - 1}" if max(s, d) > 1 else "use 0, or a larger stride",
                )

    @property
    def rule(self) -> str | None:
        """The padding rule; None if the padding is given in pixels."""
        return self.padding if isinstance(self.padding, str) else None

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
        return _resolved(self, Size(*image), Size(*kernel))

    def _resolve_axis(self, axis: int, h: int, k: int) -> tuple[int, int, int, int]:
        """One axis: (padding before, padding after, output padding, output size)."""
        s, d = self.stride[axis], self.dilation[axis]
        before, after, p2 = self._pads(axis, h, k, s, d, self.output_padding[axis])
        rows = ("rows", "columns")[axis]
        if not self.transpose:
            size = direct_size(h, k, s, d, before, after)
            if size < 1:
                spread = f" (dilation {d}: {extent(k, d)})" if d > 1 and k > 1 else ""
                padded = h + before + after
                more = f"at least {-(-(extent(k, d) - padded) // 2)} more padding on each side ({param('padding')})"
                rule = f"is larger than the padded image of {padded}"
                raise GeometryError(f"kernel of {k} {rows}{spread}", rule, f"use a smaller kernel or {more}")
            return before, after, p2, size
        size = transposed_size(h, k, s, d, before, after, p2)
        if self.output_size is not None:  # as PyTorch's ConvTranspose2d solves it
            want = self.output_size[axis]
            if not size <= want < size + s:
                first, last = max(1, size), size + s - 1
                sizes = f"{first}" if first == last else f"{first} to {last}"
                rule = f"cannot be reached from {h} {rows} with kernel {k}, stride {s}, padding {before}+{after}, dilation {d}"
                crop = -(-(transposed_size(h, k, s, d, 0, 0, p2) - want) // 2)
                solved = (
                    crop >= 0
                    and transposed_size(h, k, s, d, crop, crop, p2) <= want < last + 1 + before + after - 2 * crop
                )
                remedy = f"for {want} change {param('padding')}, {param('stride')} or the kernel"
                if solved and not isinstance(self.padding, str):
                    remedy = f"for {want} use {param('padding', crop)}"
                if want == h * s and not isinstance(
                    self.padding, str
                ):  # what ONNX's output_shape and TensorFlow's SAME give
                    remedy += f", or {param('padding', 'same-upper')}"
                why = f"the sizes that can be reached are {sizes}" if last >= 1 else ""
                raise GeometryError(f"output size {want} ({rows})", rule, remedy, why)
            p2, size = p2 + want - size, want
        if size < 1:
            whole = size + before + after
            rule = f"crops the transposed result of {whole} {rows} to nothing"
            raise GeometryError(f"padding {before}+{after}", rule, f"use at most {(whole - 1) // 2} on each side")
        return before, after, p2, size

    def _pads(self, axis: int, h: int, k: int, s: int, d: int, p2: int) -> tuple[int, int, int]:
        """Padding before and after one axis, and its output padding: given as numbers, or by a rule."""
        if not isinstance(self.padding, str):
            return *self.padding.along(axis), p2
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
def _resolved(spec: ConvSpec, image: Size, kernel: Size) -> Geometry:
    """`ConvSpec.resolve`, with its results kept: many images have the same size."""
    for what, size in (("input", image), ("kernel", kernel)):
        if min(size) < 1:
            raise GeometryError(f"{what} size {size}", "has no pixels", "both sides must be at least 1")
    if spec.output_size is not None and max(spec.output_padding) > 0:
        found = _resolved(replace(spec, output_size=None), image, kernel)
        if found.output != spec.output_size:
            asked = f"output_padding {_pair(spec.output_padding)}"
            raise GeometryError(asked, f"gives {found.output}, not output_size {spec.output_size}", "give one of them")
        return found
    axes = [spec._resolve_axis(axis, image[axis], kernel[axis]) for axis in (0, 1)]
    (top, bottom, op_rows, height), (left, right, op_columns, width) = axes
    return Geometry(
        spec.transpose, image, kernel, Size(height, width), Pair(*spec.stride), Pair(*spec.dilation),
        Pads(top, bottom, left, right), spec.padding_mode, Pair(op_rows, op_columns),
    )  # fmt: skip


def _pair(pair: tuple[int, ...]) -> str:
    return str(pair[0]) if len(set(pair)) == 1 else ",".join(map(str, pair))


class Bias(NamedTuple):
    """Values that are added to the output channels: in pixel units, or in percent of the full scale."""

    values: tuple[float, ...]
    percent: tuple[bool, ...]

    def units(self, full_scale: float) -> tuple[float, ...]:
        """The values in pixel units."""
        return tuple(v * full_scale / 100 if p else v for v, p in zip(self.values, self.percent, strict=True))

    def of(self, channels: int, full_scale: float, made: str = "") -> tuple[float, ...]:
        """One value for each of `channels` outputs, in pixel units. `made` says in an error where these are from: `` (3 × 2)``.

        Raises
        ------
        GeometryError
            There is neither one value nor one for each channel.
        """
        values = self.units(full_scale)
        if len(values) not in (1, channels):
            raise bias_misfit(len(values), channels, made)
        return values * channels if len(values) == 1 else values


def bias_misfit(values: int, outputs: int, made: str = "") -> GeometryError:
    """The error for a bias with neither one value nor one for each output channel. `made` says where these are from."""
    rule = f"for {outputs} output channels{made}"
    return GeometryError(f"bias has {values} values", rule, "give one value, or one per output channel")
