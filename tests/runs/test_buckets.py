"""A store of S3 on this machine: pictures in it and out of it, requests that fail, and answers that are slow or never come."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import s3fs
import tifffile
import zarr
from PIL import Image

from convcli.errors import ImageError
from convcli.runs import journal_objects
from convcli.system import stores
from support.buckets import BUCKET, KEY, SECRET, Fault, Server, serving
from support.cli import Result, binary, done, environment, heeding, run
from support.clusters import free_port, until

PIXELS = np.random.default_rng(0).integers(0, 256, (150, 210, 3), np.uint8)
LARGE = np.random.default_rng(1).integers(0, 256, (1100, 600, 3), np.uint8)
"""Of two blocks."""


@pytest.fixture(scope="module")
def started() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(started: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server with an empty bucket, and an environment that leads to it. Requests are not tried again unless a test says so."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    for name, value in {**started.variables, "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(stores, "TRIES", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    started.empty()
    yield started
    s3fs.S3FileSystem.clear_instance_cache()
    started.empty()


def png(pixels: np.ndarray[Any, Any] = PIXELS) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def tiff(pixels: np.ndarray[Any, Any] = PIXELS) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, tile=(128, 128), photometric="rgb")
    return stream.getvalue()


def fetched(server: Server, name: str, folder: Path) -> np.ndarray[Any, Any]:
    """The pixels ``(H, W, C)`` of a picture in the bucket, as other programs read it."""
    if name.endswith(".png"):
        return np.asarray(Image.open(io.BytesIO(server.get(name))))
    if name.endswith(".tif"):
        return np.asarray(tifffile.imread(io.BytesIO(server.get(name))))
    for one in server.names():
        if one.startswith(f"{name}/"):
            (folder / one).parent.mkdir(parents=True, exist_ok=True)
            (folder / one).write_bytes(server.get(one))
    group = zarr.open_group(folder / name, mode="r")
    assert group.attrs["ome"]["version"] == "0.5"
    return np.moveaxis(np.asarray(group["0"]), 0, -1)


def expected(pixels: np.ndarray[Any, Any], folder: Path) -> np.ndarray[Any, Any]:
    """The result for a local file."""
    (folder / "local.png").write_bytes(png(pixels))
    done("apply", folder / "local.png", "-k", "gaussian:1", "-p", "same", "-o", folder / "whole.png", "-q")
    return np.asarray(Image.open(folder / "whole.png"))


def words(source: str, target: object, *more: str) -> list[object]:
    return ["apply", source, "-k", "gaussian:1", "-p", "same", "-o", target, *more]


def put_zarr(server: Server, name: str) -> None:
    server.put("for-zarr.tif", tiff())
    done("apply", f"s3://{BUCKET}/for-zarr.tif", "-k", "identity", "-o", f"s3://{BUCKET}/{name}", "-q")


def one_line(result: Result, code: int = 2) -> str:
    assert result.code == code, result.err
    assert result.err.count("\n") == 1, result.err
    assert SECRET not in result.err + result.text
    return result.err


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("in.png", "out.png"), ("in.png", "out.zarr"), ("some/in.tif", "deep/er/out.tif"), ("some/in.tif", "out.zarr"),
        ("in.zarr", "out.png"), ("in.zarr", "out.tif"), ("in.zarr", "out.zarr"),
    ],
)  # fmt: skip
def test_a_picture_from_a_bucket_to_a_bucket(source: str, target: str, server: Server, tmp_path: Path) -> None:
    if source.endswith(".zarr"):
        put_zarr(server, source)
    else:
        server.put(source, tiff() if source.endswith("tif") else png())
    before = server.names()
    result = done(*words(f"s3://{BUCKET}/{source}", f"s3://{BUCKET}/{target}", "--json"))
    assert result.json["input"] == f"s3://{BUCKET}/{source}"
    assert result.json["output"] == f"s3://{BUCKET}/{target}"
    np.testing.assert_array_equal(fetched(server, target, tmp_path), expected(PIXELS, tmp_path))
    made = server.names() - before
    assert all(name.startswith(target) for name in made), made
    assert server.uploads() == []
    assert done(*words(f"s3://{BUCKET}/{source}", f"s3://{BUCKET}/{target}"), "--skip-existing", "--json").json[
        "skipped"
    ]


def test_a_picture_from_a_bucket_in_blocks_to_a_file(server: Server, tmp_path: Path) -> None:
    server.put("in.tif", tiff(LARGE))
    result = done(*words(f"s3://{BUCKET}/in.tif", tmp_path / "out.tif", "--memory", "400M", "--json"))
    assert result.json["blocks"]["count"] >= 2
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.pages[0].asarray(), expected(LARGE, tmp_path))


def test_a_picture_that_is_read_in_parts_is_not_fetched_as_a_whole(server: Server, tmp_path: Path) -> None:
    server.put("in.tif", tiff(LARGE))
    done(*words(f"s3://{BUCKET}/in.tif", f"s3://{BUCKET}/out.zarr", "-q"))
    asked = [one for one in server.asked if one == f"GET /{BUCKET}/in.tif"]
    tiles = -(-LARGE.shape[0] // 128) * -(-LARGE.shape[1] // 128)
    assert len(asked) <= tiles + 6, (tiles, len(asked))


def test_one_who_may_not_list_reads_and_writes_objects(server: Server, tmp_path: Path) -> None:
    server.put("in.png", png())
    server.faults.append(Fault("status", 403, "GET", r"list-type"))
    done(*words(f"s3://{BUCKET}/in.png", f"s3://{BUCKET}/out.png", "-q"))
    np.testing.assert_array_equal(fetched(server, "out.png", tmp_path), expected(PIXELS, tmp_path))


class TestMany:
    """Prefixes and lists."""

    @pytest.fixture(autouse=True)
    def _filled(self, server: Server) -> None:
        for name in ("in/b.png", "in/a.png", "in/deep/c.png", "in/.hidden.png", "in/.old/d.png", "other/e.png"):
            server.put(name, png(PIXELS[:20, :30]))
        server.put("in/notes.txt", b"no image")
        server.put("in/deep/", b"")  # as some programs mark a folder

    def outputs(self, result: Result) -> list[str]:
        return [json.loads(line)["output"] for line in result.text.splitlines()]

    def test_a_prefix(self, server: Server) -> None:
        command = ["apply", f"s3://{BUCKET}/in/", "-k", "box:3", "-o", f"s3://{BUCKET}/out/", "--json-lines"]
        assert self.outputs(done(*command)) == [f"s3://{BUCKET}/out/{name}.png" for name in "ab"]
        deep = done(*command, "--recursive")
        assert self.outputs(deep) == [f"s3://{BUCKET}/out/{name}.png" for name in ("a", "b", "deep/c")]
        assert {name for name in server.names() if name.startswith("out")} == {
            "out/a.png",
            "out/b.png",
            "out/deep/c.png",
        }

    def test_it_goes_on(self, server: Server) -> None:
        command = ["apply", f"s3://{BUCKET}/in/", "-k", "box:3", "-o", f"s3://{BUCKET}/out/", "--json-lines"]
        done(*command)
        server.client.delete_object(Bucket=BUCKET, Key="out/a.png")
        told = [json.loads(line) for line in done(*command, "--skip-existing").text.splitlines()]
        assert [one.get("skipped", False) for one in told] == [False, True]

    def test_results_in_the_same_prefix_are_no_inputs(self, server: Server) -> None:
        command = [
            "apply",
            f"s3://{BUCKET}/in/",
            "-k",
            "box:3",
            "-o",
            f"s3://{BUCKET}/in/{{stem}}-x.png",
            "--json-lines",
        ]
        for _ in range(2):
            told = self.outputs(done(*command, "--skip-existing"))
            assert told == [f"s3://{BUCKET}/in/{name}-x.png" for name in "ab"]

    def test_a_zarr_is_one_picture(self, server: Server, tmp_path: Path) -> None:
        put_zarr(server, "in/z.zarr")
        told = done(
            "apply",
            f"s3://{BUCKET}/in/",
            "--recursive",
            "-k",
            "box:3",
            "-o",
            f"{tmp_path}/{{stem}}.png",
            "--json-lines",
        )
        assert self.outputs(told) == [f"{tmp_path}/{name}.png" for name in "abzc"]

    def test_a_list(self, server: Server, tmp_path: Path) -> None:
        names = ["in/a.png", "in/none.png", "in/deep/c.png"]
        (tmp_path / "list").write_text("".join(f"s3://{BUCKET}/{name}\n" for name in names))
        target = f"s3://{BUCKET}/out/{{parent}}/{{name}}"
        result = run("apply", "--from-file", tmp_path / "list", "-k", "box:3", "-o", target)
        assert result.code == 1
        assert f"input 's3://{BUCKET}/in/none.png' cannot be read: there is no such object" in result.err
        assert "2 of 3 written, 1 failed" in result.err
        made = {name for name in server.names() if name.startswith("out/")}
        assert made == {"out/in/a.png", "out/deep/c.png"}

    def test_a_prefix_without_images(self, server: Server, tmp_path: Path) -> None:
        line = one_line(run("apply", f"s3://{BUCKET}/none/", "-k", "box:3", "-o", f"{tmp_path}/"))
        assert f"input 's3://{BUCKET}/none/' is a folder without images: name another, or search its subfolders" in line


@pytest.mark.parametrize("source", ["one.tif", "some/"])
def test_on_a_cluster(source: str, server: Server, tmp_path: Path) -> None:
    server.put("one.tif", tiff(LARGE))
    server.put("some/1.png", png())
    server.put("some/2.png", png())
    target = "out.zarr" if source.endswith("tif") else "out/"
    ended = binary(
        *words(
            f"s3://{BUCKET}/{source}", f"s3://{BUCKET}/{target}", "--memory", "400M", "--on", "local:2", "--json-lines"
        )
        if source.endswith("tif")
        else words(f"s3://{BUCKET}/{source}", f"s3://{BUCKET}/{target}", "--on", "local:2", "--json-lines")
    )
    assert ended.code == 0, ended.err
    assert SECRET not in ended.text + ended.err
    if source.endswith("tif"):
        assert ended.json["blocks"]["count"] >= 2
        np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), expected(LARGE, tmp_path))
    else:
        for name in ("out/1.png", "out/2.png"):
            np.testing.assert_array_equal(fetched(server, name, tmp_path), expected(PIXELS, tmp_path))


WAYS = [("in.png", "out.png"), ("in.tif", "out.zarr")]
"""As a whole, and in blocks."""


@pytest.fixture(params=WAYS, ids=["whole", "blocks"])
def way(request: pytest.FixtureRequest, server: Server) -> tuple[str, str]:
    server.put("in.png", png())
    server.put("in.tif", tiff())
    source, target = request.param
    return f"s3://{BUCKET}/{source}", f"s3://{BUCKET}/{target}"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 500, "GET", r"/in\.\w+$", times=1), Fault("status", 503, "PUT", times=1),
        Fault("cut", 0, "GET", r"/in\.\w+$", times=1), Fault("slow", 0.05, "GET|PUT"),
    ],
    ids=["read", "written", "cut", "slow"],
)  # fmt: skip
def test_what_passes_is_tried_again(
    fault: Fault, way: tuple[str, str], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    monkeypatch.setattr(stores, "TRIES", 2)
    server.faults.append(Fault(**vars(fault)))
    done(*words(*way, "-q"))
    np.testing.assert_array_equal(fetched(server, way[1].rpartition("/")[2], tmp_path), expected(PIXELS, tmp_path))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("status", 500, "GET|HEAD"), "cannot be read: ClientError: "),
        (Fault("status", 403, "GET|HEAD"), "cannot be read: access is denied; check your credentials"),
        (
            Fault("status", 401, "GET", r"/in\.\w+$"),
            "cannot be read: access is denied (InvalidAccessKeyId); check your cre",
        ),
        (Fault("status", 404, "HEAD"), "cannot be read: there is no such object; check the address"),
        (Fault("status", 404, "GET", r"/in\.\w+$"), "cannot be read: there is no such object; check the address"),
        (Fault("cut", 0, "GET", r"/in\.\w+$"), "cannot be read: "),
        (Fault("status", 500, "PUT"), "cannot be written: ClientError: "),
        (Fault("status", 403, "PUT"), "cannot be written: access is denied; check your credentials"),
    ],
)
def test_what_does_not_pass_is_told(fault: Fault, said: str, way: tuple[str, str], server: Server) -> None:
    server.faults.append(Fault(**vars(fault)))
    line = one_line(run(*words(*way, "-q")))
    assert said in line
    server.faults.clear()
    assert server.names() == {"in.png", "in.tif"}
    assert server.uploads() == []


def test_a_bucket_that_is_not_there(way: tuple[str, str], server: Server) -> None:
    line = one_line(run(*words(way[0], way[1].replace(BUCKET, "nobodys"))))
    assert "there is no such bucket; check the address" in line


def test_nobody_answers_at_this_port(way: tuple[str, str], server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    line = one_line(run(*words(*way)))
    assert f"input '{way[0]}' cannot be read: EndpointConnectionError: Could not connect to the endpoint URL" in line
    assert "; check the address and the network" in line


def test_there_are_no_credentials(
    way: tuple[str, str], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "NoCredentialsError: Unable to locate credentials; check your credentials" in one_line(run(*words(*way)))


@pytest.mark.parametrize("where", ["read", "written"])
def test_blocks_that_fail_are_done_by_another_run(where: str, server: Server, tmp_path: Path) -> None:
    server.put("in.tif", tiff(LARGE))
    command = words(f"s3://{BUCKET}/in.tif", f"s3://{BUCKET}/out.zarr", "--threads", "1")
    if where == "read":
        server.asked.clear()
        done(*words(f"s3://{BUCKET}/in.tif", tmp_path / "first.zarr", "--threads", "1"))
        count = server.asked.count(f"GET /{BUCKET}/in.tif")
        server.faults.append(Fault("cut", 0, "GET", r"/in\.tif$", after=count - 1))
    else:
        server.faults.append(Fault("status", 500, "PUT", r"/c/0/1/0"))
    line = one_line(run(*command), 1)
    assert re.search(rf"block \d+,0 of 's3://{BUCKET}/out.zarr' failed, 1 of 2 are done: ", line)
    assert line.endswith("; --skip-existing goes on\n")
    server.faults.clear()
    assert "out.zarr/zarr.json" not in server.names()
    for name in server.names():  # the journal is there
        assert SECRET.encode() not in server.get(name)
    assert {name.partition("/")[0] for name in server.names()} == {"in.tif", "out.zarr", ".out.zarr.convcli"}
    result = done(*command, "--skip-existing", "--json")
    assert result.json["blocks"]["done_before"] == 1
    np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), expected(LARGE, tmp_path))
    assert not [name for name in server.names() if name.startswith(".")]


class TestReplacing:
    """What is replaced stays until the new one is complete."""

    @pytest.fixture(autouse=True)
    def _older(self, server: Server) -> None:
        server.put("in.tif", tiff(LARGE))
        server.put("older.tif", tiff())
        done("apply", f"s3://{BUCKET}/older.tif", "-k", "identity", "-o", f"s3://{BUCKET}/out.zarr", "-q")

    COMMAND = words(f"s3://{BUCKET}/in.tif", f"s3://{BUCKET}/out.zarr", "--threads", "1")

    def test_it_is_replaced_in_the_end(self, server: Server, tmp_path: Path) -> None:
        server.asked.clear()
        done(*self.COMMAND)
        np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), expected(LARGE, tmp_path))
        assert {name.partition("/")[0] for name in server.names()} == {"in.tif", "older.tif", "out.zarr"}
        deleted = server.asked.index(f"DELETE /{BUCKET}/out.zarr/zarr.json")
        assert not [one for one in server.asked[:deleted] if one.startswith("POST") and "delete" in one]
        written = [n for n, one in enumerate(server.asked) if one.startswith("PUT") and "/c/0/" in one]
        assert written[0] < written[1] < deleted

    @pytest.mark.parametrize(
        ("fault", "code"), [(Fault("status", 500, "PUT", "/0/zarr.json"), 2), (Fault("status", 500, "PUT", "/c/0"), 1)]
    )
    def test_a_run_that_fails_leaves_it(self, fault: Fault, code: int, server: Server, tmp_path: Path) -> None:
        before = server.names()
        server.faults.append(Fault(**vars(fault)))
        one_line(run(*self.COMMAND), code)
        server.faults.clear()
        np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), PIXELS)
        assert server.names() == before

    def test_a_run_goes_on_when_it_is_deleted(self, server: Server, tmp_path: Path) -> None:
        server.faults.append(Fault("status", 500, "PUT", r"/c/0/1/0"))
        line = one_line(run(*self.COMMAND), 1)
        assert f"delete the older 's3://{BUCKET}/out.zarr', then --skip-existing goes on" in line
        server.faults.clear()
        assert done(*self.COMMAND, "--skip-existing", "--json").json["skipped"]
        np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), PIXELS)
        stores.remove(f"s3://{BUCKET}/out.zarr")
        assert done(*self.COMMAND, "--skip-existing", "--json").json["blocks"]["done_before"] == 1
        np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path / "new"), expected(LARGE, tmp_path))

    @pytest.mark.parametrize(
        "fault", [Fault("status", 500, "POST", "delete"), Fault("status", 500, "PUT", "^/bucket/out.zarr/0/c/0/1")]
    )
    def test_the_last_step_is_done_again(self, fault: Fault, server: Server, tmp_path: Path) -> None:
        server.faults.append(Fault(**vars(fault)))
        one_line(run(*self.COMMAND))
        server.faults.clear()
        assert "out.zarr/zarr.json" not in server.names()  # rather none than a mixture
        assert done(*self.COMMAND, "--skip-existing", "--json").json["blocks"]["done_before"] == 2
        np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), expected(LARGE, tmp_path))
        assert not [name for name in server.names() if name.startswith(".")]

    def test_one_who_may_not_delete(self, server: Server, tmp_path: Path) -> None:
        server.faults.append(Fault("status", 403, "POST|DELETE"))
        line = one_line(run(*self.COMMAND))
        assert f"output 's3://{BUCKET}/out.zarr' cannot be written: access is denied; check your credentials" in line
        server.faults.clear()
        np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), PIXELS)


class TestUploads:
    """Objects of more than 100 MiB are sent in parts."""

    DATA = bytes(101 << 20)

    def test_they_arrive(self, server: Server) -> None:
        stores.put(f"s3://{BUCKET}/large", self.DATA)
        assert [one for one in server.asked if "uploads" in one]
        assert server.get("large") == self.DATA
        assert server.uploads() == []

    def test_nothing_is_left_of_one_that_failed(self, server: Server) -> None:
        server.faults.append(Fault("status", 500, "PUT", "partNumber=2"))
        with pytest.raises(ImageError, match="output 's3://bucket/large' cannot be written"):
            stores.put(f"s3://{BUCKET}/large", self.DATA)
        assert (server.names(), server.uploads()) == (set(), [])

    def test_nothing_is_left_of_one_that_was_interrupted(self, server: Server) -> None:
        server.faults.append(Fault("never", 0, "PUT", "partNumber=2"))

        def interrupt() -> None:
            until(lambda: [one for one in server.asked if "partNumber=2" in one])
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            stores.put(f"s3://{BUCKET}/large", self.DATA)
        thread.join()
        server.faults.clear()
        assert (server.names(), server.uploads()) == (set(), [])


def started_program(server: Server, *args: object, **variables: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "convcli", *map(str, args)], env=environment(**variables), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, preexec_fn=heeding,
    )  # fmt: skip


def test_a_server_that_never_answers_is_given_up(way: tuple[str, str], server: Server) -> None:
    server.faults.append(Fault("never"))
    ended = binary(*words(*way), FSSPEC_S3='{"config_kwargs": {"read_timeout": 1}}')
    assert "cannot be read: ReadTimeoutError: Read timeout on endpoint URL: " in one_line(ended)


@pytest.mark.parametrize("where", ["at once", "blocks", "everything after a while"])
def test_an_interruption_does_not_wait_for_an_answer(where: str, way: tuple[str, str], server: Server) -> None:
    """Without that it would take 15 s for each request, and each of them is tried again."""
    faults = {
        "at once": Fault("never"), "blocks": Fault("never", 0, "PUT", r"out\.png|/c/0"),
        "everything after a while": Fault("never", after=4 if way[0].endswith("png") else 30),
    }  # fmt: skip
    fault = faults[where]
    if fault.after and way[0].endswith("png"):
        fault.after = 3
    server.faults.append(fault)
    server.asked.clear()
    process = started_program(server, *words(*way))
    until(lambda: fault.times < 1 << 30)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == b"convcli: interrupted\n"
    server.released.set()
    server.faults.clear()
    if where != "everything after a while":
        assert server.names() == {"in.png", "in.tif"}


def test_a_run_that_was_killed_is_continued(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its journal is written every 30 s: what was done since is done again."""
    monkeypatch.setattr(journal_objects, "ALIVE", 0.0)
    server.put("in.tif", tiff(LARGE))
    server.faults.append(Fault("never", 0, "PUT", r"/c/0/1/0"))
    command = words(f"s3://{BUCKET}/in.tif", f"s3://{BUCKET}/out.zarr", "--threads", "1")
    process = started_program(server, *command)
    until(lambda: server.faults[0].times < 1 << 30)
    process.kill()
    process.communicate()
    server.released.set()
    server.faults.clear()
    assert "out.zarr/zarr.json" not in server.names()
    done(*command, "--skip-existing")
    np.testing.assert_array_equal(fetched(server, "out.zarr", tmp_path), expected(LARGE, tmp_path))


@pytest.mark.parametrize("more", [[], ["--json"], ["-v"]], ids=str)
def test_no_output_shows_a_secret(more: list[str], server: Server, tmp_path: Path) -> None:
    server.put("in.png", png())
    source, target = f"s3://{BUCKET}/in.png", f"s3://{BUCKET}/out.zarr"
    user = f"s3://{KEY}:{SECRET}@{BUCKET}/in.png"
    lines = [
        words(source, target, *more), words(user, tmp_path / "out.png", *more), words(source, user, *more),
        words(f"{source}?X-Amz-Signature={SECRET}", target, *more), ["explain", source, "-k", "box:3", "--at", "5,5"],
        words(f"s3://{BUCKET}/none.png", target, *more),
    ]  # fmt: skip
    codes = []
    for line in lines:
        result = run(*line)
        assert not any(secret in result.text + result.err for secret in (SECRET, KEY)), line
        codes.append(result.code)
    assert codes == [0, 2, 2, 2, 0, 2]
    assert "address 's3://bucket/in.png' has a user or a password in it: leave them out" in one_line(run(*lines[1]))
    for name in server.names():
        assert SECRET.encode() not in server.get(name)
        assert SECRET not in name
