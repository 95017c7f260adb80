"""Paths and URLs, and what messages show of them."""

import pytest

from convcli.errors import ImageError
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
    assert addresses.shown(source) == shown


def test_errors_of_a_package_show_no_address() -> None:
    with pytest.raises(ImageError) as told, addresses.reached("s3://b/k"):
        raise RuntimeError("cannot get https://h/k?signature=secret today\nand more")
    assert str(told.value) == (
        "input 's3://b/k' cannot be read: RuntimeError: cannot get … today; check the address and the network"
    )
    with pytest.raises(ImageError, match="access is denied; check your credentials"), addresses.reached("s3://b/k"):
        raise PermissionError("403")
