"""What the help says of kernels' arguments is about every argument, and true."""

import numpy as np
import pytest

from convcli import kernels
from convcli.commands.kernel_texts import ARGUMENTS, NAMES
from convcli.kernels.named import REGISTRY, is_name


def values(spec: str) -> np.ndarray:
    [kernel] = kernels.parse(spec).kernels
    return kernel.values


def test_the_unit_of_every_argument_is_said_once() -> None:
    said = [name for names, _ in ARGUMENTS.rows for name in names.split(", ")]
    taken = {name for recipe in REGISTRY.values() for name in recipe.parameters}
    assert sorted(said) == sorted(taken)


def test_every_kernel_that_the_texts_name_exists() -> None:
    text = " ".join([NAMES.text, ARGUMENTS.text, *(meaning for _, meaning in ARGUMENTS.rows)])
    for name in (
        "sobel-x", "sobel-y:5", "kirsch-ne", "pillow-sharpen", "log-unit", "motion-nearest", "gradient", "laplacian-type",
    ):  # fmt: skip
        assert is_name(name)
        assert name in text


def test_angles_are_in_degrees() -> None:
    assert np.allclose(values("gabor:theta=90"), values("gabor").T)
    assert np.allclose(values("gabor:phase=180"), -values("gabor"))
    assert np.array_equal(values("motion:5,90"), values("motion:5").T)
    assert np.allclose(values("gaussian-ellipse:1,2,90"), values("gaussian-ellipse:1,2").T)


def test_angles_turn_counter_clockwise_and_waves_downwards() -> None:
    """At 45 degrees a line goes up to the right. The sine of a wave to the lower right is positive there."""
    line = values("motion:9,45")
    assert line[2, 6] > 0
    assert line[2, 2] == 0
    sine = values("gabor:theta=45,phase=-90")
    centre = len(sine) // 2
    assert sine[centre + 1, centre + 1] > 0


def test_signs() -> None:
    """Brightness that grows to the right, and downwards; the kernel is not flipped."""
    rows, columns = np.mgrid[:3, :3]
    assert (values("sobel-x") * columns).sum() > 0
    assert (values("sobel-y") * rows).sum() > 0
    assert values("laplacian")[1, 1] < 0


def test_positional_and_named_arguments_are_the_same() -> None:
    assert np.array_equal(values("gaussian:2,9"), values("gaussian:sigma=2,size=9"))


@pytest.mark.parametrize("spec", ["sharpen:0", "unsharp:2,0"])
def test_an_amount_of_0_changes_nothing(spec: str) -> None:
    found = values(spec)
    assert found.sum() == 1
    assert np.count_nonzero(found) == 1
