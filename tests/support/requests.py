"""Operations to be translated, with the pictures that their texts read and the results that convcli computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.errors import GeometryError
from convcli.geometry import Pads, Pair
from convcli.kernels import Bank, parse
from convcli.layer import Layer
from convcli.pointwise.finish import Finish
from convcli.translate import Request
from convcli.vocabulary import PADDING_MODES
from support.operations import convolve, transpose_convolve
from support.pictures import write


def request_for(
    spec: ConvSpec,
    size: tuple[int, int],
    *specs: str,
    combine: str | None = None,
    channels: str = "each",
    colours: int = 3,
    **more: Any,
) -> Request:
    """The request of a bank of kernels; its bias is one value."""
    bank = Bank(tuple(parse(one) for one in specs), combine)
    weight, groups = bank.weight(1 if channels == "gray" else colours, channels, spec.groups, spec.transpose)
    return layer_for(
        replace(spec, groups=groups), size, weight, parts=bank.parts, channels=channels, input_channels=colours, **more
    )


def layer_for(spec: ConvSpec, size: tuple[int, int], weight: np.ndarray, **more: Any) -> Request:
    """The request of a layer."""
    layer = Layer.of(weight, spec, more.pop("bias", None))
    geometry = spec.resolve(size, layer.kernel)
    words = {
        "source": "image.png",
        "channels": None,
        "input_channels": layer.inputs,
        "flipped": spec.op == "conv",
    } | more
    words.setdefault("turned", words["source"].endswith(".jpg"))
    words.setdefault("tensor", words["source"].endswith(".npy"))
    return Request(layer=layer, geometry=geometry, **words)


def picture(folder: Path, request: Request, seed: int = 1) -> np.ndarray:
    """The image of a request, written where its text looks for it; float64 `(C, H, W)`."""
    pixels = np.random.default_rng(seed).integers(0, 256, (request.input_channels, *request.geometry.input), np.uint8)
    if request.source.endswith(".npy"):
        np.save(folder / request.source, pixels)
    else:
        write(folder / request.source, pixels)
    return pixels.astype(float)


def expected(request: Request, image: np.ndarray) -> np.ndarray:
    """What convcli computes, by its reference."""
    geometry = request.geometry
    spec = ConvSpec(
        transpose=geometry.transpose,
        stride=geometry.stride,
        padding=geometry.pads,
        padding_mode=geometry.padding_mode,
        dilation=geometry.dilation,
        groups=request.layer.groups,
        output_padding=geometry.output_padding,
    )
    if request.channels == "gray" and len(image) == 3:
        image = (0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2])[np.newaxis]
    act = transpose_convolve if geometry.transpose else convolve
    found = act(image, request.layer.weight, spec, Compute("reference"), request.layer.bias, Finish(request.parts))
    return np.asarray(found.array)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Layers of any groups and geometry on tensors."""
    transpose, groups = draw(st.booleans()), draw(st.integers(1, 3))
    inputs, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    stride, dilation = Pair(*draw(pair)), Pair(*draw(pair))
    most = [max(both) - 1 for both in zip(stride, dilation, strict=True)]
    try:
        spec = ConvSpec(
            transpose=transpose,
            stride=stride,
            dilation=dilation,
            groups=groups,
            padding=Pads(*draw(st.tuples(*[st.integers(0, 4)] * 4))),
            padding_mode="zeros" if transpose else draw(st.sampled_from(PADDING_MODES)),
            output_padding=Pair(*(draw(st.integers(0, m if transpose else 0)) for m in most)),
        )
        shape = (inputs, outputs // groups, *kernel) if transpose else (outputs, inputs // groups, *kernel)
        weight = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape)
        bias = np.arange(outputs) * 1.5 if draw(st.booleans()) else None
        return layer_for(
            spec, (draw(st.integers(1, 6)), draw(st.integers(1, 6))), weight, bias=bias, source="image.npy"
        )
    except GeometryError:
        assume(False)
        raise


SPECS = {
    "plain": ConvSpec(),
    "same": ConvSpec(padding="same"),
    "stride": ConvSpec(padding=Pads(1, 1, 1, 1), stride=Pair(2, 3)),
    "stride, valid": ConvSpec(stride=Pair(3, 2)),
    "asymmetric": ConvSpec(padding=Pads(0, 2, 3, 1), stride=Pair(2, 1)),
    "shifted": ConvSpec(padding=Pads(2, 0, 0, 2)),
    "full": ConvSpec(padding="full"),
    "dilated": ConvSpec(padding="same", dilation=Pair(2, 1)),
    "far": ConvSpec(padding=Pads(9, 8, 15, 16), stride=Pair(2, 2)),
    "flipped": ConvSpec(op="conv", padding="same"),
}


BANKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "bias": (("0,-1,0;-1,2,-1;0,-1,0",), {"bias": np.full(3, 100.0)}),
    "magnitude": (("sobel",), {}),
    "magnitude with a bias": (("sobel",), {"bias": np.full(6, -40.0)}),
    "magnitude of gray": (("sobel",), {"channels": "gray"}),
    "gray of gray": (("box:3",), {"channels": "gray", "colours": 1}),
    "magnitude of one": (("sobel-x",), {"combine": "magnitude"}),
    "outputs": (("sobel-x", "box:3"), {}),
    "sum": (("sobel-x", "box:3"), {"combine": "sum"}),
    "max": (("sobel-x", "box:3", "0.1,0.2,0.5"), {"combine": "max"}),
    "two results": (("sobel", "box:3"), {"colours": 1}),
    "channels together": (("gaussian:0.5",), {"channels": "sum"}),
    "channels together, joined": (("sobel",), {"channels": "sum"}),
}
