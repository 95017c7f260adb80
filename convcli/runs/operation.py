"""An operation as the user asked for it: kernels or weights, geometry, channels, bias, light, alpha and how to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import ConvError, param
from convcli.kernels import Bank, parse, weights
from convcli.layer import Layer, bias_misfit
from convcli.runs.hints import hints


class Bias(NamedTuple):
    """Offsets of the output channels: numbers in pixel units, or percent of the full scale."""

    values: tuple[float, ...]
    percent: tuple[bool, ...]

    def units(self, full_scale: float) -> tuple[float, ...]:
        """The values in pixel units."""
        return tuple(v * full_scale / 100 if p else v for v, p in zip(self.values, self.percent, strict=True))

    def array(self, channels: int, full_scale: float) -> NDArray[np.float64]:
        """One value for each of `channels` outputs, in pixel units: float64 ``(channels,)``.

        Raises
        ------
        GeometryError
            Neither one value nor one for each channel.
        """
        values = self.units(full_scale)
        if len(values) not in (1, channels):
            raise bias_misfit(len(values), channels)
        return np.array(values * channels if len(values) == 1 else values, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """Everything that is done to a picture between loading and saving, apart from the range policy.

    `bank` or `weight` (4-D) holds the kernels; `channels` says how a bank meets the channels; `label` names it. `notes`
    is what the user should know before anything is done; `files` are what it was read from.
    """

    spec: ConvSpec
    label: str
    bank: Bank | None = None
    weight: NDArray[np.floating] | None = None
    bias: Bias | None = None
    channels: str = "each"
    alpha: str = "auto"
    linear: bool = False
    compute: Compute = Compute()
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


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
) -> Operation:
    """An operation with its kernels built from SPECs, or its weights read from a file.

    Parameters
    ----------
    spec : ConvSpec
        Geometry, groups, and whether the kernel is flipped.
    kernels : sequence of str
        SPECs, as `convcli.kernels.parse` takes them.
    source : str, optional
        ``FILE[:KEY]`` of 4-D weights, in place of `kernels`.
    combine, channels, bias, alpha, linear, compute
        As in `Operation`; `combine` as in `convcli.kernels.Bank`.

    Raises
    ------
    ConvError
        No kernel, both kinds of kernel, one that cannot be built or read, or options of a bank with weights.
    """
    if kernels and source is not None:
        raise ConvError(
            f"{param('kernel', kernels[0])} and {param('weights', source)}", "exclude each other", "give one of them"
        )
    if kernels:
        bank = Bank(tuple(parse(kernel) for kernel in kernels), combine)
        notes = hints(spec, bank.values.shape, bank)
        files = tuple(kernel.strip() for kernel in kernels)
        return Operation(spec, bank.label, bank, None, bias, channels, alpha, linear, compute, notes, files)
    if source is None:
        raise ConvError(
            "no kernel",
            "is given",
            f"add {param('kernel', 'SPEC')} (for example {param('kernel', 'sobel')}) or {param('weights', 'FILE')}",
        )
    if combine is not None or channels == "sum":
        raise ConvError(
            param("combine") if combine is not None else param("channels", "sum"),
            f"is for {param('kernel')}",
            "weights from a file say themselves how channels are mixed; leave it out",
        )
    layer = weights.load(source)
    path, _ = weights.split(source)
    notes = hints(spec, layer.weight.shape)
    if bias is None and layer.bias is not None:
        bias, said = _stored_bias(layer, spec, str(path))
        notes = (*notes, *said)
    return Operation(spec, layer.label, None, layer.weight, bias, channels, alpha, linear, compute, notes, (str(path),))


def _stored_bias(layer: weights.Weights, spec: ConvSpec, path: str) -> tuple[Bias | None, tuple[str, ...]]:
    """The bias that lies beside a layer's weight, and a remark that it is added, or why not."""
    assert layer.bias is not None
    outputs = Layer.of(layer.weight, spec).outputs
    named, count = f"'{layer.bias_name}' of '{path}'", layer.bias.size
    if count != outputs:
        return None, (
            f"{named} has {count} values for {outputs} output channels and is not added; see {param('bias')}",
        )
    values = tuple(map(float, layer.bias))
    return Bias(values, (False,) * count), (f"{named} is added; {param('bias', 0)} leaves it out",)
