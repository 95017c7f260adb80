"""A server of S3 on this machine, which answers wrongly, slowly or never when told so."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

KEY, SECRET = "AKIAWHOISTHISKEYOF00", "sesame/is-a+secret/that/nobody/may/see00"
"""The credentials of everybody."""

BUCKET = "bucket"

ERRORS = {
    500: "InternalError", 503: "SlowDown", 403: "AccessDenied", 404: "NoSuchKey", 401: "InvalidAccessKeyId",
}  # fmt: skip


@dataclass
class Fault:
    """What happens to requests.

    Parameters
    ----------
    act : str
        ``status``: an error with the number `value`. ``slow``: the answer takes `value` seconds longer. ``never``: there is none.
        ``cut``: the connection ends within the body.
    methods : str
        Those that it happens to, like ``GET|HEAD``.
    path : str
        A pattern that is found in their address.
    times : int
        So many requests, then no more.
    after : int
        So many of them are answered before.
    """

    act: str
    value: float = 0
    methods: str = "GET|HEAD|PUT|POST|DELETE"
    path: str = ""
    times: int = 1 << 30
    after: int = 0

    def meets(self, method: str, address: str) -> bool:
        """Whether it happens to this request."""
        if not (re.fullmatch(self.methods, method) and re.search(self.path, address)):
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class Server:
    """Where it is, what it was asked for, and what happens to requests."""

    address: str
    asked: list[str] = field(default_factory=list)  # methods and addresses
    faults: list[Fault] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def client(self) -> Any:
        """A client of boto3, a library that convcli does not use."""
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
        )

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a user of this server."""
        return {
            "AWS_ENDPOINT_URL": self.address, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def put(self, name: str, data: bytes) -> None:
        """Put an object there."""
        self.client.put_object(Bucket=BUCKET, Key=name, Body=data)

    def get(self, name: str) -> bytes:
        """The bytes of an object."""
        return bytes(self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read())

    def names(self) -> set[str]:
        """The names of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {entry["Key"] for page in pages for entry in page.get("Contents", [])}

    def uploads(self) -> list[str]:
        """The names of objects whose parts are there, but that were neither completed nor aborted."""
        return [upload["Key"] for upload in self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]

    def empty(self) -> None:
        """Forget faults and objects."""
        self.released.set()
        self.faults.clear()
        client = self.client
        for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
            client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
        for name in self.names():
            client.delete_object(Bucket=BUCKET, Key=name)
        self.asked.clear()
        self.released.clear()


Start = Callable[[str, list[tuple[str, str]]], Any]


class _Faulty:
    """The server's application, behind the faults."""

    def __init__(self, server: Server, real: Callable[[dict[str, Any], Start], Iterable[bytes]]) -> None:
        self.server, self.real = server, real

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        address = environ["PATH_INFO"] + ("?" + environ["QUERY_STRING"] if environ["QUERY_STRING"] else "")
        server = self.server
        with server.lock:
            server.asked.append(f"{method} {address}")
            fault = next((one for one in server.faults if one.meets(method, address)), None)
        if fault is None:
            return self.real(environ, start)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        if fault.act == "status":
            return _error(int(fault.value), method, start)
        if fault.act == "slow":
            sleep(fault.value)
            return self.real(environ, start)
        if fault.act == "never":
            server.released.wait()
            raise ConnectionError
        return _half(self.real(environ, start))


def _error(number: int, method: str, start: Start) -> Iterable[bytes]:
    text = f"<Error><Code>{ERRORS[number]}</Code><Message>Told so</Message></Error>".encode()
    body = b"" if method == "HEAD" else text
    start(f"{number} Told", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _half(answer: Iterable[bytes]) -> Iterator[bytes]:
    data = b"".join(answer)
    yield data[: len(data) // 2]
    raise ConnectionError


class _Quiet(WSGIRequestHandler):
    def log(self, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """A server with an empty bucket, until the block ends."""
    server = Server("")
    app = _Faulty(server, DomainDispatcherApplication(create_backend_app))
    made = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    made.daemon_threads = True
    server.address = f"http://127.0.0.1:{made.port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        server.client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.released.set()
        made.shutdown()
        thread.join()
        made.server_close()
