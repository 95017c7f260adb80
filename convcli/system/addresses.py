"""Paths and URLs taken apart, shown in messages, and what goes wrong with them as an error of one line. Standard library only.

What is shown has no user, no password and no query, which may be a signature.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from convcli.errors import ImageError, shown
from convcli.records import NamedTuple
from convcli.system import files
from convcli.system.names import is_url

SCHEMES = {
    "file": "", "memory": "fsspec", "http": "aiohttp", "https": "aiohttp", "s3": "s3fs", "gs": "gcsfs", "az": "adlfs",
    "abfs": "adlfs",
}  # fmt: skip
"""The schemes of URLs that are taken, and the package that each needs."""

BUCKETS = "s3", "gs"
"""The schemes whose addresses begin with the name of a bucket, and have no user."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_ADDRESS = re.compile(r"\S*://\S+")


class Place(NamedTuple):
    """A path, or a URL taken apart."""

    scheme: str  # empty for a path
    name: str  # the path; or the URL

    @property
    def is_local(self) -> bool:
        """Whether it is a path."""
        return not self.scheme


def place_of(source: str) -> Place:
    """Where something lies. A URL of a file becomes a path.

    Raises `ImageError` for a scheme that is not taken, and for a chain of URLs, in which a part could be any scheme.
    """
    found = _SCHEME.match(source)
    what = f"address '{shown(source)}'"
    if "::" in source and "://" in source:
        raise ImageError(what, "is a chain of addresses", "name the file itself", "'::' is not taken")
    if found is None:
        return Place("", source)
    scheme = found[1].lower()
    if scheme not in SCHEMES:
        raise ImageError(what, f"has the scheme '{scheme}'", f"use a path, or one of {', '.join(SCHEMES)}")
    if scheme == "file":
        from urllib.request import url2pathname

        parts = urlsplit(source)
        return Place("", url2pathname(parts.path) if os.name == "nt" else unquote(parts.path))
    bucket = source.partition("://")[2].partition("/")[0]
    if scheme in BUCKETS and ("@" in bucket or (":" in bucket and not bucket.startswith("arn:"))):
        remedy = "leave them out; the library takes them from variables of the environment or its files"
        raise ImageError(what, "has a user or a password in it", remedy)
    return Place(scheme, scheme + source[len(scheme) :])


@contextmanager
def reached(source: str, what: str = "input", rule: str = "cannot be read") -> Iterator[None]:
    """Turn errors of the file system, and of fsspec's packages, into an `ImageError` of one line."""
    try:
        yield
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # aiohttp, botocore and others have errors of their own
        raise _refusal(f"{what} '{shown(source)}'", rule, error, is_url(source)) from None


def _refusal(what: str, rule: str, error: Exception, remote: bool) -> ImageError:
    if not remote and isinstance(error, (OSError, ValueError)):
        return files.refusal(what, rule, error)
    cause = error.__cause__ or error  # fsspec says of every error of http that nothing is there
    status, code = _status(cause)
    if code == "NoSuchBucket":
        return ImageError(what, rule, "check the address", "there is no such bucket")
    if status == 404 or isinstance(cause, FileNotFoundError):
        return ImageError(what, rule, "check the address", "there is no such object")
    if status in (401, 403) or isinstance(error, PermissionError) or isinstance(cause, PermissionError):
        more = f" ({code})" if code not in ("", "403", "AccessDenied", "Forbidden") else ""
        return ImageError(what, rule, "check your credentials", f"access is denied{more}")
    error = cause if isinstance(cause, Exception) else error
    text = _ADDRESS.sub("…", (str(error).splitlines() or [""])[0]).strip()
    why = f"{type(error).__name__}: {text}" if text else type(error).__name__
    remedy = "check your credentials" if "redential" in why else "check the address and the network"
    return ImageError(what, rule, remedy, why)


def _status(error: BaseException) -> tuple[int | None, str]:
    """The number of an answer of HTTP, and the store's word for it, where an error has them."""
    status, answer = getattr(error, "status", None), getattr(error, "response", None)
    if not isinstance(answer, dict):
        return status, ""
    return answer.get("ResponseMetadata", {}).get("HTTPStatusCode", status), str(
        answer.get("Error", {}).get("Code", "")
    )
