"""Named kernels that find edges: gradient pairs, compasses, finite differences.

Signs are those of the derivative. x grows to the right and y downwards, so a correlation is positive where brightness grows
to the right (x) or downwards (y). Roberts' pair is diagonal and keeps its author's signs.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from convcli.errors import KernelError
from convcli.kernels.named import Matrix, binomial_row, named, size_of
from convcli.kernels.spec import literal

_COMPASS = "n ne e se s sw w nw"
_RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def _pair(across: Matrix, along: Matrix) -> dict[str, Matrix]:
    """The kernels x and y: x smooths by `across` down the columns and differentiates by `along` along the rows. y is xᵀ."""
    x = np.outer(across, along) + 0.0  # no negative zeros
    return {"x": x, "y": x.T.copy()}


def _compass(north: str) -> dict[str, Matrix]:
    """Eight kernels of 3×3: from one to the next, the outer ring is turned by 45°."""
    first, out = literal(north), {}
    for turn, direction in enumerate(_COMPASS.split()):
        values = out[direction] = first.copy()
        for place, cell in enumerate(_RING):
            values[cell] = first[_RING[(place - turn) % 8]]
    return out


_CENTRED = literal("-1,0,1")
"""The difference of the neighbours to the right and to the left."""


@named(
    "sum 0, Σ|k| = 8 (3×3)",
    "Sobel and Feldman (1968); OpenCV, kornia, libvips, G'MIC; scikit-image a quarter; ImageMagick flipped, for convolution",
    "x y",
)
def sobel(size: int = 3) -> dict[str, Matrix]:
    """Gradient magnitude of sobel-x (-1,0,1; -2,0,2; -1,0,1) and sobel-y; larger sizes smooth binomially."""
    size_of(size, least=3, most=31)
    smooth = binomial_row(size) * 2.0 ** (size - 1)
    return _pair(smooth, np.convolve(binomial_row(size - 2) * 2.0 ** (size - 3), [-1, 0, 1]))


@named("sum 0, Σ|k| = 6", "Prewitt (1970); libvips; scikit-image a third; ImageMagick flipped, for convolution", "x y")
def prewitt() -> dict[str, Matrix]:
    """Gradient magnitude of prewitt-x (-1,0,1 in every row) and prewitt-y."""
    return _pair(literal("1,1,1"), _CENTRED)


@named("sum 0, Σ|k| = 32", "Scharr (2000); OpenCV, libvips; scikit-image a sixteenth", "x y")
def scharr() -> dict[str, Matrix]:
    """Gradient magnitude of scharr-x (-3,0,3; -10,0,10; -3,0,3) and scharr-y: nearly the same in every direction."""
    return _pair(literal("3,10,3"), _CENTRED)


@named("sum 0, Σ|k| = 2", "Roberts (1963); scikit-image", "x y")
def roberts() -> dict[str, Matrix]:
    """Gradient magnitude of the diagonal differences roberts-x (1,0; 0,-1) and roberts-y (0,1; -1,0)."""
    return {"x": literal("1,0; 0,-1"), "y": literal("0,1; -1,0")}


@named("sum 0, Σ|k| = 0.77", "Farid and Simoncelli (2004); scikit-image", "x y")
def farid() -> dict[str, Matrix]:
    """Gradient magnitude of the 5×5 derivatives of Farid and Simoncelli (2004), made to turn with the image.

    Farid and Simoncelli, "Differentiation of discrete multidimensional signals", IEEE Trans. Image Processing 13(4).
    """
    prefilter = literal("0.0376593171958126,0.249153396177344,0.426374573253687,0.249153396177344,0.0376593171958126")
    return _pair(prefilter, literal("-0.109603762960254,-0.276690988455557,0,0.276690988455557,0.109603762960254"))


@named("sum 0, Σ|k| = 30 each", "Kirsch (1971); ImageMagick", _COMPASS, "max")
def kirsch() -> dict[str, Matrix]:
    """Largest of eight compass responses; kirsch-n is 5,5,5; -3,0,-3; -3,-3,-3 (bright to the north)."""
    return _compass("5,5,5; -3,0,-3; -3,-3,-3")


@named("sum 0, Σ|k| = 8 each", "Robinson (1977)", _COMPASS, "max")
def robinson() -> dict[str, Matrix]:
    """Largest of eight compass responses; robinson-n is 1,2,1; 0,0,0; -1,-2,-1 (bright to the north)."""
    return _compass("1,2,1; 0,0,0; -1,-2,-1")


@named(
    "sum 0, Σ|k| = 10 each",
    "Prewitt's compass with a centre (Pratt); ImageMagick's Compass flipped, for convolution",
    _COMPASS,
    "max",
)
def compass() -> dict[str, Matrix]:
    """Largest of eight compass responses; compass-n is 1,1,1; 1,-2,1; -1,-1,-1 (bright to the north)."""
    return _compass("1,1,1; 1,-2,1; -1,-1,-1")


@named("sum 0, Σ|k| = 6.83", "Frei and Chen (1977); ImageMagick's FreiChen:0 flipped, for convolution", "x y")
def isotropic() -> dict[str, Matrix]:
    """Gradient magnitude of isotropic-x (-1,0,1; -√2,0,√2; -1,0,1) and isotropic-y: Sobel with √2 instead of 2."""
    return _pair(np.array([1, sqrt(2), 1]), _CENTRED)


@named("sum 0, Σ|k| = 7.66", "ImageMagick's FreiChen:2, which is √½ of it and flipped, for convolution")
def isotropic_diagonal() -> Matrix:
    """Gradient to the lower right with the weights of isotropic: -1,-√2,0; -√2,0,√2; 0,√2,1."""
    root = sqrt(2)
    return np.array([[-1, -root, 0], [-root, 0, root], [0, root, 1]])


_GRADIENT = np.outer([1, 0, -1], [1, sqrt(2), 1])
_RIPPLE = np.array([[sqrt(2), -1, 0], [-1, 0, 1], [0, 1, -sqrt(2)]])
_FREI_CHEN = {
    "1": _GRADIENT,
    "2": _GRADIENT.T,
    "3": _RIPPLE[:, ::-1],
    "4": _RIPPLE,
    "5": literal("0,1,0; -1,0,-1; 0,1,0"),
    "6": literal("-1,0,1; 0,0,0; 1,0,-1"),
    "7": literal("1,-2,1; -2,4,-2; 1,-2,1"),
    "8": literal("-2,1,-2; 1,4,1; -2,1,-2"),
}
"""The first eight matrices of Frei and Chen's basis, before they are scaled to length 1. The ninth is the mean."""


def _unit(names: str) -> dict[str, Matrix]:
    return {name: np.ascontiguousarray(_FREI_CHEN[name] / np.sqrt((_FREI_CHEN[name] ** 2).sum())) for name in names}


_FREI_CHEN_SOURCE = "Frei and Chen (1977); ImageMagick's FreiChen, whose scales and some signs differ"


@named("sum 0, Σk² = 1", _FREI_CHEN_SOURCE, "1 2 3 4")
def frei_chen() -> dict[str, Matrix]:
    """Length of a patch's part in the edge subspace: basis kernels 1 and 2 (gradients), 3 and 4 (ripples).

    The nine of frei-chen, frei-chen-line and frei-chen-mean are orthonormal. Frei and Chen, "Fast boundary detection: a
    generalization and a new algorithm", IEEE Trans. Computers C-26(10), 1977.
    """
    return _unit("1234")


@named("sum 0, Σk² = 1", _FREI_CHEN_SOURCE, "5 6 7 8")
def frei_chen_line() -> dict[str, Matrix]:
    """Length of a patch's part in the line subspace: basis kernels 5 and 6 (lines), 7 and 8 (Laplacians)."""
    return _unit("5678")


@named("sum 3, Σk² = 1", _FREI_CHEN_SOURCE)
def frei_chen_mean() -> Matrix:
    """The ninth of Frei and Chen's orthonormal basis: the mean of 3×3 pixels, times 3."""
    return np.full((3, 3), 1 / 3)


_ISOTROPIC = np.array([(2 - sqrt(2)) / 4, (sqrt(2) - 1) / 2, (2 - sqrt(2)) / 4])
_SCHEMES = {
    -1: (literal("0,1,0"), literal("-1,1,0")),
    0: (literal("0,1,0"), _CENTRED / 2),
    1: (literal("0,1,0"), literal("0,-1,1")),
    2: (literal("1,2,1"), _CENTRED),
    3: (_ISOTROPIC, _CENTRED),
}
"""By G'MIC's number of the scheme: weights that smooth down the columns, and weights that differentiate along the rows."""


@named("sum 0", "G'MIC's gradient", "x y")
def gradient(scheme: int = 0) -> dict[str, Matrix]:
    """Gradient magnitude by backward (-1), centred (0) or forward (1) differences, Sobel (2) or rotation-invariant (3).

    Schemes 3, whose weights are ¼(2-√2) and ½(√2-1), and 0, ±1 answer a ramp of 1 per pixel with 1; scheme 2 with 8.
    """
    if scheme not in _SCHEMES:
        raise KernelError(f"scheme {scheme}", "is unknown", f"use {', '.join(map(str, _SCHEMES))}")
    return _pair(*_SCHEMES[scheme])


@named("sum 0, Σ|k| = 2", "kornia's diff", "x y")
def diff() -> dict[str, Matrix]:
    """Gradient magnitude of diff-x (-1,0,1 in the middle row) and diff-y."""
    return _pair(literal("0,1,0"), _CENTRED)


def _second(across: str, first: str, second: str, mixed: float = 1) -> dict[str, Matrix]:
    xx, xy = np.outer(literal(across), literal(second)) + 0.0, np.outer(literal(first), literal(first)) + 0.0
    return {"xx": xx, "xy": mixed * xy, "yy": xx.T.copy()}


@named("sum 0", "G'MIC's hessian", "xx xy yy")
def hessian() -> dict[str, Matrix]:
    """Magnitude of the second derivatives hessian-xx (1,-2,1), -xy (1,0,-1; 0,0,0; -1,0,1 over 4) and -yy."""
    return _second("0,1,0", "-1,0,1", "1,-2,1", 1 / 4)


@named("sum 0, Σ|k| = 4", "kornia's diff of order 2", "xx xy yy")
def diff2() -> dict[str, Matrix]:
    """Magnitude of the second differences diff2-xx (1,-2,1), -xy (1,0,-1; 0,0,0; -1,0,1) and -yy."""
    return _second("0,1,0", "-1,0,1", "1,-2,1")


@named("sum 0", "kornia's sobel of order 2", "xx xy yy")
def sobel2() -> dict[str, Matrix]:
    """Magnitude of the 5×5 Sobel second derivatives sobel2-xx (1,0,-2,0,1 smoothed by 1,4,6,4,1), -xy and -yy."""
    return _second("1,4,6,4,1", "-1,-2,0,2,1", "1,0,-2,0,1")
