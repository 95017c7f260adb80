"""Pillow's ten filters, named ``pillow-…``. Those whose plain name is free have that name, too.

A kernel has no offset. If Pillow adds one, the description names the bias to add.
"""

from __future__ import annotations

from convcli.kernels.named import Matrix, named
from convcli.kernels.spec import literal

_SOURCE = "Pillow's ImageFilter"


@named("sum 1", f"{_SOURCE}.BLUR")
def pillow_blur() -> Matrix:
    """Mean of the 16 pixels on the border of a 5×5 square, without the pixels inside."""
    return literal("1,1,1,1,1; 1,0,0,0,1; 1,0,0,0,1; 1,0,0,0,1; 1,1,1,1,1") / 16


@named("sum 0, Σ|k| = 16", f"{_SOURCE}.CONTOUR")
def pillow_contour() -> Matrix:
    """Dark contours on white with ``bias 100%``, which Pillow adds: -1 around a centre of 8."""
    return literal("-1,-1,-1; -1,8,-1; -1,-1,-1")


@named("sum 1", f"{_SOURCE}.DETAIL")
def pillow_detail() -> Matrix:
    """Mild sharpening by 4 neighbours: 0,-1,0; -1,10,-1; 0,-1,0 over 6."""
    return literal("0,-1,0; -1,10,-1; 0,-1,0") / 6


@named("sum 1", f"{_SOURCE}.EDGE_ENHANCE")
def pillow_edge_enhance() -> Matrix:
    """Sharpening by 8 neighbours: -1 around a centre of 10, over 2."""
    return literal("-1,-1,-1; -1,10,-1; -1,-1,-1") / 2


@named("sum 1", f"{_SOURCE}.EDGE_ENHANCE_MORE")
def pillow_edge_enhance_more() -> Matrix:
    """Strong sharpening by 8 neighbours: -1 around a centre of 9."""
    return literal("-1,-1,-1; -1,9,-1; -1,-1,-1")


@named("sum 0, Σ|k| = 2", f"{_SOURCE}.EMBOSS, whose rows Pillow applies bottom up")
def pillow_emboss() -> Matrix:
    """Relief on grey with ``bias 128``, which Pillow adds: each pixel minus its lower left neighbour."""
    return literal("0,0,0; 0,1,0; -1,0,0")


@named("sum 0, Σ|k| = 16", f"{_SOURCE}.FIND_EDGES")
def pillow_find_edges() -> Matrix:
    """Laplacian over 8 neighbours with a positive centre: -1 around a centre of 8."""
    return literal("-1,-1,-1; -1,8,-1; -1,-1,-1")


@named("sum 1", f"{_SOURCE}.SHARPEN")
def pillow_sharpen() -> Matrix:
    """Sharpening by 8 neighbours: -2 around a centre of 32, over 16."""
    return literal("-2,-2,-2; -2,32,-2; -2,-2,-2") / 16


@named("sum 1", f"{_SOURCE}.SMOOTH; torchvision's and kornia's sharpness")
def pillow_smooth() -> Matrix:
    """Mean of 3×3 pixels in which the centre counts 5 times."""
    return literal("1,1,1; 1,5,1; 1,1,1") / 13


@named("sum 1", f"{_SOURCE}.SMOOTH_MORE")
def pillow_smooth_more() -> Matrix:
    """Mean of 5×5 pixels in which the inner ones count 5 times and the centre 44 times."""
    return literal("1,1,1,1,1; 1,5,5,5,1; 1,5,44,5,1; 1,5,5,5,1; 1,1,1,1,1") / 100
