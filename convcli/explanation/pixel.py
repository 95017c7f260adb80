"""An explanation of one output pixel: its sums, how they are combined, and what is written."""

import numpy as np

from convcli.errors import param
from convcli.explanation.phrases import coding
from convcli.explanation.subject import Channel, Subject, index
from convcli.explanation.trace import Point, Trace, Window, combine, trace
from convcli.images import Storage, row_of
from convcli.images.formats import TENSOR
from convcli.pointwise.ranges import apply_policy, rule_of, store
from convcli.records import NamedTuple
from convcli.runs import pipeline


class Written(NamedTuple):
    """The value in the file, and how it is made, in words. For lossy formats it is the value before compression."""

    value: float
    words: str


class Pixel(NamedTuple):
    """One channel of the result at one pixel.

    The filters of `output` make the channel. Each has a trace; `joined` is their combined output. `steps` are what is done to it
    next, for alpha or linear light: in words, with the value after it. `value` is before the range policy, `written` after it.
    """

    subject: Subject
    at: Point
    channel: int
    output: Channel
    traces: tuple[Trace, ...]
    joined: float
    steps: tuple[tuple[str, float], ...]
    value: float
    written: Written

    @property
    def windows(self) -> list[Window]:
        """Every window of every filter."""
        return [Window(one, place) for one in self.traces for place in range(len(one.channels))]

    def telling(self, most: int) -> list[Window]:
        """The windows with the largest sums, at most `most`. For a maximum, the windows of the largest kernel come first."""
        windows = self.windows
        if len(windows) <= most:
            return windows
        sums = np.array([window.total for window in windows])
        if self.output.rule == "max":
            totals = np.array([window.trace.sum for window in windows])  # of a kernel, all its windows and its bias
            chosen = np.lexsort((-sums, -totals))[:most].tolist()
        else:
            chosen = sorted(np.argsort(np.abs(sums), kind="stable")[::-1][:most].tolist())
        return [windows[number] for number in chosen]


def explain(subject: Subject, at: Point, channel: int = 0) -> Pixel:
    """Explain one output pixel. Negative `at` and `channel` count from the end; a GeometryError if they do not exist."""
    geometry, outputs = subject.geometry, subject.outputs
    where = f"the output of {geometry.output}"
    at = index(at[0], geometry.output.height, "row", where), index(at[1], geometry.output.width, "column", where)
    channel = index(channel, len(outputs), "channel", subject.whole)

    def traced(output: Channel) -> tuple[Trace, ...]:
        return tuple(trace(subject.image, subject.layer, geometry, number, at) for number in output.filters)

    traces = traced(outputs[channel])
    joined = combine(outputs[channel].rule, [one.sum for one in traces])
    restore = subject.ready.finish.restore
    value, steps = joined, []
    if restore is not None and (restore.gain is not None or restore.linear):
        everything = [combine(one.rule, [part.sum for part in traced(one)]) for one in outputs]
        value = float(restore.apply(np.array(everything)[:, np.newaxis, np.newaxis])[channel, 0, 0])
        steps = [(_step(subject, restore.alpha and channel == len(outputs) - 1), value)]
    written = _written(subject, value, subject.ready.computes_alpha and channel == len(outputs) - 1)
    return Pixel(subject, at, channel, outputs[channel], traces, joined, tuple(steps), value, written)


def _step(subject: Subject, alpha: bool) -> str:
    """In words, what happens between the sum and the value."""
    words = []
    if subject.ready.alpha == "premultiply":
        words.append("divided by the kernel's sum" if alpha else "divided by alpha under the kernel")
        if subject.operation.bias is not None and not alpha:
            words.append("bias added")
    if subject.operation.linear and not alpha:
        words.append(f"encoded as {coding(subject)}")
    return ", ".join(words) or "as it is"


def _written(subject: Subject, value: float, alpha: bool) -> Written:
    """What `apply` writes for a value. The same code does the range policy, the rounding and the cast."""
    storage, picture = subject.ready.storage, subject.picture
    row = row_of(storage.container)
    policy, lossy, tensor = storage.policy, row.loses(picture.metadata.lossy), row.tensor
    if alpha:
        policy = "raw" if tensor else "clip"
    rule, given = rule_of(policy, storage.scale)
    span = _span(subject) if policy == "minmax" else []
    kind = "float64" if picture.colour.dtype == np.float64 or storage.dtype == "uint16" else "float32"
    if span:
        value = min(max(value, span[0]), span[1])  # in a flat result, all values are the same
    values = np.array([value, *span]).astype(kind)
    if storage.dtype == "float32":
        kept = picture.colour.dtype if tensor and picture.colour.dtype.kind == "f" else np.float32
        mapped = apply_policy(values, storage.full_scale, rule, span=given)
        if policy == "clip" or given:
            mapped = np.clip(mapped, 0, storage.full_scale)
        with np.errstate(over="ignore"):
            number = float(mapped[:1].astype(kept)[0])
        return Written(number, _words(lossy, storage, policy, value, span, f"{np.dtype(kept)}"))
    out = np.empty(values.shape, storage.dtype)
    store(values * storage.scale, storage.full_scale, rule, out, count=True, span=given)
    return Written(int(out[0]), _words(lossy, storage, policy, value, span, ""))


def _span(subject: Subject) -> list[float]:
    """The least and the greatest value of the result. The whole result has to be computed for them."""
    outcome = pipeline.run(subject.picture, subject.operation, TENSOR, "minmax")
    colour = np.asarray(outcome.picture.colour, np.float64)
    finite = colour[np.isfinite(colour)]
    if not finite.size:
        return [0.0, 0.0]
    scale = subject.ready.storage.scale
    extremes = float(finite.min()) * scale, float(finite.max()) * scale
    found = subject.ready.finish.stretching(extremes).span or extremes
    return [edge / scale for edge in found]


def _words(lossy: bool, storage: Storage, policy: str, value: float, span: list[float], real: str) -> str:
    """In words, how a value becomes what is written."""
    white, scaled = storage.full_scale, value * storage.scale
    given = rule_of(policy)[1]
    limits: tuple[str, ...] = ("0", f"{white:g}")
    words = [f"scaled to {white:g} from {white / storage.scale:g}"] if storage.scale != 1 and not given else []
    if policy == "abs":
        words.append("the absolute value")
        scaled = abs(scaled)
    elif policy == "offset":
        shift = (white + 1) / 2 if white > 1 else white / 2
        words.append(f"{shift:g} is added")
        scaled += shift
    elif policy == "minmax":
        low, high = (edge * storage.scale for edge in span)
        words.append(f"{low:.4g} to {high:.4g}, the whole range, is stretched to 0 to {white:g}")
        scaled = (scaled - low) * white / (high - low) if high > low else 0.0
    elif given:
        (low, high), limits = given, tuple(policy.split(","))
        words.append(f"{limits[0]} to {limits[1]} is stretched to 0 to {white:g}")
        scaled = (value - low) * white / (high - low)
    bounded = not real or policy == "clip" or given
    if scaled != scaled and not real:
        words.append("NaN becomes 0")
    elif bounded and scaled < 0:
        words.append(f"below {limits[0]}: clipped")
    elif bounded and scaled > white:
        words.append(f"above {limits[1]}: clipped")
    elif not real and scaled != round(scaled):
        words.append("rounded" + (", half to even" if abs(scaled) % 1 == 0.5 else ""))
    if real:
        words.append(f"as it is, {real}" if not words else real)
    if not words:
        words.append("as it is")
    words.append(f"{param('range', policy)}, {storage.container}" + (" (lossy)" if lossy else ""))
    return "; ".join(words)
