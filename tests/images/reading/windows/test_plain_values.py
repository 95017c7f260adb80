""".npy, PGM and PPM by windows."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcli.errors import ImageError
from convcli.images.reading.windows import opened_windows, plain_values
from support.windows import as_the_reader, pixels_of

GENERATOR = np.random.default_rng(5)
KINDS = [
    "bool", "uint8", "uint16", "int8", "int16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64",
    "longdouble", ">u2", ">i4", ">f4", ">f8",
]  # fmt: skip


@given(
    kind=st.sampled_from(KINDS),
    lead=st.sampled_from([(), (1,), (3,), (1, 5), (1, 1)]),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    order=st.sampled_from("CF"),
    bounds=st.tuples(*[st.integers(0, 20)] * 4),
    piece=st.sampled_from([1, 50, 1 << 20]),
)
def test_every_tensor_is_as_the_ordinary_reader_has_it(
    tmp_path_factory: pytest.TempPathFactory, kind: str, lead: tuple[int, ...], height: int, width: int, order: str,
    bounds: tuple[int, int, int, int], piece: int,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("tensors") / "in.npy"
    np.save(path, np.asarray((GENERATOR.random((*lead, height, width)) * 100).astype(kind), order=order))  # type: ignore[call-overload]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_values, "_PIECE_BYTES", piece)
        file = as_the_reader(path, (slice(*sorted(bounds[:2])), slice(*sorted(bounds[2:]))), (slice(None), slice(None)))
    assert not file.interleaved


@given(
    kind=st.sampled_from([b"P5", b"P6"]),
    white=st.sampled_from([1, 7, 255, 256, 1023, 65535]),
    size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    bounds=st.tuples(*[st.integers(0, 20)] * 4),
    tail=st.sampled_from([b"", b"\n\n", b"junk", b"P5 2 2 255\nabcd"]),
)
def test_every_netpbm_is_as_the_ordinary_reader_has_it(
    tmp_path_factory: pytest.TempPathFactory, kind: bytes, white: int, size: tuple[int, int],
    bounds: tuple[int, int, int, int], tail: bytes,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("pictures") / "in.ppm"
    height, width = size
    most = white if white in (255, 65535) else 2 * white  # some are beyond white
    values = GENERATOR.integers(0, most + 1, height * width * (3 if kind == b"P6" else 1))
    data = values.clip(0, 255 if white < 256 else 65535).astype("u1" if white < 256 else ">u2").tobytes()
    path.write_bytes(kind + b"\n# of a camera\n%d %d\n%d\n" % (width, height, white) + data + tail)
    window = slice(*sorted(bounds[:2])), slice(*sorted(bounds[2:]))
    as_the_reader(path, window, (slice(None), slice(None)))


def test_only_what_is_wanted_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "in.npy", np.zeros((3, 400, 500), np.float32))
    file = opened_windows(str(tmp_path / "in.npy"))
    ranges, lengths = file._ranges, []  # type: ignore[attr-defined]
    read: Callable[[int, int], bytes] = ranges.read
    monkeypatch.setattr(ranges, "read", lambda start, length: lengths.append(length) or read(start, length))
    file.read(slice(100, 110), slice(20, 50))
    assert sum(lengths) == 3 * 10 * 30 * 4
    lengths.clear()
    file.read(slice(100, 110), slice(20, 480))
    assert lengths == [10 * 500 * 4] * 3


def test_threads_read_the_same(tmp_path: Path) -> None:
    array = GENERATOR.random((3, 200, 300)).astype(np.float32)
    np.save(tmp_path / "in.npy", array)
    file = opened_windows(str(tmp_path / "in.npy"))
    places = [(int(top), int(left)) for top, left in GENERATOR.integers(0, 150, (100, 2))]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda at: file.read(slice(at[0], at[0] + 40), slice(at[1], at[1] + 50)), places)
        for (top, left), part in zip(places, found, strict=True):
            np.testing.assert_array_equal(part, array[:, top : top + 40, left : left + 50])
    file.close()


@pytest.mark.parametrize(
    ("shape", "match"),
    [
        ((5,), "use .H, W."),
        ((2, 3, 4, 5), "save each picture by itself"),
        ((0, 4), "no side can be 0"),
    ],
)
def test_shapes_that_are_refused(shape: tuple[int, ...], match: str, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros(shape))
    with pytest.raises(ImageError, match=match):
        opened_windows(str(tmp_path / "in.npy"))


def test_files_that_lie(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros((20, 30)))
    data = (tmp_path / "in.npy").read_bytes()
    (tmp_path / "in.npy").write_bytes(data[:-1])
    with pytest.raises(ImageError, match=r"is not a valid \.npy file"):
        opened_windows(str(tmp_path / "in.npy"))
    (tmp_path / "in.npy").write_bytes(data.replace(b"(20, 30)", b"(20,-30)"))
    with pytest.raises(ImageError, match=r"is not a valid \.npy file"):
        opened_windows(str(tmp_path / "in.npy"))
    np.save(tmp_path / "in.npy", np.zeros((20, 30), complex))
    with pytest.raises(ImageError, match="save real numbers"):
        opened_windows(str(tmp_path / "in.npy"))
    (tmp_path / "in.ppm").write_bytes(b"P5 1000000 1000000 255\nabc")
    with pytest.raises(ImageError, match="cannot be decoded: it is truncated"):
        opened_windows(str(tmp_path / "in.ppm"))
    (tmp_path / "in.ppm").write_bytes(b"P5 4 x")
    with pytest.raises(ImageError, match="its header is damaged"):
        opened_windows(str(tmp_path / "in.ppm"))


@pytest.mark.parametrize(("head", "why"), [(b"P2 1 1 255 7", "numbers in text"), (b"P4 8 1\n\0", "single bits")])
def test_text_and_bits_are_converted_first(head: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "in.pgm").write_bytes(head)
    with pytest.raises(ImageError, match=f"cannot be read in parts: it has {why}; convert it first: vips copy "):
        opened_windows(str(tmp_path / "in.pgm"))


def test_a_file_that_becomes_shorter(tmp_path: Path) -> None:
    path = tmp_path / "in.pgm"
    path.write_bytes(b"P5 100 100 255\n" + bytes(10_000))
    file = opened_windows(str(path))
    path.write_bytes(b"P5 100 100 255\n" + bytes(100))
    with pytest.raises(ImageError, match="cannot be decoded: it is truncated"):
        file.read(slice(90, 100), slice(None))


def test_white_of_a_tensor(tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.zeros((20, 30)))
    scene = opened_windows(str(tmp_path / "in.npy"), 7.0).scene
    assert (scene.full_scale, scene.assumed) == (7, False)
    assert pixels_of.__doc__
