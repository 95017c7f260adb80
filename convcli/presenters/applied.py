"""The result for an image, as ``convcli apply`` and ``convcli transpose`` show it."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.presenters import border_of, parameters
from convcli.runs.batch import Failed, Outcome, Skipped
from convcli.runs.single import Done
from convcli.vocabulary import STRETCH

NEARLY_ALL = 50
"""The percentage of clipped values from which on the kernel's sum is named as the cause."""


def document(outcome: Outcome) -> dict[str, Any]:
    """The JSON of an image."""
    if isinstance(outcome, Failed):
        return {"input": outcome.source, "error": outcome.error.text}
    if isinstance(outcome, Skipped):
        return {"input": outcome.source, "output": outcome.target, "skipped": True}
    return _done(outcome)


def _done(item: Done) -> dict[str, Any]:
    spec, geometry, result = item.operation.spec, item.result.geometry, item.result
    return {
        "input": item.source,
        "output": item.target,
        "op": "transpose" if spec.transpose else spec.op,
        "flipped": spec.op == "conv",
        "kernel": item.operation.label,
        "input_shape": list(item.input_shape),
        "output_shape": list(item.output_shape),
        "layer_shape": None if item.layer_shape is None else list(item.layer_shape),
        "frames": item.frames,
        **parameters(geometry),
        "groups": item.groups,
        "channels": None if item.operation.bank is None else item.operation.channels,
        "combine": None if item.operation.bank is None else [rule for _, rule in item.operation.bank.parts],
        "bias": None if item.bias is None else list(item.bias),
        "linear": item.operation.linear,
        "alpha": item.alpha,
        "range": item.policy,
        "full_scale": item.full_scale,
        "backend": result.backend,
        "device": result.device,
        "dtype": result.dtype,
        "plan": result.plan,
        "reason": result.reason,
        "considered": [
            {"plan": plan.name, "predicted_seconds": plan.seconds, "reason": plan.reason} for plan in result.considered
        ],
        "clipped": {
            "below": item.clipped.below,
            "above": item.clipped.above,
            "nan": item.clipped.nan,
            "of": item.clipped.total,
        },
        "notes": [*item.operation.notes, *item.notes, *filter(None, [too_large(item)])],
        "seconds": {
            "load": item.load_seconds,
            "import": item.import_seconds,
            "compute": item.compute_seconds,
            "save": item.save_seconds,
        },
    }


def clipped(item: Done) -> str | None:
    """The note on clipped values, if there are any."""
    below, above = item.clipped[:2]
    if not below + above or item.policy == STRETCH:  # the sheet says what it clips
        return None
    sides = " and ".join(f"{count} {side}" for count, side in ((below, "below"), (above, "above")) if count)
    text, cause = f"{share(item):.3g} % of the values were clipped ({sides} the range)", too_large(item)
    if cause:
        text += f": {cause}"
    return f"{text}; see {remedies(above > 0 and item.assumed)}"


def too_large(item: Done) -> str:
    """What the kernel sums to, where that is why nearly all values of a picture were clipped; else empty."""
    bank, spec = item.operation.bank, item.operation.spec
    if bank is None or not bank.averages or item.policy != "clip" or share(item) < NEARLY_ALL:
        return ""
    total, steps = float(bank.values.sum()), spec.stride.rows * spec.stride.columns if spec.transpose else 1
    if abs(abs(total) / steps - 1) < 1e-3:
        return ""
    spread = "" if steps == 1 else f", which stride {report.pair(spec.stride)} divides by {steps}"
    remedy = f", divide it by {total / steps:.6g} to keep the brightness" if total > 0 else ""
    return f"the kernel sums to {total:.6g}{spread}{remedy}"


def remedies(guessed: bool) -> str:
    """Options that clip less. `guessed` says that there are values above a white that was only assumed."""
    return "--range, and --full-scale if white is another" if guessed else "--range"


def share(item: Done) -> float:
    """The percentage of clipped values."""
    below, above, total, _ = item.clipped
    return 100 * (below + above) / max(total, 1)


def nans(item: Done) -> str | None:
    """The note on NaN, if there is any."""
    count = item.clipped.nan
    return f"{count} NaN {'was' if count == 1 else 'were'} written as 0" if count else None


def line(item: Done) -> str:
    """One line, for an image of several."""
    shapes = f"{report.shape(item.input_shape)} → {report.shape(item.output_shape)}"
    spent = item.load_seconds + item.import_seconds + item.compute_seconds + item.save_seconds
    return report.shown(f"{item.source} → {item.target}  {shapes}  {report.seconds(spent)}")


def table(item: Done) -> report.Table:
    """The summary of one image."""
    operation, result = item.operation, item.result
    spec, geometry = operation.spec, result.geometry
    name = "transpose" if spec.transpose else spec.op
    if spec.transpose and spec.op == "conv":
        name += ", kernel flipped"
    kernels = f"{operation.label}, {geometry.kernel}"
    if operation.bank is not None:
        rules = ", ".join(f"{count} kernels by {rule}" for count, rule in operation.bank.parts if rule != "none")
        kernels += f", {rules}" if rules else ""
    else:
        assert operation.weight is not None
        kernels = f"{operation.label}, {report.shape(operation.weight.shape)}"
    pads = geometry.pads
    padding = report.pair((*pads,))
    if isinstance(spec.padding, str):
        padding = f"{spec.padding} = {padding}"
    if len(set(pads)) > 1:
        padding += " (top, bottom, left, right)"
    padding += border_of(geometry)
    rows = [
        ("input", f"{item.source}  {report.shape(item.input_shape)}  {item.mode}"),
        ("output", f"{item.target}  {report.shape(item.output_shape)}  {item.container}"),
        ("operation", name),
        ("kernel", kernels),
        ("stride, dilation", f"{report.pair(geometry.stride)}, {report.pair(geometry.dilation)}"),
        ("padding", padding),
    ]
    if spec.transpose:
        rows.append(("output_padding", report.pair(geometry.output_padding)))
    rows += _unusual(item)
    where = result.backend if result.device == "cpu" else f"{result.backend} on {result.device}"
    rows += [
        ("backend", where + (f" ({result.reason})" if result.reason else "")),
        ("plan", result.plan),
        (
            "time",
            f"load {report.seconds(item.load_seconds)}, import {report.seconds(item.import_seconds)}, "
            f"compute {report.seconds(item.compute_seconds)}, "
            f"save {report.seconds(item.save_seconds)}",
        ),
    ]
    return report.Table(f"convcli {'transpose' if spec.transpose else 'apply'}", rows)


def _unusual(item: Done) -> list[tuple[str, str]]:
    """Rows for what is not at its default."""
    operation = item.operation
    rows = []
    if item.layer_shape is not None:
        rows.append(("on the sheet", report.shape(item.layer_shape)))
    if item.frames > 1:
        rows.append(("frames", f"{item.frames}, of which the sizes and the plan are the first's"))
    if operation.spec.groups > 1:
        rows.append(("groups", str(operation.spec.groups)))
    if operation.channels != "each":
        rows.append(("channels", operation.channels))
    if item.bias is not None:
        rows.append(("bias", ", ".join(f"{value:g}" for value in item.bias)))
    if operation.linear:
        rows.append(("linear", "computed in linear light"))
    if item.policy != ("raw" if item.container == "NPY" else "clip"):
        rows.append(("range", item.policy))
    if item.mode == "tensor" and not item.assumed:
        rows.append(("full scale", f"{item.full_scale:g}"))
    if item.alpha is not None:
        rows.append(("alpha", item.alpha))
    if operation.compute.dtype is not None:
        rows.append(("dtype", operation.compute.dtype))
    return rows


def message(failed: Failed) -> str:
    """The error, with the image's name if it does not have it."""
    text = failed.error.text
    return text if f"'{failed.source}'" in text else f"'{failed.source}': {text}"
