"""``convcli transpose``: the transposed convolution of images."""

from __future__ import annotations

import click

from convcli import options
from convcli.commands.apply import ImagesOptions, run
from convcli.commands.help import KERNELS, MODES, Documented
from convcli.folding import folded


@click.command(
    cls=Documented,
    sections=(KERNELS, MODES),
    examples=(
        "convcli transpose small.png -k bilinear:2 --stride 2 --padding 1 -o large.png",
        "convcli transpose small.png -k bicubic:3 -s 3 -p same-upper --padding-mode replicate -o large.png",
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
    With a --padding-mode other than zeros the input is extended beyond its border, so that an enlarged image has no dark edge:
    bilinear:N and bicubic:N with --stride N, --padding same-upper and --padding-mode replicate give what
    torch.nn.functional.interpolate gives for N times the size.
    """
    run(asked, transposed=True)
