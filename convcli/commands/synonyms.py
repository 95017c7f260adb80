"""Words of other tools for our commands and options."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Sequence
from glob import glob
from typing import NamedTuple

from convcli.errors import ImageError, param
from convcli.images.formats import has_image_name
from convcli.system.names import STDIO

_ENLARGE = "convcli transpose IMAGE -k bicubic:2 -s 2 -p same-upper --padding-mode replicate"

_COMMANDS = {
    "convcli apply IMAGE -k SPEC": "conv conv2d convolve convolution filter filter2d correlate correlation xcorr correlate2d "
    "convolve2d imfilter run process kernelize depthwise",
    "convcli apply IMAGE -k gaussian:2": "blur smooth soften denoise gaussianblur gaussian-blur gaussian_blur",
    "convcli apply IMAGE -k sharpen": "sharpen sharp",
    "convcli apply IMAGE -k sobel": "edge edges edge-detect edge_detect outline gradient",
    "convcli apply IMAGE -k box:2 -s 2": "downsample downscale shrink pool pooling avgpool thumbnail",
    _ENLARGE: "resize upsample upscale enlarge interpolate zoom scale superres",
    "convcli transpose IMAGE -k SPEC": "conv_transpose conv-transpose conv_transpose2d convtranspose convtranspose2d deconv "
    "deconvolve deconvolution deconv2d transposed transposed-convolution",
    "convcli --help": "help usage ? h",
    "convcli --version": "version ver",
    "convcli shape --hin 32 --k 3": "size sizes output-size outsize calc calculate arithmetic dims dimensions geometry",
    "convcli kernel": "kernels list ls names show matrix",
    "convcli doctor": "info env environment about check diagnose status",
    "convcli animate --hin 5 --k 3 -o conv.gif": "gif animation film movie video visualize visualise plot",
    "convcli compare IMAGE -k SPEC": "bench benchmark time profile diff verify test validate",
    "convcli explain IMAGE -k SPEC --at 10,12": "pixel why trace inspect debug",
    "convcli explain IMAGE -k SPEC --as torch": "export code translate emit torch pytorch onnx scipy opencv",
    "convcli completion bash": "completions autocomplete install-completion bash zsh fish",
}
"""Our commands, and the words of other tools for them."""


def command_for(word: str, rest: Sequence[str], commands: Collection[str]) -> str:
    """What to write instead of a word that is not a command; empty if we do not know it."""
    if os.path.exists(word) or has_image_name(word):
        asked = any(one.startswith(("-k", "--kernel", "--weights")) for one in rest)
        line = shlex.join([word, *rest, *(() if asked else ("-k", "SPEC"))])
        return f"convcli apply {line}" if len(line) <= 80 else f"convcli apply {shlex.quote(word)} …"
    plain = word.lower()
    if plain in ("help", "man") and rest and rest[0] in commands:
        return f"convcli {rest[0]} --help"
    if plain == "man":
        return "man convcli"
    for line, words in _COMMANDS.items():
        if plain in words.split():
            return line
    return f"convcli apply IMAGE -k {word}" if rest and _is_kernel(word) else ""


def check_images(images: Sequence[str], kernels: Sequence[str], weights: str | None) -> None:
    """Raise an ImageError for words in the place of images that are not files: patterns, and parts of kernels."""
    for word in images:
        if word == STDIO or os.path.lexists(word):
            continue
        if re.search(r"[*?\[]", word):
            matches = bool(glob(word))
            rule = "is a pattern that the shell did not replace" if matches else "is a pattern that matches no file"
            remedy = "write it without quotes" if matches else "use the names of images, or their folder"
            raise ImageError(f"input '{word}'", rule, remedy)
        bare = [one for one in kernels if _takes_arguments(one)]
        if bare and re.fullmatch(r"\d+\.?\d*", word):
            right = param("kernel", f"{bare[-1]}:{word}")
            raise ImageError(f"input '{word}'", "is not a file", f"use {right} if it belongs to the kernel")
        if not kernels and weights is None and _is_kernel(word):
            raise ImageError(
                f"input '{word}'", "is not a file, but a kernel", f"use {param('kernel', shlex.quote(word))}"
            )


def _is_kernel(word: str) -> bool:
    """Whether a word is a kernel's name with or without arguments, or a literal."""
    if re.fullmatch(r"[-+\d.]+([,;][-+\d.]+)+", word):
        return True
    from convcli import kernels  # noqa: F401  (enters the names)
    from convcli.kernels import named

    return named.is_name(word)


def _takes_arguments(spec: str) -> bool:
    """Whether it is a kernel's name without the arguments that the kernel takes."""
    if ":" in spec or not _is_kernel(spec):
        return False
    from convcli.kernels.named import REGISTRY

    recipe = REGISTRY.get(spec.strip().lower())
    return recipe is not None and bool(recipe.parameters)


class Option(NamedTuple):
    """Options of other tools, what to write instead, and for which commands; empty: those that have the option."""

    names: str
    remedy: str
    commands: str = ""


_RUN = "apply transpose"

OPTIONS = (
    Option("--border --borders --border-mode --border-type --bordertype --boundary --boundary-mode --edge --edge-mode --mode "
           "--pad-mode --padding-type --pad-type --virtual-pixel --extend --wrap --bc", "--padding-mode"),
    Option("--padding-mode --border --mode --boundary", "a padding mode changes no size, leave it out", "shape"),
    Option("--offset --delta --add --beta --shift --plus", "--bias"),
    Option("--gray --grey --grayscale --greyscale --mono --monochrome --bw --luma", "--channels gray"),
    Option("--force -f -y --yes --replace --clobber --overwrite-output", "--overwrite (it replaces a file that is there)"),
    Option("--inplace --replace-input", "--in-place"),
    Option("--transpose --transposed", "the transposed operation is a command, use 'convcli transpose'", "apply"),
    Option("--transpose --transposed", "the command is the transposed operation, leave it out", "transpose"),
    Option("--transposed --deconv", "--transpose"),
    Option("--k --kernel-size --kernelsize --ksize --size --sigma --radius --std --theta",
           "what a kernel takes follows its name, use -k box:3 or -k gaussian:2", "apply transpose explain kernel"),
    Option("--k --ksize", "--kernel-size"),
    Option("--scale --factor --zoom --resize", "-s N enlarges, as in -k bicubic:2 -s 2 -p same-upper; leave it out", "transpose"),
    Option("--scale --factor",
           "write the factor into the kernel, as in '1/9,1/9,1/9'; 'convcli transpose -s N' enlarges", "apply"),
    Option("--resize --zoom", "use 'convcli transpose -s N' to enlarge, -s N to make it smaller", "apply"),
    Option("--normalize --normalise --divisor --div --divide --multiply --gain",
           "write the factor into the kernel, as in '1/9,1/9,1/9'"),
    Option("--output-format --out-format --ext --extension --filetype --type --fmt --to", "--format", _RUN),
    Option("--out-dir --outdir --output-dir --dir --folder --dest --destination", "-o DIR/", _RUN),
    Option("--gpu --cuda", "--device cuda"),
    Option("--cpu --no-gpu --no-cuda", "--device cpu"),
    Option("--jobs -j --workers --parallel --num-threads --nproc --num-workers --cores -t", "--threads"),
    Option("--recurse -r -R --walk", "--recursive"),
    Option("--silent", "--quiet"),
    Option("--debug --trace --log --info", "--verbose"),
    Option("--flip --convolve --convolution --conv --rotate", "--op conv (it flips the kernel)"),
    Option("--correlate --correlation --cross-correlation", "--op corr (the default)"),
    Option("--strides --step --subsample --decimate", "--stride"),
    Option("--dilate --dilations --atrous --rate --hole", "--dilation"),
    Option("--pads --padding-size", "--padding"),
    Option("--half --fp16 --float16 --double --fp64 --precision", "--dtype"),
    Option("--clip --clamp --abs --absolute --minmax --stretch --rescale --autoscale --signed", "--range"),
    Option("--srgb --gamma --linear-light", "--linear"),
    Option("--filter --filters --matrix --spec --name --type", "--kernel"),
    Option("--weight --model --checkpoint --state-dict --layer", "--weights"),
    Option("--in-channels --out-channels --cin --cout", "the image and the weights say how many channels there are, leave it out",
           _RUN),
    Option("--in", "images are named without an option, write IMAGE alone", "apply transpose"),
    Option("--input --image --file --src --source --images -i", "images are named without an option, write IMAGE alone",
           "apply transpose compare animate"),
    Option("--input --size --input-size --insize --h --height --input-height", "--hin (and --win)"),
    Option("--w --width --input-width", "--win"),
    Option("--output-height", "--hout", "shape"),
    Option("--pixel --point --pos --position --xy --yx --coords --coordinates --output-at", "--at"),
    Option("--export --code --tool --lang --language --to", "--as"),
    Option("--gif --mp4 --save", "-o FILE.gif", "animate"),
    Option("--delay --duration --speed --rate", "--fps"),
    Option("--runs --iterations --iters --times --repeat --number -n", "--repeats"),
    Option("--tol --rtol --atol --eps --epsilon --threshold", "--tolerance"),
    Option("--list --all --names", "use 'convcli kernel' alone, which lists them", "kernel"),
    Option("--preview --image --input --apply --try --img", "--on", "kernel"),
    Option("--plot --show --figure --save --draw", "-o FILE.png", "kernel shape explain"),
    Option("--version", "use 'convcli --version'"),
)  # fmt: skip
"""The first row that has the word and fits the command is used."""


def option_for(name: str, command: str, known: Collection[str]) -> str:
    """What to write instead of an option that a command does not have; empty if we do not know it."""
    dashed = name.lower().replace("_", "-") if name.startswith("--") else name
    if dashed != name and dashed in known:
        return f"did you mean {dashed}?"
    for one in OPTIONS:
        first = one.remedy.split()[0]
        fits = command in one.commands.split() if one.commands else not first.startswith("-") or first in known
        if fits and dashed in one.names.split():
            return f"did you mean {one.remedy}?" if first.startswith("-") and "," not in one.remedy else one.remedy
    return ""
