"""A pixel of the result, or a pixel of the input and the outputs that it reaches, as ``convcli explain`` shows them."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.explanation import phrases
from convcli.explanation.phrases import text
from convcli.explanation.pixel import Pixel
from convcli.explanation.subject import Subject
from convcli.explanation.touched import Touched
from convcli.explanation.trace import PIXEL
from convcli.presenters import fields, geometry_rows, one_or_all, panels, parameters

_MOST_WINDOWS = 4
"""The most windows that are shown. --json has all of them."""

_MOST_WAYS = 40
"""The most ways from an input pixel that are shown. --json has all of them."""


def document(answer: Pixel | Touched) -> dict[str, Any]:
    """The JSON of an answer."""
    if isinstance(answer, Pixel):
        return _pixel_document(answer)
    return {
        **operation(answer.subject),
        "input_at": answer.at,
        **fields(answer, "channel value"),
        "outputs": [
            {**fields(way, "at channel"), "kernel": answer.subject.filter_name(way.filter), **fields(way, "weight tap mark")}
            for way in answer.ways
        ],
        "notes": answer.subject.notes,
    }  # fmt: skip


def _pixel_document(answer: Pixel) -> dict[str, Any]:
    """If several kernels are combined, the values of kernels are lists."""
    subject, traces = answer.subject, answer.traces
    sums = [
        {"channels": one.channels, "window": one.values.tolist(), "kernel": one.kernel.tolist(),
         "products": one.products.tolist(), "bias": one.bias, "sum": one.sum}
        for one in traces
    ]  # fmt: skip
    return {
        **operation(subject),
        **fields(answer, "at channel"),
        "combine": answer.output.rule,
        "kernels": [subject.filter_name(one.filter) for one in traces],
        **{key: one_or_all([sum_[key] for sum_ in sums]) for key in sums[0]},
        "combined": answer.joined,
        "steps": [{"step": words, "value": value} for words, value in answer.steps],
        "value": answer.value,
        "written": answer.written.value,
        "written_how": answer.written.words,
        "range": subject.ready.storage.policy,
        "container": subject.ready.storage.container,
        **fields(traces[0], "marks sources"),
        "taps": [[[row.tap, column.tap] for column in traces[0].columns] for row in traces[0].rows],
        "notes": subject.notes,
    }


def operation(subject: Subject) -> dict[str, Any]:
    """The operation, with the keys of `apply` and `transpose`."""
    spec, geometry = subject.operation.spec, subject.geometry
    return {
        "input": subject.source,
        "op": "transpose" if spec.transpose else spec.op,
        "flipped": spec.op == "conv",
        "label": subject.operation.label,
        "input_shape": subject.image.shape,
        "output_shape": [len(subject.outputs), *geometry.output],
        **parameters(geometry, padding_mode=geometry.padding_mode),
        "groups": subject.layer.groups,
        "linear": subject.operation.linear,
        "alpha": None if subject.picture.alpha is None else subject.ready.alpha,
    }


def lines(answer: Pixel | Touched) -> list[str]:
    """The lines for ``-q``: the value with all digits, or for each way the output, its channel and the weight."""
    if isinstance(answer, Pixel):
        return [repr(answer.value)]
    return [f"{way.at[0]},{way.at[1]} {way.channel} {way.weight!r}" for way in answer.ways]


def blocks(answer: Pixel | Touched, width: int, figure: str | None = None) -> list[report.Block]:
    """The tables of an answer, for a terminal of `width` columns, and the name of its `figure` if one was written."""
    shown = _pixel_blocks(answer, width) if isinstance(answer, Pixel) else _ways_blocks(answer)
    return shown if figure is None else [*shown, [[(f"  figure written to {figure}", "")]]]


def _pixel_blocks(answer: Pixel, width: int) -> list[report.Block]:
    subject, windows, shown = answer.subject, answer.windows, answer.telling(_MOST_WINDOWS)
    blocks: list[report.Block] = [_facts(answer), [[]]]
    for window in shown:
        blocks += panels.blocks(subject, window, width)
    if len(windows) > len(shown):
        blocks.append(_sums(answer, len(windows) - len(shown), width))
    if legend := phrases.marks(subject, answer.traces) + phrases.rounding(answer.traces):
        blocks.append([*([(f"  {line}", "faint")] for line in legend), []])
    terms = [term for one in answer.traces for term in panels.largest(one.terms)]
    if terms and subject.geometry.transpose:
        blocks.append(panels.contributions("reached by these input pixels, through these taps of the kernel", terms))
    elif subject.geometry.transpose:
        blocks.append([*([(f"  {line}", "strong")] for line in phrases.unreached(subject, answer.at)), []])
    name = answer.subject.filter_name if len(answer.traces) > 1 else lambda _: "sum"
    rows = [(name(one.filter), phrases.summed(one)) for one in answer.traces]
    if answer.output.rule != "none":
        sums = [one.sum for one in answer.traces]
        rows.append((answer.output.rule, phrases.joined(answer.output.rule, sums, answer.joined)))
    rows += [(step, text(value, 6)) for step, value in answer.steps]
    rows.append(("value", text(answer.value, 7)))
    rows.append(("stored", f"{text(answer.written.value, 7)}  ({answer.written.words})"))
    return [*blocks, report.Table("", rows, strong=len(rows) - 2)]


def _sums(answer: Pixel, more: int, width: int) -> report.Block:
    """The sum of every window, if not all are shown."""
    kernels, channels = len(answer.traces) > 1, any(len(one.channels) > 1 for one in answer.traces)
    channels |= not kernels
    of = " and ".join(["kernel"] * kernels + ["input channel"] * channels)

    name = answer.subject.filter_name
    sums = [
        (" ".join([name(one.trace.filter)] * kernels + [str(one.channel)] * channels), one.total)
        for one in answer.windows
    ]
    return panels.wrapped(f"{phrases.further(more, answer)}; the sum of products of each {of}", sums, width)


def _facts(answer: Pixel) -> report.Table:
    subject, first = answer.subject, answer.traces[0]
    geometry, spec = subject.geometry, subject.operation.spec
    rows = [
        ("input", f"{subject.source}  {report.shape(subject.image.shape)}"),
        ("output", f"{report.shape((len(subject.outputs), *geometry.output))}"),
        ("operation", phrases.flip(subject)),
        ("kernel", f"{subject.operation.written}, {geometry.kernel}"),
        *geometry_rows(geometry),
    ]
    if spec.groups > 1:
        rows.append(("groups", str(spec.groups)))
    rows += phrases.preparation(subject)
    if not spec.transpose:
        rows.append(("reads", phrases.reads(first)))
    where = f"{answer.at[0]},{answer.at[1]} of {subject.output_name(answer.channel)}"
    return report.Table(f"convcli explain: output {where}", rows)


def _ways_blocks(answer: Touched) -> list[report.Block]:
    subject = answer.subject
    ways = answer.ways
    several = len({way.filter for way in ways}) > 1
    copied = "a copy beyond the border" if subject.geometry.transpose else "a copy in the padding"
    rows = [
        (
            f"{way.at[0]},{way.at[1]}", str(way.channel), *((subject.filter_name(way.filter),) if several else ()),
            f"{way.tap[0]},{way.tap[1]}", text(way.weight), "itself" if way.mark == PIXEL else copied,
        )
        for way in ways[:_MOST_WAYS]
    ]  # fmt: skip
    outputs = len({(way.channel, way.at) for way in ways})
    does = f"reaches {outputs} output{'' if outputs == 1 else 's'}"
    does += f" in {len(ways)} ways" if len(ways) > outputs else ""
    if not ways:
        does = "reaches no output: no tap of the kernel falls on it"
    where = f"{subject.input_name(answer.channel)} at {answer.at[0]},{answer.at[1]}"
    said = [phrases.flip(subject), f"it holds {text(answer.value, 6)} and {does}"]
    head = [[(f"convcli explain: {where}", "strong")], *([(f"  {line}", "")] for line in said)]
    if not ways:
        return [head]
    header = ("output", "channel", *(("kernel",) if several else ()), "tap", "weight", "read as")
    right = frozenset({0, 1, len(header) - 3, len(header) - 2})
    blocks: list[report.Block] = [[*head, []], report.Table("", rows, header, right=right)]
    if len(ways) > _MOST_WAYS:
        line = f"  and {len(ways) - _MOST_WAYS} more ways: --json has all of them"
        blocks.append([[(line, "faint")]])
    return blocks
