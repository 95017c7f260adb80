"""Pictures one after another in one file or pipe are frames."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from convcli import images
from support.cli import binary, done, run

SHAPES = [(9, 7, 3), (4, 12, 3), (9, 7, 3)]
FORMS = ["PPM", "PNG", "JPEG"]


def pictures() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 255, shape, np.uint8) for shape in SHAPES]


def sequence(form: str, several: list[np.ndarray]) -> tuple[bytes, list[np.ndarray]]:
    """A file of several pictures, and what Pillow decodes of each."""
    data, decoded = b"", []
    for pixels in several:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, form)
        data += file.getvalue()
        decoded.append(np.array(Image.open(file)))
    return data, decoded


@pytest.mark.parametrize("form", FORMS)
def test_every_picture_becomes_a_page(form: str, tmp_path: Path) -> None:
    data, decoded = sequence(form, pictures())
    (tmp_path / "in").write_bytes(data)
    report = done("apply", tmp_path / "in", "-k", "identity", "-o", tmp_path / "o.tif", "--json").json
    assert report["frames"] == 3
    assert report["notes"] == []
    pages = [np.array(page) for page in ImageSequence.Iterator(Image.open(tmp_path / "o.tif"))]
    assert len(pages) == len(decoded)
    for page, want in zip(pages, decoded, strict=True):
        np.testing.assert_array_equal(page, want)


@pytest.mark.parametrize("form", FORMS)
def test_through_a_pipe_as_many_come_out(form: str, tmp_path: Path) -> None:
    data, decoded = sequence(form, pictures())
    out = binary("apply", "-", "-k", "identity", "-o", "-", input=data).out
    if form == "PPM":
        assert out == data
    (tmp_path / "out").write_bytes(out)
    with images.opened(str(tmp_path / "out")) as file:
        assert (file.format, file.frames) == (form, 3)
        for number, want in enumerate(decoded):
            got = np.moveaxis(file.picture(number).colour, 0, -1)
            assert np.abs(got.astype(int) - want).mean() <= (12 if form == "JPEG" else 0)


def test_a_file_of_png_holds_the_first_and_says_so(tmp_path: Path) -> None:
    data, decoded = sequence("PNG", pictures())
    (tmp_path / "in.png").write_bytes(data)
    report = done("apply", tmp_path / "in.png", "-k", "identity", "-o", tmp_path / "o.png", "--json").json
    assert report["notes"] == ["the first of 3 frames is used"]
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "o.png")), decoded[0])


def test_a_ppm_file_may_hold_several(tmp_path: Path) -> None:
    data, _ = sequence("PPM", pictures())
    (tmp_path / "in.ppm").write_bytes(data)
    done("apply", tmp_path / "in.ppm", "-k", "identity", "-o", tmp_path / "o.ppm")
    assert (tmp_path / "o.ppm").read_bytes() == data


def test_pages_of_a_tiff_follow_each_other_in_a_pipe(tmp_path: Path) -> None:
    data, _ = sequence("PPM", pictures())
    (tmp_path / "in").write_bytes(data)
    done("apply", tmp_path / "in", "-k", "identity", "-o", tmp_path / "o.tif")
    assert done("apply", tmp_path / "o.tif", "-k", "identity", "-o", "-", "--format", "ppm").out == data


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_that_is_cut_off_is_named(form: str, tmp_path: Path) -> None:
    data, _ = sequence(form, pictures())
    (tmp_path / "in").write_bytes(data[:-40])
    failed = run("apply", tmp_path / "in", "-k", "identity", "-o", tmp_path / "o.tif")
    assert failed.code == 2
    assert f"{tmp_path / 'in'}, picture 3' cannot be decoded" in failed.err
    assert not (tmp_path / "o.tif").exists()


def test_the_limit_of_pixels_is_for_all_together(tmp_path: Path) -> None:
    data, _ = sequence("PPM", pictures())
    (tmp_path / "in").write_bytes(data)
    done("apply", tmp_path / "in", "-k", "identity", "-o", tmp_path / "o.tif", "--max-pixels", "174")
    failed = run("apply", tmp_path / "in", "-k", "identity", "-o", tmp_path / "p.tif", "--max-pixels", "173")
    assert failed.code == 2
    assert "picture 3' has 63 pixels" in failed.err


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=5), st.sampled_from(["PPM", "PNG"])
)
def test_any_sizes(tmp_path_factory: pytest.TempPathFactory, sizes: list[tuple[int, int]], form: str) -> None:
    generator = np.random.default_rng(len(sizes))
    data, decoded = sequence(form, [generator.integers(0, 255, (*size, 3), np.uint8) for size in sizes])
    path = tmp_path_factory.mktemp("any") / "in"
    path.write_bytes(data)
    with images.opened(str(path)) as file:
        assert file.frames == len(sizes)
        for number, want in enumerate(decoded):
            np.testing.assert_array_equal(np.moveaxis(file.picture(number).colour, 0, -1), want)
