"""Words of other tools for the values of our options, and near misses. Only errors need this module."""

from __future__ import annotations

from collections.abc import Iterable

_TABLE = """
--backend torch --device cuda | gpu cuda nvidia | backend
conv | convolve convolution flip flipped true-convolution
corr | correlate correlation cross-correlation crosscorrelation xcorr cross
gray | grey grayscale greyscale mono monochrome luma luminance bw
each | all separate depthwise rgb color colour per-channel independent
magnitude | mag norm l2 hypot euclidean
max | maximum largest
sum | add merge mix plus total
clip | clamp saturate cut truncate
abs | absolute magnitude modulus
offset | signed bias mid mid-gray center centre
minmax | normalize normalise norm stretch auto rescale autoscale scale min-max
raw | none keep as-is float off
none | no off separate false
torch | pytorch pt
numpy | np cpu
reference | ref naive exact
cuda | gpu nvidia
opencv | cv cv2
scipy | ndimage scipy.ndimage
imagemagick | magick im convert mogrify
vips | libvips pyvips
onnx | onnxruntime
keras | tensorflow tf tf.keras
float32 | fp32 f32 single float
float64 | fp64 f64 double
float16 | fp16 f16 half
bfloat16 | bf16
reflect or symmetric | mirrored flip reversed mirroring
replicate | clamp extend copy duplicate edges border
circular or replicate | repeat repeated
circular | periodic tile tiled cyclic wraparound torus
zeros | black none fill 0
valid | none no off crop
same | keep equal auto match
full | all complete
always | yes on true force
never | no off false
dark | black night
light | white bright
fft | fourier spectral frequency
taps | direct loop
gemm | im2col matmul
prefix | integral summed-area
premultiply | premultiplied weighted associate associated
keep | preserve copy
drop | remove strip flatten none off
"""
"""What to write, words for it, and the parameter, if the first is not one of the parameter's words."""


def remedy_for(text: str, words: Iterable[str], parameter: str) -> str:
    """What may have been meant by a value that is none of these `words`: ``: did you mean same?``, or empty."""
    known, plain = list(words), text.strip().lower().replace("_", "-")
    for row in _TABLE.strip().splitlines():
        remedy, names, *only = row.split(" | ")
        if plain.partition(":")[0] in names.split() and (parameter in only if only else remedy.split()[0] in known):
            return f": use {remedy}" if only else f": did you mean {remedy}?"
    from difflib import get_close_matches

    near = get_close_matches(plain, known, 1)
    return f": did you mean {near[0]}?" if near else ""
