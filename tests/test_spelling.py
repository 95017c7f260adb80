"""Errors carry value, rule and remedy as data; each face spells the parameters in its own way."""

import pickle

from convcli.errors import GeometryError, param
from convcli.spelling import as_arguments, as_options

ERROR = GeometryError(
    "groups 3", "does not divide the 4 input channels", f"use {param('groups', '2')} or no {param('padding_mode')}"
)


def test_an_error_carries_value_rule_and_remedy() -> None:
    assert (ERROR.value, ERROR.rule) == ("groups 3", "does not divide the 4 input channels")
    assert str(ERROR) == "groups 3 does not divide the 4 input channels: use groups 2 or no padding_mode"
    assert GeometryError("all of it").text == "all of it"


def test_each_face_spells_parameters() -> None:
    assert as_options(ERROR.text).endswith(": use --groups 2 or no --padding-mode")
    assert as_arguments(ERROR.text).endswith(": use groups=2 or no padding_mode")
    assert as_options(f"{param('kernel', 'sobel')}, {param('output')}") == "-k sobel, -o"


def test_what_users_write_is_left_alone() -> None:
    assert as_options("'a«groups 2»b' {groups} <groups>") == "'a«groups 2»b' {groups} <groups>"


def test_an_error_travels_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(ERROR))
    assert (type(error), error.text) == (GeometryError, ERROR.text)
