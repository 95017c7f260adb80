"""Random runs of the command line over all options of an operation, held against torch and SciPy.

``PYTHONPATH=tests python -m support.random_runs 20000`` makes as many and prints what was refused, and every disagreement.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.signal
import torch

from support.cli import run

MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap", "symmetric": "symmetric"}
"""The names that numpy.pad has for the padding modes."""

PRECISION = {"float64": 1e-11, "float32": 2e-5, "float16": 2e-2, "bfloat16": 1e-1}
"""The largest error, as a share of the largest sum that a value can have."""

LUMA = np.array([0.299, 0.587, 0.114])


@dataclass
class Case:
    """One run: an image, weights as torch has them, and the options of the command line."""

    image: np.ndarray  # (N, C, H, W), float64
    weight: np.ndarray  # (C_out, C_in/groups, kh, kw), transposed (C_in, C_out/groups, kh, kw)
    transpose: bool
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]
    mode: str
    groups: int
    bias: np.ndarray | None
    output_padding: tuple[int, int]
    flip: bool
    gray: bool
    blocks: int  # how many times the bank's outputs come one after another
    combine: str
    dtype: str
    words: list[str] = field(default_factory=list)

    @property
    def kernels(self) -> np.ndarray:
        return self.weight[:, :, ::-1, ::-1].copy() if self.flip else self.weight


def _pair(pair: tuple[int, ...]) -> str:
    return ",".join(map(str, pair))


def draw(rng: np.random.Generator, folder: Path) -> Case:
    """A case, with its files in `folder`."""
    pick = lambda *choices: choices[int(rng.integers(len(choices)))]
    pair = lambda low, high: (int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1)))
    chance = lambda share: bool(rng.random() < share)

    transpose, bank = chance(0.4), chance(0.45)
    k, s = pair(1, 5), pair(1, 3) if chance(0.6) else (1, 1)
    d = pair(1, 3) if chance(0.4) else (1, 1)
    h, w = (int(rng.integers(1, 14)) if chance(0.8) else int(rng.integers(14, 70)) for _ in (0, 1))
    words: list[str] = ["transpose" if transpose else "apply", "x.npy", "-o", "y.npy"]
    gray, blocks, combine, groups = False, 1, "none", 1
    if bank:
        colours, count = pick(1, 2, 3, 3, 4), pick(1, 1, 2, 3)
        taps = rng.integers(-4, 5, (count, *k)) / pick(1, 1, 2, 3)
        if chance(0.2):  # separable
            taps = np.einsum("ka,kb->kab", rng.integers(-3, 4, (count, k[0])), rng.integers(-3, 4, (count, k[1]))) * 1.0
        channels = pick("each", "each", "sum", "gray")
        combine = pick("none", "none", "magnitude", "sum", "max")
        words += ["--channels", channels, "--combine", combine]
        for n in range(count):
            np.save(folder / f"k{n}.npy", taps[n])
            words += ["-k", f"k{n}.npy"]
        if channels == "each":
            groups = blocks = colours
            weight = np.tile(taps, (colours, 1, 1))[:, None]
            weight = weight.reshape(colours, count, *k) if transpose else weight
        else:
            gray = channels == "gray"
            inputs = 1 if gray else colours
            weight = np.repeat(taps[None] if transpose else taps[:, None], inputs, axis=0 if transpose else 1)
        if combine != "none" and count == 1 and combine != "magnitude":
            combine = "none"
    else:
        groups = pick(1, 1, 2, 3)
        inputs, outputs = groups * pick(1, 1, 2, 5), groups * pick(1, 2, 3)
        colours = inputs
        shape = (inputs, outputs // groups, *k) if transpose else (outputs, inputs // groups, *k)
        weight = rng.normal(size=shape) if chance(0.7) else rng.integers(-3, 4, shape) * 1.0
        np.save(folder / "w.npy", weight)
        words += ["--weights", "w.npy", "--groups", str(groups)]
    outputs = weight.shape[1] * groups if transpose else len(weight)
    bias = None
    if chance(0.4):
        one = chance(0.5) or bank
        values = rng.integers(-40, 41, 1 if one else outputs) / 4
        bias = np.broadcast_to(values, outputs).copy()
        words.append(f"--bias={','.join(map(str, values))}")
    flip = chance(0.3)
    words += ["--op", "conv"] * flip
    for name, values in (("--stride", s), ("--dilation", d)):
        if max(values) > 1 or chance(0.2):
            words += [name, _pair(values)]

    reach = [d[a] * (k[a] - 1) for a in (0, 1)]
    rule = pick("number", "number", "pair", "four", "valid", "full", "same", "same-upper", "same-lower", "none")
    if rule == "same" and max(s) > 1:
        rule = "same-upper"
    p2 = (0, 0)
    if transpose and chance(0.5):
        p2 = tuple(int(rng.integers(0, max(s[a], d[a]))) for a in (0, 1))
    solved = transpose and chance(0.3)
    pads: list[int] = []
    extra = list(p2)
    for axis, size in enumerate((h, w)):
        if rule in ("same-upper", "same-lower"):
            if transpose:
                total = reach[axis] + 1 - s[axis] + extra[axis]
                if total < 0:
                    total, extra[axis] = 0, extra[axis] - total
            else:
                total = max(0, (-(-size // s[axis]) - 1) * s[axis] + reach[axis] + 1 - size)
            low, high = total // 2, total - total // 2
            pads += [high, low] if rule == "same-lower" else [low, high]
        elif rule == "same":
            pads += [reach[axis] // 2, reach[axis] - reach[axis] // 2]
        else:
            pads += {"full": [reach[axis]] * 2, "four": [*pair(0, 4)]}.get(rule, [0, 0])
    if rule == "number":
        pads = [int(rng.integers(0, 4))] * 4
    elif rule == "pair":
        top, left = pair(0, 4)
        pads = [top, top, left, left]
    if rule != "none":
        given = {"number": str(pads[0]), "pair": _pair((pads[0], pads[2])), "four": _pair(tuple(pads))}
        words += ["--padding", given.get(rule, rule)]
    p2 = (extra[0], extra[1])
    if transpose:
        full = [((h, w)[a] - 1) * s[a] + reach[a] + 1 for a in (0, 1)]
        size = [full[a] - pads[2 * a] - pads[2 * a + 1] + p2[a] for a in (0, 1)]
        if solved and rule not in ("same-upper", "same-lower") and all(p2[a] < s[a] for a in (0, 1)):
            words += ["--output-size", _pair(tuple(size))]
        elif rule not in ("same-upper", "same-lower"):
            words += ["--output-padding", _pair(p2)]
        elif any(extra):
            p2 = _asked(words, rng, k, s, d, pads, rule)
    mode = pick(*MODES) if chance(0.6) else "zeros"
    if mode != "zeros" or chance(0.2):
        words += ["--padding-mode", mode]

    rank = pick(2, 3, 3, 4) if colours == 1 else pick(3, 3, 4)
    batch = int(rng.integers(1, 4)) if rank == 4 else 1
    stored = pick("float64", "float32", "float32", "uint8", "int16")
    image = (
        rng.normal(size=(batch, colours, h, w)) * 3
        if stored[0] == "f"
        else rng.integers(0, 200, (batch, colours, h, w))
    )
    image = image.astype(stored)
    np.save(folder / "x.npy", image.reshape((h, w) if rank == 2 else (colours, h, w) if rank == 3 else image.shape))
    backend = pick("auto", "auto", "numpy", "numpy", "torch", "reference")
    words += ["--backend", backend]
    dtype = stored if stored in ("float32", "float64") else "float32"
    if backend == "reference":
        dtype = "float64"
    elif chance(0.4):
        dtype = pick("float32", "float64", *(("float16", "bfloat16") if backend == "torch" else ()))
        words += ["--dtype", dtype]
    if backend in ("numpy", "auto") and chance(0.5) and dtype in ("float32", "float64"):
        words += ["--plan", pick("taps", "prefix", "toeplitz", "separable", "fft", "gemm")]
    if chance(0.2):
        words += ["--threads", str(pick(1, 2))]
    return Case(
        image.astype(float), weight, transpose, s, d, (pads[0], pads[1], pads[2], pads[3]), mode, groups, bias, p2,
        flip, gray, blocks, combine, dtype, words,
    )  # fmt: skip


def _asked(words: list[str], rng: Any, k: Any, s: Any, d: Any, pads: list[int], rule: str) -> tuple[int, int]:
    """With ``same-upper`` no output padding is asked for: the pads and the output padding that the rule alone gives."""
    extra = []
    for axis in (0, 1):
        total = d[axis] * (k[axis] - 1) + 1 - s[axis]
        extra.append(max(0, -total))
        total = max(0, total)
        low, high = total // 2, total - total // 2
        pads[2 * axis : 2 * axis + 2] = [high, low] if rule == "same-lower" else [low, high]
    return extra[0], extra[1]


def expected(case: Case, library: str) -> np.ndarray | None:
    """The result by torch or SciPy, ``(N, C, H, W)``; None if nothing is left."""
    image = case.image
    if case.gray:
        shares = LUMA if image.shape[1] == 3 else np.full(image.shape[1], 1 / image.shape[1])
        image = np.einsum("nchw,c->nhw", image, shares)[:, None]
    found = (_by_torch if library == "torch" else _by_scipy)(case, image)
    if found is None:
        return None
    if case.bias is not None:
        found = found + case.bias[:, None, None]
    if case.combine != "none":
        bank = found.reshape(len(found), case.blocks, -1, *found.shape[2:])
        found = {
            "magnitude": lambda: np.sqrt((bank**2).sum(2)), "sum": lambda: bank.sum(2), "max": lambda: bank.max(2),
        }[case.combine]()  # fmt: skip
    return found


def _bordered(case: Case, image: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """The image with its border, and where the result of a transposed operation is cut out of the whole one."""
    top, bottom, left, right = case.pads
    if not case.transpose:
        return np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)), MODES[case.mode]), (0, 0, 0, 0)
    sizes = []
    around = 0 if case.mode == "zeros" else 24  # more than any kernel reaches here
    for axis in (0, 1):
        whole = (
            (image.shape[2 + axis] - 1) * case.stride[axis]
            + case.dilation[axis] * (case.weight.shape[2 + axis] - 1)
            + 1
        )
        sizes += [whole - case.pads[2 * axis] - case.pads[2 * axis + 1] + case.output_padding[axis]]
    if around:
        image = np.pad(image, ((0, 0), (0, 0), (around, around), (around, around)), MODES[case.mode])
    return image, (top + case.stride[0] * around, sizes[0], left + case.stride[1] * around, sizes[1])


def _cut(whole: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray | None:
    first, height, start, width = place
    if height < 1 or width < 1:
        return None
    below, beside = (
        max(0, at + size - have) for at, size, have in ((first, height, whole.shape[2]), (start, width, whole.shape[3]))
    )
    whole = np.pad(whole, ((0, 0), (0, 0), (0, below), (0, beside)))
    return whole[:, :, first : first + height, start : start + width]


def _by_torch(case: Case, image: np.ndarray) -> np.ndarray | None:
    image, place = _bordered(case, image)
    kernels, options = (
        torch.tensor(case.kernels),
        {"stride": case.stride, "dilation": case.dilation, "groups": case.groups},
    )
    if case.transpose:
        return _cut(torch.nn.functional.conv_transpose2d(torch.tensor(image), kernels, **options).numpy(), place)
    if any(case.dilation[a] * (kernels.shape[2 + a] - 1) + 1 > image.shape[2 + a] for a in (0, 1)):
        return None
    return torch.nn.functional.conv2d(torch.tensor(image), kernels, **options).numpy()


def _by_scipy(case: Case, image: np.ndarray) -> np.ndarray | None:
    image, place = _bordered(case, image)
    (s, t), (d, e), kernels = case.stride, case.dilation, case.kernels
    spread = np.zeros((*kernels.shape[:2], d * (kernels.shape[2] - 1) + 1, e * (kernels.shape[3] - 1) + 1))
    spread[:, :, ::d, ::e] = kernels
    count, channels, height, width = image.shape
    if not case.transpose and (spread.shape[2] > height or spread.shape[3] > width):
        return None
    if case.transpose:
        stuffed = np.zeros((count, channels, (height - 1) * s + 1, (width - 1) * t + 1))
        stuffed[:, :, ::s, ::t] = image
        image = stuffed
    inputs = channels // case.groups
    outputs = spread.shape[1] if case.transpose else len(spread) // case.groups
    planes = []
    for n in range(count):
        for group in range(case.groups):
            for o in range(outputs):
                each = []
                for c in range(inputs):
                    plane = image[n, group * inputs + c]
                    if case.transpose:
                        each.append(scipy.signal.convolve2d(plane, spread[group * inputs + c, o]))
                    else:
                        each.append(scipy.signal.correlate2d(plane, spread[group * outputs + o, c], "valid")[::s, ::t])
                planes.append(sum(each))
    found = np.array(planes).reshape(count, case.groups * outputs, *planes[0].shape)
    return _cut(found, place) if case.transpose else found


@dataclass(frozen=True)
class Verdict:
    """``agrees``, ``refused`` (with the line), or ``differs`` (with what does)."""

    kind: str
    text: str = ""


def judge(seed: int, folder: Path) -> Verdict:
    """One run."""
    rng = np.random.default_rng(seed)
    case = draw(rng, folder)
    (folder / "y.npy").unlink(missing_ok=True)
    library = ("torch", "scipy")[seed % 2]
    want = expected(case, library)
    result = run(*case.words, cwd=folder)
    line = f"seed {seed}: convcli {' '.join(case.words)} on {case.image.shape}, {library}"
    if result.code != 0:
        if result.code != 2 or result.err.strip().count("\n") or (want is not None and _fits(result.err)):
            return Verdict("differs", f"{line}: exit {result.code}, {result.err.strip()}")
        return Verdict("refused", result.err.strip())
    if want is None:
        return Verdict("differs", f"{line}: {library} has no result")
    got = np.load(folder / "y.npy")
    if got.ndim == 2:
        got = got[None]
    got = got if got.ndim == 4 else got[None]
    if got.shape != want.shape:
        return Verdict("differs", f"{line}: {got.shape}, {library} has {want.shape}")
    biggest = (
        np.abs(case.image).max()
        * np.abs(case.weight).sum(axis=(1, 2, 3)).max()
        * (case.weight.shape[0] if case.transpose else 1)
    )
    scale = 1 + biggest + (0 if case.bias is None else np.abs(case.bias).max())
    error = float(np.abs(got.astype(float) - want).max() / scale)
    precision = max(PRECISION[case.dtype], PRECISION[str(got.dtype)])  # a file of float32 stays one
    if not error <= precision:  # NaN does not agree
        return Verdict("differs", f"{line}: off by {error:.3g} of the largest sum, {case.dtype}")
    return Verdict("agrees")


_UNFIT = ("plan", "larger than the padded image", "crops the transposed result", "float16", "bfloat16")
"""What is rightly refused: words of the errors for forced strategies that do not apply, and for results without pixels."""


def _fits(error: str) -> bool:
    """Whether a refusal is not one of those."""
    return not any(word in error for word in _UNFIT)


def main(count: int, first: int = 0) -> int:
    """Run the seeds `first` and following; the number of disagreements."""
    kinds, refusals = Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + count):
            verdict = judge(seed, Path(folder))
            kinds[verdict.kind] += 1
            if verdict.kind == "refused":
                refusals[re.sub(r"\d+", "N", verdict.text)[:160]] += 1
            elif verdict.kind == "differs":
                print(verdict.text, flush=True)
            if not (seed + 1) % 1000:
                print(f"{seed + 1 - first} runs: {dict(kinds)}", flush=True)
    for text, times in refusals.most_common():
        print(f"{times:6} {text}")
    print(dict(kinds))
    return kinds["differs"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(min(1, main(*map(int, sys.argv[1:]))))
