"""``--montage``: every output channel in its place, in the gray that the caption states."""

from pathlib import Path

import numpy as np
import pytest

from convcli.drawing.sheet import GAP, MARGIN, PLAIN, SECOND, STRIP
from convcli.runs import montage
from support.cli import SAMPLES, done, run
from support.pictures import read, write


def tile(picture: np.ndarray, number: int, columns: int, size: tuple[int, int], second: bool = False) -> np.ndarray:
    """A tile of a contact sheet, gray; `second`: the ranges have a line of their own."""
    row, column = divmod(number, columns)
    scale = max(1, (columns * size[1] + (columns - 1) * GAP) / PLAIN)
    strip = round(STRIP * scale) + (round(SECOND * scale) if second else 0)
    top = MARGIN + round(16 * scale * 1.4) + 4 + strip  # of the first tile, below a title of one line
    y, x = top + row * (strip + size[0] + GAP), MARGIN + column * (size[1] + GAP)
    part = picture[:, y : y + size[0], x : x + size[1]]
    assert np.array_equal(part[0], part[1])
    assert np.array_equal(part[0], part[2])
    return part[0].astype(int)


@pytest.fixture
def image(tmp_path: Path) -> np.ndarray:
    planes = np.random.default_rng(0).integers(0, 256, (3, 120, 200), dtype=np.uint8)
    write(tmp_path / "in.png", planes)
    return planes


def picked(channels: int, scale: float = 1.0) -> np.ndarray:
    """1×1 weights whose output o is the input channel o modulo 3, times `scale`."""
    weight = np.zeros((channels, 3, 1, 1))
    for output in range(channels):
        weight[output, output % 3] = scale
    return weight


def test_every_channel_is_in_its_place(image: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", picked(8))
    done("apply", "in.png", "--weights", "w.npy", "--montage", "--range", "clip", "-o", "s.png", cwd=tmp_path)
    sheet = read(tmp_path / "s.png")
    for number in range(8):
        assert np.array_equal(tile(sheet, number, 4, (120, 200)), image[number % 3]), number


@pytest.mark.parametrize(
    ("policy", "scale", "expected"),
    [
        ("clip", 2, lambda x: np.clip(2 * x, 0, 255)),
        ("abs", -1, lambda x: x),
        ("offset", -0.5, lambda x: np.clip(np.rint(128 - 0.5 * x), 0, 255)),
        ("10,61", -1, lambda x: np.clip((-x - 10) * 5, 0, 255)),
        ("-61,-10", -1, lambda x: np.clip((61 - x) * 5, 0, 255)),
        ("minmax", -3, lambda x: np.rint((x.max() - x) * 255 / (x.max() - x.min()))),
    ],
)
def test_range_policies(policy: str, scale: float, expected: object, image: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", picked(1, scale))
    done("apply", "in.png", "--weights", "w.npy", "--montage", "--range", policy, "-o", "s.png", cwd=tmp_path)
    shown = tile(read(tmp_path / "s.png"), 0, 1, (120, 200))
    assert np.abs(shown - expected(image[0].astype(float))).max() <= (1 if policy == "minmax" else 0)  # type: ignore[operator]


def test_by_default_zero_stays_where_it_is_seen(tmp_path: Path) -> None:
    """Both signs: 0 is 128. No negative value: 0 is black. The brightest of a flat image's values is white."""
    planes = np.zeros((1, 100, 100), np.float32)
    planes[0, :50] = 10
    np.save(tmp_path / "in.npy", planes)
    np.save(tmp_path / "w.npy", np.array([1.0, -1.0, 0.0]).reshape(3, 1, 1, 1))
    done("apply", "in.npy", "--weights", "w.npy", "--montage", "-o", "s.png", cwd=tmp_path)
    sheet = read(tmp_path / "s.png")
    plus, minus, none = (tile(sheet, number, 3, (100, 100)) for number in range(3))
    assert set(plus[:50].ravel()) == {255}
    assert set(plus[50:].ravel()) == {0}
    assert set(minus[:50].ravel()) == {1}
    assert set(minus[50:].ravel()) == {128}
    assert not none.any()


def test_what_kernels_of_sum_1_make_is_as_bright_as_it_is(tmp_path: Path) -> None:
    """A stretch would make gray of what `sharpen` makes. Other kernels, a bias and a policy are as ever."""
    planes = np.full((1, 100, 200), 100, np.uint8)
    planes[0, :, 100:] = 150
    write(tmp_path / "in.png", planes)

    def sheet(*more: str) -> np.ndarray:
        args = ("-k", "identity", "-k", "2.0", "-k", "sharpen", "-p", "same", "--montage", *more, "-o", "s.png")
        done("apply", "in.png", *args, cwd=tmp_path)
        return read(tmp_path / "s.png")

    one, two, sharp = (tile(sheet(), number, 3, (100, 200)) for number in range(3))
    assert np.array_equal(one, planes[0])
    assert (two[0, 0], two[0, -1]) == (170, 255)  # stretched: 300 is white
    assert sharp[20, 98:102].tolist() == [100, 50, 200, 150]
    one = tile(sheet("--bias", "0"), 0, 3, (100, 200))
    assert (one[0, 0], one[0, -1]) == (170, 255)
    assert np.array_equal(tile(sheet("--range", "minmax"), 0, 3, (100, 200)), (planes[0] == 150) * 255)


def test_the_caption_says_what_is_stretched() -> None:
    both, kept, stretched, asked, told = (
        montage._rule(*given)
        for given in (
            (None, ["clip", None]),
            (None, ["clip"]),
            (None, [None]),
            ("minmax", ["minmax"]),
            ("-1,2", ["-1,2"]),
        )
    )
    assert both == f"{kept} Others: {stretched}"
    assert kept.startswith("Kernels that sum to 1")
    assert asked.startswith("each channel")
    assert told == "-1 is black, 2 white, the rest is clipped."


def test_icons_of_every_size() -> None:
    """A large kernel is reduced to the height of the line; a single value is a point, not a full square like a box's."""
    from convcli.convspec import ConvSpec
    from convcli.drawing.colors import LIGHT
    from convcli.runs.operation import assemble

    one, box, large = montage._icons(assemble(ConvSpec(), ["identity", "box:7", "gaussian:9"]), 3, LIGHT)
    assert one is not None
    assert box is not None
    assert large is not None
    assert (len(one), len({color for row in one for color in row})) == (3, 2)
    assert (len(box), len({color for row in box for color in row})) == (7, 1)
    assert len(large) <= STRIP - 3


def test_a_few_peaks_do_not_take_the_contrast(tmp_path: Path) -> None:
    planes = np.full((1, 100, 100), 5, np.float32)
    planes[0, 3, 3] = 1e6
    np.save(tmp_path / "in.npy", planes)
    done("apply", "in.npy", "-k", "identity", "--montage", "-o", "s.png", cwd=tmp_path)
    assert (tile(read(tmp_path / "s.png"), 0, 1, (100, 100), True) == 255).all()


def test_wide_images_are_averaged(tmp_path: Path) -> None:
    """At 1/3, the last tile column is the mean of what is left."""
    planes = np.random.default_rng(1).integers(0, 256, (1, 60, 400)).astype(np.float32)
    np.save(tmp_path / "in.npy", planes)
    args = ("--montage", "--montage-width", 2 * MARGIN + 150, "--range", "minmax")
    done("apply", "in.npy", "-k", "identity", *args, "-o", "s.png", cwd=tmp_path)
    small = np.array([[planes[0, y : y + 3, x : x + 3].mean() for x in range(0, 400, 3)] for y in range(0, 60, 3)])
    expected = (small - small.min()) * 255 / (small.max() - small.min())
    sheet = read(tmp_path / "s.png")
    at = next(y for y in range(sheet.shape[1]) if (sheet[:, y, MARGIN : MARGIN + 134] != 255).any(0).mean() > 0.9)
    found = sheet[0, at + 1 : at + 21, MARGIN : MARGIN + 134].astype(int)
    assert found == pytest.approx(expected, abs=0.51)


def test_small_results_are_enlarged(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.array([[[0.0, 1], [2, 3]]]))
    done("apply", "in.npy", "-k", "identity", "--montage", "--range", "minmax", "-o", "s.png", cwd=tmp_path)
    shown = tile(read(tmp_path / "s.png"), 0, 1, (96, 96), True)
    assert np.array_equal(shown[::48, ::48], [[0, 85], [170, 255]])
    assert np.array_equal(shown, shown[::48, ::48].repeat(48, 0).repeat(48, 1))


def test_the_width_is_kept(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.random.default_rng(0).standard_normal((300, 3, 3, 3)))
    for width in (None, 700):
        more = () if width is None else ("--montage-width", width)
        args = ("--weights", "w.npy", "--montage", *more, "-o", "s.jpg")
        done("apply", SAMPLES / "small.png", *args, "-q", cwd=tmp_path)
        across = read(tmp_path / "s.jpg").shape[2]
        assert 0.6 * (width or montage.WIDTH) < across <= (width or montage.WIDTH)


def test_labels_of_banks() -> None:
    from convcli.convspec import ConvSpec
    from convcli.runs.operation import assemble

    labels = lambda kernels, count, **more: montage._labels(assemble(ConvSpec(), kernels, **more), count, "rgb")
    assert labels(["sobel"], 3) == ["R sobel", "G sobel", "B sobel"]
    assert labels(["sobel-x", "box:3"], 2) == ["sobel-x", "box:3"]
    assert labels(["sobel", "box:3"], 6) == ["R sobel", "R box:3", "G sobel", "G box:3", "B sobel", "B box:3"]
    assert labels(["sobel"], 4, combine="none") == ["0 sobel-x", "0 sobel-y", "1 sobel-x", "1 sobel-y"]
    assert labels(["sobel", "box:3"], 1, combine="max") == ["max of sobel+box-3"]


def test_banks_come_channel_by_channel(image: np.ndarray, tmp_path: Path) -> None:
    """The labels' order is the order of the outputs."""
    args = ("-k", "identity", "-k", "0.5", "--montage", "--range", "clip", "-o", "s.png")
    done("apply", "in.png", *args, cwd=tmp_path)
    sheet = read(tmp_path / "s.png")
    for number, (channel, factor) in enumerate((c, f) for c in range(3) for f in (1, 0.5)):
        assert np.array_equal(tile(sheet, number, 3, (120, 200)), np.rint(image[channel] * factor)), number


@pytest.mark.parametrize(
    ("options", "policy", "below", "above"),
    [
        (["--range", "clip"], "clip", 2, 1),
        (["--range", "minmax"], "minmax", 0, 0),
        (["--range", "-1.0,1"], "-1,1", 1, 1),
        ([], "stretch", 0, 1),
    ],
)
def test_the_document_tells_of_the_channels(
    options: list[str], policy: str, below: int, above: int, tmp_path: Path
) -> None:
    """Of the values -2, -1, 0.5, 3 (white is 1); a stretch leaves the last, at more than the 99.5th percentile of magnitudes."""
    np.save(tmp_path / "in.npy", np.array([[[-2.0, -1.0], [0.5, 3.0]]]))
    args = ("apply", "in.npy", "-k", "identity", "--montage", *options, "--overwrite", "-o", "s.png")
    document = done(*args, "--json", cwd=tmp_path).json
    assert document["range"] == policy
    assert document["clipped"] == {"below": below, "above": above, "nan": 0, "of": 4}
    assert document["layer_shape"] == [1, 2, 2]
    assert document["output_shape"] == list(read(tmp_path / "s.png").shape)
    said = done(*args, cwd=tmp_path).err
    assert ("75 % of the values were clipped (2 below and 1 above the range)" in said) == (policy == "clip")


def test_without_a_sheet_there_is_no_shape_beside_the_output(image: np.ndarray, tmp_path: Path) -> None:
    assert done("apply", "in.png", "-k", "box", "-o", "o.png", "--json", cwd=tmp_path).json["layer_shape"] is None


def test_transposed_results(image: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones((3, 5, 2, 2)))
    document = done(
        "transpose", "in.png", "--weights", "w.npy", "-s", 2, "--montage", "-o", "s.png", "--json", cwd=tmp_path
    )
    assert document.json["output_shape"] == list(read(tmp_path / "s.png").shape)


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("-o", "s.npy"), ".npy holds the channels"),
        (("-o", "s.png", "--range", "raw"), "--range than raw"),
        (("-o", "s.bad"), "cannot be written"),
        (("-o", "s.png", "--montage-width", "0"), "'0' is not a whole number"),
    ],
)
def test_what_is_refused(args: tuple[str, ...], part: str, image: np.ndarray, tmp_path: Path) -> None:
    result = run("apply", "in.png", "-k", "box", "--montage", *args, cwd=tmp_path)
    assert result.code == 2
    assert part in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_a_batch_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros((2, 3, 9, 9)))
    result = run("apply", "in.npy", "-k", "box", "--montage", "-o", "s.png", cwd=tmp_path)
    assert result.code == 2
    assert "a batch of 2" in result.err


def test_the_dark_theme(tmp_path: Path) -> None:
    for theme, corner in (("light", (255, 255, 255)), ("dark", (0x16, 0x19, 0x1D))):
        line = ("-k", "sobel-x", "--montage", "--theme", theme, "-o", tmp_path / "m.png")
        done("apply", SAMPLES / "tiny.png", *line)
        assert tuple(read(tmp_path / "m.png")[:, 0, 0]) == corner


@pytest.mark.parametrize("option", [("--montage",), ("--montage-width", 300)])
def test_a_contact_sheet_never_takes_the_images_place(option: tuple, image: np.ndarray, tmp_path: Path) -> None:
    result = run("apply", "in.png", "-k", "sobel-x", *option, "--in-place", cwd=tmp_path)
    assert result.code == 2
    assert result.err.startswith("convcli: error: --montage with --in-place would replace the image by a contact sheet")
    assert np.array_equal(read(tmp_path / "in.png"), image)


def test_a_width_implies_the_sheet(image: np.ndarray, tmp_path: Path) -> None:
    done("apply", "in.png", "-k", "sobel-x", "--montage-width", 400, "-o", "s.png", cwd=tmp_path)
    assert read(tmp_path / "s.png").shape[2] < 400 < 2 * read(tmp_path / "s.png").shape[2]


def test_a_small_limit_is_for_inputs_not_for_letters(tmp_path: Path) -> None:
    write(tmp_path / "in.png", np.zeros((3, 4, 4), np.uint8))
    done("apply", "in.png", "-k", "sobel", "--montage", "--max-pixels", 16, "-o", "sheet.png", cwd=tmp_path)
    done("explain", "in.png", "-k", "box:3", "--at", "1,1", "--max-pixels", 16, "-o", "pixel.png", cwd=tmp_path)


def test_a_sheet_that_is_wider_than_asked_for_says_so(tmp_path: Path) -> None:
    bank = ("-k", "sobel-x", "-k", "box:3")
    result = done("apply", SAMPLES / "tiny.png", *bank, "--montage-width", 10, "-o", "sheet.png", cwd=tmp_path)
    width = read(tmp_path / "sheet.png").shape[2]
    assert f"the sheet is {width} pixels wide" in result.err
    result = done("apply", SAMPLES / "tiny.png", *bank, "--montage", "-o", "large.png", cwd=tmp_path)
    assert "pixels wide" not in result.err


def test_what_a_stretch_clips_is_not_said_of_the_result(tmp_path: Path) -> None:
    """The caption says that of every sheet; of a policy that was asked for it is said."""
    write(tmp_path / "in.png", np.random.default_rng(0).integers(0, 256, (1, 60, 70), np.uint8))
    command = ("apply", "in.png", "-k", "sobel-x", "-k", "sobel-y", "--montage", "-o", "out.png")
    assert sum(done(*command, "--json", cwd=tmp_path).json["clipped"][side] for side in ("below", "above")) > 0
    assert "were clipped" not in done(*command, cwd=tmp_path).err
    assert "were clipped" in done(*command, "--range", "clip", cwd=tmp_path).err
