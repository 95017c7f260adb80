"""Generate the parts of the documents that other files already say: ``python docs/generate.py`` writes them into the pages.

They stand between the markers ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``. A test fails if a page differs from this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from runpy import run_path
from typing import Any

import convcli.kernels  # noqa: F401  (enters the kernels)
from convcli.cli import COMMANDS
from convcli.commands.kernel_texts import ARGUMENTS
from convcli.errors import as_options
from convcli.images.formats import ROWS, Format
from convcli.kernels.named import FAMILIES, REGISTRY, Recipe
from convcli.vocabulary import BORDERS

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
STRONGER: dict[str, str] = run_path(str(ROOT / "samples" / "pictures.py"))["STRONGER"]
DEFS: dict[str, dict[str, Any]] = json.loads((DOCS / "schema.json").read_text(encoding="utf-8"))["$defs"]

TITLES: dict[str, str] = run_path(str(ROOT / "man" / "generate.py"))["FAMILY_TITLES"]


def generated() -> dict[str, str]:
    """The blocks by their names."""
    return {
        "arguments": arguments(),
        "benchmarks": benchmarks(),
        "large": report("SCALE"),
        "borders": borders(),
        "formats": formats(),
        "json": keys(),
        "kernels": kernels(),
    }


def fresh(text: str, blocks: Mapping[str, str]) -> str:
    """`text` with the `blocks` between their markers."""
    for name, block in blocks.items():
        pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        text = pattern.sub(lambda match, block=block: f"{match[1]}{block}\n{match[2]}", text)  # type: ignore[misc]
    return text


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [[*header], *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def borders() -> str:
    """The padding modes, and their names elsewhere."""
    rows = (
        (f"`{name}`", f"`{picture}`", *(_codes(names.split(", ")) for names in others))
        for name, picture, *others in BORDERS
    )
    return table(("convcli", "`abcd` becomes", "PyTorch", "NumPy", "SciPy", "OpenCV"), rows)


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names if name) or "–"


def formats() -> str:
    """What the formats hold that are asked for most."""
    header = ("format", "bits", "alpha, channels", "several pictures", "keeps", "lossy")
    rows = (_format(row) for row in ROWS.values() if row.writer and (row.endings or row.feature))
    return table(header, rows)


def _format(row: Format) -> tuple[str, ...]:
    depths = [f"{bits}" for bits in (8, 16) if bits <= row.bits] + ["32-bit real numbers"] * row.real
    names = {
        "exif": "EXIF",
        "xmp": "XMP",
        "icc_profile": "ICC",
        "dpi": "resolution",
        "iptc": "IPTC",
        "comment": "comment",
    }
    names |= {"text": "texts"}
    transparency = "yes" if row.alpha else "no"
    return (
        " ".join((row.name, *(f"`{ending}`" for ending in row.endings))),
        "real numbers of 16, 32 and 64 bits" if row.tensor else ", ".join(depths),
        "any channels" if row.tensor else f"{transparency}, and any channels" if row.bands else transparency,
        _several(row),
        ", ".join(name for key, name in names.items() if key in row.keeps) or "–",
        {True: "yes", False: "no", None: "as the input was, or by `--quality`"}[row.lossy_written],
    )


def _several(row: Format) -> str:
    kinds = {
        "pages": row.pages,
        "frames": row.animation,
        "a batch": row.tensor,
        "one after another": row.sequence == "file",
    }
    return next((kind for kind, holds in kinds.items() if holds), "the first")


def kernels() -> str:
    """A table for each family, with a picture of what each kernel does."""
    parts = []
    for family, names in FAMILIES.items():
        rows = map(_kernel, (REGISTRY[name] for name in names.split()))
        parts.append(f"### {TITLES[family]}\n\n{table(('', 'kernel', 'values', 'source'), rows)}")
    return "\n\n".join(parts)


def _kernel(recipe: Recipe) -> tuple[str, ...]:
    name, spec = recipe.name, STRONGER.get(recipe.name)
    picture = f'<img src="../samples/kernels/{name}.jpg" width="96" height="96" alt="{name}">'
    shown = picture + (f"<br>`{spec}`" if spec else "")
    return shown, f"`{recipe.usage}`<br>{as_options(recipe.about)}", recipe.scale, recipe.source


def arguments() -> str:
    """The unit of each argument, and the kernels that have it."""
    return table(("argument", "unit", "of"), (_argument(names.split(", "), unit) for names, unit in ARGUMENTS.rows))


def _argument(names: list[str], unit: str) -> tuple[str, ...]:
    found = [recipe.name for recipe in REGISTRY.values() if {*names} & {*recipe.parameters}]
    return _codes(names), unit, _codes(found)


def benchmarks() -> str:
    """The results of `make bench` without their titles: the machine, the tables, and a sentence about the planner's regret."""
    results, many, encoders, regret = map(report, ("RESULTS", "MANY", "ENCODERS", "REGRET"))
    parts = [f"### One image\n\n{results}", f"### Many images\n\n{many}", f"### Encoders\n\n{encoders}"]
    parts.insert(2, f"### A thousand commands\n\n{report('THOUSAND')}")
    return "\n\n".join((*parts, f"### The planner\n\n{regret.splitlines()[0]}"))


def report(name: str) -> str:
    """A report of the benchmarks without its title."""
    return (ROOT / "benchmarks" / f"{name}.md").read_text(encoding="utf-8").split("\n", 1)[1].strip()


def keys() -> str:
    """The keys of the JSON: those that several documents share, and a section for each command, with a table for each kind."""
    bases = dict.fromkeys(_target(base) for schema in DEFS.values() for base in schema.get("allOf", ()))
    parts = ["## Shared keys", *map(_section, bases)]
    written: set[str] = set()
    for command in (name for name in COMMANDS if name in DEFS):
        if command in written:
            continue
        alike = [name for name in COMMANDS if DEFS.get(name, {}).get("anyOf") == DEFS[command]["anyOf"]]
        written |= {*alike}
        parts.append(f"## {' and '.join(f'`{name}`' for name in alike)}")
        parts += [_section(_target(kind)) for kind in DEFS[command]["anyOf"]]
    return "\n\n".join(parts)


def _section(name: str) -> str:
    """The keys of one object."""
    schema = DEFS[name]
    shared = [_heading(DEFS[_target(base)]) for base in schema.get("allOf", ())]
    links = (f"[{title}](#{re.sub(r'[^a-z -]', '', title.lower()).replace(' ', '-')})" for title in shared)
    before = "".join(f"The keys of {link}, and:\n\n" for link in links)
    rows = ((f"`{key}`", kind_of(value), text) for key, value, text in _rows(schema) if key != "schema")
    return f"### {_heading(schema)}\n\n{before}{table(('key', 'type', 'meaning'), rows)}"


def _heading(schema: Mapping[str, Any]) -> str:
    title: str = schema["title"]
    return f"{title[0].upper()}{title[1:]}"


def _rows(schema: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """The keys of an object, those of objects in it after a dot: the key, its schema, and what it means."""
    for key, value in schema.get("properties", {}).items():
        shared = next((_resolved(one) for one in (value, *value.get("anyOf", ())) if "$ref" in one), {})
        more = shared.get("description", "") if shared.get("type") in ("array", "object") else ""
        text = value.get("description", more)
        if not text:  # what it is in has said it
            continue
        missing = "" if key in schema.get("required", ()) else " (may be missing)"
        yield f"{before}{key}", value, f"{text}{f': {more}' if more and more != text else ''}{missing}"
        if not shared and "in the same form" not in text:
            for part in (value, *value.get("anyOf", ())):
                yield from _rows(part, f"{before}{key}.")
                yield from _rows(_resolved(part.get("items", {})), f"{before}{key}[].")


def _target(schema: Mapping[str, str]) -> str:
    return schema["$ref"].rpartition("/")[2]


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return DEFS[_target(schema)] if "$ref" in schema else schema


def kind_of(schema: Mapping[str, Any]) -> str:
    """The JSON type of a value in words."""
    schema = _resolved(schema)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(one) for one in schema["anyOf"]))
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    names = schema.get("type") or ({bool: "boolean", int: "integer", list: "array"}.get(type(values[0]), "string"))
    words = [{"array": "list"}.get(name, name) for name in ([names] if isinstance(names, str) else names)]
    return " or ".join(words)


def main() -> None:
    """Write the pages."""
    blocks = generated()
    for path in PAGES:
        path.write_text(fresh(path.read_text(encoding="utf-8"), blocks), encoding="utf-8")


if __name__ == "__main__":
    main()
