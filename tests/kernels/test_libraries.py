"""Our named kernels against the values of the libraries that name them too."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from convcli.convspec import ConvSpec
from convcli.engine import Compute
from convcli.kernels import parse
from support.library_kernels import KORNIA_LEFT_OUT, MAGICK_LEFT_OUT, PILLOW_LEFT_OUT, SKIMAGE_COVERS, SKIMAGE_LEFT_OUT
from support.library_values import LIBRARIES, VALUES, Matrix, kornia_names, magick_names, skimage_names
from support.operations import convolve

KEPT: dict[str, Any] = json.loads(VALUES.read_text())
EVERY = [(library, kernel) for library, known in LIBRARIES.items() for kernel in known.rows]


MAGICK_6 = """
    Unity Gaussian DoG LoG Blur Comet Binomial Laplacian Sobel FreiChen Roberts Prewitt Compass Kirsch Diamond Square Rectangle
    Disk Octagon Plus Cross Ring Peaks Edges Corners Diagonals LineEnds LineJunctions Ridges ConvexHull ThinSe Skeleton
    Chebyshev Manhattan Octagonal Euclidean
"""
"""What ``convert -list kernel`` lists."""


def values(spec: str) -> Matrix:
    """The one kernel of a SPEC."""
    [kernel] = parse(spec).kernels
    return kernel.values


def grown(matrix: Matrix, shape: tuple[int, ...]) -> Matrix:
    """`matrix` centred in zeros of at least `shape`."""
    pads = [max(0, side - own) // 2 for side, own in zip(shape, matrix.shape, strict=True)]
    return np.pad(matrix, [(pad, pad) for pad in pads])


@pytest.mark.parametrize(("library", "kernel"), EVERY)
def test_values_are_those_of_the_library(library: str, kernel: str) -> None:
    known = LIBRARIES[library]
    row = known.rows[kernel]
    theirs, ours = np.array(KEPT[library]["values"][kernel]), values(row.ours)
    if known.flips:
        theirs = theirs[::-1, ::-1]
    if row.factor is None:
        theirs = theirs / theirs.sum()
    else:
        ours = row.factor * ours
    theirs, ours = grown(theirs, ours.shape), grown(ours, theirs.shape)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=known.within * np.abs(theirs).max())
    assert np.abs(theirs).max() > 0


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_values_kept_are_still_those_of_the_library(library: str) -> None:
    known = LIBRARIES[library]
    assert list(KEPT[library]["values"]) == list(known.rows)
    if known.version() is None:
        pytest.skip(f"{library} is not installed")
    for kernel in list(known.rows)[:: 8 if known.slow else 1]:  # the program library_values asks for all of them
        np.testing.assert_allclose(
            known.read(kernel), KEPT[library]["values"][kernel], rtol=0, atol=1e-7, err_msg=f"{library}: {kernel}"
        )


# --- nothing that a library names is missing ---


def test_every_kernel_of_imagemagick_has_its_row_or_reason() -> None:
    names = magick_names() if LIBRARIES["ImageMagick"].version() else set()
    names |= set(MAGICK_6.split())
    have = {name.partition(":")[0] for name in (*LIBRARIES["ImageMagick"].rows, *MAGICK_LEFT_OUT)}
    assert names == have
    types = {f"FreiChen:{number}" for number in (0, 1, 2, *range(10, 20))}
    assert types == {name for name in (*LIBRARIES["ImageMagick"].rows, *MAGICK_LEFT_OUT) if name.startswith("FreiChen")}


def test_every_filter_of_pillow_has_its_row_or_reason() -> None:
    kinds = {
        name for name, one in vars(ImageFilter).items() if isinstance(one, type) and issubclass(one, ImageFilter.Filter)
    }
    assert kinds == {*LIBRARIES["Pillow"].rows, *PILLOW_LEFT_OUT}


def test_every_kernel_of_kornia_has_its_row_or_reason() -> None:
    pytest.importorskip("kornia")
    assert kornia_names() == {name.partition("(")[0] for name in (*LIBRARIES["kornia"].rows, *KORNIA_LEFT_OUT)}


def test_every_filter_of_scikit_image_has_its_row_or_reason() -> None:
    pytest.importorskip("skimage")
    rest = {name for name in skimage_names() if "threshold" not in name} - set(SKIMAGE_LEFT_OUT)
    assert {re.sub(r"_(h|v|pos_diag|neg_diag)$", "", name) for name in rest} == set(SKIMAGE_COVERS)
    for part in SKIMAGE_COVERS.values():
        assert any(part in name for name in LIBRARIES["scikit-image"].rows)


# --- what the libraries do with them ---


@pytest.mark.parametrize("name", LIBRARIES["Pillow"].rows)
def test_a_picture_is_as_pillow_makes_it(name: str) -> None:
    """Also emboss, which Pillow lays on bottom up; its offsets are a bias."""
    kind = getattr(ImageFilter, name)
    picture = np.random.default_rng(5).integers(0, 256, (12, 17), np.uint8)
    theirs = np.asarray(Image.fromarray(picture).filter(kind()))
    weight = values(LIBRARIES["Pillow"].rows[name].ours)[np.newaxis, np.newaxis]
    bias = kind.filterargs[2]
    ours = convolve(picture[np.newaxis].astype(float), weight, ConvSpec(), Compute("reference")).array[0] + bias
    edge = kind.filterargs[0][0] // 2
    np.testing.assert_allclose(ours.clip(0, 255), theirs[edge:-edge, edge:-edge], rtol=0, atol=0.5001)  # rounded there


def test_imagemagick_has_two_of_frei_and_chen_wrong() -> None:
    """Their magnitudes are right: 12 is our 1 without its minus signs, 17 our 7 with one too many."""
    root = np.sqrt(0.5)
    np.testing.assert_allclose(2 * np.abs(values("frei-chen-1")), [[root, 1, root], [0, 0, 0], [root, 1, root]])
    np.testing.assert_allclose(6 * values("frei-chen-line-7"), [[1, -2, 1], [-2, 4, -2], [1, -2, 1]])


def test_frei_and_chen_is_orthonormal() -> None:
    nine = [kernel for name in ("frei-chen", "frei-chen-line", "frei-chen-mean") for kernel in parse(name).kernels]
    assert len(nine) == 9
    basis = np.array([kernel.values.ravel() for kernel in nine])
    np.testing.assert_allclose(basis @ basis.T, np.eye(9), rtol=0, atol=1e-15)
