"""``convcli transpose``: the transposed convolution of images."""

from __future__ import annotations

import click

from convcli import options
from convcli.commands.apply import LARGE, ImagesOptions, run
from convcli.commands.help import Documented
from convcli.folding import folded


@click.command(
    cls=Documented,
    sections=(LARGE,),
    examples=(
        "convcli transpose img.png -k bilinear:2 -s 2 -p 1 --padding-mode replicate",
        "convcli transpose icon.png -k nearest:8 -s 8 -o large.png",
        "convcli transpose maps.npy --weights layer.npy -s 2 -p 1 --op2 1 -o up.npy",
        "convcli transpose small.png -k bicubic:3 -s 3 -p same-upper \\\n  --padding-mode replicate -o large.png",
    ),
)
@options.images
@options.many
@options.bank
@options.transposed_geometry
@options.image_output
@options.compute
@options.image_reporting
@folded
def transpose(asked: ImagesOptions) -> None:
    """Enlarge images by the transposed convolution.

    This is torch.nn.ConvTranspose2d: every input pixel adds the kernel, times its value, to the output, stride pixels apart.
    Padding crops the result, output padding extends it at the bottom and the right.

    With a --padding-mode other than zeros the input continues beyond its border, so that an enlarged image has no dark edge.
    bilinear:N and bicubic:N with --stride N, --padding same-upper and --padding-mode replicate give what
    torch.nn.functional.interpolate gives for N times the size.
    """
    run(asked, transposed=True)
