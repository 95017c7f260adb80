"""A pixel of the result, as ``convcli explain --at`` shows it."""

from __future__ import annotations

from typing import Any

from convcli import report
from convcli.explanation import phrases
from convcli.explanation.phrases import text
from convcli.explanation.pixel import Pixel
from convcli.explanation.subject import Subject
from convcli.explanation.trace import Trace
from convcli.presenters import border_of, one_or_all, parameters
from convcli.presenters.windows import Block, contributions, terms_of, window, wrapped

_SPACE = report.Lines([[]])
_MOST_WINDOWS = 4
"""The most windows that are shown. --json has all of them."""


def document(answer: Pixel) -> dict[str, Any]:
    """The JSON. If several kernels are combined, values of a kernel are a list with an entry for each."""
    traces = answer.traces
    return {
        **operation(answer.subject),
        "at": list(answer.at),
        "channel": answer.channel,
        "combine": answer.output.rule,
        "kernels": [answer.subject.filter_name(one.filter) for one in traces],
        "channels": one_or_all([list(one.channels) for one in traces]),
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
        "range": answer.subject.ready.storage.policy,
        "container": answer.subject.ready.storage.container,
        **_cells(traces[0]),
        "notes": list(answer.subject.notes),
    }


def _cells(trace: Trace) -> dict[str, Any]:
    """For every cell of the window: what it is, the pixel that it reads, and its tap."""
    rows, columns = range(len(trace.rows)), range(len(trace.columns))
    sources = [[trace.source(i, j) for j in columns] for i in rows]
    return {
        "marks": [[trace.mark(i, j) for j in columns] for i in rows],
        "sources": [[None if source is None else list(source) for source in line] for line in sources],
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
        "input_shape": list(subject.image.shape),
        "output_shape": [len(subject.outputs), *geometry.output],
        **parameters(geometry),
        "groups": subject.groups,
        "linear": subject.operation.linear,
        "alpha": None if subject.picture.alpha is None else subject.ready.alpha,
    }


def lines(answer: Pixel) -> list[str]:
    """The line for ``-q``: the value with all its digits."""
    return [repr(answer.value)]


def blocks(answer: Pixel, width: int) -> list[Block]:
    """The tables, for a terminal of `width` columns."""
    windows, shown = answer.windows, answer.telling(_MOST_WINDOWS)
    blocks: list[Block] = [_facts(answer), _SPACE]
    for one, place in shown:
        blocks += window(answer, one, place, width)
    if len(windows) > len(shown):
        blocks.append(_sums(answer, len(windows) - len(shown), width))
    legend = phrases.marks(answer.subject, answer.traces)
    if legend:
        blocks.append(report.Lines([*([(f"  {line}", "faint")] for line in legend), []]))
    if answer.subject.geometry.transpose:
        blocks.append(_reached(answer))
    blocks.append(_result(answer))
    return blocks


def _sums(answer: Pixel, more: int, width: int) -> Block:
    """The sum of every window, if not all are shown."""
    kernels, channels = len(answer.traces) > 1, any(len(one.channels) > 1 for one in answer.traces)
    of = " and ".join(["kernel"] * kernels + ["input channel"] * (channels or not kernels))

    def name(one: Trace, place: int) -> str:
        kernel = answer.subject.filter_name(one.filter)
        return (f"{kernel} {one.channels[place]}" if channels else kernel) if kernels else f"{one.channels[place]}"

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
        ("padding", report.pair((*geometry.pads,)) + border_of(geometry)),
    ]
    if len(set(geometry.pads)) > 1:
        rows[-1] = ("padding", f"{rows[-1][1]} (top, bottom, left, right)")
    if spec.transpose:
        rows.append(("output_padding", report.pair(geometry.output_padding)))
    if spec.groups > 1:
        rows.append(("groups", str(spec.groups)))
    rows += phrases.preparation(subject)
    if not spec.transpose:
        rows.append(("reads", phrases.reads(first)))
    where = f"{answer.at[0]},{answer.at[1]} of {subject.output_name(answer.channel)}"
    return report.Table(f"convcli explain: output {where}", rows)


def _reached(answer: Pixel) -> Block:
    """The input pixels that reach an output of the transposed operation, and through which taps."""
    if not answer.traces[0].reached:
        lines = phrases.unreached(answer.subject, answer.at)
        return report.Lines([*([(f"  {line}", "strong")] for line in lines), []])
    cells = [
        (one, (place, i, j)) for one in answer.traces for place in range(len(one.channels)) for i, j in one.reached
    ]
    terms = [term for one in answer.traces for term in terms_of(one, [cell for other, cell in cells if other is one])]
    return contributions("reached by these input pixels, through these taps of the kernel", terms)


def _result(answer: Pixel) -> report.Table:
    rows = []
    several = len(answer.traces) > 1
    for one in answer.traces:
        products = text(float(one.products.sum()), 6)
        name = answer.subject.filter_name(one.filter) if several else "sum"
        rows.append((name, f"{products} {phrases.plus(one.bias)} (bias) = {text(one.sum, 6)}"))
    if answer.output.rule != "none":
        rows.append(
            (answer.output.rule, phrases.joined(answer.output.rule, [one.sum for one in answer.traces], answer.joined))
        )
    rows += [(words_, text(value, 6)) for words_, value in answer.steps]
    rows.append(("value", text(answer.value, 7)))
    rows.append(("written", f"{text(answer.written.value, 7)}  ({answer.written.words})"))
    return report.Table("", rows, strong=len(rows) - 2)
