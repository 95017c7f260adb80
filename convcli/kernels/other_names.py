"""What people type as the name of a kernel, and what to use instead."""

from __future__ import annotations

import re

from convcli.errors import param

_OTHER_NAMES = {
    "sobel or laplacian": "edge edges edge-detect edge-detection edge-detector detect-edges outline contours",
    "box": "mean average avg moving-average boxblur box-blur uniform flat",
    "gaussian": "gaussian-blur gaussianblur blur-gaussian gauss-blur low-pass lowpass",
    "laplacian or unsharp": "high-pass highpass",
    "unsharp": "unsharp-mask unsharpmask usm",
    "motion": "motion-blur motionblur",
    "identity": "none noop no-op delta dirac impulse id",
    "bilinear": "linear tent triangle",
    "bicubic": "cubic catmull-rom catrom",
    "nearest": "nn nearest-neighbour nearest-neighbor pixelate",
    "haar": "wavelet",
    "sobel-x": "sobel-h sobel-horizontal sobelx",
    "sobel-y": "sobel-v sobel-vertical sobely",
}
"""Kernels, and their names elsewhere."""

_NO_CONVOLUTIONS = (
    ("it picks a value of the window by its rank", "use box or gaussian for an average",
     "median mode rank percentile min max minimum maximum erode erosion dilate dilation open opening close closing morphology"),
    ("its weights change with the pixels", "use gaussian",
     "bilateral guided nlm nlmeans nl-means non-local-means anisotropic kuwahara wiener surface-blur"),
    ("it also thins and links what a gradient finds", "use gaussian-gradient or sobel", "canny hough"),
    ("it compares what a gradient finds", "use hessian or gaussian-gradient", "harris corner corners sift orb"),
    ("it changes each pixel by itself", f"use a number as the kernel, like 1.2, with {param('bias')}",
     "brightness contrast exposure gamma threshold binarize equalize clahe histogram normalize levels"),
    ("it changes each pixel by itself", f"use the kernel -1 with {param('bias', '100%')}", "invert negate negative"),
    ("it makes one channel of colours", f"use {param('channels', 'gray')}", "gray grey grayscale greyscale mono luma"),
    ("it moves pixels", "use shift for whole pixels", "rotate flip mirror translate warp crop"),
    ("it changes the size", f"use bicubic:2 in the transposed operation to enlarge, or {param('stride')} to make it smaller",
     "resize scale upsample upscale downsample downscale zoom thumbnail"),
)  # fmt: skip
"""Filters that cannot be a kernel: why, what to use instead, and their names."""


def remedy_for(name: str) -> tuple[str, str] | None:
    """The rule and the remedy for a name that is known from elsewhere; None for other texts."""
    plain, _, _ = name.strip().lower().replace("_", "-").partition(":")
    if plain in ("list", "ls", "all", "help", "names", "show"):
        return "is not a kernel", "'convcli kernel' alone lists them"
    for kernel, names in _OTHER_NAMES.items():
        if plain in names.split():
            return "has another name here", f"use {kernel}"
    for why, remedy, names in _NO_CONVOLUTIONS:
        if plain in names.split():
            return f"is not a convolution, because {why}", remedy
    if re.fullmatch(r"\d+x\d+", plain):
        side = plain.partition("x")[0]
        return (
            "is a size",
            f"use a kernel of this size, like box:{side}, or write its numbers, as in '0,1,0;1,-4,1;0,1,0'",
        )
    return None


_ANGLES = {"sobel": "-x -y", "prewitt": "-x -y", "roberts": "-x -y"}
"""ImageMagick's kernels with an angle: our names for 0° and 90°."""

_LAPLACIANS = ("0", "1", "2", "3", "15", "19")
"""Its Laplacians that are not what our ``laplacian`` takes for its argument."""


def of_imagemagick(name: str, arguments: str, has_sigma: bool) -> str:
    """The remedy for arguments that only ImageMagick's kernel of this name has: ``0x2``, an angle, a type; or empty."""
    if found := re.fullmatch(r"[\d.]*x([\d.]+)", arguments):
        return f"the number after the x is sigma, write {name if has_sigma else 'unsharp'}:{found[1]}"
    if not re.fullmatch(r"-?\d+", arguments) or (int(arguments) % 45 and name != "laplacian"):
        return ""
    if name in _ANGLES:
        return f"use {name}{_ANGLES[name].split()[int(arguments) // 90 % 2]}, without the angle"
    if name in ("kirsch", "compass", "robinson"):
        return f"use {name} for all directions, or one of them by its name, such as {name}-ne"
    return f"write laplacian-type:{arguments}" if name == "laplacian" and arguments in _LAPLACIANS else ""


def joined(name: str) -> tuple[str, str] | None:
    """A name and the arguments that follow it in another way than after a colon: ``gaussian(2)``, ``gaussian-2``."""
    found = re.fullmatch(r"\s*([A-Za-z][\w-]*?)\s*(?:\(([^()]*)\)|[= ]\s*(.+)|-(\d[\d.,]*))\s*", name)
    return (
        None
        if found is None
        else (found[1].lower().replace("_", "-"), (found[2] or found[3] or found[4] or "").strip())
    )
