"""`convcli shape`: the arithmetic of sizes. Expected sizes are counted, or worked out by hand."""

import re

import pytest

from support.cli import binary, done, run, terminal
from support.sizes import direct, transposed

ISSUE = ["shape", "--hin", "32", "--k", "3", "--s", "2", "--op2", "1"]


# The issue's own example


def test_issue_example_quiet() -> None:
    assert done(*ISSUE, "-q").text == "66\n"
    assert done(*ISSUE, "--quiet").text == "66\n"


def test_issue_example_table() -> None:
    """The formula with its numbers, the opposite direction, and the input sizes that share one output size."""
    result = done(*ISSUE)
    assert result.err == ""
    assert result.table["output"] == "66"
    assert "(32 - 1)·2 - 2·0 + 1·(3 - 1) + 1 + 1 = 66" in result.text
    assert "⌊(66 + 2·0 - 1·(3 - 1) - 1) / 2⌋ + 1 = 32" in result.text
    assert "transposed" in result.text
    assert "65 and 66" in result.text
    assert "output_padding" in result.text
    assert [direct(size, 3, 2) for size in (64, 65, 66, 67)] == [31, 32, 32, 33]


def test_issue_example_json() -> None:
    result = done(*ISSUE, "--json")
    assert len(result.text.splitlines()) == 1
    document = result.json
    assert document["op"] == "transpose"
    assert document["input"] == {"height": 32, "width": 32}
    assert document["output"] == {"height": 66, "width": 66}
    assert document["opposite"]["output"] == {"height": 32, "width": 32}
    assert document["direct_inputs_sharing_an_output"]["height"] == {"first": 65, "last": 66}


def test_issue_example_in_the_real_program() -> None:
    result = binary(*ISSUE, "-q")
    assert (result.code, result.text, result.err) == (0, "66\n", "")


# Options


@pytest.mark.parametrize(
    ("spellings", "value"),
    [
        (["-k", "--k", "--kernel-size"], "5,3"),
        (["-s", "--s", "--stride"], "3,2"),
        (["-p", "--p", "--p1", "--padding"], "2,1"),
        (["-d", "--d", "--dilation"], "2,3"),
        (["--op2", "--p2", "--output-padding"], "1,0"),
    ],
)
def test_aliases(spellings: list[str], value: str) -> None:
    base = {"-k": "3", "-s": "2", "-p": "1", "-d": "1"}
    base.pop(spellings[0], None)
    rest = [word for pair in base.items() for word in pair]
    documents = [
        done("shape", "--hin", 31, "--win", 40, *rest, spelling, value, "--json").text for spelling in spellings
    ]
    assert len(set(documents)) == 1
    plain = done("shape", "--hin", 31, "--win", 40, *rest, *([] if "-k" in rest else ["-k", "1"]), "--json").text
    assert plain != documents[0]


@pytest.mark.parametrize("h", [7, 8, 32])
@pytest.mark.parametrize(
    ("k", "s", "p", "d"), [(3, 1, 0, 1), (3, 2, 1, 1), (4, 3, 2, 1), (2, 2, 0, 3), (1, 4, 1, 5), (7, 2, 3, 1)]
)
def test_sizes(h: int, k: int, s: int, p: int, d: int) -> None:
    options = ["--k", k, "--s", s, "--p", p, "--d", d, "-q"]
    assert done("shape", "--hin", h, *options).text == f"{direct(h, k, s, p, d)}\n"
    assert done("shape", "--hin", h, "--transpose", *options).text == f"{transposed(h, k, s, p, d)}\n"
    extra = max(s, d) - 1
    assert done("shape", "--hin", h, "--op2", extra, *options).text == f"{transposed(h, k, s, p, d, extra)}\n"


def test_rows_come_before_columns() -> None:
    options = ["--hin", 20, "--win", 31, "--k", "3,5", "--s", "2,3", "--p", "1,2", "--d", "2,1"]
    assert done("shape", *options, "-q").text == f"{direct(20, 3, 2, 1, 2)} {direct(31, 5, 3, 2, 1)}\n"
    expected = f"{transposed(20, 3, 2, 1, 2, 1)} {transposed(31, 5, 3, 2, 1, 2)}\n"
    assert done("shape", *options, "--op2", "1,2", "-q").text == expected
    document = done("shape", *options, "--json").json
    assert document["input"] == {"height": 20, "width": 31}
    assert document["output"] == {"height": direct(20, 3, 2, 1, 2), "width": direct(31, 5, 3, 2, 1)}


def test_quiet_prints_the_width_when_it_is_given() -> None:
    assert done("shape", "--hin", 32, "--win", 23, "--k", 3, "--s", 2, "--op2", 1, "-q").text == "66 48\n"
    assert done("shape", "--hin", 9, "--win", 9, "--k", 2, "-q").text == "8 8\n"


def test_four_pads() -> None:
    document = done("shape", "--hin", 10, "--win", 10, "--k", 3, "--p", "1,2,3,4", "--json").json
    assert document["output"] == {"height": 10 + 3 - 2, "width": 10 + 7 - 2}
    assert "1,2,3,4" in done("shape", "--hin", 10, "--k", 3, "--p", "1,2,3,4").text


@pytest.mark.parametrize(
    ("padding", "more", "size"),
    [
        ("valid", ["--k", 3], 11),
        ("same", ["--k", 4], 13),
        ("same", ["--k", 3, "--d", 3], 13),
        ("full", ["--k", 3, "--d", 2], 17),
        ("same-upper", ["--k", 3, "--s", 2], 7),
        ("same-lower", ["--k", 3, "--s", 2], 7),
        ("same-upper", ["--k", 3, "--s", 5], 3),
        ("same-upper", ["--k", 3, "--s", 2, "--transpose"], 26),
        ("same-lower", ["--k", 5, "--s", 3, "--transpose"], 39),
        ("same-upper", ["--k", 2, "--s", 4, "--transpose"], 52),
        ("valid", ["--k", 3, "--s", 2, "--transpose"], 27),
        ("full", ["--k", 3, "--s", 2, "--transpose"], 23),
    ],
)
def test_padding_rules(padding: str, more: list, size: int) -> None:
    assert done("shape", "--hin", 13, "--p", padding, *more, "-q").text == f"{size}\n"


def test_the_pads_of_a_rule_are_printed() -> None:
    """Which side gets the extra one: complaint 3 and 4."""
    for rule, pads in (("same-upper", "0,1,0,1"), ("same-lower", "1,0,1,0")):
        table = done("shape", "--hin", 16, "--k", 3, "--s", 2, "--p", rule).table
        assert pads in table["padding"]
        assert rule in table["padding"]
        document = done("shape", "--hin", 16, "--k", 3, "--s", 2, "--p", rule, "--json").json
        assert ",".join(str(document["padding"][side]) for side in ("top", "bottom", "left", "right")) == pads


@pytest.mark.parametrize(
    ("options", "op"),
    [
        ([], "direct"),
        (["--transpose"], "transpose"),
        (["--op2", "1"], "transpose"),
        (["--op2", "0"], "transpose"),
        (["--transpose", "--output-size", "64,64"], "transpose"),
        (["--output-size", "64,64"], "transpose"),
    ],
)
def test_direction(options: list[str], op: str) -> None:
    result = done("shape", "--hin", 32, "--k", 4, "--s", 2, "--p", 1, *options, "--json")
    assert result.json["op"] == op
    assert result.json["opposite"]["op"] == {"direct": "transpose", "transpose": "direct"}[op]


@pytest.mark.parametrize(("size", "extra"), [("65,65", [0, 0]), ("66,66", [1, 1]), ("65,66", [0, 1])])
def test_output_size_is_solved(size: str, extra: list[int]) -> None:
    options = ["--hin", 32, "--win", 32, "--k", 3, "--s", 2, "--output-size", size]
    assert done("shape", *options, "-q").text == size.replace(",", " ") + "\n"
    assert done("shape", *options, "--json").json["output_padding"] == extra


# The way back


@pytest.mark.parametrize(
    ("h", "k", "s", "p", "d"),
    [(65, 3, 2, 0, 1), (66, 3, 2, 0, 1), (224, 7, 2, 3, 1), (30, 3, 5, 1, 2), (9, 3, 1, 1, 1)],
)
def test_direct_shows_the_transposed_and_back(h: int, k: int, s: int, p: int, d: int) -> None:
    document = done("shape", "--hin", h, "--k", k, "--s", s, "--p", p, "--d", d, "--json").json
    out = direct(h, k, s, p, d)
    assert document["output"]["height"] == out
    assert document["opposite"]["output"]["height"] == transposed(out, k, s, p, d)
    sharing = [size for size in range(1, h + s + 1) if direct(size, k, s, p, d) == out]
    assert document["direct_inputs_sharing_an_output"]["height"] == {"first": sharing[0], "last": sharing[-1]}
    extra = document["output_padding_to_return"][0]
    assert transposed(out, k, s, p, d, extra) == h
    table = done("shape", "--hin", h, "--k", k, "--s", s, "--p", p, "--d", d).text
    assert f"{sharing[0]}" in table
    assert f"{sharing[-1]}" in table
    assert f"output_padding {extra}" in table or len(sharing) == 1


@pytest.mark.parametrize("rule", ["valid", "full", "same-upper", "same-lower"])
@pytest.mark.parametrize(
    ("h", "k", "s", "d"), [(16, 3, 2, 1), (31, 4, 3, 1), (7, 1, 5, 1), (20, 3, 4, 2), (9, 2, 1, 1)]
)
@pytest.mark.parametrize("transpose", [False, True])
def test_sizes_that_share_an_output_by_a_rule(rule: str, h: int, k: int, s: int, d: int, transpose: bool) -> None:
    """Every size is padded by the rule for itself, as an `apply` of that size would be."""
    options = ["--k", k, "--s", s, "--d", d, "--p", rule]
    if transpose and rule == "full" and transposed(h, k, s, d * (k - 1), d) < 1:
        return
    given = done("shape", "--hin", h, *options, *(["--transpose"] if transpose else []), "--json").json
    small = h if transpose else given["output"]["height"]

    def output(size: int) -> str:
        return run("shape", "--hin", size, *options, "-q").text.strip()

    found = [size for size in range(1, max(h, given["output"]["height"]) + 2 * s + 2) if output(size) == str(small)]
    assert given["direct_inputs_sharing_an_output"]["height"] == {"first": found[0], "last": found[-1]}
    assert given["padding_rule"] == rule


def test_the_way_back_from_a_rule_names_its_pads() -> None:
    options = ["--k", 3, "--s", 2]
    table = done("shape", "--hin", 31, *options, "--p", "same-upper").table["share one output"]
    assert table.startswith("direct with same-upper: 31 and 32 → 16; transposed: 16 → 31 needs padding 1 and")
    assert done("shape", "--hin", 16, *options, "--transpose", "--p", 1, "-q").text == "31\n"


def test_a_way_back_to_nothing_is_no_size() -> None:
    """(1 - 1)·5 - 2·2 + 1·(3 - 1) + 0 + 1 = -1"""
    options = ["shape", "--hin", 1, "--k", 3, "--p", 2, "--s", 5]
    assert done(*options, "--json").json["opposite"]["output"] == {"height": None, "width": None}
    assert "= -1: nothing is left" in done(*options).text


def test_json_wins_over_quiet() -> None:
    assert done(*ISSUE, "--json", "-q").text == done(*ISSUE, "--json").text


def test_axes_that_differ_are_both_shown() -> None:
    result = done("shape", "--hin", 480, "--win", 640, "--k", "3,5", "--s", "2,1", "--p", "1,2")
    assert result.table["output"] == "240×640"
    assert "H_out" in result.text
    assert "W_out" in result.text
    assert "= 240" in result.text
    assert "= 640" in result.text
    assert "W_out" in done("shape", "--hin", 480, "--k", "3,5").text  # the width matters even when it is not given
    assert "W_out" not in done("shape", "--hin", 480, "--k", "3").text


def test_json_of_a_large_stride_stays_small() -> None:
    """`s` input sizes share an output; a stride mistyped must not become a document of gigabytes."""
    assert len(done("shape", "--hin", 10, "--k", 3, "--s", 200_000, "--json").out) < 100_000


# Where it is printed


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_encodings_that_lack_the_signs_of_the_formula(encoding: str) -> None:
    """As a redirected standard output on Windows has them."""
    result = binary(*ISSUE, PYTHONIOENCODING=encoding)
    assert result.code == 0
    assert b"66" in result.out
    assert result.err == ""


def test_a_terminal_gets_a_drawn_table() -> None:
    result = terminal(*ISSUE)
    assert result.code == 0
    shown = result.text
    assert "\x1b[1mconvcli shape" in shown  # a bold title
    assert "66" in shown
    assert "\x1b[36m" in shown  # cyan


def test_formulas_fit_a_terminal_of_80_columns() -> None:
    shown = terminal(
        "shape", "--hin", 480, "--win", 640, "--k", "3,5", "--s", 2, "--p", "same-upper", COLUMNS="80"
    ).text
    assert "H_out = ⌊(480 + 0 + 1 - 1·(3 - 1) - 1) / 2⌋ + 1 = 240" in shown
    assert all(len(re.sub(r"\x1b\[\d*m", "", line).rstrip()) <= 80 for line in shown.splitlines())


def test_no_color_is_honoured() -> None:
    shown = terminal(*ISSUE, NO_COLOR="1").text
    assert "66" in shown
    assert "\x1b[3" not in shown


def test_no_table_where_there_is_no_terminal() -> None:
    text = done(*ISSUE).text
    assert "\x1b" not in text
    assert "╭" not in text


def test_paddings_that_differ_are_both_shown() -> None:
    """Of a square that stays one: 9 + 1 + 1 and 9 + 0 + 2."""
    same, differ = (done("shape", "--hin", 9, "--k", 3, "-p", pads).text for pads in ("1,1,1,1", "1,1,0,2"))
    assert "W_out" not in same
    assert "H_out = ⌊(9 + 2·1 - 1·(3 - 1) - 1) / 1⌋ + 1 = 9" in differ
    assert "W_out = ⌊(9 + 0 + 2 - 1·(3 - 1) - 1) / 1⌋ + 1 = 9" in differ


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ("--hin 2 --k 3 --s 2 --p 1 --op2 1", "too small to say more (larger sizes: a checkerboard)"),
        ("--hin 3 --k 3 --s 2 --p 1 --op2 1", "away from the border 1, 2 or 4: a checkerboard"),
        ("--hin 2 --k 4 --s 2 --p 1 --transpose", "too small to say more (larger sizes: even)"),
        ("--hin 3 --k 3 --s 2", "(larger sizes: a checkerboard in its gradient)"),
    ],
)
def test_small_images_and_checkerboards(line: str, verdict: str) -> None:
    """Of three pixels, kernel 3, stride 2, the taps are 1 2 1 2 1 1 along an axis; of two they are 1 2 1 1."""
    assert done("shape", *line.split()).table["overlap"].endswith(verdict)
    found = done("shape", *line.split(), "--json").json["overlap"]
    assert found["checkerboard"] == ("checkerboard" in verdict)
    assert (found["interior"] is None) == ("too small" in verdict or "larger" in verdict)
