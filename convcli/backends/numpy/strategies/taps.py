"""Shift and accumulate: for every tap that is not zero, the shifted input times the tap's weight is added to the output.

This is done in integers if kernel and pixels are integers and no partial sum can leave the type: the result is then
exact, and a narrow type is faster. Taps of weight ±1 are added without a product, and zeros are skipped. Sums of pixels
that occur in several places are computed once (`convcli.backends.numpy.strategies.pairs`).
"""

import numpy as np

from convcli.backends.numpy.job import FilterJob
from convcli.backends.numpy.strategies import common
from convcli.backends.numpy.strategies.common import Estimate, Estimates, Work, magnitudes, precision, tile
from convcli.backends.numpy.strategies.pairs import MOST_TAPS, Sum, WeightedTap, shared
from convcli.backends.numpy.tiles import Buffers, Steps
from convcli.records import NamedTuple
from convcli.windows import Array

__all__ = ["arranged", "estimates", "precision", "prepare", "tile"]

STEPS_A_TAP = 3
"""Steps to list a tap, and to sort it in among the others."""

STRIDED = 2.8
"""How many times slower the strategy is if a stride leaves out rows."""


def estimates(layouts: list[FilterJob], dtype: str, wanted: bool = False) -> Estimates:
    """The cost, in exact integers if possible. The strategy can do every job."""
    job = layouts[0]
    exact = exact_type(job)
    kind = exact or dtype
    count, (calls, sums) = int(np.count_nonzero(job.kernels)), passes(job)
    zeros = "" if count == job.taps.sum() else f" of {int(job.taps.sum())}"
    made = f", {sums} shared sum{'s' * (sums > 1)}" if sums else ""
    reason = f"{count}{zeros} tap{'s' * (count != 1 or bool(zeros))}{made}" + (", exact" if exact else "")
    each = calls / job.outputs * common.PASS[kind] * common.slower(job, STRIDED)
    yield Estimate("taps", job, kind, each, float(calls), reason)


def exact_type(job: FilterJob) -> str | None:
    """The narrowest integer type that holds every partial sum; None if there is none, or if values are not integers."""
    source = job.source
    if source.kind not in "u" or source.itemsize > 2:
        return None
    if not (np.equal(job.kernels, np.rint(job.kernels)).all() and np.equal(job.bias, np.rint(job.bias)).all()):
        return None
    largest = np.iinfo(source).max * max(1.0, np.abs(job.kernels).sum(axis=(1, 2, 3)).max()) + np.abs(job.bias).max()
    for name in ("int16", "int32"):
        if largest <= np.iinfo(name).max:
            return name
    return None


Group = list[WeightedTap]
"""Taps whose weights differ only in sign. The weight of the first one is that of the group."""


class Arranged(NamedTuple):
    """How the taps of a job are summed."""

    shared: list[Sum]  # planes of sums that are computed first. Their numbers come after those of the gathered planes.
    outputs: list[list[Group]]  # the groups of each output plane. Those that need a product come first.


def passes(job: FilterJob) -> tuple[int, int]:
    """About how many passes over an output plane a job takes, and how many sums its taps share.

    For layers of many channels, which plain taps are not good at, taps are only counted. The same goes for the taps of
    many banks that all differ.
    """
    counts = np.count_nonzero(job.kernels, axis=(1, 2, 3))
    if counts.max() <= MOST_TAPS:
        banks = _banks(job)
        few = sum(int(counts[bank.start : bank.stop].sum()) for bank, *_ in banks)
        if STEPS_A_TAP * few <= common.steps_allowed(job):
            shares = _shares(job, banks)
            sums = sum(len(made) * len(alike) for alike, made, _ in shares)
            most = _most(job, sums)
            count = sum(
                len(alike) * (1 + len(group))
                for alike, _, outputs in shares
                for taps in outputs
                for group in _groups(taps, most)
            )
            return sums + count, sums
    seen = job.kernels[: common.SEEN]
    products = sum(map(magnitudes, seen))
    return int(counts.sum()) + products * job.outputs // len(seen), 0


def arranged(job: FilterJob, gaps_only: bool = False) -> Arranged:
    """Group the taps of each output plane by the magnitude of their weight. Sums that they share become taps first.

    Taps of one weight are summed before they are multiplied; ±1 needs no product. `gaps_only` is for tiles with
    unsuitable values: then only the gaps between taps are skipped, but no tap of weight 0 (0·NaN is NaN), and each tap
    is multiplied before it is added.
    """
    if gaps_only:
        return Arranged([], [_groups(_taps(job, o, gaps_only), 1) for o in range(job.outputs)])
    found: dict[int, tuple[list[Sum], list[list[WeightedTap]], int]] = {}
    for alike, made, members in _shares(job, _banks(job)):
        first = job.sources[alike[0].start]
        found |= {bank.start: (made, members, job.sources[bank.start] - first) for bank in alike}
    sums: list[Sum] = []
    outputs: list[list[WeightedTap]] = []
    for _, (made, members, ahead) in sorted(found.items()):
        further = ahead, len(sums)  # added to the numbers of gathered planes, and to those of sums
        sums += [each._replace(plane=each.plane + further[each.plane >= job.gathered]) for each in made]
        outputs += [
            [tap._replace(plane=tap.plane + further[tap.plane >= job.gathered]) for tap in taps] for taps in members
        ]
    most = _most(job, len(sums))
    return Arranged(sums, [_groups(taps, most) for taps in outputs])


def _banks(job: FilterJob) -> list[list[range]]:
    """The banks of a job, those with equal kernels together."""
    alike, found = common.like(job), dict[tuple[int, ...], list[range]]()
    for bank in job.banks:
        found.setdefault(tuple(alike[bank.start : bank.stop]), []).append(bank)
    return [*found.values()]


def _shares(job: FilterJob, banks: list[list[range]]) -> list[tuple[list[range], list[Sum], list[list[WeightedTap]]]]:
    """Each group of equal banks with the sums and taps of the first one (see `shared`), within the steps allowed for the job."""
    each = common.steps_allowed(job) // len(banks)
    found = []
    for alike in banks:
        taps = [_taps(job, o) for o in alike[0]]
        # with a stride, the sums would include lines that nothing reads
        found.append((alike, *(([], taps) if job.stride > 1 else shared(taps, job.gathered, each))))
    return found


def prepare(job: FilterJob, dtype: str, gaps_only: bool = False) -> Work:
    """Arrange the taps, once (see `arranged`). The result gives the steps that fill a tile."""
    sums, plans = arranged(job, gaps_only)

    def work(width: int, scratch: Array, out: Array, buffers: Buffers) -> Steps:
        _, rows, line = out.shape
        partial = buffers.get("partial", (rows, line), dtype)
        if job.stride == 1:  # all lines as one
            length = (rows - 1) * line + width
            lines, targets = [*scratch.reshape(len(scratch), -1)], out.reshape(len(out), -1)[:, :length]
            partial = partial.reshape(-1)[:length]
            for number, each in enumerate(sums):
                further = lines[each.plane][each.rows * line + each.columns * job.apart :]
                lines.append(buffers.get(f"shared {number}", further.shape, dtype))
                join = np.add if each.sign > 0 else np.subtract
                yield join, (lines[each.plane][: len(further)], further, lines[-1])
        else:
            reach = (rows - 1) * job.stride + 1
            targets, partial = out[..., :width], partial[:, :width]

        def view(tap: WeightedTap) -> Array:
            start = tap.column * job.apart
            if job.stride == 1:
                start += tap.row * line
                stretch: Array = lines[tap.plane][start : start + length]
                return stretch
            return scratch[tap.plane, tap.row : tap.row + reach : job.stride, start : start + width]

        for target, groups in zip(targets, plans, strict=True):
            if not groups:
                yield target.fill, (0,)
            for number, (first, *others) in enumerate(groups):
                weight = first.weight
                if number and abs(weight) == 1:
                    for tap in (first, *others):
                        yield np.add if tap.weight > 0 else np.subtract, (target, view(tap), target)
                    continue
                into = partial if number else target
                total = view(first)
                for tap in others:
                    yield np.add if tap.weight == weight else np.subtract, (total, view(tap), into)
                    total = into
                if weight != 1 or total is not into:
                    yield np.multiply, (total, np.array(weight, dtype), into)
                if number:
                    yield np.add, (target, into, target)

    return work


def _taps(job: FilterJob, output: int, gaps_only: bool = False) -> list[WeightedTap]:
    """The taps of an output plane: those with a weight other than 0 or, with `gaps_only`, all that are not gaps."""
    kernels = job.kernels[output]
    found = np.argwhere(job.taps[output] if gaps_only else kernels != 0).tolist()
    return [
        WeightedTap(job.sources[output] + c, i * job.dilation.rows, j, float(kernels[c, i, j])) for c, i, j in found
    ]


def _groups(taps: list[WeightedTap], most: int) -> list[Group]:
    """Taps grouped by the magnitude of their weight, at most `most` in a group. Groups that need a product come first."""
    found: dict[float, list[Group]] = {}
    for tap in taps:
        groups = found.setdefault(abs(tap.weight), [[]])
        if len(groups[-1]) == most:
            groups.append([])
        groups[-1].append(tap)
    order = sorted(found, key=lambda size: (size == 1, -size))
    return [group for size in order for group in found[size]]


def _most(job: FilterJob, sums: int) -> int:
    """How many pixels, or sums of pixels, can be added without rounding in float32.

    No more than these are added before they are multiplied. Each of the `sums` may double the size of the values.
    """
    if job.source.kind not in "uib" or job.source.itemsize > 2:
        pixels = 256
    else:
        pixels = 2**24 // (np.iinfo(job.source).max if job.source.kind in "ui" else 1)
    return max(1, pixels >> sums)
