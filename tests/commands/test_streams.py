"""Standard input and output, in the real program: what comes in, what goes out, and what joins two programs."""

import io
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from support.cli import SAMPLES, binary, done, environment, run, terminal
from support.pictures import read, write

BOX = ["-k", "box"]
CONVCLI = f"{shlex.quote(sys.executable)} -m convcli"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    write(tmp_path / "a.png", generator.integers(0, 256, (3, 20, 24), dtype=np.uint8))
    write(tmp_path / "b.png", generator.integers(0, 256, (1, 20, 24), dtype=np.uint8))
    return tmp_path


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    script = "set -o pipefail\n" + line.replace("convcli ", f"{CONVCLI} ")
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment(), capture_output=True, check=False, timeout=60
    )


def filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation without padding, of one plane, by SciPy in float64."""
    whole = ndimage.correlate(image.astype(np.float64), kernel, mode="constant")
    top, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    return whole[top : image.shape[0] - top, left : image.shape[1] - left]


SOBEL = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


def test_the_chain_of_the_documentation(folder: Path) -> None:
    ended = shell(
        "cat a.png | convcli apply - -k gaussian:2 -o - -q | convcli apply - -k sobel -o edges.png -q", folder
    )
    assert ended.returncode == 0, ended.stderr
    edges = read(folder / "edges.png")
    for plane, edge in zip(read(folder / "a.png"), edges, strict=True):
        soft = np.rint(filtered(plane, done_kernel("gaussian:2", folder)))
        magnitude = np.hypot(filtered(soft, SOBEL), filtered(soft, SOBEL.T))
        assert np.abs(edge - np.clip(magnitude, 0, 255)).max() <= 0.51


def done_kernel(spec: str, folder: Path) -> np.ndarray:
    """A kernel's numbers: what it makes of an impulse, flipped."""
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1
    np.save(folder / "impulse.npy", impulse)
    done("apply", "impulse.npy", "-k", spec, "-p", "same", "-o", "kernel.npy", cwd=folder)
    kernel = np.load(folder / "kernel.npy")[::-1, ::-1]
    rows, columns = np.nonzero(kernel)
    return kernel[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def test_nothing_is_lost_between_programs_that_speak_npy(folder: Path) -> None:
    """Real values, below 0 and above 255, are as those of one computation."""
    kernel = "'-1,0,1;-2,0,2;-1,0,1'"
    ended = shell(
        f"cat a.png | convcli apply - -k gaussian:1.5 --bias=-40 --format npy -o - -q "
        f"| convcli apply - --kernel={kernel} -o - -q | convcli apply - -k identity -o out.npy -q",
        folder,
    )
    assert ended.returncode == 0, ended.stderr
    out = np.load(folder / "out.npy")
    assert out.dtype == np.float32
    assert out.min() < -1
    gaussian = done_kernel("gaussian:1.5", folder)
    for plane, values in zip(read(folder / "a.png"), out, strict=True):
        np.testing.assert_allclose(values, filtered(filtered(plane, gaussian) - 40, SOBEL), atol=2e-3)
    ended = shell(
        f"cat a.png | convcli apply - -k gaussian:1.5 --bias=-40 --dtype float64 --format npy -o - -q "
        f"| convcli apply - --kernel={kernel} -o double.npy -q",
        folder,
    )
    assert ended.returncode == 0, ended.stderr
    double = np.load(folder / "double.npy")
    assert double.dtype == np.float64
    for plane, values in zip(read(folder / "a.png"), double, strict=True):
        np.testing.assert_allclose(values, filtered(filtered(plane, gaussian) - 40, SOBEL), atol=1e-9)


@pytest.mark.parametrize("container", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "PPM", "GIF"])
def test_the_format_is_sniffed_and_kept(container: str, folder: Path) -> None:
    data = io.BytesIO()
    Image.open(folder / "b.png").save(data, container)
    result = binary("apply", "-", *BOX, input=data.getvalue())
    assert result.code == 0
    with Image.open(io.BytesIO(result.out)) as image:
        assert (image.format, image.size) == (container, (22, 18))
    with Image.open(io.BytesIO(binary("apply", "-", *BOX, "--format", "png", input=data.getvalue()).out)) as image:
        assert (image.format, image.size) == ("PNG", (22, 18))


def test_tensors_stay_tensors(folder: Path) -> None:
    values = np.random.default_rng(1).standard_normal((2, 5, 9, 9))
    data = io.BytesIO()
    np.save(data, values)
    result = binary("apply", "-", "-k", "identity", input=data.getvalue())
    np.testing.assert_array_equal(np.load(io.BytesIO(result.out)), values)


@pytest.mark.parametrize("options", [[], ["-v"], ["--json"], ["--json-lines"], ["-q"]], ids=" ".join)
def test_image_bytes_only(options: list[str], folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    kernel = "--kernel=-1,0,3"  # which clips
    expected = done("apply", "a.png", kernel, "-o", "-", "-q", cwd=folder).out
    result = binary("apply", "-", kernel, "-o", "-", *options, input=data)
    assert result.code == 0
    assert result.out == expected


def test_transpose_and_compare_read_standard_input(folder: Path) -> None:
    data = (folder / "b.png").read_bytes()
    result = binary("transpose", "-", "-k", "bilinear:2", "-s", "2", "-p", "1", input=data)
    assert result.code == 0
    with Image.open(io.BytesIO(result.out)) as image:
        assert image.size == (48, 40)
    result = binary("compare", "-", *BOX, "--repeats", "1", "--json", input=data)
    assert result.code == 0
    assert result.json["agree"]
    assert result.json["rows"][0]["output_shape"] == [1, 18, 22]


def test_a_slow_writer(folder: Path) -> None:
    """As a download is: in pieces."""
    data = (folder / "a.png").read_bytes()
    command = [sys.executable, "-m", "convcli", "apply", "-", *BOX, "-o", "out.png", "-q"]
    with subprocess.Popen(command, cwd=folder, env=environment(), stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for start in range(0, len(data), 400):
            process.stdin.write(data[start : start + 400])
            process.stdin.flush()
            time.sleep(0.01)
        process.stdin.close()
        assert process.wait(timeout=60) == 0
    done("apply", "a.png", *BOX, "-o", "file.png", cwd=folder)
    assert (folder / "out.png").read_bytes() == (folder / "file.png").read_bytes()


def test_standard_input_is_one_of_several(folder: Path) -> None:
    data = (folder / "a.png").read_bytes()
    result = binary("apply", "b.png", "-", *BOX, "-o", "out/{stem}.png", "-q", input=data, cwd=folder)
    assert result.text.split() == ["out/b.png", "out/stdin.png"]
    assert read(folder / "out/stdin.png").shape == (3, 18, 22)


def test_a_terminal_is_garbled_on_request_only(folder: Path) -> None:
    for options in (["-o", "-"], ["-o", "-", "--format", "ppm"]):
        result = terminal("apply", "b.png", *BOX, *options, cwd=folder)
        assert result.code == 2
        assert b"or -o /dev/stdout to write it all the same" in result.out
    result = terminal("apply", "b.png", *BOX, "-o", "/dev/stdout", "-q", cwd=folder)
    assert result.code == 0
    assert b"IEND" in result.out


@pytest.mark.parametrize("reader", ["head -c 10 > /dev/null", "true"])
@pytest.mark.parametrize("format_", ["png", "npy", "ppm"])
def test_a_reader_that_goes(reader: str, format_: str, folder: Path) -> None:
    write(folder / "noise.png", np.random.default_rng(1).integers(0, 256, (3, 300, 400), dtype=np.uint8))
    ended = shell(f"cat noise.png | convcli apply - {' '.join(BOX)} -o - --format {format_} -q | {reader}", folder)
    assert ended.stderr == b""
    assert ended.returncode in (0, 141)


def test_a_chain_whose_beginning_fails(folder: Path) -> None:
    """Each program says in a line what it lacks."""
    ended = shell("convcli apply none.png -k box -o - | convcli apply - -k sobel -o edges.png", folder)
    assert ended.returncode == 2
    said = ended.stderr.decode().splitlines()
    assert len(said) == 2
    assert any("'none.png' cannot be read" in line for line in said)
    assert any("input '-' is empty" in line for line in said)
    assert not (folder / "edges.png").exists()


def test_the_samples_go_through_a_pipe(tmp_path: Path) -> None:
    for name in ("coffee.jpg", "gradient16.png", "icon.png"):
        piped = run("apply", "-", *BOX, "-o", "-", input=(SAMPLES / name).read_bytes(), cwd=tmp_path)
        assert piped.out == run("apply", SAMPLES / name, *BOX, "-o", "-", cwd=tmp_path).out
