"""A pixel of the result, or one of the input and the outputs that it touches, as ``convcli explain`` shows them."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.explanation import phrases
from convcli.explanation.phrases import text
from convcli.explanation.pixel import Pixel
from convcli.explanation.subject import Subject
from convcli.explanation.touched import Touched
from convcli.explanation.trace import PIXEL, Trace
from convcli.presenters import border_of, fields, one_or_all, parameters
from convcli.presenters.panels import contributions, terms_of, window, wrapped

_MOST_WINDOWS = 4
"""The most windows that are shown. --json has all of them."""

_MOST_WAYS = 40
"""The most ways from an input pixel that are shown. --json has all of them."""


def document(answer: Pixel | Touched) -> dict[str, Any]:
    """The JSON of an answer."""
    return _pixel_document(answer) if isinstance(answer, Pixel) else _ways_document(answer)


def _pixel_document(answer: Pixel) -> dict[str, Any]:
    """If several kernels are combined, values of a kernel are a list with an entry for each."""
    subject, traces = answer.subject, answer.traces
    return {
        **operation(subject),
        **fields(answer, "at channel"),
        "combine": answer.output.rule,
        "kernels": [subject.filter_name(one.filter) for one in traces],
        "channels": one_or_all([one.channels for one in traces]),
        "window": one_or_all([one.values.tolist() for one in traces]),
        "kernel": one_or_all([one.kernel.tolist() for one in traces]),
        "products": one_or_all([one.products.tolist() for one in traces]),
        "bias": one_or_all([one.bias for one in traces]),
        "sum": one_or_all([one.sum for one in traces]),
        "combined": answer.joined,
        "steps": [{"step": words, "value": value} for words, value in answer.steps],
        "value": answer.value,
        "written": answer.written.value,
        "written_how": answer.written.words,
        "range": subject.ready.storage.policy,
        "container": subject.ready.storage.container,
        **_cells(traces[0]),
        "notes": subject.notes,
    }


def _cells(trace: Trace) -> dict[str, Any]:
    """For every cell of the window: what it is, the pixel that it reads, and its tap."""
    rows, columns = range(len(trace.rows)), range(len(trace.columns))
    return {
        "marks": [[trace.mark(i, j) for j in columns] for i in rows],
        "sources": [[trace.source(i, j) for j in columns] for i in rows],
        "taps": [[[row.tap, column.tap] for column in trace.columns] for row in trace.rows],
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
    """The lines for ``-q``: the value with all its digits, or for each way the output, its channel and the weight."""
    if isinstance(answer, Pixel):
        return [repr(answer.value)]
    return [f"{way.at[0]},{way.at[1]} {channel} {way.weight!r}" for channel, way in answer.ways]


def blocks(answer: Pixel | Touched, width: int) -> list[report.Block]:
    """The tables of an answer, for a terminal of `width` columns."""
    return _pixel_blocks(answer, width) if isinstance(answer, Pixel) else _ways_blocks(answer)


def _pixel_blocks(answer: Pixel, width: int) -> list[report.Block]:
    windows, shown = answer.windows, answer.telling(_MOST_WINDOWS)
    blocks: list[report.Block] = [_facts(answer), [[]]]
    for one, place in shown:
        blocks += window(answer, one, place, width)
    if len(windows) > len(shown):
        blocks.append(_sums(answer, len(windows) - len(shown), width))
    legend = phrases.marks(answer.subject, answer.traces)
    if legend:
        blocks.append([*([(f"  {line}", "faint")] for line in legend), []])
    if answer.subject.geometry.transpose:
        blocks.append(_reached(answer))
    blocks.append(_result(answer))
    return blocks


def _sums(answer: Pixel, more: int, width: int) -> report.Block:
    """The sum of every window, if not all are shown."""
    kernels, channels = len(answer.traces) > 1, any(len(one.channels) > 1 for one in answer.traces)
    channels |= not kernels
    of = " and ".join(["kernel"] * kernels + ["input channel"] * channels)

    def name(one: Trace, place: int) -> str:
        return " ".join([answer.subject.filter_name(one.filter)] * kernels + [str(one.channels[place])] * channels)

    sums = [(name(one, place), float(one.products[place].sum())) for one, place in answer.windows]
    return wrapped(f"{phrases.further(more, answer)}; the sum of products of each {of}", sums, width)


def _facts(answer: Pixel) -> report.Table:
    subject, first = answer.subject, answer.traces[0]
    geometry, spec = subject.geometry, subject.operation.spec
    rows = [
        ("input", f"{subject.source}  {report.shape(subject.image.shape)}"),
        ("output", f"{report.shape((len(subject.outputs), *geometry.output))}"),
        ("operation", phrases.flip(subject)),
        ("kernel", f"{subject.kernel_name}, {geometry.kernel}"),
        ("stride, dilation", f"{report.pair(geometry.stride)}, {report.pair(geometry.dilation)}"),
        ("padding", report.pair(geometry.pads) + border_of(geometry) + report.order(geometry.pads)),
    ]
    if spec.transpose:
        rows.append(("output_padding", report.pair(geometry.output_padding)))
    if spec.groups > 1:
        rows.append(("groups", str(spec.groups)))
    rows += phrases.preparation(subject)
    if not spec.transpose:
        rows.append(("reads", phrases.reads(first)))
    where = f"{answer.at[0]},{answer.at[1]} of {subject.output_name(answer.channel)}"
    return report.Table(f"convcli explain: output {where}", rows)


def _reached(answer: Pixel) -> report.Block:
    """The input pixels that reach an output of the transposed operation, and through which taps."""
    if not answer.traces[0].reached:
        lines = phrases.unreached(answer.subject, answer.at)
        return [*([(f"  {line}", "strong")] for line in lines), []]
    terms = [
        term
        for one in answer.traces
        for term in terms_of(one, [(place, i, j) for place in range(len(one.channels)) for i, j in one.reached])
    ]
    return contributions("reached by these input pixels, through these taps of the kernel", terms)


def _result(answer: Pixel) -> report.Table:
    rows = []
    several = len(answer.traces) > 1
    for one in answer.traces:
        products = text(float(one.products.sum()), 6)
        name = answer.subject.filter_name(one.filter) if several else "sum"
        rows.append((name, f"{products} {phrases.plus(one.bias)} (bias) = {text(one.sum, 6)}"))
    if answer.output.rule != "none":
        sums = [one.sum for one in answer.traces]
        rows.append((answer.output.rule, phrases.joined(answer.output.rule, sums, answer.joined)))
    rows += [(words_, text(value, 6)) for words_, value in answer.steps]
    rows.append(("value", text(answer.value, 7)))
    rows.append(("written", f"{text(answer.written.value, 7)}  ({answer.written.words})"))
    return report.Table("", rows, strong=len(rows) - 2)


def _ways_document(answer: Touched) -> dict[str, Any]:
    return {
        **operation(answer.subject),
        "input_at": answer.at,
        **fields(answer, "channel value"),
        "outputs": [
            {"at": way.at, "channel": channel, "kernel": answer.subject.filter_name(way.filter),
             **fields(way, "weight tap mark")}
            for channel, way in answer.ways
        ],
        "notes": answer.subject.notes,
    }  # fmt: skip


def _ways_blocks(answer: Touched) -> list[report.Block]:
    subject = answer.subject
    ways = answer.ways
    several = len({way.filter for _, way in ways}) > 1
    copied = "a copy beyond the border" if subject.geometry.transpose else "a copy in the padding"
    rows = [
        (
            f"{way.at[0]},{way.at[1]}", str(channel), *((subject.filter_name(way.filter),) if several else ()),
            f"{way.tap[0]},{way.tap[1]}", text(way.weight), "itself" if way.mark == PIXEL else copied,
        )
        for channel, way in ways[:_MOST_WAYS]
    ]  # fmt: skip
    outputs = len({(channel, way.at) for channel, way in ways})
    does = f"touches {outputs} output{'' if outputs == 1 else 's'} in {len(ways)} way{'' if len(ways) == 1 else 's'}"
    if not ways:
        does = "touches no output: no tap of the kernel falls on it"
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
