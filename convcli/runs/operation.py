"""An operation as the user asked for it: kernels or weights, geometry, channels, bias, light, alpha and how to compute."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from convcli.convspec import Bias, ConvSpec
from convcli.engine import Compute
from convcli.errors import ConvError, param
from convcli.kernels import Bank, Filter, parse
from convcli.layer import Layer
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 60
"""The most characters of SPECs that are shown."""


class Operation(NamedTuple):
    """Everything that is done to a picture between loading and saving, except the range policy."""

    spec: ConvSpec  # geometry, groups, and whether the kernel is flipped
    label: str  # the name of the kernels or weights
    # one of them is given: kernels, or 4-D weights from a file
    bank: Bank | None = None
    weight: "NDArray[np.floating] | None" = None
    bias: Bias | None = None
    # how the kernels of a bank are applied to the channels of an image: ``each``, ``sum`` or ``gray``
    channels: str = "each"
    alpha: str = "auto"  # the alpha policy, or ``auto``
    linear: bool = False  # whether to compute in linear light
    compute: Compute = Compute()
    notes: tuple[str, ...] = ()  # what the user should know before anything is done
    stored: str = ""  # ``FILE[:KEY]`` of the weights, if the file has them as they are applied
    files: tuple[str, ...] = ()  # files that the operation was read from, and kernel SPECs, which may be files

    @property
    def written(self) -> str:
        """The SPECs as they were written, shortened if they are long; for a layer its label."""
        if self.bank is None:
            return self.label
        specs = " + ".join(one.spec or one.label for one in self.bank.filters)
        return specs if len(specs) <= LONGEST else f"{specs[: LONGEST - 1]}…"


def assemble(
    spec: ConvSpec,
    kernels: Sequence[str] = (),
    source: str | None = None,
    *,
    combine: str | None = None,
    channels: str = "each",
    bias: Bias | None = None,
    alpha: str = "auto",
    linear: bool = False,
    compute: Compute = Compute(),
    divisor: float | str | None = None,
    layout: str | None = None,
) -> Operation:
    """Build an operation from kernels, which are SPECs for `convcli.kernels.parse`, or from weights: ``FILE[:KEY]``.

    `combine` is as in `convcli.kernels.Bank`, `divisor` as in `convcli.kernels.divisors`, `layout` as in
    `convcli.kernels.layouts`; the other arguments are as in `Operation`.

    Raises
    ------
    ConvError
        There are neither kernels nor weights, or both; one cannot be built or read; or weights have options of kernels.
    """
    if kernels and source is not None:
        rule = "exclude each other"
        raise ConvError(f"{param('kernel', kernels[0])} and {param('weights', source)}", rule, "give one of them")
    if kernels and layout is not None:
        raise ConvError(param("layout", layout), f"is for {param('weights')}", "leave it out")
    if kernels:
        bank = Bank(tuple(_divided(parse(kernel), divisor) for kernel in kernels), combine)
        notes = (*bank.notes, *_hints(spec, bank.values.shape, bank))
        files = tuple(kernel.strip() for kernel in kernels)
        return Operation(spec, bank.label, bank, None, bias, channels, alpha, linear, compute, notes, "", files)
    if source is None:
        example = (
            f"{param('kernel', 'bilinear:2')} {param('stride', 2)}" if spec.transpose else param("kernel", "sobel")
        )
        remedy = f"add {param('kernel', 'SPEC')} (for example {example}) or {param('weights', 'FILE')}"
        raise ConvError("no kernel", "is given", remedy)
    if divisor is not None:
        raise ConvError(param("divisor", divisor), f"is for {param('kernel')}", "leave it out")
    if combine is not None or channels == "sum":
        rule = f"is for {param('kernel')}"
        remedy = "weights from a file define how channels are mixed; leave it out"
        raise ConvError(param("combine") if combine is not None else param("channels", "sum"), rule, remedy)
    from convcli.kernels import weights

    layer = weights.load(source, spec.transpose, layout, spec.groups)
    if layer.groups is not None and spec.groups not in (1, layer.groups):
        rule = f"is not the number of channels of depthwise weights, {layer.groups}"
        raise ConvError(param("groups", spec.groups), rule, "leave it out")
    spec = spec if layer.groups is None else replace(spec, groups=layer.groups)
    notes = (*layer.notes, *_hints(spec, layer.weight.shape))
    if bias is None and layer.bias is not None:
        outputs, count = Layer.of(layer.weight, spec).outputs, layer.bias.size
        said = f"has {count} values for {outputs} output channels and is not added; see {param('bias')}"
        if count == outputs:
            bias, said = (
                Bias(tuple(map(float, layer.bias)), (False,) * count),
                f"is added; {param('bias', 0)} leaves it out",
            )
        notes = (*notes, f"'{layer.bias_name}' of '{layer.files[0]}' {said}")
    stored = source if layer.plain else ""
    return Operation(
        spec, layer.label, None, layer.weight, bias, channels, alpha, linear, compute, notes, stored, layer.files
    )


def _divided(one: Filter, divisor: float | str | None) -> Filter:
    """The kernels of a SPEC, divided. The module that does it is imported only if there is a divisor."""
    if divisor is None:
        return one
    from convcli.kernels.divisors import divided

    return divided(one, divisor)


def _hints(spec: ConvSpec, kernel: tuple[int, ...], bank: Bank | None = None) -> tuple[str, ...]:
    """All hints. Their module is imported only if there can be hints."""
    shapes = {kernel[-2:], *(one.values.shape for one in (bank.kernels if bank else ()))}
    plain = len(shapes) == 1 and all(side % 2 for side in kernel[-2:])
    made = () if bank is None else bank.filters
    if plain and spec.padding_mode == "zeros" and not any(one.image or one.factor != 1 for one in made):
        return ()
    from convcli.runs.hints import hints

    return hints(spec, kernel, bank)
