"""What becomes of transparency under every policy."""

from pathlib import Path

import numpy as np
import pytest

from convcli.convspec import ConvSpec
from convcli.runs.alpha import policy_for
from convcli.runs.operation import assemble
from support.cli import SAMPLES, done
from support.pictures import ALPHA, GENERATOR, RGB, H, W, opened, read, write


def test_blur_leaves_no_dark_fringe(tmp_path: Path) -> None:
    """The icon is black where it is transparent: that black must not show in the blurred edge."""
    options = ["-k", "gaussian:3", "-p", "same"]
    done("apply", SAMPLES / "icon.png", *options, "-o", tmp_path / "auto.png")
    done("apply", SAMPLES / "icon.png", *options, "--alpha", "filter", "-o", tmp_path / "filter.png")
    icon = read(SAMPLES / "icon.png").astype(int)
    darkest = icon[:3].sum(0)[icon[3] > 0].min()

    def visible_minimum(name: str) -> int:
        found = read(tmp_path / name).astype(int)
        return int(found[:3].sum(0)[found[3] > 8].min())

    assert visible_minimum("auto.png") >= darkest - 8
    assert visible_minimum("filter.png") < darkest / 2  # what happens without premultiplied alpha
    alpha = read(tmp_path / "auto.png")[3]
    np.testing.assert_array_equal(alpha, read(tmp_path / "filter.png")[3])  # opacity itself is blurred alike
    done("apply", SAMPLES / "icon.png", *options, "--alpha", "premultiply", "-o", tmp_path / "explicit.png")
    assert (tmp_path / "explicit.png").read_bytes() == (tmp_path / "auto.png").read_bytes()


def test_premultiplied_blur_by_hand(tmp_path: Path) -> None:
    """Half of opaque red and half of transparent green are half-transparent red."""
    planes = np.array([[[255, 0]], [[0, 255]], [[0, 0]], [[255, 0]]], np.uint8)
    write(tmp_path / "in.png", planes)
    done("apply", tmp_path / "in.png", "-k", "0.5,0.5", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png").ravel(), [255, 0, 0, 128])
    done("apply", tmp_path / "in.png", "-k", "0.5,0.5", "--alpha", "filter", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png").ravel(), [128, 128, 0, 128])


@pytest.mark.parametrize(("kernel", "policy"), [("sobel", "auto"), ("box:3", "keep"), ("sobel", "keep")])
def test_alpha_kept_is_resampled_with_the_picture(kernel: str, policy: str, tmp_path: Path) -> None:
    """The opacity under the kernel's centre, in the output's size."""
    write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    for options, expected in (
        (["-s", "2"], ALPHA[:, 1:-1:2, 1:-1:2]),
        (["-s", "2,3", "-d", "2,1"], ALPHA[:, 2:-2:2, 1:-1:3]),
        (["-p", "1"], ALPHA),
        (["-p", "2"], np.pad(ALPHA, ((0, 0), (1, 1), (1, 1)))),
        (["-p", "2", "--padding-mode", "replicate"], np.pad(ALPHA, ((0, 0), (1, 1), (1, 1)), mode="edge")),
    ):
        done("apply", tmp_path / "in.png", "-k", kernel, "--alpha", policy, *options, "-o", tmp_path / "out.png")
        np.testing.assert_array_equal(read(tmp_path / "out.png")[3:], expected)


def test_alpha_keep_filters_colours_without_weights(tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    plain = write(tmp_path / "plain.png", RGB)
    done("apply", source, "-k", "box:3", "--alpha", "keep", "-o", tmp_path / "out.png")
    done("apply", plain, "-k", "box:3", "-o", tmp_path / "expected.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png")[:3], read(tmp_path / "expected.png"))


@pytest.mark.parametrize("kernel", ["box:3", "sobel"])
def test_alpha_drop(kernel: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    plain = write(tmp_path / "plain.png", RGB)
    done("apply", source, "-k", kernel, "--alpha", "drop", "-o", tmp_path / "out.png")
    done("apply", plain, "-k", kernel, "-o", tmp_path / "expected.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), read(tmp_path / "expected.png"))


def test_alpha_filter_treats_opacity_as_a_channel(tmp_path: Path) -> None:
    planes = np.concatenate([RGB, ALPHA])
    write(tmp_path / "in.png", planes)
    done("apply", tmp_path / "in.png", "-k", "0.5", "--alpha", "filter", "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png"), np.rint(planes / 2))


@pytest.mark.parametrize("policy", ["abs", "offset", "minmax", "-9,99"])
def test_the_range_policy_is_for_colours(policy: str, tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    done("apply", source, "-k", "sobel-x", "--range", policy, "-o", tmp_path / "out.png")
    np.testing.assert_array_equal(read(tmp_path / "out.png")[3:], ALPHA[:, 1:-1, 1:-1])


def test_alpha_of_gray(tmp_path: Path) -> None:
    source = write(tmp_path / "in.png", np.concatenate([RGB, ALPHA]))
    done("apply", source, "-k", "identity", "--channels", "gray", "-o", tmp_path / "out.png")
    assert opened(tmp_path / "out.png").mode == "LA"
    np.testing.assert_array_equal(read(tmp_path / "out.png")[1:], ALPHA)


def test_default_name_of_a_jpeg_is_a_jpeg(tmp_path: Path) -> None:
    done("apply", SAMPLES / "rotated.jpg", "-k", "box", cwd=tmp_path)
    assert opened(tmp_path / "rotated-box.jpg").format == "JPEG"


@pytest.mark.parametrize("extension", ["png", "webp", "tif"])
def test_hidden_colours_stay_where_nothing_mixes(extension: str, tmp_path: Path) -> None:
    planes = GENERATOR.integers(0, 256, (4, H, W), np.uint8)
    planes[3] = GENERATOR.integers(0, 2, (H, W)) * 255
    options = {"lossless": True, "exact": True} if extension == "webp" else {}
    source = write(tmp_path / f"in.{extension}", planes, **options)
    result = done("apply", source, "-k", "identity", "-o", tmp_path / f"out.{extension}", "--json")
    assert result.json["alpha"] == "keep"
    np.testing.assert_array_equal(read(tmp_path / f"out.{extension}"), planes)
    assert (
        done("apply", source, "-k", "box", "-o", tmp_path / f"out.{extension}", "--json").json["alpha"] == "premultiply"
    )


@pytest.mark.parametrize(
    ("kernels", "channels", "policy"),
    [
        (["box:3"], "each", "premultiply"),
        (["box:3"], "gray", "premultiply"),
        (["box:3"], "sum", "keep"),  # over all colours: it is no colour that could be weighted
        (["sobel-x"], "each", "keep"),  # which sums to 0
        (["box:3", "box:5"], "each", "keep"),
        (["identity"], "each", "keep"),  # mixes no pixels
    ],
)
def test_what_auto_does(kernels: list[str], channels: str, policy: str) -> None:
    operation = assemble(ConvSpec(), kernels, channels=channels)
    assert policy_for(3, operation) == policy
