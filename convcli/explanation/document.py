"""The answers as JSON."""

from __future__ import annotations

from typing import Any

from convcli.explanation.pixel import Pixel
from convcli.explanation.subject import Subject
from convcli.explanation.touched import Touched
from convcli.explanation.trace import Trace


def document(answer: Pixel | Touched) -> dict[str, Any]:
    """The JSON of an answer."""
    return _touched(answer) if isinstance(answer, Touched) else _pixel(answer)


def _pixel(answer: Pixel) -> dict[str, Any]:
    """What belongs to one kernel is a list with an entry for each where several are combined."""
    traces = answer.traces

    def of_each(entries: list[Any]) -> Any:
        return entries[0] if len(entries) == 1 else entries

    return {
        **_operation(answer.subject),
        "at": list(answer.at),
        "channel": answer.channel,
        "combine": answer.output.rule,
        "kernels": [answer.subject.filter_name(one.filter) for one in traces],
        "channels": of_each([list(one.channels) for one in traces]),
        "window": of_each([one.values.tolist() for one in traces]),
        "kernel": of_each([one.kernel.tolist() for one in traces]),
        "products": of_each([one.products.tolist() for one in traces]),
        "bias": of_each([one.bias for one in traces]),
        "sum": of_each([one.sum for one in traces]),
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
    """What every cell of the window is, where it reads, and by which tap."""
    rows, columns = range(len(trace.rows)), range(len(trace.columns))
    sources = [[trace.source(i, j) for j in columns] for i in rows]
    return {
        "marks": [[trace.mark(i, j) for j in columns] for i in rows],
        "sources": [[None if source is None else list(source) for source in line] for line in sources],
        "taps": [[[row.tap, column.tap] for column in trace.columns] for row in trace.rows],
    }


def _touched(answer: Touched) -> dict[str, Any]:
    return {
        **_operation(answer.subject),
        "input_at": list(answer.at),
        "channel": answer.channel,
        "value": answer.value,
        "outputs": [
            {
                "at": list(way.at),
                "channel": channel,
                "kernel": answer.subject.filter_name(way.filter),
                "weight": way.weight,
                "tap": list(way.tap),
                "mark": way.mark,
            }
            for channel, way in answer.ways
        ],
        "notes": list(answer.subject.notes),
    }


def _operation(subject: Subject) -> dict[str, Any]:
    """What was done, in the words of `apply` and `transpose`."""
    spec, geometry = subject.operation.spec, subject.geometry
    return {
        "input": subject.source,
        "op": "transpose" if spec.transpose else spec.op,
        "flipped": spec.op == "conv",
        "label": subject.operation.label,
        "input_shape": list(subject.image.shape),
        "output_shape": [len(subject.outputs), *geometry.output],
        **geometry.document(),
        "groups": subject.groups,
        "linear": subject.operation.linear,
        "alpha": None if subject.picture.alpha is None else subject.ready.alpha,
    }
