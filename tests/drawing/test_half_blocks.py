"""Pictures made of characters."""

from convcli.drawing import half_blocks as blocks


def test_pictures_of_characters() -> None:
    lines = blocks.half_blocks([["#ff0000", "#00ff00"], ["#0000ff", "#ffffff"], ["#010203", "#040506"]])
    assert len(lines) == 2
    assert lines[0].count("▀") == 2
    assert lines[0].startswith("\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀")
    assert all(line.endswith(blocks.RESET) for line in lines)
