"""Words of other tools for our commands and options."""

import os
import re
import shlex
from collections.abc import Collection, Sequence
from glob import glob
from typing import TYPE_CHECKING

from convcli.errors import ImageError, param
from convcli.images.formats import has_image_name
from convcli.records import NamedTuple
from convcli.system.names import STDIO, is_there

if TYPE_CHECKING:
    from convcli.folding import OperationOptions

_COMMANDS = """
convcli apply IMAGE -k SPEC | \
    conv conv2d convolve convolution filter filter2d correlate correlation xcorr correlate2d convolve2d \
    imfilter run process kernelize depthwise
convcli apply IMAGE -k gaussian:2 | blur smooth soften denoise gaussianblur gaussian-blur gaussian_blur
convcli apply IMAGE -k sharpen | sharpen sharp
convcli apply IMAGE -k sobel | edge edges edge-detect edge_detect outline gradient
convcli apply IMAGE -k box:2 -s 2 | downsample downscale shrink pool pooling avgpool thumbnail
convcli transpose IMAGE -k bicubic:2 -s 2 -p same-upper --padding-mode replicate | \
    resize upsample upscale enlarge interpolate zoom scale superres
convcli transpose IMAGE -k SPEC | \
    conv_transpose conv-transpose conv_transpose2d convtranspose convtranspose2d deconv deconvolve \
    deconvolution deconv2d transposed transposed-convolution
convcli -h | help usage ? h
convcli --version | version ver
convcli shape --hin 32 --k 3 | size sizes output-size outsize calc calculate arithmetic dims dimensions geometry
convcli kernel | kernels list ls names show matrix
convcli doctor | info env environment about check diagnose status
convcli animate --hin 5 --k 3 -o conv.gif | gif animation film movie video visualize visualise plot
convcli compare IMAGE -k SPEC | bench benchmark time profile diff verify test validate
convcli explain IMAGE -k SPEC --at 10,12 | pixel why trace inspect debug
convcli explain IMAGE -k SPEC --as torch | export code translate emit torch pytorch onnx scipy opencv
convcli batch FILE | script stdin repl interactive session server daemon serve commands multi bulk stay-open -stay_open
convcli completion bash | completions autocomplete install-completion bash zsh fish
"""
"""Our commands, and the words of other tools for them."""


def command_for(word: str, rest: Sequence[str], commands: Collection[str]) -> str:
    """What to write instead of a word that is not a command; empty if we do not know it."""
    if os.path.exists(word) or has_image_name(word):
        asked = any(one.startswith(("-k", "--kernel", "--weights")) for one in rest)
        line = shlex.join([word, *rest, *(() if asked else ("-k", "SPEC"))])
        return f"convcli apply {line}" if len(line) <= 80 else f"convcli apply {shlex.quote(word)} …"
    plain = word.lower()
    if plain in ("help", "man") and rest and rest[0] in commands:
        return f"convcli {rest[0]} -h"
    if plain == "man":
        return "man convcli"
    if plain in ("info", "identify", "file", "inspect", "header") and rest:
        return f"convcli explain {shlex.quote(rest[0])} -k identity --at 0,0', which shows its size and a pixel, or 'convcli doctor"
    for line, words in (row.split(" | ") for row in _COMMANDS.strip().splitlines()):
        if plain in words.split():
            return line
    return f"convcli apply IMAGE -k {word}" if rest and is_kernel(word) else ""


def check_images(images: Sequence[str], operation: "OperationOptions", output: str | None = None) -> None:
    """Raise an ImageError for words in the place of images that are not files: patterns, parts of options, the output."""
    kernels, weights, typed = operation.kernels, operation.weights, operation.words
    for number, word in enumerate(images, 1):
        if word == STDIO or is_there(word):
            continue
        if "--" in typed and word.startswith("-"):
            raise ImageError(f"input '{word}'", "is after --, and not a file", "write options before the --")
        if parted := joined(word, typed):
            raise ImageError(f"input '{word}'", "is not a file", f"write {parted} if it belongs to the option")
        if re.search(r"[*?\[]", word):
            matches = bool(glob(word))
            rule = "is a pattern that the shell did not replace" if matches else "is a pattern that matches no file"
            remedy = "write it without quotes" if matches else "use the names of images, or their folder"
            raise ImageError(f"input '{word}'", rule, remedy)
        inputs = [one for one in images if one == STDIO or is_there(one)]
        if (
            output is None
            and number == len(images) > 1
            and len(inputs) == number - 1
            and (word.endswith("/") or has_image_name(word))
        ):
            right = param("output", shlex.quote(word if number == 2 or word.endswith("/") else "FOLDER/"))
            raise ImageError(f"input '{word}'", "is not a file", f"use {right} if it is the output")
        bare = [one for one in kernels if _takes_arguments(one)]
        if bare and re.fullmatch(r"\d+\.?\d*", word):
            right = param("kernel", f"{bare[-1]}:{word}")
            raise ImageError(f"input '{word}'", "is not a file", f"use {right} if it belongs to the kernel")
        if not kernels and weights is None and is_kernel(word):
            raise ImageError(
                f"input '{word}'", "is not a file, but a kernel", f"use {param('kernel', shlex.quote(word))}"
            )


def joined(word: str, typed: Sequence[str]) -> str:
    """An option with the numbers that were typed after it, ``-p 1,1``, if `word` is the last of them; else empty."""
    last = len(typed) - typed[::-1].index(word) if word in typed else 0
    if not re.fullmatch(r"-?\d+", word):
        return ""
    first = last - 1
    while first > 0 and re.fullmatch(r"-?\d+", typed[first - 1]):
        first -= 1
    option = typed[first - 1] if first else ""
    return f"{option} {','.join(typed[first:last])}" if option.startswith("-") and last - first > 1 else ""


def is_kernel(word: str) -> bool:
    """Whether a word is a kernel's name with or without arguments, or a literal."""
    if re.fullmatch(r"[-+\d.]+([,;][-+\d.]+)+", word):
        return True
    from convcli import kernels  # noqa: F401  (enters the names)
    from convcli.kernels import named

    return named.is_name(word)


def _takes_arguments(spec: str) -> bool:
    """Whether it is a kernel's name without the arguments that the kernel takes."""
    if ":" in spec or not is_kernel(spec):
        return False
    from convcli.kernels.named import REGISTRY

    recipe = REGISTRY.get(spec.strip().lower())
    return recipe is not None and bool(recipe.parameters)


class Option(NamedTuple):
    """What to write instead of some options, and for which commands; empty: those that have the option."""

    remedy: str
    names: str
    commands: str = ""


_TABLE = """
--padding-mode | \
    --border --borders --border-mode --border-type --bordertype --boundary --boundary-mode --edge --edge-mode --mode \
    --pad-mode --padding-type --pad-type --virtual-pixel --extend --wrap --bc
a padding mode changes no size, leave it out | --padding-mode --border --mode --boundary | shape
--bias | --offset --delta --add --beta --shift --plus
--channels gray | --gray --grey --grayscale --greyscale --mono --monochrome --bw --luma
--overwrite (it replaces a file that is there) | --force -f -y --yes --replace --clobber --overwrite-output
--in-place | --inplace --replace-input
the transposed operation is a command, use 'convcli transpose' | --transpose --transposed | apply
the command is the transposed operation, leave it out | --transpose --transposed | transpose
--transpose | --transposed --deconv
what a kernel takes follows its name, use -k box:3 or -k gaussian:2 | \
    --k --kernel-size --kernelsize --ksize --size --sigma --radius --std --theta | apply transpose explain kernel
--kernel-size | --k --ksize
-s N enlarges, as in -k bicubic:2 -s 2 -p same-upper; leave it out | --scale --factor --zoom --resize | transpose
write the factor into the kernel, as in '1/9,1/9,1/9'; 'convcli transpose -s N' enlarges | --scale --factor | apply
use 'convcli transpose -s N' to enlarge, -s N to make it smaller | --resize --zoom | apply
use --divisor, or --normalize to divide a kernel by its own sum | --normalise --divide --scale-kernel
write the factor into the kernel, as in '1/9,1/9,1/9', or use --divisor | --multiply --gain
--format | --output-format --out-format --ext --extension --filetype --type --fmt --to | apply transpose
-o DIR/ | --out-dir --outdir --output-dir --dir --folder --dest --destination | apply transpose
--device cuda | --gpu --cuda
--device cpu | --cpu --no-gpu --no-cuda
--threads | --jobs -j --workers --parallel --num-threads --nproc --num-workers --cores -t
--recursive | --recurse -r -R --walk
--quiet | --silent
--verbose | --debug --trace --log --info
--op conv (it flips the kernel) | --flip --convolve --convolution --conv --rotate
--op corr (the default) | --correlate --correlation --cross-correlation
--stride | --strides --step --subsample --decimate
--dilation | --dilate --dilations --atrous --rate --hole
--padding | --pads --padding-size --auto-pad
--output-size | --output-shape --out-size
--dtype | --half --fp16 --float16 --double --fp64 --precision
--range | --clip --clamp --abs --absolute --minmax --stretch --rescale --autoscale --signed
use --range LO,HI to stretch given values | \
    --vmin --vmax --level --levels --contrast-stretch | apply transpose explain
--linear | --srgb --gamma --linear-light
--kernel | --filter --filters --matrix --spec --name --type
--weights | --weight --model --checkpoint --state-dict --layer
the image and the weights say how many channels there are, leave it out | \
    --in-channels --out-channels --cin --cout | apply transpose
images are named without an option, write IMAGE alone | --in | apply transpose
images are named without an option, write IMAGE alone | \
    --input --image --file --src --source --images -i | apply transpose compare animate
--hin (and --win) | --input --size --input-size --insize --h --height --input-height
--win | --w --width --input-width
--hout | --output-height | shape
--at | --pixel --point --pos --position --xy --yx --coords --coordinates --output-at
--as | --export --code --tool --lang --language --to
--keep-going | --ignore-errors --continue --continue-on-error --no-fail --force -k -i | batch
--json-lines | --json --jsonl --ndjson --json-seq | batch
the list is named without an option, write FILE alone | --from-file --file --input --list -f | batch
-o FILE.gif | --gif --mp4 --save | animate
--fps | --delay --duration --speed --rate
--repeats | --runs --iterations --iters --times --repeat --number -n
--tolerance | --tol --rtol --atol --eps --epsilon --threshold
use 'convcli kernel' alone, which lists them | --list --all --names | kernel
--on | --preview --image --input --apply --try --img | kernel
-o FILE.png | --plot --show --figure --save --draw | kernel shape explain
use 'convcli --version' | --version -V
use 'convcli kernel', which lists them | --list --list-kernels --kernels | apply transpose compare explain animate
"""

OPTIONS = [Option(*row.split(" | ")) for row in _TABLE.strip().splitlines()]
"""Options of other tools. The first row that has the word and fits the command is used."""


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
