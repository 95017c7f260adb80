"""Every JSON document of every command begins with the number of its schema, and is as docs/schema.json says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from convcli import cli
from support.cli import ROOT, SAMPLES, done, run

COMMANDS = """
written: apply {tiny} -k box -o out.png --json
written: apply {tiny} -k box -o - --json
written: apply {tiny} -k gaussian:20 -p same --bias 50% --linear -o out.npy --json
written: apply {icon} -k sobel -k box -o out.npy --combine none --range raw --json
written: apply {tiny} --weights {layer} -p 3 --montage -o out.png --json
written: apply nan.npy -k box -o out.png --range minmax --backend reference --json
written: apply nan.npy -k box -o blocks.npy --memory 1G --json
written: apply nan.npy -k box -o out.npy --range=-1.0,2 --json
written written: apply {tiny} {small} -k box -o many/ --json
written written: apply {tiny} {small} -k box -o many/ --json-lines
written: apply {tiny} -k box -o out.png --json-lines
written failed: apply {tiny} {none} -k box -o many/ --json
written failed: apply {tiny} {none} -k box -o many/ --json-lines
skipped: apply {tiny} -k box -o there.png --skip-existing --json
written: apply folder -k box -o many/ --json
written: transpose {tiny} -k bilinear:2 -s 2 -p 1 -o out.png --json
written written: transpose {tiny} {small} -k bilinear:2 -s 2 -p 1 -o many/ --json
layer: shape --hin 9 --k 3 --json
layer: shape --hin 9 --win 10 --k 3 --p same --json
layer: shape --hin 9 --k 3 --transpose --json
layer: shape --hin 1 --k 3 --s 3 --p 1 --transpose --json
layer: shape --hin 200000 --k 3 --op2 1 --s 2 --json
solved: shape --hin 32 --k ? --s ? --hout 16 --json
solved: shape --hin 32 --k ? --s ? --p ? --d ? --op2 ? --hout 65 --json
solved: shape --hin ? --win ? --k 3 --s 2 --hout 16 --json
solved: shape --hin 32 --k 3 --s ? --hout 29 --json
chained: shape --hin 32 --layers conv:k3,s2 --json
chained: shape --hin 32 --win 33 --layers conv:k3x5,s2x1,p1 --json
chained: shape --hin 32 --layers "conv:k3 relu flatten linear:4" --json
chained: shape --hin 32 --layers "save:a transpose:k4,s2,p1 pool:k2 cat:a" --json
chain_inputs: shape --hin ? --hout 15 --layers conv:k3,s2 --json
chain_inputs: shape --hin ? --hout 15 --layers upsample:2 --json
compared: compare --size 9,9 --repeats 1 --backend numpy --json
compared: compare nan.npy -k box --repeats 1 --backend numpy --json
explained: explain {tiny} -k sobel-x --at 1,2 --json
explained: explain {tiny} -k sobel -p 1 --padding-mode reflect --at 0,0 --bias 1 --json
explained: explain {icon} -k gaussian:1 --linear --at 8,8 --json
explained: explain nan.npy -k box --at 0,0 --json
explained: explain {tiny} -k box --transpose -s 2 --at 1,1 --json
touched: explain {tiny} -k box --input-at 4,4 --json
touched: explain {tiny} -k sobel -p 1 --padding-mode replicate --input-at 0,0 --json
script: explain {tiny} -k box --as scipy --json
animated: animate --hin 5 --k 3 --json
animated: animate --hin 5 --k 3 --s 2 --op2 1 --frame 3 --json
animated: animate {tiny} -k sobel-x --json
animated: animate --hin 5 --k 3 -o film.svg --json
named: kernel --json
analysed: kernel sobel-x --json
analysed: kernel random:251 --json
bank analysed: kernel sobel box --json
analysed: kernel sobel-x -o - --format npy --json
tensors: kernel --weights {layer} --json
answered: batch lines.txt --json-lines --keep-going
installation: doctor --json
"""
"""The kinds of documents that each line prints, as docs/schema.json calls them; the last may come many times."""

BATCH = """
shape --hin 9 --k 3 --json
shape --hin 9 --k 3 -q
shape --hin 1 --k 3
shape --hin
apply {tiny} {small} -k box -o many/ --json
apply {tiny} {small} -k box -o many/ --json-lines
apply {tiny} -k box -o out.png --json
kernel sobel box --json
kernel sobel
completion bash
"""

DEFS = json.loads((ROOT / "docs" / "schema.json").read_text(encoding="utf-8"))["$defs"]


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": DEFS})


def documents(text: str) -> Iterator[list[tuple[str, Any]]]:
    """The keys and values of each document on each line, in their order."""
    for line in text.splitlines():
        if line.startswith(("{", "[")):
            pairs: list[list[tuple[str, Any]]] = []
            whole = json.loads(line, object_pairs_hook=lambda found, pairs=pairs: pairs.append(found) or len(pairs) - 1)
            yield from (pairs[number] for number in (whole if isinstance(whole, list) else [whole]))


@pytest.mark.parametrize("line", COMMANDS.strip().splitlines())
def test_documents(line: str, tmp_path: Path) -> None:
    kinds, _, line = line.partition(": ")
    names = {name: SAMPLES / f"{name}.png" for name in ("tiny", "small", "icon", "none")}
    np.save(tmp_path / "nan.npy", np.array([[1, np.nan, np.inf], [3, 4, 5], [6, 7, 8]], np.float32))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(names["tiny"].read_bytes())
    (tmp_path / "there.png").touch()
    (tmp_path / "lines.txt").write_text(BATCH.format(**names))
    result = run(*shlex.split(line.format(**names, layer=SAMPLES / "layer.safetensors")), cwd=tmp_path)
    unsolved = b'"solutions": []' in result.out
    assert result.code == (2 if unsolved else "{none}" in line or "--keep-going" in line), result.err
    to_stderr = "-o - " in line
    found = [*documents(result.err if to_stderr else result.text)]
    assert found
    for document in found:
        assert document[0] == ("schema", 1)
        assert [key for key, _ in document].count("schema") == 1
        assert len(document) > 1
    whole = [json.loads(text) for text in (result.err if to_stderr else result.text).splitlines() if text[:1] in "{["]
    listed = [one for each in whole for one in (each if isinstance(each, list) else [each])]
    wanted = kinds.split()
    wanted += wanted[-1:] * (len(listed) - len(wanted))
    for kind, one in zip(wanted, listed, strict=True):
        validator(kind).validate(one)
        validator(line.split()[0]).validate(one)


def test_every_kind_of_document_is_seen() -> None:
    seen = {kind for line in COMMANDS.strip().splitlines() for kind in line.partition(": ")[0].split()}
    kinds = {
        one["$ref"].rpartition("/")[2] for command in DEFS if command in cli.COMMANDS for one in DEFS[command]["anyOf"]
    }
    assert seen == kinds
    assert set(cli.COMMANDS) - set(DEFS) == {"completion"}
    whole = json.loads((ROOT / "docs" / "schema.json").read_text(encoding="utf-8"))
    assert {one["$ref"].rpartition("/")[2] for one in whole["anyOf"]} == kinds


def test_the_schema_is_one_and_strict() -> None:
    Draft202012Validator.check_schema(json.loads((ROOT / "docs" / "schema.json").read_text(encoding="utf-8")))
    document = done("shape", "--hin", 9, "--k", 3, "--json").json
    validator("layer").validate(document)
    for place in (document, document["losses"], document["input"], document["padding"]):
        place["more"] = 1
        assert not validator("layer").is_valid(document)
        del place["more"]
    for key in document:
        assert not validator("layer").is_valid({name: value for name, value in document.items() if name != key}), key


def test_kernels_that_are_read_again_are_no_documents(tmp_path: Path) -> None:
    run("kernel", "box", "-o", "box.json", cwd=tmp_path)
    assert json.loads((tmp_path / "box.json").read_text()) == [[1 / 9] * 3] * 3
