"""Names with arguments, by place and by name, and what is said of wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from convcli.kernels import Bank, parse
from support.kernels import message, values


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        ("gaussian:2", "gaussian:sigma=2"),
        ("gaussian:2,13", "gaussian:size=13,sigma=2"),
        ("gaussian: 2 , size = 13 ", "gaussian:2,13"),
        (" GAUSSIAN:2", "gaussian:2"),
        ("gaussian", "gaussian:1,7"),
        ("box:3", "box:3,3"),
        ("box", "box:3"),
        ("shift:dx=2,dy=1", "shift:1,2"),
        ("sobel-x", "sobel-x:3"),
        ("unity:3", "identity:3"),
        ("Pascal:5", "binomial:5"),
        ("find-edges", "pillow-find-edges"),
    ],
)
def test_arguments_by_place_and_by_name(spec: str, same: str) -> None:
    np.testing.assert_array_equal(values(spec), values(same))


def test_labels_are_safe_in_file_names() -> None:
    assert parse("gaussian:sigma=2,size=13").label == "gaussian-sigma-2-size-13"
    assert parse("Sobel").label == "sobel"
    assert parse("0,1,0;1,-4,1;0,1,0").label == "kernel"
    bank = Bank((parse("sobel-x"), parse("gaussian:1.5")))
    assert bank.label == "sobel-x+gaussian-1.5"


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("", ["empty", "give a name"]),
        ("  ", ["empty", "give a name"]),
        ("sobell", ["'sobell'", "did you mean sobel"]),
        ("gausian:2", ["'gausian:2'", "did you mean gaussian"]),
        ("laplace", ["'laplace'", "did you mean laplacian"]),
        ("scharr-z", ["'scharr-z'", "scharr-x", "scharr-y"]),
        ("shar", ["'shar'", "sharpen"]),
        ("zzzzzz", ["'zzzzzz'", "'convcli kernel'"]),
        ("gaussian:", ["colon without arguments", "gaussian[:sigma=1,size]"]),
        ("gaussian:1,2,3", ["too many", "gaussian[:sigma=1,size]"]),
        ("gaussian:sigm=2", ["'sigm'", "did you mean sigma?"]),
        ("gaussian:2,sigma=3", ["sigma twice", "give it once"]),
        ("gaussian:two", ["sigma 'two'", "not a finite number", "gaussian[:"]),
        ("gaussian:nan", ["sigma 'nan'", "not a finite number"]),
        ("gaussian:inf", ["sigma 'inf'", "not a finite number"]),
        ("gaussian:1,3.5", ["size '3.5'", "not a whole number"]),
        ("gaussian:,3", ["sigma ''", "not a finite number"]),
        ("gaussian:0", ["sigma 0 is out of range: use"]),
        ("gaussian:-1", ["sigma -1 is out of range: use"]),
        ("gaussian:1,0", ["size 0", "from 1 to 4095"]),
        ("gaussian:5000", ["sigma 5000", "smaller sigma"]),
        ("gaussian:1,99999", ["size 99999", "from 1 to 4095"]),
        ("identity:4", ["size 4", "odd number from 1"]),
        ("box:-3", ["size -3", "from 1"]),
        ("box:3,0", ["width 0", "from 1"]),
        ("binomial:1000", ["size 1000", "512 or less"]),
        ("disk:-1", ["radius -1", "0 to"]),
        ("disk:1e9", ["radius 1e+09", "0 to"]),
        ("motion:4", ["size 4", "odd number"]),
        ("motion:5,0,2", ["direction 2", "-1 to 1"]),
        ("unsharp:1,1,4", ["size 4", "odd number"]),
        ("bilinear:0", ["factor 0", "1 to"]),
        ("shift", ["lacks dy and dx", "'shift:dy,dx'"]),
        ("shift:1", ["lacks dx", "'shift:dy,dx'"]),
        ("shift:9999,0", ["9999,0", "-2047 to 2047"]),
        ("random:3,-1", ["seed -1", "0 or more"]),
        ("prewitt:3", ["takes none", "write 'prewitt'"]),
        ("prewitt-x:3", ["takes none", "write 'prewitt'"]),
        ("sobel:1", ["size 1", "from 3"]),
        ("sobel:4", ["size 4", "odd number"]),
        ("sobel:33", ["size 33", "3 to 31"]),
        ("laplacian:6", ["neighbours 6", "4 or 8"]),
        ("log:0", ["sigma 0 is out of range: use"]),
        ("dog:1,0", ["sigma 0 is out of range: use"]),
        ("dog:0,1", ["sigma 0 is out of range: use"]),
        ("gabor:0.6", ["frequency 0.6", "0.001 to 0.5"]),
        ("gabor:0", ["frequency 0", "0.001 to 0.5"]),
        ("gabor:0.1,0,99", ["bandwidth 99", "0.01 to 16"]),
        ("gaussian-discrete:1,4", ["size 4", "odd number"]),
        ("gaussian-discrete:1e9,3", ["sigma 1e+09", "4095 or less"]),
        ("gaussian-erf:0", ["sigma 0", "0.01 or more"]),
        ("gaussian-ellipse:1,0", ["sigma 0", "0.01 or more"]),
        ("gaussian-ellipse:900,1", ["sigma 900", "wider than 4095", "smaller sigma"]),
        ("gaussmat:1,0", ["min_ampl 0", "less than 1"]),
        ("gaussmat:1,1", ["min_ampl 1", "less than 1"]),
        ("gaussmat:5000", ["sigma 5000", "wider than 4095"]),
        ("logmat:2000,0.01", ["sigma 2000", "wider than 4095"]),
        ("logmat:0", ["sigma 0", "0.01 or more"]),
        ("logmat:1,7", ["min_ampl 7", "less than 1"]),
        ("hanning:2", ["size 2", "from 3"]),
        ("log-unit:1,1", ["size 1", "one sign"]),
        ("dog-unit:1,1", ["sigmas 1 and 1", "one sign", "another sigma"]),
        ("laplacian-type:4", ["type 4", "0, 1, 2, 3, 5, 7, 15, 19"]),
        ("laplacian-box:4", ["size 4", "odd number"]),
        ("gradient:4", ["scheme 4", "-1, 0, 1, 2, 3"]),
        ("square:-1", ["radius -1", "from 0 to 2047"]),
        ("octagon:0", ["radius 0", "from 1 to 2047"]),
        ("plus:1e3", ["radius '1e3'", "whole number"]),
        ("rectangle:0,3", ["height 0", "from 1"]),
        ("ring:3,2", ["from 3 to 2", "outer above it"]),
        ("ring:3.2,3.3", ["contains no centre of a pixel"]),
        ("blur:1,4", ["size 4", "odd number"]),
        ("blur:1,5,45", ["angle 45", "multiple of 90", "motion"]),
        ("comet:1,0", ["length 0", "from 1"]),
        ("comet:1,3,1", ["angle 1", "multiple of 90"]),
        ("motion-nearest:4", ["size 4", "odd number"]),
        ("motion-nearest:5,0,2", ["direction 2", "-1 to 1"]),
        ("nearest:0", ["factor 0", "1 to"]),
        ("bicubic:0", ["factor 0", "1 to"]),
        ("lanczos:2,0", ["lobes 0", "1 to 16"]),
        ("lanczos:2000", ["factor 2000", "1 to 682"]),
        ("contour:3", ["takes none", "pillow-contour"]),
    ],
)
def test_wrong_names_and_arguments(spec: str, parts: list[str]) -> None:
    text = message(lambda: parse(spec))
    for part in parts:
        assert part in text
