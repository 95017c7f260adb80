"""Kernels in image files, such as a point spread function: one channel, with the values that the file has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convcli import images
from convcli.errors import KernelError, param
from convcli.images.figures import MARK
from convcli.kernels.bank import Matrix, checked
from convcli.kernels.spec import MOST_VALUES
from convcli.system.names import STDIO

_HEAD = 4096
"""A PNG has its texts within so many bytes, if we wrote it."""


def read(path: Path) -> Matrix:
    """The one channel of an image, ``(kh, kw)`` in float64. Colours whose channels are equal are gray.

    Raises
    ------
    ConvError
        It cannot be read, is a figure of a kernel, or has colours, opacity, several frames, or too many pixels.
    """
    source = f"'{path}'"
    with images.opened(str(path)) as file:
        if str(path) != STDIO and _is_figure(path):
            rule, remedy = "is a figure of ours, and no kernel", "write the kernel as .npy, .csv or .json and read that"
            raise KernelError(f"kernel {source}", rule, remedy)
        if file.frames > 1:
            raise KernelError(f"kernel {source}", f"has {file.frames} frames", "save the one that is the kernel")
        picture = file.picture()
    colour = picture.colour[0] if picture.colour.ndim == 4 else picture.colour
    if colour[0].size > MOST_VALUES:
        height, width = colour.shape[1:]
        rule = f"is an image of {height}×{width}, which is too large"
        raise KernelError(f"kernel {source}", rule, "is it a kernel? Names (sobel) and matrices are kernels, too")
    if len(colour) > 1 and not (picture.space == "rgb" and (colour == colour[:1]).all()):
        rule = f"has {len(colour)} channels, and a kernel is one"
        raise KernelError(f"kernel {source}", rule, f"save it in gray, or a layer's kernels for {param('weights')}")
    if picture.alpha is not None and not (picture.alpha == picture.full_scale).all():
        raise KernelError(f"kernel {source}", "has transparent pixels", "save it without transparency")
    return checked(colour[0].astype(np.float64), source)


def _is_figure(path: Path) -> bool:
    with path.open("rb") as stream:
        return MARK in stream.read(_HEAD)
