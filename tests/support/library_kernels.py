"""Which of our kernels is which library's: every linear 2-D kernel that a library names, or why it is left out."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """Our SPEC for a library's kernel, which is `factor` times ours; None: theirs, divided by its sum, is ours."""

    ours: str
    factor: float | None = 1.0


# --- ImageMagick ---


MAGICK = {
    "Unity": Row("unity"),
    "Gaussian:3,1": Row("gaussian:1,7"),
    "Gaussian:2,0.7": Row("gaussian:0.7,5"),
    "DoG:2,1,2": Row("dog-unit:1,2,5"),
    "DoG:5,1,1.6": Row("dog-unit:1,1.6,11"),
    "LoG:2,1": Row("log-unit:1,5", -1),
    "LoG:6,1.5": Row("log-unit:1.5,13", -1),
    "Blur:2,1": Row("blur:1,5"),
    "Blur:4,1.7,90": Row("blur:1.7,9,90"),
    "Comet:3,1": Row("comet:1,3"),
    "Comet:5,2,90": Row("comet:2,5,270"),
    "Binomial:1": Row("binomial", None),
    "Binomial:3": Row("binomial:7", None),
    "Laplacian:0": Row("laplacian:8", -1),
    "Laplacian:1": Row("laplacian", -1),
    **{f"Laplacian:{number}": Row(f"laplacian-type:{number}", -1) for number in (2, 3, 5, 7, 15, 19)},
    "Sobel": Row("sobel-x"),
    "Sobel:90": Row("sobel-y"),
    "Prewitt": Row("prewitt-x"),
    "Roberts": Row("gradient-x:1"),
    "Compass": Row("compass-e"),
    "Kirsch": Row("kirsch-e"),
    "FreiChen:0": Row("isotropic-x"),
    "FreiChen:2": Row("isotropic-diagonal", 0.5**0.5),
    "FreiChen:11": Row("frei-chen-2", -2),
    "FreiChen:13": Row("frei-chen-4", -2),
    "FreiChen:14": Row("frei-chen-3", 2),
    "FreiChen:15": Row("frei-chen-line-5", -1),
    "FreiChen:16": Row("frei-chen-line-6", -1),
    "FreiChen:18": Row("frei-chen-line-8"),
    "FreiChen:19": Row("frei-chen-mean"),
    "Disk": Row("disk:4.3", None),
    "Disk:2": Row("disk:2", None),
    "Diamond": Row("diamond", None),
    "Diamond:3": Row("diamond:3", None),
    "Square": Row("square", None),
    "Square:3": Row("square:3", None),
    "Rectangle:5x3": Row("rectangle:3,5", None),
    "Octagon": Row("octagon", None),
    "Octagon:5": Row("octagon:5", None),
    "Plus": Row("plus", None),
    "Plus:3": Row("plus:3", None),
    "Cross": Row("cross", None),
    "Cross:3": Row("cross:3", None),
    "Ring": Row("ring", None),
    "Ring:1,2": Row("ring:1,2", None),
}
_PATTERN = "a pattern to be hit or missed, of morphology: no sum is formed"
_DISTANCE = "distances, of morphology: no sum is formed"
MAGICK_LEFT_OUT = {
    "FreiChen:1": "the same as FreiChen:11",
    "FreiChen:10": "the nine of 11 to 19 in one list",
    "FreiChen:12": "lacks two signs, and does not sum to 0: the right one is frei-chen-1",
    "FreiChen:17": "has a wrong sign, and does not sum to 0: the right one is frei-chen-7",
    **dict.fromkeys(
        ("Peaks", "Edges", "Corners", "Diagonals", "LineEnds", "LineJunctions", "Ridges", "ConvexHull", "ThinSe", "Skeleton"),
        _PATTERN,
    ),
    **dict.fromkeys(("Chebyshev", "Manhattan", "Octagonal", "Euclidean"), _DISTANCE),
}  # fmt: skip


# --- libvips ---


VIPS = {
    "gaussmat 1 0.2": Row("gaussmat", None),
    "gaussmat 2.5 0.01": Row("gaussmat:2.5,0.01", None),
    "logmat 1 0.1": Row("logmat"),
    "logmat 2 0.01": Row("logmat:2,0.01"),
}
VIPS_LEFT_OUT = {
    "gaussmat, logmat --precision integer": "the same, rounded to whole numbers of a 20th or a 100th",
    "gaussblur": "convolves with gaussmat",
    "sobel, scharr, prewitt": "operations, not matrices: the magnitudes of our pairs of these names",
    "compass": "an operation that turns any given kernel; convcli has the compasses themselves and --combine max",
    "sharpen, canny": "not linear",
    "mask_*": "masks for the Fourier transform, not kernels",
}


# --- G'MIC ---


GMIC = {
    "laplacian": Row("laplacian"),
    **{f"gradient {axis},{scheme}": Row(f"gradient-{axis}:{scheme}") for axis in "xy" for scheme in (-1, 0, 1, 2, 3)},
    **{f"hessian {axes}": Row(f"hessian-{axes}") for axes in ("xx", "xy", "yy")},
    "boxfilter 3": Row("box:3"),
    "boxfilter 7": Row("box:7"),
}
GMIC_LEFT_OUT = {
    "gradient 4, 5": "recursive filters without end; gaussian-gradient is what they come near",
    "blur, blur_x, deriche, vanvliet": "recursive filters without end; gaussian and blur are what they come near",
    "blur_linear, blur_radial, blur_angular": "through the Fourier transform, or different at every place",
    "boxfilter of order 1, 2": "box and then gradient along both axes",
    "dog": "not linear: the absolute difference of two recursive blurs",
    "unsharp": "with a recursive blur; unsharp is its kernel",
    "divergence": "gradient-x of one channel plus gradient-y of the next",
    "haar": "a transform, whose kernels are haar-x, haar-y and haar-xy",
    "heat_flow": "a Laplacian in steps that depend on the image",
    "sharpen, edges, gradient_norm, iee, bilateral, median": "not linear",
    "bandpass, compose_freq, convolve_fft": "masks for the Fourier transform, not kernels",
}


# --- Pillow ---


PILLOW_LEFT_OUT = dict.fromkeys(
    ("MedianFilter", "MinFilter", "MaxFilter", "RankFilter", "ModeFilter", "UnsharpMask", "GaussianBlur", "BoxBlur",
     "Color3DLUT", "MultibandFilter", "Filter", "BuiltinFilter", "Kernel"),
    "not linear, or not of a fixed kernel",
)  # fmt: skip
PILLOW = {
    name: Row("pillow-" + name.lower().replace("_", "-"))
    for name in (
        "BLUR", "CONTOUR", "DETAIL", "EDGE_ENHANCE", "EDGE_ENHANCE_MORE", "EMBOSS", "FIND_EDGES", "SHARPEN", "SMOOTH",
        "SMOOTH_MORE",
    )
}  # fmt: skip


# --- kornia ---


KORNIA = {
    "get_gaussian_kernel2d((7, 7), (1.0, 1.0))": Row("gaussian"),
    "get_gaussian_kernel2d((9, 9), (1.0, 2.5))": Row("gaussian-ellipse:1,2.5,size=9"),
    "get_gaussian_discrete_kernel1d(7, 1.0)": Row("gaussian-discrete"),
    "get_gaussian_discrete_kernel1d(13, 3.0)": Row("gaussian-discrete:3,13"),
    "get_gaussian_erf_kernel1d(7, 1.0)": Row("gaussian-erf"),
    "get_gaussian_erf_kernel1d(9, 0.6)": Row("gaussian-erf:0.6,9"),
    "get_box_kernel2d((3, 5))": Row("box:3,5"),
    "get_laplacian_kernel2d(3)": Row("laplacian:8"),
    "get_laplacian_kernel2d(7)": Row("laplacian-box:7"),
    "get_hanning_kernel2d(5)": Row("hanning", None),
    "get_hanning_kernel2d(8)": Row("hann:8", None),
    "get_pascal_kernel_2d(3)": Row("pascal"),
    "get_pascal_kernel_2d(6)": Row("binomial:6"),
    "get_sobel_kernel2d()[0]": Row("sobel-x"),
    "get_sobel_kernel2d()[1]": Row("sobel-y"),
    "get_diff_kernel2d()[0]": Row("diff-x"),
    "get_diff_kernel2d()[1]": Row("diff-y"),
    **{f"get_sobel_kernel2d_2nd_order()[{i}]": Row(f"sobel2-{axes}") for i, axes in enumerate(("xx", "xy", "yy"))},
    **{f"get_diff_kernel2d_2nd_order()[{i}]": Row(f"diff2-{axes}") for i, axes in enumerate(("xx", "xy", "yy"))},
    **{
        f"get_motion_kernel2d({size}, {angle}, {direction})": Row(f"motion-nearest:{size},{angle},{direction}")
        for size, angle, direction in (
            (5, 0.0, 1.0), (5, 30.0, 0.0), (5, 90.0, 0.5), (3, 215.0, -0.5), (9, 45.0, -1.0), (7, -77.0, 0.3), (7, 120.0, 0.0)
        )
    },
    **{f"get_binary_kernel2d(3)[{3 * i + j}]": Row(f"shift:{1 - i},{1 - j}") for i in range(3) for j in range(3)},
}  # fmt: skip
KORNIA_LEFT_OUT = {
    "get_gaussian_kernel1d": "the 1-D factor of get_gaussian_kernel2d",
    "get_box_kernel1d": "the 1-D factor of get_box_kernel2d: box:1,5",
    "get_hanning_kernel1d": "the 1-D factor of get_hanning_kernel2d",
    "get_pascal_kernel_1d": "the 1-D factor of get_pascal_kernel_2d",
    "get_laplacian_kernel1d": "1-D; a row of it is hessian-xx",
    "get_spatial_gradient_kernel2d": "chooses among sobel and diff of order 1 and 2",
    "get_sobel_kernel_3x3": "get_sobel_kernel2d()[0]",
    "get_sobel_kernel_5x5_2nd_order": "get_sobel_kernel2d_2nd_order()[0]",
    "get_diff_kernel_3x3": "get_diff_kernel2d()[0]",
    **dict.fromkeys(
        ("get_gaussian_kernel3d", "get_spatial_gradient_kernel3d", "get_diff_kernel3d", "get_diff_kernel3d_2nd_order",
         "get_motion_kernel3d"),
        "3-D",
    ),
    **dict.fromkeys(("get_canny_nms_kernel", "get_hysteresis_kernel"), "a step of Canny's detector, which is not linear"),
}  # fmt: skip


# --- scikit-image ---


SKIMAGE = {
    "HSOBEL_WEIGHTS": Row("sobel-y", 1 / 4),
    "VSOBEL_WEIGHTS": Row("sobel-x", 1 / 4),
    "HSCHARR_WEIGHTS": Row("scharr-y", 1 / 16),
    "VSCHARR_WEIGHTS": Row("scharr-x", 1 / 16),
    "HPREWITT_WEIGHTS": Row("prewitt-y", 1 / 3),
    "VPREWITT_WEIGHTS": Row("prewitt-x", 1 / 3),
    "HFARID_WEIGHTS": Row("farid-y"),
    "VFARID_WEIGHTS": Row("farid-x"),
    "ROBERTS_PD_WEIGHTS": Row("roberts-x", -1),
    "ROBERTS_ND_WEIGHTS": Row("roberts-y", -1),
    "laplace": Row("laplacian", -1),
    "gabor_kernel(0.3, 0, 1).real": Row("gabor:0.3"),
    "gabor_kernel(0.3, 0, 1).imag": Row("gabor-energy-imag:0.3"),
    "gabor_kernel(0.25, 90, 1.5).real": Row("gabor-energy-real:0.25,90,1.5"),
    "gabor_kernel(0.25, 180, 1.5).imag": Row("gabor:0.25,180,1.5,-90"),
    "difference_of_gaussians(0.5, 0.8)": Row("dog:0.5,0.8,13"),
    "gaussian(1.3)": Row("gaussian:1.3,13"),
    "unsharp_mask(1, 2)": Row("unsharp:1,2,9"),
}
SKIMAGE_LEFT_OUT = {
    **dict.fromkeys(("median", "rank", "rank_order", "frangi", "hessian", "meijering", "sato"), "not linear"),
    **dict.fromkeys(
        ("butterworth", "wiener", "filter_inverse", "filter_forward", "LPIFilter2D"), "through the Fourier transform"
    ),
    **dict.fromkeys(("correlate_sparse", "window"), "names no kernel"),
    "all with threshold in their name": "not linear",
}
SKIMAGE_COVERS = {
    "sobel": "SOBEL", "scharr": "SCHARR", "prewitt": "PREWITT", "farid": "FARID", "roberts": "ROBERTS", "laplace": "laplace",
    "gabor": "gabor", "gabor_kernel": "gabor", "gaussian": "gaussian", "difference_of_gaussians": "difference",
    "unsharp_mask": "unsharp",
}  # fmt: skip
"""Which rows a function of `skimage.filters` is covered by; those in _h, _v, _pos_diag, _neg_diag too."""
