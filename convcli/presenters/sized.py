"""The sizes of a layer, as ``convcli shape`` shows them: formulas, the opposite operation, and what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcli import report
from convcli.arithmetic import losses, sizes
from convcli.geometry import Geometry, Size
from convcli.presenters import parameters


def document(geometry: Geometry, rule: str | None = None) -> dict[str, Any]:
    """The JSON of a resolved geometry. `rule` is the padding rule, if there was one."""
    axes = {"height": sizes.axis(geometry, 0, rule), "width": sizes.axis(geometry, 1, rule)}
    return {
        "op": "transpose" if geometry.transpose else "direct",
        "input": geometry.input._asdict(),
        "output": geometry.output._asdict(),
        **parameters(geometry, padding_rule=rule),
        "formula": {name: part.formula for name, part in axes.items()},
        "opposite": {
            "op": "direct" if geometry.transpose else "transpose",
            "output": {name: part.opposite for name, part in axes.items()},
            "formula": {name: part.opposite_formula for name, part in axes.items()},
        },
        "direct_inputs_sharing_an_output": {
            name: {"first": part.sharing[0], "last": part.sharing[-1]} if part.sharing else None
            for name, part in axes.items()
        },
        "output_padding_to_return": [part.output_padding for part in axes.values()],
    }


def losses_document(geometry: Geometry) -> dict[str, Any]:
    """The JSON of what is lost: `losses` (None for a transposed operation) and `overlap`."""
    lost, overlap, found = None, None, losses.overlap(geometry)
    if not geometry.transpose:
        lost = {name: getattr(losses, name)(geometry) for name in ("unused", "unused_pixels", "saw_padding")}
    if found is not None:
        inner = None if found.interior is None else {"min": found.interior[0], "max": found.interior[1]}
        overlap = {"min": found.least, "max": found.most, "interior": inner, "checkerboard": found.checkerboard}
    return {"losses": lost, "overlap": overlap}


def table(geometry: Geometry, rule: str | None, both: bool, figure: str | None = None) -> report.Table:
    """The table of one layer. Rows and columns are shown if `both`, or if they differ. `figure` is a file that was written."""
    pairs = geometry.kernel, geometry.stride, geometry.dilation, geometry.output_padding, geometry.output
    both = both or any(len(set(pair)) > 1 for pair in pairs) or geometry.pads[:2] != geometry.pads[2:]
    axes = [sizes.axis(geometry, number, rule) for number in range(1 + both)]
    here, there = ("transposed", "direct") if geometry.transpose else ("direct", "transposed")

    def size(value: Size) -> str:
        return str(value) if both else str(value.height)

    rows = [("input", size(geometry.input)), ("output", size(geometry.output))]
    if rule is not None or len(set(geometry.pads)) > 1:
        rows.append(("padding", report.padding(geometry.pads, rule)))
    if geometry.transpose and max(geometry.output_padding):
        rows.append(("output_padding", f"{report.pair(geometry.output_padding)} (bottom, right)"))
    rows += [(here, part.formula) for part in axes]
    rows += [(f"{there}, back", part.opposite_formula) for part in axes]
    for number, (name, part) in enumerate(zip(("rows", "columns"), axes, strict=False)):
        if not part.sharing:  # it is cropped so much that no direct convolution gives it
            continue
        first, last = part.sharing[0], part.sharing[-1]
        inputs = str(first) if first == last else f"{first} and {last}" if last == first + 1 else f"{first} to {last}"
        small, large = (part.input, part.output) if geometry.transpose else (part.output, part.input)
        text = f"direct{f' with {rule}' if rule else ''}: {inputs} → {small}"
        if first != last:
            pads = f"padding {report.pair(geometry.pads[2 * number : 2 * number + 2])} and " if rule else ""
            text += f"; transposed: {small} → {large} needs {pads}output_padding {part.output_padding}"
        rows.append(("share one output", f"{name}: {text}" if both else text))
    if not geometry.transpose:
        down, across = losses.unused(geometry)
        real = losses.unused_pixels(geometry)
        kind = f"{real[0]} and {real[1]} of the image" if any(real) else "of the padding"
        rest = f"{down} row{'s' * (down != 1)} at the bottom, {across} column{'s' * (across != 1)} at the right, {kind}"
        rows.append(("unused", rest if down or across else "nothing"))
        rows.append(("saw padding", f"{100 * losses.saw_padding(geometry):.3g} % of the outputs"))
    if found := losses.overlap(geometry):
        rows.append(("overlap", overlap_text(found, geometry.transpose)))
    if figure is not None:
        rows.append(("figure", figure))
    return report.Table(f"convcli shape: {here} convolution", rows)


def overlap_text(found: losses.Overlap, transpose: bool) -> str:
    """How many taps meet at a pixel, in words."""
    text = f"{'an output is reached' if transpose else 'an input is read'} by {_numbers(found.counts)} tap"
    text += "" if found.most == 1 else "s"
    if found.least == found.most and not found.checkerboard:
        return text
    how = "even" if not found.checkerboard else "a checkerboard" if transpose else "a checkerboard in its gradient"
    if not found.inner:
        return f"{text}; too small to say more (larger sizes: {how})"
    return f"{text}; away from the border {_numbers(found.inner)}: {how}"


def picture_title(geometry: Geometry) -> str:
    """The layer in words: ``transposed 8×8 → 16×16: kernel 3, stride 2, padding 1, output_padding 1``."""
    kind = "transposed" if geometry.transpose else "direct"
    parts = {"kernel": (geometry.kernel, 0), "stride": (geometry.stride, 0), "padding": (geometry.pads, 1)}
    parts |= {"dilation": (geometry.dilation, 2), "output_padding": (geometry.output_padding, 1)}
    words = [f"{name} {report.pair(values)}" for name, (values, least) in parts.items() if max(values) >= least]
    return f"{kind} {geometry.input} → {geometry.output}: {', '.join(words)}"


def _numbers(counts: Sequence[int]) -> str:
    """``1, 2 or 4``; of more than four numbers the first and the last."""
    if len(counts) > 4:
        return f"{counts[0]} to {counts[-1]}"
    return " or ".join(filter(None, (", ".join(map(str, counts[:-1])), str(counts[-1]))))
