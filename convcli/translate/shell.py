"""What ImageMagick and vips share: they apply a few kernels to every channel of a picture, and nothing else."""

from __future__ import annotations

import numpy as np

from convcli.records import NamedTuple
from convcli.translate.literals import lacking
from convcli.translate.request import Array, Joined, Request


def lacks(request: Request, tool: str) -> str:
    """What a tool cannot do of an operation; empty if it can do all."""
    rules = (
        (request.geometry.transpose, f"the transposed operation, which {tool} lacks"),
        (request.tensor, f"a .npy file, which {tool} cannot read"),
        (request.linear and tool == "vips", "linear light in pixel units, which vips scales to 0 … 1"),
        (request.kernels is None, "a layer with other weights for each channel"),
        (request.kernels is not None and len(_biases(request)) > 1, "a different bias for each channel"),
    )
    return next((f"{what}; there is no script" for holds, what in rules if holds), "")


def _biases(request: Request) -> Array:
    """The different biases ``(N, K)`` that the kernels have on the channels."""
    bias = np.zeros(request.layer.outputs) if request.layer.bias is None else request.layer.bias
    return np.unique(bias.reshape(request.blocks, -1), axis=0)


class Result(NamedTuple):
    """Kernels ``(K, kh, kw)`` with the bias of each, and the rule that joins their outputs: none (of one), magnitude or max."""

    kernels: Array
    biases: Array
    rule: str


def results(request: Request) -> list[Result]:
    """What makes each result of an operation that the tool can do. A sum of results is the result of the sum of the kernels."""
    kernels, biases, found = request.kernels, _biases(request)[0], []
    assert kernels is not None
    for start, stop, rule in request.joined or [Joined(0, len(kernels), "none")]:
        if rule == "none":
            found += [Result(kernels[k : k + 1], biases[k : k + 1], rule) for k in range(start, stop)]
        elif rule == "sum":
            total = kernels[start:stop].sum(axis=0, keepdims=True), biases[start:stop].sum(keepdims=True)
            found.append(Result(*total, "none"))
        else:
            found.append(Result(kernels[start:stop], biases[start:stop], rule))
    return found


def mirrored(request: Request) -> list[str]:
    """A remark on a border that these tools do not have."""
    if request.geometry.padding_mode != "reflect" or not any(request.geometry.pads):
        return []
    return [lacking("padding mode reflect; 'mirror' is symmetric, which has the edge pixel twice")]


def several(count: int) -> list[str]:
    """A remark on results that should be one picture."""
    return [lacking(f"{count} results in one picture; each has a file")] if count > 1 else []


def spread(request: Request, kernel: Array) -> Array:
    """A kernel with the zeros of its dilation."""
    d, e = request.geometry.dilation
    taps = np.zeros(request.geometry.extent)
    taps[::d, ::e] = kernel
    return taps
