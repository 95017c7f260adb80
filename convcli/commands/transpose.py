"""``convcli transpose``: the transposed convolution of images."""

from __future__ import annotations

import click

from convcli import options
from convcli.commands.apply import ImagesOptions, run
from convcli.commands.help import KERNELS, Documented
from convcli.folding import folded


@click.command(
    cls=Documented,
    sections=(KERNELS,),
    examples=(
        "convcli transpose small.png -k bilinear:2 --stride 2 --padding 1 -o large.png",
        "convcli transpose small.png -k bilinear:4 -s 4 -p same-upper -o large.png",
        "convcli transpose maps.npy --weights layer.npy -s 2 -p 1 --output-size 224,224 -o up.npy",
    ),
)
@options.images
@options.many
@options.bank
@options.transposed_geometry
@options.image_output
@options.compute
@options.reporting
@folded
def transpose(asked: ImagesOptions) -> None:
    """Enlarge images by the transposed convolution.

    Computes what torch.nn.ConvTranspose2d computes: every input pixel adds the kernel, weighted by its value, to the
    output, stride pixels apart; padding crops the result and output_padding extends it at the bottom and the right.
    """
    run(asked, transposed=True)
