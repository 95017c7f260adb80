"""``convcli apply``: convolve or correlate images."""

from __future__ import annotations

from typing import Any

import click

from convcli import folding, options
from convcli.commands.help import KERNELS, MODES, STRIDED_SUM, Documented
from convcli.commands.run import run_images


@click.command(
    cls=Documented,
    sections=(KERNELS, MODES, STRIDED_SUM),
    examples=(
        "convcli apply img.png --kernel sobel --stride 2",
        "convcli apply img.png -k gaussian:2 -p same --padding-mode reflect -o soft.png",
        "convcli apply img.png --kernel='-1,0,1;-2,0,2;-1,0,1' --range offset -o relief.png",
        "convcli apply img.png --weights model.safetensors:conv1.weight -s 2 -p 3 -o maps.npy",
        "convcli apply photos --recursive -k sharpen -p same -o sharp/ --skip-existing",
        "curl -s URL | convcli apply - -k gaussian:2 -o - | convcli apply - -k sobel -o edges.png",
    ),
)
@options.images
@options.many
@options.bank
@options.geometry
@options.image_output
@options.compute
@options.reporting
def apply(**values: Any) -> None:
    """Convolve images with kernels or with a layer's weights.

    Computes what torch.nn.Conv2d computes: every output pixel is the bias plus the sum of the kernel times the input
    pixels under it. Every default is PyTorch's: stride 1, padding 0, dilation 1, groups 1, the kernel not flipped.
    """
    run_images(values, folding.fold(values, transposed=False))
