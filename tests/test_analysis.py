"""What a kernel does: against closed forms, SciPy, NumPy's FFT, and other tools' readers."""

import shutil
import subprocess
from math import pi, sqrt
from pathlib import Path

import numpy as np
import pytest
from cli import done
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, signal

from convcli.drawing.heatmap import Colors
from convcli.drawing.scene import Text
from convcli.kernels import Kernel, parse
from convcli.kernels.analysis import Analysis, analyse, reduced
from convcli.kernels.export import FORMATS, encode, literal
from convcli.kernels.factors import common_denominator
from convcli.kernels.kernel_figure import draw, terminal
from convcli.kernels.response import magnitude, response

ONE = np.array([0.0])


def found(spec: str) -> Analysis:
    (kernel,) = parse(spec).kernels
    return analyse(kernel)


def rebuilt(one: Analysis) -> np.ndarray:
    terms = [factor.scale * np.outer(factor.column, factor.row) for factor in one.factors]
    return np.sum(terms, axis=0) if terms else np.zeros(one.values.shape)


whole = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.integers(-9, 9).map(float))
real = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(-100, 100, width=32))


def test_the_response_of_a_box_is_its_closed_form() -> None:
    """A row of n taps of 1/n: |sin(πnf) / (n sin(πf))|, Dirichlet's kernel."""
    f = np.linspace(0.01, 0.5, 23)
    for n in (2, 3, 7):
        expected = np.abs(np.sin(pi * n * f) / (n * np.sin(pi * f)))
        assert magnitude(np.full((1, n), 1 / n), ONE, f)[0] == pytest.approx(expected, abs=1e-14)


def test_the_response_of_sobel_is_its_closed_form() -> None:
    """(1, 2, 1) answers 4 cos²(πf), (-1, 0, 1) answers 2 |sin(2πf)|."""
    f, g = np.linspace(-0.5, 0.5, 17), np.linspace(-0.5, 0.5, 12)
    expected = np.outer(4 * np.cos(pi * f) ** 2, 2 * np.abs(np.sin(2 * pi * g)))
    assert magnitude(found("sobel-x").values, f, g) == pytest.approx(expected, abs=1e-13)


def test_the_response_of_a_gaussian_is_a_gaussian() -> None:
    f = np.linspace(0, 0.3, 9)
    sigma = 2.0
    expected = np.exp(-2 * (pi * sigma * f) ** 2)
    assert magnitude(found("gaussian:2,33").values, ONE, f)[0] == pytest.approx(expected, abs=1e-5)


def test_the_response_is_scipys_of_the_factors() -> None:
    one = found("farid-x")
    (factor,) = one.factors
    f = np.linspace(0, 0.49, 20)
    _, down = signal.freqz(factor.column, worN=2 * pi * f)
    _, along = signal.freqz(factor.row, worN=2 * pi * f)
    expected = abs(factor.scale) * np.outer(np.abs(down), np.abs(along))
    assert magnitude(one.values, f, f) == pytest.approx(expected, abs=1e-12)


@given(real)
def test_the_response_is_the_fourier_transform(values: np.ndarray) -> None:
    f = np.fft.fftfreq(8)
    expected = np.abs(np.fft.fft2(values, (8, 8)))
    assert magnitude(values, f, f) == pytest.approx(expected, abs=1e-9 * (1 + np.abs(values).sum()))


def test_the_picture_of_the_response_has_zero_in_its_middle() -> None:
    picture = response(found("gaussian:2").values, 9)
    assert picture.shape == (9, 9)
    assert picture.max() == picture[4, 4] == pytest.approx(1)
    assert picture == pytest.approx(picture[::-1, ::-1])
    assert picture[0, 0] < 0.01


@pytest.mark.parametrize("name", ["gaussian:20", "disk:20"])
def test_the_peak_of_a_broad_kernel_is_drawn(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []

    def shades(rows: list[list[float]], gain: float, *_: object) -> Colors:
        drawn.append(max(map(max, rows)) / gain)
        return [["#000000" for _ in row] for row in rows]

    monkeypatch.setattr("convcli.drawing.heatmap.shades", shades)
    draw([found(name)], [""])
    terminal(found(name), 24)
    assert len(drawn) >= 2
    assert min(drawn) == pytest.approx(1)


def test_about_zero_is_not_zero() -> None:
    texts = {shape.text for shape in draw([found("gaussian:1.5")], [""]).shapes if isinstance(shape, Text)}
    assert "~0" in texts
    assert "0" in {shape.text for shape in draw([found("sobel-x")], [""]).shapes if isinstance(shape, Text)}


@pytest.mark.parametrize(
    ("spec", "gain", "where"),
    [
        ("sobel-x", 8, (0, 0.25)),
        ("sobel-y", 8, (0.25, 0)),
        ("laplacian", 8, (0.5, 0.5)),
        ("box:5", 1, (0, 0)),
        ("sharpen", 9, (0.5, 0.5)),
        ("0.25,-0.5,0.25;", 1, (0, 0.5)),
        ("-1,-2,-1;", 4, (0, 0)),
        ("0,0;0,0", 0, (0, 0)),
        ("1,-1,0,0,0,-1,1;", 4, (0, 0.5)),  # all four terms agree
    ],
)
def test_gains_of_closed_forms(spec: str, gain: float, where: tuple[float, float]) -> None:
    one = found(spec)
    assert one.gain == pytest.approx(gain, abs=1e-12)
    assert one.gain_at == pytest.approx(where, abs=1e-4)


@given(real)
def test_the_gain_is_the_largest_response(values: np.ndarray) -> None:
    """No frequency of a fine grid is amplified more; nothing is more than Σ|k|."""
    one = analyse(Kernel("k", values))
    grid = np.fft.fft2(values, (256, 256))
    assert np.abs(grid).max() <= one.gain * (1 + 1e-9) + 1e-12
    assert one.gain <= one.abs_sum * (1 + 1e-12)
    at = magnitude(values, np.array([one.gain_at[0]]), np.array([one.gain_at[1]]))[0, 0]
    assert at == pytest.approx(one.gain, rel=1e-3, abs=1e-9)


@pytest.mark.parametrize(
    "spec", ["dog:1.5,3", "log:1.6", "log:2", "log-unit:2", "dog:1,1.6", "logmat:2,0.01", "dog:2,3"]
)
def test_the_gain_of_a_ring(spec: str) -> None:
    """A rotationally symmetric kernel has a ridge for its maximum, which a search of a few points leaves too early."""
    values = parse(spec).kernels[0].values
    one = analyse(Kernel("k", values))
    side = 1536
    row, column = np.unravel_index(np.abs(np.fft.fft2(values, (side, side))).argmax(), (side, side))
    down, along = (np.arange(count) for count in values.shape)

    def less(at: np.ndarray) -> float:
        waves = np.exp(-2j * pi * at[0] * down), np.exp(-2j * pi * at[1] * along)
        return -float(np.abs(waves[0] @ values @ waves[1]))

    closely = {"xatol": 1e-10, "fatol": 1e-15}
    best = optimize.minimize(less, (row / side, column / side), method="Nelder-Mead", options=closely)
    assert one.gain == pytest.approx(-best.fun, rel=1e-10)
    assert -less(np.array(one.gain_at)) == pytest.approx(one.gain, rel=1e-6)


def test_sums_and_range() -> None:
    one = found("1,-2,3.5;0,-0.25,0")
    assert (one.sum, one.abs_sum, one.low, one.high) == (2.25, 6.75, -2.25, 4.5)
    assert not one.zero_sum
    assert found("log:1.4").zero_sum
    assert found("farid-x").zero_sum
    assert not found("gaussian").zero_sum


@pytest.mark.parametrize(
    ("spec", "symmetric", "antisymmetric", "left_right", "top_bottom"),
    [
        ("gaussian", True, False, True, True),
        ("sobel-x", False, True, False, True),
        ("roberts-x", False, True, False, False),
        ("1,2;3,4", False, False, False, False),
        ("1,2;2,1", True, False, False, False),
        ("1,2,1;3,4,3", False, False, True, False),
    ],
)
def test_symmetries(spec: str, symmetric: bool, antisymmetric: bool, left_right: bool, top_bottom: bool) -> None:
    one = found(spec)
    assert (one.symmetric, one.antisymmetric, one.left_right, one.top_bottom) == (
        symmetric, antisymmetric, left_right, top_bottom,
    )  # fmt: skip


def test_exact_factors() -> None:
    (factor,) = found("sobel-x").factors
    assert (factor.scale, factor.column, factor.row) == (1, (1, 2, 1), (-1, 0, 1))
    (factor,) = found("binomial:3").factors
    assert (factor.scale, factor.column, factor.row) == (1 / 16, (1, 2, 1), (1, 2, 1))
    (factor,) = found("bilinear:2").factors
    assert (factor.scale, factor.column) == (1 / 16, (1, 3, 3, 1))
    first, second = found("laplacian").factors  # -1/4 (1,-4,1)ᵀ(1,-4,1) + 1/4 (1,0,1)ᵀ(1,0,1)
    assert (first.scale, first.column, second.scale, second.row) == (-0.25, (-1, 4, -1), 0.25, (1, 0, 1))


def test_a_gaussian_is_one_column_times_the_same_row() -> None:
    one = found("gaussian:1.5")
    (factor,) = one.factors
    assert one.rank == 1
    assert factor.scale == 1
    assert factor.column == pytest.approx(factor.row)
    assert sum(factor.column) == pytest.approx(1)


@given(whole)
def test_factors_of_whole_numbers(values: np.ndarray) -> None:
    one = analyse(Kernel("k", values))
    assert one.rank == np.linalg.matrix_rank(values) == len(one.factors)
    assert rebuilt(one) == pytest.approx(values, abs=1e-12)
    for factor in one.factors:
        assert all(value == int(value) for value in (*factor.column, *factor.row))


@given(st.integers(0, 2**32), st.integers(1, 3))
def test_factors_of_real_numbers(seed: int, rank: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((7, rank)) @ generator.standard_normal((rank, 5))
    one = analyse(Kernel("k", values))
    assert one.rank == rank
    assert rebuilt(one) == pytest.approx(values, abs=1e-12)


def test_ranks_of_large_kernels() -> None:
    assert found("gaussian:40").rank == 1
    noise = analyse(Kernel("noise", np.random.default_rng(0).standard_normal((100, 70))))
    assert (noise.rank, noise.factors) == (70, ())


@pytest.mark.parametrize(
    ("size", "centre", "offset"), [((3, 5), (1, 2), (0, 0)), ((2, 4), (0, 1), (0.5, 0.5)), ((1, 6), (0, 2), (0, 0.5))]
)
def test_the_centre_is_where_same_padding_puts_it(
    size: tuple[int, int], centre: tuple[int, int], offset: tuple[float, float], tmp_path: Path
) -> None:
    """A kernel that is 1 at its centre, and 0 elsewhere, leaves an image as it is."""
    one = analyse(Kernel("k", np.ones(size)))
    assert (one.centre, one.offset) == (centre, offset)
    values = np.zeros(size)
    values[centre] = 1
    np.save(tmp_path / "k.npy", values)
    image = np.random.default_rng(1).random((7, 8))
    np.save(tmp_path / "in.npy", image)
    done("apply", "in.npy", "-k", "k.npy", "-p", "same", "-o", "out.npy", "-q", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy") == pytest.approx(image)


def test_common_denominators() -> None:
    assert common_denominator(np.array([[0.5, 1 / 3], [-0.25, 2]])) == 12
    assert common_denominator(np.array([[1 / 998001]])) == 998001
    assert common_denominator(np.array([[sqrt(2)]])) is None
    assert common_denominator(np.array([[0.0, -7.0]])) == 1


def test_pictures_keep_symmetry_and_peaks() -> None:
    values = found("log:9").values
    small = reduced(values, 8)
    assert small.shape == (7, 7)
    assert small == pytest.approx(small[::-1, ::-1])
    assert np.abs(small).max() == np.abs(values).max()
    assert np.array_equal(reduced(np.eye(3), 8), np.eye(3))


# Export

SPECS = ("sobel-x", "gaussian:1", "box:3", "1/3,2/3;4/3,1", "0.1;", "-1", "1,2,3", "1;2;1", "1e-30,1e30;0.1,123456789")


def written(one: Analysis, form: str) -> bytes:
    return b"".join(encode(one, form))


def as_spec(one: Analysis) -> str:
    return "".join(literal(one.values))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("spec", SPECS)
def test_files_bring_back_every_bit(spec: str, form: str, tmp_path: Path) -> None:
    one = found(spec)
    path = tmp_path / f"k.{form}"
    path.write_bytes(written(one, form))
    assert np.array_equal(found(str(path)).values, one.values)


@given(real)
def test_literals_bring_back_every_bit(values: np.ndarray) -> None:
    one = analyse(Kernel("k", values))
    assert np.array_equal(found(as_spec(one)).values, values)


def test_texts() -> None:
    assert as_spec(found("box:3")) == "1/9,1/9,1/9;1/9,1/9,1/9;1/9,1/9,1/9"
    assert as_spec(found("laplacian")) == "0,1,0;1,-4,1;0,1,0"
    assert written(found("1,2;3,4;5,6"), "txt") == b"2x3: 1,2 3,4 5,6\n"
    assert written(found("1,2;3,4;5,6"), "csv") == b"1,2\n3,4\n5,6\n"
    assert written(found("box:3"), "mat") == b"3 3 9 0\n1 1 1\n1 1 1\n1 1 1\n"
    assert written(found("0.1,0.2"), "json") == b"[[0.1, 0.2]]\n"


def impulse(path: Path) -> Path:
    """A picture of 9×9 pixels with one of 100 in its middle."""
    rows = [[100 if (y, x) == (4, 4) else 0 for x in range(9)] for y in range(9)]
    path.write_text("P2\n9 9\n255\n" + "\n".join(" ".join(map(str, row)) for row in rows) + "\n")
    return path


KERNEL = np.array([[0.01, 0.02, 0.03, 0.04, 0.05], [0.06, 0.07, 0.08, 0.09, 0.10], [0.11, 0.12, 0.13, 0.14, 0.15]])


@pytest.mark.skipif(shutil.which("convert") is None, reason="needs ImageMagick")
def test_imagemagick_reads_what_is_written(tmp_path: Path) -> None:
    """Correlating an impulse turns the kernel by 180°."""
    text = written(analyse(Kernel("k", KERNEL)), "txt").decode().strip()
    impulse(tmp_path / "in.pgm")
    command = ["convert", "in.pgm", "-morphology", "Correlate", text, "-depth", "8", "-compress", "none", "out.pgm"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    tokens = (tmp_path / "out.pgm").read_text().split()
    seen = np.array(tokens[4:], float).reshape(9, 9)
    assert seen[3:6, 2:7] == pytest.approx(100 * KERNEL[::-1, ::-1], abs=0.51)


@pytest.mark.skipif(shutil.which("vips") is None, reason="needs libvips")
def test_vips_reads_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "k.mat").write_bytes(written(analyse(Kernel("k", KERNEL)), "mat"))
    impulse(tmp_path / "in.pgm")
    subprocess.run(
        ["vips", "conv", "in.pgm", "out.csv", "k.mat", "--precision", "float"], cwd=tmp_path, check=True, timeout=60
    )
    seen = np.loadtxt(tmp_path / "out.csv")
    assert seen[3:6, 2:7] == pytest.approx(100 * KERNEL[::-1, ::-1], abs=1e-3)
