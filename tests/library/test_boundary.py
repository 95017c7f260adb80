"""What surrounds a call: errors that name arguments, what is kept, and nothing that changes in the process."""

from __future__ import annotations

import inspect
import os
import pickle
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convcli
from convcli.errors import ConvError, GeometryError, param
from convcli.library import boundary, operations
from convcli.library.boundary import ArgumentError, public
from support.cli import environment

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 20, 24), np.uint8)
WEIGHT = np.ones((2, 3, 3, 3))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: convcli.conv2d(IMAGE, "box:3", stride=0), "stride 0 is below 1: use a positive integer"),
        (lambda: convcli.conv2d(IMAGE, "box:3", stride=1.5), "stride 1.5 is not an integer or a pair (rows, columns): use"),
        (lambda: convcli.conv2d(IMAGE, "box:3", stride=True), "stride True is not an integer or a pair (rows, columns): use"),
        (lambda: convcli.conv2d(IMAGE, "box:3", stride="2"), "stride '2' is not an integer or a pair (rows, columns): use"),
        (lambda: convcli.conv2d(IMAGE, "box:3", dilation=(1, 2, 3)), "dilation (1, 2, 3) is not"),
        (lambda: convcli.conv2d(IMAGE, "box:3", padding="reflect"), "use padding_mode='reflect'"),
        (lambda: convcli.conv2d(IMAGE, "box:3", padding_mode="same"), "use padding='same'"),
        (lambda: convcli.conv2d(IMAGE, "box:3", padding="sam"), "padding 'sam' is not known: use an integer or one of valid"),
        (lambda: convcli.conv2d(IMAGE, "box:3", padding="same", stride=2), "use 'same-upper'"),
        (lambda: convcli.conv2d(IMAGE, "box:3", op="convolve"), "op 'convolve' is not known: use one of corr, conv"),
        (lambda: convcli.conv2d(IMAGE, WEIGHT, groups=2), "groups=1"),
        (lambda: convcli.conv2d(IMAGE, WEIGHT, bias=[1, 2, 3]), "bias has 3 values for 2 output channels"),
        (lambda: convcli.conv2d(IMAGE, WEIGHT, bias=[[1], [2]]), "bias [1] is not a number"),
        (lambda: convcli.conv2d(IMAGE, "box:3", bias="much"), "bias 'much' is not a number"),
        (lambda: convcli.conv2d(IMAGE, "box:3", bias=float("nan")), "bias nan is not finite"),
        (lambda: convcli.conv2d(IMAGE, "box:3", dtype="int8"), "dtype 'int8' is no dtype of results"),
        (lambda: convcli.conv2d(IMAGE, "box:3", dtype="float16", backend="numpy"), "backend='torch'"),
        (lambda: convcli.conv2d(IMAGE, "box:3", backend="cupy"), "backend 'cupy' is not known"),
        (lambda: convcli.conv2d(IMAGE, "box:3", device="tpu"), "device 'tpu' is not known: use cpu, cuda or cuda:N"),
        (lambda: convcli.conv2d(IMAGE, "box:3", plan="magic"), "plan 'magic' is not known: use one of taps"),
        (lambda: convcli.conv2d(IMAGE, "box:3", plan=["taps"]), "plan ['taps'] is not known"),
        (lambda: convcli.conv2d(IMAGE, "box:3", channels=[]), "channels [] is not known"),
        (lambda: convcli.conv2d(IMAGE, "box:3", divisor=[2]), "divisor [2] is not a number"),
        (lambda: convcli.conv2d(IMAGE, "box:3", threads=0), "threads 0 is below 1"),
        (lambda: convcli.conv2d(IMAGE, "box:3", channels="all"), "channels 'all' is not known: use one of each, sum, gray"),
        (lambda: convcli.conv2d(IMAGE, "box:3", combine="mean"), "combine 'mean' is not known"),
        (lambda: convcli.conv2d(IMAGE, "laplacian", divisor="sum"), "divisor='abs' divides it by 8"),
        (lambda: convcli.conv2d(IMAGE, "box:3", divisor=0), "divisor 0 is 0"),
        (lambda: convcli.conv2d(IMAGE, "box:3", range="wrap"), "range 'wrap' is not known"),
        (lambda: convcli.conv2d(IMAGE, "box:3", range=(5, 1)), "has its ends in the wrong order"),
        (lambda: convcli.conv2d(IMAGE, "box:3", full_scale=-1), "full_scale=-1 is not above 0"),
        (lambda: convcli.conv2d(IMAGE, "box:3", out=np.zeros((3, 18, 22), np.uint8)), "add range='clip'"),
        (lambda: convcli.conv2d(IMAGE, "box:3", out=np.zeros((3, 18, 21))), "use the shape (3, 18, 22)"),
        (lambda: convcli.conv2d(IMAGE, "box:99"), "more padding on each side (padding)"),
        (lambda: convcli.conv_transpose2d(IMAGE, "box:3", output_padding=1), "output_padding 1 (rows) must be smaller"),
        (lambda: convcli.conv_transpose2d(IMAGE, "box:3", output_size=(99, 99)), "output size 99 (rows) cannot be reached"),
        (lambda: convcli.output_size(5, 7), "kernel of 7 rows is larger"),
        (lambda: convcli.output_size(5, 3, output_padding=1), "add transpose"),
        (lambda: convcli.explain(IMAGE, "box:3", (99, 0)), "row 99 is not in the output"),
        (lambda: convcli.explain(IMAGE[None].repeat(2, 0), "box:3", (0, 0)), "item=0 to 1"),
        (lambda: convcli.animate(5, 3, fps="fast"), "fps 'fast' is not a number"),
        (lambda: convcli.animate(500, 3), ""),
        (lambda: convcli.apply("nothing.png", "out.png", "box:3"), "nothing.png"),
    ],
)  # fmt: skip
def test_errors_are_value_errors_that_name_arguments(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert not re.search(r"(^|\s)--?[a-z]", text), "an option of the command line"
    assert caught.value.__cause__ is None
    names = {name for one in convcli.__all__ for name in inspect.signature(getattr(convcli, one)).parameters}
    assert set(re.findall(r"(\w+)=", text)) <= names


WRONG = [
    None, True, -1, 0, 10**30, 1.5, float("nan"), "", "nonsense", "é\n", b"x", [], [1, 2, 3, 4, 5, 6, 7], (1, "a"), [[1], [2, 3]],
    {}, {1}, object(), int, np.zeros(0), np.array(["a"]), np.array([1, None]), 1j, range(3), (None, None), np.ones((2,) * 5),
]  # fmt: skip

BASES: list[tuple[str, dict[str, Any]]] = [
    ("conv2d", {"image": IMAGE, "kernel": "sobel-x"}),
    ("conv2d", {"image": IMAGE, "kernel": WEIGHT}),
    ("conv_transpose2d", {"image": IMAGE, "kernel": "bilinear:2", "stride": 2}),
    ("plan", {"image": (3, 20, 24), "kernel": "sobel-x"}),
    ("output_size", {"size": 8, "kernel_size": 3}),
    ("kernel", {"spec": "gaussian:2"}),
    ("explain", {"image": IMAGE, "kernel": "sobel-x", "at": (1, 1)}),
    ("animate", {"image": IMAGE[0, :5, :5], "kernel": "sobel-x"}),
    ("apply", {"source": "in.png", "target": "out.png", "kernel": "box:3"}),
]


@pytest.mark.parametrize(("name", "base"), BASES, ids=[name for name, _ in BASES])
def test_wrong_values_of_every_argument(name: str, base: dict[str, Any], tmp_path: Path) -> None:
    """They are accepted, or refused in one line by a ValueError or a TypeError of ours: no other error of any kind."""
    Image.fromarray(IMAGE[0]).save(tmp_path / "in.png")
    with chdir(tmp_path):
        for argument in inspect.signature(getattr(convcli, name)).parameters:
            told: list[tuple[bool, str]] = []
            for value in WRONG:
                try:
                    getattr(convcli, name)(**{**base, argument: value})
                except (ArgumentError, TypeError) as error:
                    told.append((isinstance(error, ArgumentError), str(error)))
            assert len(told) > len(WRONG) // 2, argument
            for ours, text in told:
                assert text.isprintable(), text
                assert ": " in text, f"no remedy: {text}"
                assert ours or text.startswith(f"{argument} is of type "), text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: convcli.explain(IMAGE, "box:3", 1), "at 1 is not a pair (rows, columns): use at=(1, 1)"),  # type: ignore[arg-type]
        (lambda: convcli.conv2d(IMAGE, "box:3", stride={1, 2}), "stride {1, 2} is not an integer"),
        (lambda: convcli.conv2d(IMAGE, "box:3", bias=b"1"), "bias b'1' is not a number"),
        (lambda: convcli.conv2d(IMAGE, "box:3", bias=10**400), "is not a number"),
        (lambda: convcli.conv2d(IMAGE, "box:3", padding_mode=""), "padding_mode '' is not known"),
        (lambda: convcli.conv2d(IMAGE, np.ones(9)), "for a square kernel.reshape(3, 3); a bank"),
        (lambda: convcli.conv2d(IMAGE, np.ones(3)), "for a row kernel[numpy.newaxis]; a bank"),
        (lambda: convcli.conv2d(IMAGE, "box:3", dtype="uint16", range="clip", out=IMAGE[:, 1:-1, 1:-1].copy()), "leave dtype out"),
        (lambda: convcli.plan(IMAGE, "box:3", transpose="no"), "transpose 'no' is not True or False"),  # type: ignore[arg-type]
        (lambda: convcli.animate(5, 3, fps=0), "fps 0 is not from 0.1 to 50"),
        (lambda: convcli.animate(5, 3).still(9), "frame 9 is not among the 9 frames: use 0 to 8"),
        (lambda: convcli.animate(5, 3).still("a"), "number 'a' is not an integer"),  # type: ignore[arg-type]
        (lambda: convcli.apply("in.png", "out.png", "box:3", quality=101), "quality 101 is above 100: use at most 100"),
        (lambda: convcli.apply("in.png", "out.png", "box:3", memory="5"), "memory '5' is not an amount of memory from 64M up"),
        (lambda: convcli.apply("in.tif", "out.png", "box:3", memory=1 << 40, max_pixels=1 << 39), "in.tif"),
    ],
)  # fmt: skip
def test_what_wrong_values_are_told(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert said in str(caught.value)


def test_errors_are_copied_sent_and_shown() -> None:
    with pytest.raises(ArgumentError) as caught:
        convcli.conv2d(IMAGE, "box:3", padding="reflect")
    error = caught.value
    assert repr(error) == f"ArgumentError({str(error)!r})"
    for other in (copy(error), deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert str(other) == str(error)


def test_results_are_copied_and_sent(tmp_path: Path) -> None:
    Image.fromarray(IMAGE[0]).save(tmp_path / "in.png")
    results: list[Any] = [
        convcli.plan(IMAGE, "sobel"), convcli.explain(IMAGE, "sobel", (1, 1)), convcli.animate(5, 3),
        convcli.apply(tmp_path / "in.png", tmp_path / "out.png", "box:3"),
    ]  # fmt: skip
    for one in results:
        for other in (copy(one), deepcopy(one), pickle.loads(pickle.dumps(one))):
            assert type(other) is type(one)
            assert repr(other) == repr(one)
    assert {type(one).__name__ for one in results} == {name for name in convcli.__all__ if name[0].isupper()}
    for name in convcli.__all__:
        assert pickle.loads(pickle.dumps(getattr(convcli, name))) is getattr(convcli, name)


def test_errors_are_those_of_the_core_too() -> None:
    @public
    def fails() -> None:
        raise GeometryError("value", "rule", f"use {param('weights', 'w.npy')} or {param('padding', 2)}")

    with pytest.raises(ArgumentError, match=r"^value rule: use kernel=w.npy or padding=2$") as caught:
        fails()
    assert isinstance(caught.value, ConvError)
    assert caught.value.rule == "rule"


def test_bugs_keep_their_type() -> None:
    @public
    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()


def test_signatures_are_kept() -> None:
    assert list(inspect.signature(convcli.conv2d).parameters)[:4] == ["image", "kernel", "op", "stride"]
    assert all(inspect.getdoc(getattr(convcli, name)) for name in convcli.__all__)


def test_an_operation_is_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    boundary.forget()
    fitted: list[object] = []
    make = operations._fitted
    monkeypatch.setattr(operations, "_fitted", lambda *given: fitted.append(given) or make(*given))
    from convcli.backends.numpy import recipe

    planned: list[object] = []
    weigh = recipe._weighed
    monkeypatch.setattr(recipe, "_weighed", lambda *given: planned.append(given) or weigh(*given))
    kernel = np.random.default_rng(0).normal(size=(3, 3))
    for _ in range(5):
        convcli.conv2d(IMAGE, kernel.copy(), padding="same")
        convcli.conv2d(IMAGE, "sobel", padding="same")
    assert len(fitted) == len(planned) == 2
    convcli.conv2d(IMAGE, kernel + 1, padding="same")
    convcli.conv2d(IMAGE, kernel, padding="same", op="conv")
    assert len(fitted) == len(planned) == 4


def state() -> dict[str, Any]:
    """What a library could change in the process of its caller."""
    return {
        "threads": threading.active_count(),
        "environment": dict(os.environ),
        "warnings": list(warnings.filters),
        "switch": sys.getswitchinterval(),
        "affinity": os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None,
        "pixels": Image.MAX_IMAGE_PIXELS,
        "errors": np.geterr(),
        "folder": os.getcwd(),
        "random": np.random.get_state()[1].tolist(),  # type: ignore[union-attr]
    }


def test_nothing_of_the_process_changes(tmp_path: Path) -> None:
    large = np.random.default_rng(0).random((1, 600, 700))
    Image.fromarray(IMAGE[0]).save(tmp_path / "in.png")
    convcli.conv2d(IMAGE, "box:3", backend="torch")  # whatever importing torch changes
    before = state()
    convcli.conv2d(large, "gaussian:3", padding="same")
    convcli.conv2d(large, "gaussian:3", backend="torch", threads=1)
    convcli.apply(tmp_path / "in.png", tmp_path / "out.png", "sobel")
    convcli.explain(IMAGE, "sobel", (0, 0)).save(tmp_path / "e.svg")
    convcli.animate(4, 3).save(tmp_path / "a.gif")
    with pytest.raises(ValueError):
        convcli.conv2d(large, "box:3", stride=0)
    assert state() == before


def test_threads_of_the_caller() -> None:
    boundary.forget()
    images = [np.random.default_rng(number).random((64, 64)) for number in range(8)]
    expected = [convcli.conv2d(image, "gaussian:1") for image in images]
    boundary.forget()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for found, wanted in zip(
                pool.map(lambda image: convcli.conv2d(image, "gaussian:1"), images), expected, strict=True
            ):
                np.testing.assert_array_equal(found, wanted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_has_a_context_of_its_own(tmp_path: Path) -> None:
    code = (
        "import os, numpy as np, convcli\nfrom convcli.library import boundary\n"
        "x = np.ones((64, 64)); expected = convcli.conv2d(x, 'gaussian:1')\n"
        "own = boundary.own(); assert own is boundary.own(); own._lock.acquire()\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    same = (convcli.conv2d(x, 'gaussian:1') == expected).all() and boundary.own() is not own\n"
        "    os._exit(0 if same else 3)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
