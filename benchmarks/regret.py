"""How far the planner's choice is from the best plan, over a grid of kernels, images, layers, strides and dilations.

The new grid has transposed factors, equal kernels on many channels, and blocks of a picture beyond memory.

    python benchmarks/regret.py [--only TEXT] [--rounds N] [--output FILE]

Every plan with a predicted time of at most `WORTH` times the chosen plan's runs in turn with the others. The regret of
a case is the chosen plan's median time over the best plan's. The prediction is how many times longer or shorter the chosen plan
takes than the planner says.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import blas  # noqa: F401 (before NumPy)
import numpy as np
from command_line import command_line
from numpy.typing import NDArray

from convcli import engine, windows
from convcli.backends import Considered
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pads, Pair, Size
from convcli.kernels import parse
from convcli.layer import Layer
from convcli.pointwise.finish import Finish
from convcli.system.context import Context
from convcli.system.parallel import run_all
from convcli.windows import Held

WORTH = 8.0
GOAL = 1.25
STRETCH = 10e-3
"""Seconds for which a plan is repeated: its first call after another plan has to make its tiles again."""


class Case(NamedTuple):
    """An operation: its name, image ``(C, H, W)``, weight ``(C_out, C_in/groups, kh, kw)``, specification and finish."""

    name: str
    image: NDArray[Any]
    weight: NDArray[np.float64]
    spec: ConvSpec
    finish: Finish
    block: Size | None = None  # of the blocks that two threads compute; None: the whole at once


FINISHES = {
    "uint8": Finish(dtype="uint8"),
    "uint16": Finish(dtype="uint16", full_scale=65535.0),
    "float32": Finish(),
}
"""How results are rounded, by the dtype of the pixels."""


def picture(shape: tuple[int, int, int], kind: str = "uint8") -> NDArray[Any]:
    """Noise in the memory layout of a decoded picture: ``(C, H, W)``, with interleaved channels."""
    white = 255 if kind == "uint8" else 65535
    return np.random.default_rng(0).integers(0, white, shape).astype(kind).transpose(2, 0, 1)


def dense(size: int) -> NDArray[np.float64]:
    """A kernel of full rank."""
    kernel = np.random.default_rng(size).standard_normal((size, size))
    kernel /= np.abs(kernel).sum()
    return kernel


def named(*names: str) -> dict[str, NDArray[np.float64]]:
    """Named kernels of convcli."""
    return {name: parse(name).kernels[0].values for name in names}


def filtered(name: str, image: NDArray[Any], kernel: NDArray[np.float64], **more: Any) -> Case:
    """A case that applies a kernel to every channel."""
    weight = np.broadcast_to(kernel, (len(image), 1, *kernel.shape)).copy()
    mode = "zeros" if "transpose" in more else "reflect"
    spec = ConvSpec(padding="same-upper", padding_mode=mode, groups=len(image), **more)
    return Case(name, image, weight, spec, FINISHES[image.dtype.name])


def photographs() -> Iterator[Case]:
    """8 bits, with the usual kernels of image processing, and stride 1 or 2."""
    kernels = {f"dense {size}×{size}": dense(size) for size in (3, 5, 7, 9, 13, 21, 31, 61, 101)}
    kernels |= named(
        "sharpen", "sobel-x", "box:3", "box:9", "gaussian:1", "gaussian:3", "gaussian:10", "disk:5", "disk:15"
    )
    generator = np.random.default_rng(0)
    lines = generator.random((1, 15)), generator.random((15, 1))
    kernels["line 1×15"], kernels["line 15×1"] = (line / line.sum() for line in lines)
    images = {"gray 256²": (256, 256, 1), "RGB 512²": (512, 512, 3), "gray 2048²": (2048, 2048, 1),
              "RGB 2000×3000": (2000, 3000, 3)}  # fmt: skip
    for image_name, shape in images.items():
        image = picture(shape)
        for kernel_name, kernel in kernels.items():
            for stride in (1, 2) if kernel.size <= 169 else (1,):
                suffix = f", stride {stride}" if stride > 1 else ""
                yield filtered(f"{image_name}, {kernel_name}{suffix}", image, kernel, stride=Pair(stride, stride))


def further() -> Iterator[Case]:
    """Larger strides, dilations and transposed operations."""
    for image_name, shape in (("RGB 512²", (512, 512, 3)), ("RGB 2000×3000", (2000, 3000, 3))):
        image = picture(shape)
        for size in (3, 7):
            yield filtered(f"{image_name}, dense {size}×{size}, stride 4", image, dense(size), stride=Pair(4, 4))
            for apart in (2, 4):
                name = f"{image_name}, dense {size}×{size}, dilation {apart}"
                yield filtered(name, image, dense(size), dilation=Pair(apart, apart))
        yield filtered(
            f"{image_name}, dense 5×5, stride 3, dilation 2", image, dense(5), stride=Pair(3, 3), dilation=Pair(2, 2)
        )
    image = picture((512, 512, 3))
    for factor in (2, 3, 4):
        (kernel,) = named(f"bilinear:{factor}").values()
        name = f"RGB 512², bilinear:{factor} transposed"
        yield filtered(name, image, kernel, transpose=True, stride=Pair(factor, factor))


def deep() -> Iterator[Case]:
    """16 bits and real numbers."""
    kernels = {f"dense {size}×{size}": dense(size) for size in (3, 7, 31)}
    kernels |= named("sharpen", "box:9", "gaussian:3", "disk:15")
    for kind in ("uint16", "float32"):
        image = picture((1000, 1500, 3), kind)
        for name, kernel in kernels.items():
            yield filtered(f"RGB 1000×1500 {kind}, {name}", image, kernel)


def layers() -> Iterator[Case]:
    """Layers of networks: inputs, outputs, groups, side of the image, side of the kernel, stride."""
    generator = np.random.default_rng(0)
    for inputs, outputs, groups, side, k, s in (
        (3, 32, 1, 224, 3, 2), (3, 64, 1, 224, 7, 2), (16, 16, 1, 128, 3, 1), (32, 64, 1, 64, 5, 2), (64, 64, 1, 64, 1, 1),
        (64, 64, 1, 56, 3, 1), (64, 64, 64, 112, 3, 1), (96, 96, 96, 56, 7, 1), (128, 128, 8, 28, 3, 1),
    ):  # fmt: skip
        image = generator.standard_normal((inputs, side, side), dtype=np.float32)
        weight = generator.standard_normal((outputs, inputs // groups, k, k))
        name = f"layer {inputs} → {outputs}, {groups} group{'s' * (groups > 1)}, {side}², {k}×{k}, stride {s}"
        spec = ConvSpec(padding=Pads(*[k // 2] * 4), stride=Pair(s, s), groups=groups)
        yield Case(name, image, weight, spec, Finish())


def enlarged() -> Iterator[Case]:
    """Transposed operations: factors from 2 to 32, with kernels that interpolate, that repeat, and as a network learns them."""
    for channels, colours in ((3, "RGB"), (1, "gray")):
        for factor in (2, 3, 4, 6, 8, 16, 32):
            side = 2000 // factor
            image = picture((side, side * 3 // 2, channels))
            kernels = named(f"bilinear:{factor}", f"bicubic:{factor}", f"box:{factor}")
            kernels[f"dense {2 * factor}×{2 * factor}"] = dense(2 * factor)
            for name, kernel in kernels.items():
                what = f"{colours} to 2000×3000, {name} transposed, stride {factor}"
                yield filtered(what, image, kernel, transpose=True, stride=Pair(factor, factor))
    generator = np.random.default_rng(0)
    for inputs, outputs, groups, side, k, s in (
        (64, 32, 1, 56, 4, 2), (64, 3, 1, 112, 4, 2), (256, 128, 1, 14, 2, 2), (21, 21, 21, 28, 16, 8), (21, 21, 1, 28, 16, 8),
        (32, 1, 1, 64, 8, 4), (64, 64, 64, 56, 3, 2),
    ):  # fmt: skip
        image = generator.standard_normal((inputs, side, side), dtype=np.float32)
        weight = generator.standard_normal((inputs, outputs // groups, k, k))
        spec = ConvSpec(transpose=True, stride=Pair(s, s), groups=groups)
        name = (
            f"layer {inputs} → {outputs}, {groups} group{'s' * (groups > 1)}, {side}², {k}×{k} transposed, stride {s}"
        )
        yield Case(name, image, weight, spec, Finish())


def alike() -> Iterator[Case]:
    """The same kernel on every one of many channels."""
    kernels = {f"dense {size}×{size}": dense(size) for size in (3, 7, 21)} | named("sobel-x", "box:9", "gaussian:2")
    generator = np.random.default_rng(0)
    for channels, side in ((16, 512), (64, 224), (512, 64)):
        image = generator.standard_normal((channels, side, side), dtype=np.float32)
        for name, kernel in kernels.items():
            yield filtered(f"{channels} channels {side}² float32, {name}", image, kernel)


def in_blocks() -> Iterator[Case]:
    """Blocks, each done by one thread, with the plan of the whole."""
    image = picture((4096, 4096, 3))
    kernels = {f"dense {size}×{size}": dense(size) for size in (3, 7, 31)} | named("sharpen", "box:9", "gaussian:3")
    for name, kernel in kernels.items():
        for block in (Size(1024, 4096), Size(256, 4096)):
            yield filtered(f"RGB 4096² in blocks of {block}, {name}", image, kernel)._replace(block=block)
    small = image[:, :1024, :1024]
    kernel = named("bilinear:4")["bilinear:4"]
    case = filtered(
        "RGB 1024² in blocks of 1024×4096, bilinear:4 transposed", small, kernel, transpose=True, stride=Pair(4, 4)
    )
    yield case._replace(block=Size(1024, 4096))


def cases() -> Iterator[Case]:
    """All cases."""
    yield from photographs()
    yield from further()
    yield from deep()
    yield from layers()
    yield from enlarged()
    yield from alike()
    yield from in_blocks()


def once(case: Case, layer: Layer, plan: str | None) -> tuple[str, tuple[Considered, ...]]:
    """Do an operation. Returns the plan in words, and the plans that were compared."""
    _, image, _, spec, finish, size = case
    if size is None:
        result = engine.run(image, layer, spec, Compute("numpy", plan=plan), finish)
        return result.plan, result.considered
    work = engine.in_blocks(Held(image[np.newaxis]), layer, spec, Compute("numpy", plan=plan), finish)
    blocks = [*windows.blocks(work.task.geometry.output, size)]

    def emit(block: tuple[range, range]) -> None:
        work.emit(work.block(*block))

    run_all(emit, blocks, 2)
    return work.recipe.text, work.recipe.considered


def measured(case: Case, rounds: int) -> tuple[str, dict[str, float], dict[str, float]]:
    """The chosen plan, and the predicted and the measured seconds of every plan that is compared."""
    layer = Layer.of(case.weight, case.spec)
    run = partial(once, case, layer)
    text, considered = run(None)
    first = text.partition(":")[0]
    if (
        len(considered) == 1
    ):  # a small job takes taps without comparing plans; all are compared if one is asked for by name
        _, considered = run(first)
    predicted = {plan.name: plan.seconds for plan in considered if plan.seconds <= WORTH * considered[0].seconds}
    times: dict[str, list[float]] = {plan: [] for plan in predicted}
    for round_ in range(rounds + 1):
        for plan, found in times.items():
            repeats = max(1, min(20, int(STRETCH / predicted[plan])))
            start = perf_counter()
            for _ in range(repeats):
                run(plan)
            if round_:  # the first warms up
                found.append((perf_counter() - start) / repeats)
    return first, predicted, {plan: median(found) for plan, found in times.items()}


def main() -> None:
    """Run the grid, print every case, and the summary."""
    options = command_line(__doc__, "REGRET.md")
    regrets, wrong, lines = [], [], []
    for case in cases():
        if options.only not in case.name:
            continue
        chosen, predicted, seconds = measured(case, options.rounds)
        best = min(seconds, key=lambda plan: seconds[plan])
        regrets.append(seconds[chosen] / seconds[best])
        wrong.append(max(seconds[chosen] / predicted[chosen], predicted[chosen] / seconds[chosen]))
        listed = ", ".join(
            f"{plan} {1e3 * seconds[plan]:.3g} ms ({1e3 * predicted[plan]:.3g})"
            for plan in sorted(seconds, key=lambda plan: seconds[plan])
        )
        lines.append(f"| {case.name} | {chosen} | {regrets[-1]:.2f} | {wrong[-1]:.2f} | {listed} |")
        print(lines[-1], flush=True)
    within = sum(regret <= GOAL for regret in regrets)
    summary = (
        f"{len(regrets)} cases: the planner's choice took {median(regrets):.2f}× the best plan's time in the median, "
        f"{max(regrets):.2f}× at worst; {within} within {GOAL}×. The chosen plan's time is off its prediction by "
        f"{median(wrong):.2f}× in the median, {max(wrong):.2f}× at worst."
    )
    print(summary)
    header = [
        "# The planner's regret",
        "",
        summary,
        "",
        "| case | chosen | regret | prediction | plans: measured (predicted) |",
        "| --- | --- | --- | --- | --- |",
    ]
    Path(options.output).write_text("\n".join([*header, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    with Context(owns_process=True):  # as in the command line
        main()
