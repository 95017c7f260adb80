"""How the options of a command fold into a `ConvSpec` and an `Operation`. Only here are shared options read by their names.

Neither NumPy nor Pillow is needed before an `Operation` is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from convcli.convspec import ConvSpec
from convcli.geometry import Size
from convcli.vocabulary import DTYPES

if TYPE_CHECKING:
    from convcli.engine import Compute
    from convcli.runs.operation import Bias, Operation


def fold(values: Mapping[str, Any], transposed: bool | None = None) -> ConvSpec:
    """Fold the options of a command into one `ConvSpec`.

    Parameters
    ----------
    values : mapping
        The command's parameters by name; what a command does not have stays PyTorch's default.
    transposed : bool, optional
        Whether the operation is the transposed one; None: ``--transpose``, or implied by the transposed options.
    """
    if transposed is None:
        implied = values.get("output_padding") is not None or values.get("output_size") is not None
        transposed = bool(values.get("transpose")) or implied
    names = ("op", "stride", "padding", "padding_mode", "dilation", "groups", "output_padding", "output_size")
    given = {name: values[name] for name in names if values.get(name) is not None}
    if "output_size" in given:
        given["output_size"] = Size(*given["output_size"])
    return ConvSpec(transpose=transposed, **given)


def fold_operation(values: Mapping[str, Any], spec: ConvSpec) -> Operation:
    """The operation that the options of a command describe; `spec` is what `fold` made of them.

    Raises
    ------
    ConvError
        No kernel, both kinds of kernel, or one that cannot be built or read.
    """
    from convcli.runs.operation import assemble

    names = ("combine", "channels", "alpha", "linear")
    given = {name: values[name] for name in names if name in values}  # compare has fewer
    return assemble(
        spec, values["kernels"], values["weights"], bias=fold_bias(values), compute=fold_compute(values), **given
    )


def fold_montage(values: Mapping[str, Any]) -> int | None:
    """The width of the contact sheet of ``--montage`` and ``--montage-width``; None where none is wanted."""
    if values["montage_width"] is not None or not values["montage"]:
        return values["montage_width"]  # type: ignore[no-any-return]
    from convcli.runs.montage import WIDTH

    return WIDTH


def fold_bias(values: Mapping[str, Any]) -> Bias | None:
    """``--bias``, if it was given."""
    from convcli.runs.operation import Bias

    return None if values["bias"] is None else Bias(*values["bias"])


def fold_compute(values: Mapping[str, Any]) -> Compute:
    """``--backend``, ``--device``, ``--dtype``, ``--threads`` and ``--plan``, where a command has them.

    What an environment variable says is a default: it gives way where it does not go with what the command line says.
    """
    from convcli.engine import Compute

    if "backend" not in values:
        return Compute()
    backend, device, dtype, plan = (values[name] for name in ("backend", "device", "dtype", "plan"))
    if plan is not None or (device != "cpu" and _asked_for("device")):
        backend = _unless_default("backend", backend, "auto")
    if plan is not None or (backend not in ("auto", "torch") and _asked_for("backend")):
        device = _unless_default("device", device, "cpu")
    if dtype not in DTYPES.get(backend, DTYPES["torch"]) or (plan is not None and dtype not in DTYPES["numpy"]):
        dtype = _unless_default("dtype", dtype, None)
    return Compute(backend, device, dtype, values["threads"], plan)


def _asked_for(name: str) -> bool:
    """Whether an option stands on the command line."""
    return _source(name) is ParameterSource.COMMANDLINE


def _unless_default(name: str, value: Any, default: Any) -> Any:
    """The value of an option; the default if only the environment says otherwise."""
    return default if _source(name) is ParameterSource.ENVIRONMENT else value


def _source(name: str) -> ParameterSource | None:
    context = click.get_current_context(silent=True)
    return context.get_parameter_source(name) if context else None
