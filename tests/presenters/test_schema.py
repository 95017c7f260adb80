"""Every JSON document of every command begins with the number of its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import SAMPLES, run

COMMANDS = """
apply {tiny} -k box -o out.png --json
apply {tiny} -k box -o - --json
apply {tiny} {small} -k box -o many/ --json
apply {tiny} {small} -k box -o many/ --json-lines
apply {tiny} -k box -o out.png --json-lines
apply {tiny} {none} -k box -o many/ --json
apply {tiny} {none} -k box -o many/ --json-lines
apply {tiny} -k box -o there.png --skip-existing --json
apply folder -k box -o many/ --json
transpose {tiny} -k bilinear:2 -s 2 -p 1 -o out.png --json
transpose {tiny} {small} -k bilinear:2 -s 2 -p 1 -o many/ --json
shape --hin 9 --k 3 --json
shape --hin 9 --k 3 --transpose --json
shape --hin 32 --k ? --s ? --hout 16 --json
shape --hin 32 --layers conv:k3,s2 --json
shape --hin ? --hout 15 --layers conv:k3,s2 --json
compare --size 9,9 --repeats 1 --backend numpy --json
explain {tiny} -k sobel-x --at 1,2 --json
explain {tiny} -k box --input-at 4,4 --json
explain {tiny} -k box --as scipy --json
explain {tiny} -k box --transpose -s 2 --at 1,1 --json
animate --hin 5 --k 3 --json
animate --hin 5 --k 3 -o film.svg --json
kernel --json
kernel sobel-x --json
kernel sobel-x box --json
kernel sobel-x -o - --format npy --json
kernel --weights {layer} --json
doctor --json
"""


def documents(text: str) -> Iterator[list[tuple[str, Any]]]:
    """The keys and values of each document on each line, in their order."""
    for line in text.splitlines():
        if line.startswith(("{", "[")):
            pairs: list[list[tuple[str, Any]]] = []
            whole = json.loads(line, object_pairs_hook=lambda found, pairs=pairs: pairs.append(found) or len(pairs) - 1)
            yield from (pairs[number] for number in (whole if isinstance(whole, list) else [whole]))


@pytest.mark.parametrize("line", COMMANDS.strip().splitlines())
def test_it_is_the_first_value(line: str, tmp_path: Path) -> None:
    names = {name: SAMPLES / f"{name}.png" for name in ("tiny", "small", "none")}
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(names["tiny"].read_bytes())
    (tmp_path / "there.png").touch()
    result = run(*line.format(**names, layer=SAMPLES / "layer.safetensors").split(), cwd=tmp_path)
    assert result.code == ("none" in line), result.err
    to_stderr = "-o - " in line
    found = [*documents(result.err if to_stderr else result.text)]
    assert found
    for document in found:
        assert document[0] == ("schema", 1)
        assert [key for key, _ in document].count("schema") == 1
        assert len(document) > 1
    expected = {"{small} -k box -o many": 2, "{none}": 2, "kernel sobel-x box": 2}
    assert len(found) >= next((count for text, count in expected.items() if text in line), 1)


def test_kernels_that_are_read_again_are_no_documents(tmp_path: Path) -> None:
    run("kernel", "box", "-o", "box.json", cwd=tmp_path)
    assert json.loads((tmp_path / "box.json").read_text()) == [[1 / 9] * 3] * 3
