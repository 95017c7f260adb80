"""A server of files on this machine, which answers requests for ranges of bytes or does not."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

DATA = bytes(range(256)) * 1000
"""The bytes of a file or an object that tests read in parts."""


class Server(NamedTuple):
    """Where it is, and what it was asked for: paths, and ranges or None."""

    address: str
    asked: list[tuple[str, str | None]]


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, asked: list[tuple[str, str | None]], ranges: bool, *args: Any, **named: Any) -> None:
        self.asked, self.ranges = asked, ranges
        super().__init__(*args, **named)

    def log_message(self, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        if self.ranges:
            self.send_header("ETag", '"one"')
        super().end_headers()

    def do_GET(self) -> None:
        path, wanted = Path(self.translate_path(self.path)), self.headers.get("Range")
        self.asked.append((self.path, wanted))
        if not (self.ranges and wanted and path.is_file()):
            with suppress(ConnectionError):  # the reader has seen enough
                super().do_GET()
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        assert found is not None
        data = path.read_bytes()
        start, stop = int(found[1]), min(len(data), int(found[2] or len(data)) + 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        self.wfile.write(data[start:stop])


@contextmanager
def serving(folder: Path, ranges: bool = True) -> Iterator[Server]:
    """A server of the files of a folder, until the block ends."""
    asked: list[tuple[str, str | None]] = []
    handler = partial(_Handler, asked, ranges, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Server(f"http://127.0.0.1:{server.server_port}", asked)
        finally:
            server.shutdown()
            thread.join()
