"""An error carries value, rule and remedy, on its way through processes too."""

import pickle

import pytest

from convcli.errors import ConvError, GeometryError, ImageError, param

ERROR = GeometryError(
    "groups 3", "does not divide the 4 input channels", f"use {param('groups', '2')} or no {param('padding_mode')}"
)


def test_an_error_carries_value_rule_and_remedy() -> None:
    assert (ERROR.value, ERROR.rule) == ("groups 3", "does not divide the 4 input channels")
    assert str(ERROR) == "groups 3 does not divide the 4 input channels: use groups 2 or no padding_mode"
    assert GeometryError("all of it").text == "all of it"


def test_an_error_travels_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(ERROR))
    assert (type(error), error.text) == (GeometryError, ERROR.text)


def test_an_error_says_its_cause_before_the_remedy() -> None:
    error = ImageError("input 'a'", "cannot be read", "check the path", "there is no such file")
    assert error.text == "input 'a' cannot be read: there is no such file; check the path"
    assert (
        ImageError("output 'a'", "is not written", why="interrupted").text == "output 'a' is not written: interrupted"
    )


def test_what_is_put_before_an_error_keeps_its_parts() -> None:
    found = ERROR.within("layer 3 'conv:g3': ")
    assert (type(found), found.rule, found.remedy) == (GeometryError, ERROR.rule, ERROR.remedy)
    assert found.text == "layer 3 'conv:g3': " + ERROR.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("input 'https://me:secret@h/k?sig=secret' is bad", "input 'https://h/k?…' is bad"),
        ("input 'https://h/a b.png?sig=secret' and 'x?'", "input 'https://h/a b.png?…' and 'x?'"),
        ("https://h/k?sig=secret is bad", "https://h/k?… is bad"),
        ("output 'a?b' exists; see tcp://host:8786", "output 'a?b' exists; see tcp://host:8786"),
        ("'az://box@host/k?sv=secret'", "'az://box@host/k?…'"),
    ],
)
def test_no_text_has_secrets_of_addresses(text: str, said: str) -> None:
    assert ConvError(text).text == str(ConvError(text)) == said
    assert ConvError("x", "is", text, text).text == f"x is: {said}; {said}"
