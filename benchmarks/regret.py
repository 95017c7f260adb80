"""How far the planner's choice lies from the best plan, over a grid of kernels, image sizes and strides.

    python benchmarks/regret.py [--only TEXT] [--rounds N] [--output FILE]

Every plan that is predicted to take at most `WORTH` times the chosen one's time is run in turn with the others; the regret of
a case is the chosen plan's median over the best one's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import blas  # noqa: F401 (before NumPy)
import numpy as np
from command_line import command_line
from numpy.typing import NDArray

from convcli import engine
from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.geometry import Pair
from convcli.kernels import parse
from convcli.pointwise.finish import Finish
from convcli.system import process

WORTH = 8.0
GOAL = 1.25
STRETCH = 10e-3
"""Seconds that a plan is repeated for: the first call after another plan's makes its tiles anew."""

Case = tuple[str, NDArray[np.uint8], NDArray[np.float64], ConvSpec]


def cases() -> Iterator[Case]:
    """Name, image ``(C, H, W)``, kernel, operation."""
    generator = np.random.default_rng(0)
    kernels: dict[str, NDArray[np.float64]] = {}
    for size in (3, 5, 7, 9, 13, 21, 31, 61, 101):
        dense = generator.standard_normal((size, size))
        kernels[f"dense {size}×{size}"] = dense / np.abs(dense).sum()
    for name in (
        "sharpen",
        "sobel-x",
        "box:3",
        "box:9",
        "gaussian:1",
        "gaussian:3",
        "gaussian:10",
        "disk:5",
        "disk:15",
    ):
        kernels[name] = parse(name).kernels[0].values
    lines = generator.random((1, 15)), generator.random((15, 1))
    kernels["line 1×15"], kernels["line 15×1"] = (line / line.sum() for line in lines)
    images = {"gray 256²": (256, 256, 1), "RGB 512²": (512, 512, 3), "gray 2048²": (2048, 2048, 1),
              "RGB 2000×3000": (2000, 3000, 3)}  # fmt: skip
    for image_name, shape in images.items():
        image = generator.integers(0, 255, shape, np.uint8).transpose(2, 0, 1)
        for kernel_name, kernel in kernels.items():
            for stride in (1, 2) if kernel.size <= 169 else (1,):
                spec = ConvSpec(
                    padding="same-upper", padding_mode="reflect", groups=shape[2], stride=Pair(stride, stride)
                )
                suffix = f", stride {stride}" if stride > 1 else ""
                yield f"{image_name}, {kernel_name}{suffix}", image, kernel, spec
    image = generator.integers(0, 255, (512, 512, 3), np.uint8).transpose(2, 0, 1)
    for factor in (2, 3, 4):
        kernel = parse(f"bilinear:{factor}").kernels[0].values
        yield (
            f"RGB 512², bilinear:{factor} transposed",
            image,
            kernel,
            ConvSpec(transpose=True, stride=Pair(factor, factor), padding="same-upper", groups=3),
        )


def measured(case: Case, rounds: int) -> tuple[str, dict[str, float], dict[str, float]]:
    """The chosen plan, and the predicted and measured seconds of every plan worth a look."""
    _, image, kernel, spec = case
    weight = np.broadcast_to(kernel, (len(image), 1, *kernel.shape)).copy()
    act = engine.transpose if spec.transpose else engine.convolve

    def run(plan: str | None) -> engine.ConvResult:
        return act(image, weight, spec, Compute("numpy", plan=plan), None, Finish(dtype="uint8"))

    chosen = run(None)
    first = chosen.plan.partition(":")[0]
    # A small job takes taps without weighing the rest: a plan that is asked for has them all weighed.
    considered = chosen.considered if len(chosen.considered) > 1 else run(first).considered
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
    sys.setswitchinterval(process.SWITCH_SECONDS)
    options = command_line(__doc__, "REGRET.md")
    regrets, lines = [], []
    for case in cases():
        if options.only not in case[0]:
            continue
        chosen, predicted, seconds = measured(case, options.rounds)
        best = min(seconds, key=lambda plan: seconds[plan])
        regrets.append(seconds[chosen] / seconds[best])
        listed = ", ".join(
            f"{plan} {1e3 * seconds[plan]:.3g} ms ({1e3 * predicted[plan]:.3g})"
            for plan in sorted(seconds, key=lambda plan: seconds[plan])
        )
        lines.append(f"| {case[0]} | {chosen} | {regrets[-1]:.2f} | {listed} |")
        print(lines[-1], flush=True)
    within = sum(regret <= GOAL for regret in regrets)
    summary = (
        f"{len(regrets)} cases: the planner's choice took {median(regrets):.2f}× the best plan's time in the median, "
        f"{max(regrets):.2f}× at worst; {within} within {GOAL}×."
    )
    print(summary)
    header = [
        "# The planner's regret",
        "",
        summary,
        "",
        "| case | chosen | regret | plans: measured (predicted) |",
        "| --- | --- | --- | --- |",
    ]
    Path(options.output).write_text("\n".join([*header, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
