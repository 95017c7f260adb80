"""The result for an image, as ``convcli apply`` and ``convcli transpose`` show it."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.images import row_of
from convcli.presenters import fields, geometry_rows, parameters
from convcli.runs.batch import Failed, Outcome, Skipped
from convcli.runs.single import Done
from convcli.vocabulary import STRETCH

NEARLY_ALL = 50
"""If this percentage of the values is clipped, the kernel's sum is named as the cause."""

LONGEST = 40
"""Of a longer SPEC the table has the label."""


def document(outcome: Outcome) -> dict[str, Any]:
    """The JSON of an image."""
    if isinstance(outcome, Failed):
        return {"input": outcome.source, "error": outcome.error.text}
    if isinstance(outcome, Skipped):
        return {"input": outcome.source, "output": outcome.target, "skipped": True}
    operation, result = outcome.operation, outcome.result
    spec, bank = operation.spec, operation.bank
    return {
        "input": outcome.source,
        "output": outcome.target,
        "op": "transpose" if spec.transpose else spec.op,
        "flipped": spec.op == "conv",
        "kernel": operation.label,
        **fields(outcome, "input_shape output_shape layer_shape frames"),
        **parameters(result.geometry, padding_mode=result.geometry.padding_mode),
        "groups": outcome.groups,
        "channels": None if bank is None else operation.channels,
        "combine": None if bank is None else [rule for _, rule in bank.parts],
        "bias": outcome.bias,
        "linear": operation.linear,
        "alpha": outcome.alpha,
        "range": outcome.policy,
        "full_scale": outcome.full_scale,
        **fields(result, "backend device dtype plan reason"),
        "considered": [
            {"plan": plan.name, "predicted_seconds": plan.seconds, "reason": plan.reason} for plan in result.considered
        ],
        "clipped": {**fields(outcome.clipped, "below above nan"), "of": outcome.clipped.total},
        **_blocks(outcome),
        "notes": [*operation.notes, *outcome.notes, *filter(None, [too_large(outcome)])],
        "seconds": _seconds(outcome),
    }


def _blocks(item: Done) -> dict[str, Any]:
    """How a picture was done in blocks."""
    if (found := item.blocks) is None:
        return {}
    blocks = {**fields(found, "count done_before retried"), "size": [*found.size]}
    return {"blocks": blocks, **fields(found, "workers memory")}


def _seconds(item: Done) -> dict[str, float]:
    """The time that each part took."""
    return {name: getattr(item, f"{name}_seconds") for name in ("load", "import", "compute", "save")}


def clipped(item: Done) -> str | None:
    """The note on clipped values, if there are any."""
    below, above = item.clipped[:2]
    if not below + above or item.policy == STRETCH:  # the caption of the sheet has what it clips
        return None
    sides = " and ".join(f"{count} {side}" for count, side in ((below, "below"), (above, "above")) if count)
    text, cause = f"{share(item):.3g} % of the values were clipped ({sides} the range)", too_large(item)
    if cause:
        text += f": {cause}"
    return f"{text}; see {remedies(guessed(item))}"


def too_large(item: Done) -> str:
    """The kernel's sum, if it is the reason why nearly all values of a picture were clipped; else empty."""
    bank, spec = item.operation.bank, item.operation.spec
    if bank is None or not bank.averages or item.policy != "clip" or share(item) < NEARLY_ALL:
        return ""
    total, steps = float(bank.values.sum()), spec.stride.rows * spec.stride.columns if spec.transpose else 1
    if abs(abs(total) / steps - 1) < 1e-3:
        return ""
    spread = "" if steps == 1 else f", which stride {report.pair(spec.stride)} divides by {steps}"
    by = "--normalize" if steps == 1 else f"--divisor {total / steps:.6g}"
    remedy = f"; {by} keeps the brightness" if total > 0 else ""
    return f"the kernel sums to {total:.6g}{spread}{remedy}"


def guessed(item: Done) -> bool:
    """Whether values were clipped above a white that was only assumed. With ``--range LO,HI`` white does not matter."""
    return item.assumed and item.clipped.above > 0 and "," not in item.policy


def remedies(guessed: bool) -> str:
    """Options that clip less. `guessed`: some values are above a white that was only assumed."""
    return "--range, and --full-scale if white is another value" if guessed else "--range"


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
    return report.shown(f"{item.source} → {item.target}  {shapes}  {report.seconds(sum(_seconds(item).values()))}")


def table(item: Done) -> report.Table:
    """The summary of one image."""
    operation, result = item.operation, item.result
    spec, geometry = operation.spec, result.geometry
    name = "transpose" if spec.transpose else spec.op
    if spec.transpose and spec.op == "conv":
        name += ", kernel flipped"
    if operation.bank is not None:
        names = (one.spec if len(one.spec) <= LONGEST else one.label for one in operation.bank.filters)
        kernels = f"{' + '.join(names)}, {geometry.kernel}"
        rules = ", ".join(f"{count} kernels by {rule}" for count, rule in operation.bank.parts if rule != "none")
        kernels += f", {rules}" if rules else ""
    else:
        assert operation.weight is not None
        kernels = f"{operation.label}, {report.shape(operation.weight.shape)}"
    rows = [
        ("input", f"{item.source}  {report.shape(item.input_shape)}  {item.mode}"),
        ("output", f"{item.target}  {report.shape(item.output_shape)}  {item.container}"),
        ("operation", name),
        ("kernel", kernels),
        *geometry_rows(geometry, spec.rule),
        *_unusual(item),
    ]
    where = result.backend if result.device == "cpu" else f"{result.backend} on {result.device}"
    times = (f"{name} {report.seconds(value)}" for name, value in _seconds(item).items())
    rows += [
        ("backend", where + (f" ({result.reason})" if result.reason else "")),
        ("plan", result.plan),
        *_in_blocks(item),
        ("time", ", ".join(times)),
    ]
    return report.Table(f"convcli {'transpose' if spec.transpose else 'apply'}", rows)


def _in_blocks(item: Done) -> list[tuple[str, str]]:
    """The row on blocks."""
    if (found := item.blocks) is None:
        return []
    before = f", {found.done_before} of them before" if found.done_before else ""
    many = f"{found.workers} at once" if found.workers > 1 else "one after another"
    return [("blocks", f"{found.count} of {found.size}{before}, {many}, in {found.memory / 2**20:.0f} MiB")]


def _unusual(item: Done) -> list[tuple[str, str]]:
    """Rows for settings that are not the default."""
    operation = item.operation
    rows = (
        ("on the sheet", item.layer_shape and report.shape(item.layer_shape)),
        ("frames", item.frames > 1 and f"{item.frames}, with the sizes and the plan of the first"),
        ("groups", operation.spec.groups > 1 and str(operation.spec.groups)),
        ("channels", operation.channels != "each" and operation.channels),
        ("bias", item.bias and ", ".join(f"{value:g}" for value in item.bias)),
        ("linear", operation.linear and "computed in linear light"),
        ("range", item.policy != ("raw" if row_of(item.container).tensor else "clip") and item.policy),
        ("full scale", item.mode == "tensor" and not item.assumed and f"{item.full_scale:g}"),
        ("alpha", item.alpha),
        ("dtype", operation.compute.dtype),
    )
    return [(name, text) for name, text in rows if text]


def message(failed: Failed) -> str:
    """The error, with the image's name."""
    text = failed.error.text
    return text if f"'{failed.source}'" in text else f"'{failed.source}': {text}"
