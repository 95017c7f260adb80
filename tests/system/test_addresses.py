"""Paths and URLs, and what messages show of them."""

import pytest

from convcli.errors import ImageError
from convcli.errors import shown as shown_as
from convcli.system import addresses


@pytest.mark.parametrize(
    ("source", "local", "name"),
    [
        ("a/b.tif", True, "a/b.tif"), ("/a/b", True, "/a/b"), ("C:\\a", True, "C:\\a"), ("a:b", True, "a:b"),
        ("file:///a/b%20c", True, "/a/b c"), ("S3://b/k", False, "s3://b/k"), ("https://h/k?v=1", False, "https://h/k?v=1"),
    ],
)  # fmt: skip
def test_paths_and_addresses(source: str, local: bool, name: str) -> None:
    found = addresses.place_of(source)
    assert (found.is_local, found.name) == (local, name)
    assert addresses.place_of(source).is_local == local


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("a?b", "a?b"), ("s3://b/k", "s3://b/k"), ("https://u:p@h/k?sig=1", "https://h/k?…"), ("https://u@h:8/k", "https://h:8/k"),
        ("abfs://box@account.net/k?sv=1", "abfs://box@account.net/k?…"), ("https://h/a@b", "https://h/a@b"),
        ("https://u:p/q@h/k", "https://h/k"),
    ],
)  # fmt: skip
def test_credentials_are_not_shown(source: str, shown: str) -> None:
    assert shown_as(source) == shown


def test_errors_of_a_package_show_no_address() -> None:
    with pytest.raises(ImageError) as told, addresses.reached("s3://b/k"):
        raise RuntimeError("cannot get https://h/k?signature=secret today\nand more")
    assert str(told.value) == (
        "input 's3://b/k' cannot be read: RuntimeError: cannot get … today; check the address and the network"
    )
    with pytest.raises(ImageError, match="access is denied; check your credentials"), addresses.reached("s3://b/k"):
        raise PermissionError("403")


class AnsweredError(Exception):
    """As botocore has it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (AnsweredError(403, "403"), "access is denied; check your credentials"),
        (
            AnsweredError(403, "SignatureDoesNotMatch"),
            "access is denied (SignatureDoesNotMatch); check your credentials",
        ),
        (AnsweredError(404, "NoSuchKey"), "there is no such object; check the address"),
        (AnsweredError(404, "NoSuchBucket"), "there is no such bucket; check the address"),
        (
            AnsweredError(500, "InternalError"),
            "AnsweredError: An error occurred (InternalError); check the address and the network",
        ),
        (RuntimeError("Unable to locate credentials"), "Unable to locate credentials; check your credentials"),
    ],
)
def test_answers_of_a_store(error: Exception, said: str) -> None:
    for raised in (error, OSError("in between")):
        raised.__cause__ = None if raised is error else error
        with pytest.raises(ImageError) as told, addresses.reached("s3://b/k"):
            raise raised
        assert str(told.value).endswith(said)


@pytest.mark.parametrize("source", ["s3://me:a/b+c@bucket/k", "s3://me@bucket/k", "gs://me:secret@bucket/k"])
def test_a_bucket_has_no_user(source: str) -> None:
    with pytest.raises(
        ImageError, match=r"address '..://bucket/k' has a user or a password in it: leave them out"
    ) as told:
        addresses.place_of(source)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "source", ["s3://bucket/a:x@y", "s3://arn:aws:s3:eu-west-1:1:accesspoint/me/k", "az://box@host/k"]
)
def test_other_addresses_are_taken(source: str) -> None:
    assert addresses.place_of(source).name == source
