"""The registry of named kernels: how a name and its ARGS become a `Filter`.

The kernels are plain functions, in a module for each family (`convcli.kernels.smoothing`, `.edges`, …). The decorator `named`
registers them. A function's signature is the parameter list of its kernel, and the first paragraph of its docstring is the
description that users read; a command's parameter in it is written as ``bias 128`` in double backquotes.

All plain names follow the same rules for signs and scales. If a library's kernel of the same name has other values, it has
a name of its own here (``pillow-sharpen``, ``log-unit``).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from math import comb
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convcli.errors import KernelError, param
from convcli.kernels.bank import Filter, Kernel, checked

Matrix = NDArray[np.float64]
Built = Matrix | Mapping[str, Matrix]
Builder = TypeVar("Builder", bound=Callable[..., Built])

MAX_SIDE = 4095
"""The largest side of a named kernel, in pixels. A larger number is more likely a mistake."""

MAX_ARGUMENT = 1e9
"""The largest argument of a named kernel, whatever the argument means."""


FAMILIES = {
    "smoothing": "identity box gaussian binomial disk motion sharpen unsharp emboss shift random",
    "gaussians": "gaussian-discrete gaussian-erf gaussian-ellipse gaussmat gaussian-gradient hanning blur comet motion-nearest",
    "shapes": "square rectangle diamond octagon plus cross ring",
    "pillow": "pillow-blur pillow-contour pillow-detail pillow-edge-enhance pillow-edge-enhance-more pillow-emboss "
    "pillow-find-edges pillow-sharpen pillow-smooth pillow-smooth-more",
    "edges": "sobel prewitt scharr roberts farid kirsch robinson compass isotropic isotropic-diagonal frei-chen frei-chen-line "
    "frei-chen-mean gradient diff hessian diff2 sobel2",
    "laplacians": "laplacian log dog laplacian-box laplacian-type log-unit dog-unit logmat",
    "waves": "gabor gabor-energy haar",
    "upsampling": "nearest bilinear bicubic lanczos",
}
"""The modules that define kernels, and the names of these, in the order in which the tables list them."""

ALIASES = {
    "unity": "identity",
    "pascal": "binomial",
    "hann": "hanning",
    **{name: f"pillow-{name}" for name in ("contour", "detail", "edge-enhance", "edge-enhance-more", "find-edges")},
    **{name: f"pillow-{name}" for name in ("smooth", "smooth-more")},
}
"""Other names of kernels."""

_HOMES = {name: family for family, names in FAMILIES.items() for name in names.split()}


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A named kernel."""

    name: str
    # returns a matrix ``(kh, kw)`` in float64; or, for several kernels whose results are combined, a mapping from the
    # last part of a member's name (``x`` of ``sobel-x``) to its matrix
    build: Callable[..., Built]
    scale: str  # what the values sum to
    source: str  # who defined the kernel, and which libraries have it
    combine: str  # how the results of the members are combined; one of `convcli.vocabulary.COMBINES`
    members: tuple[str, ...]  # full names of the members: ``sobel-x``, ``sobel-y``

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names of the kernel."""
        return tuple(alias for alias, name in ALIASES.items() if name == self.name)

    @property
    def about(self) -> str:
        """The description: what it is and its sign, and its other names. Parameters are as `param` marks them."""
        text = (self.build.__doc__ or "").split("\n\n")[0].replace("\n", " ").replace("    ", "").strip()
        text = re.sub(r"``(\w+) ([^`]+)``", lambda found: param(found[1], found[2]), text)
        return f"{text} Also: {', '.join(self.aliases)}." if self.aliases else text

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Its parameters in order, with type and default."""
        return dict(inspect.signature(self.build, eval_str=True).parameters)

    @property
    def usage(self) -> str:
        """How to write it, as in the help: ``gaussian[:sigma=1,size]``."""
        shown = [
            name if p.default in (None, p.empty) else f"{name}={_number(p.default)}"
            for name, p in self.parameters.items()
        ]
        if not shown:
            return self.name
        required = any(p.default is p.empty for p in self.parameters.values())
        return f"{self.name}:{','.join(shown)}" if required else f"{self.name}[:{','.join(shown)}]"


class _Registry(Mapping[str, Recipe]):
    """All named kernels by name, in the order of `FAMILIES`. A family is imported when one of its kernels is asked for."""

    def __init__(self) -> None:
        self.defined: dict[str, Recipe] = {}

    def __getitem__(self, name: str) -> Recipe:
        import_module(f"convcli.kernels.{_HOMES[name]}")
        return self.defined[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


REGISTRY = _Registry()


def named(*, scale: str, source: str, combine: str = "magnitude", members: str = "") -> Callable[[Builder], Builder]:
    """A decorator that registers a function as the named kernel of its name, ``log_unit`` as ``log-unit``.

    Parameters
    ----------
    scale, source, combine : str
        See `Recipe`.
    members : str
        The last parts of the members' names, with spaces between; empty for a single kernel.
    """

    def enter(build: Builder) -> Builder:
        name = build.__name__.replace("_", "-")
        full = tuple(f"{name}-{member}" for member in members.split())
        REGISTRY.defined[name] = Recipe(name, build, scale, source, combine if full else "none", full)
        return build

    return enter


def _recipe(name: str) -> Recipe | None:
    """The kernel of this name, alias or member; None if there is none."""
    name = ALIASES.get(name, name)
    if name in _HOMES:
        return REGISTRY[name]
    whole = name.rpartition("-")[0]
    return REGISTRY[whole] if whole in _HOMES and name in REGISTRY[whole].members else None


def is_name(text: str) -> bool:
    """Whether the text before the first colon is the name of a kernel."""
    return _recipe(text.partition(":")[0].strip().lower()) is not None


def build(spec: str) -> Filter:
    """Build the kernels of ``NAME[:ARGS]``. ARGS are separated by commas, by position or as ``name=value``.

    Raises
    ------
    KernelError
        The name is unknown (the error suggests similar names), or an argument is unknown or wrong.
    """
    name, colon, text = spec.partition(":")
    name = name.strip().lower()
    recipe = _recipe(name)
    if recipe is None:
        raise unknown(spec)
    if colon and not text.strip():
        remedy = f"write '{name}' or '{recipe.usage}'"
        raise KernelError(f"kernel '{spec}'", "has a colon without arguments", remedy)
    arguments = _arguments(recipe, text, spec) if text.strip() else {}
    missing = [
        key for key, p in recipe.parameters.items() if p.default is inspect.Parameter.empty and key not in arguments
    ]
    if missing:
        raise KernelError(f"kernel '{spec}'", f"lacks {' and '.join(missing)}", f"write '{recipe.usage}'")
    built = recipe.build(**arguments)
    if not isinstance(built, Mapping):
        made, combine = {spec: built}, "none"
    elif name in recipe.members:
        made, combine = {spec: built[name.removeprefix(recipe.name + "-")]}, "none"
    else:
        made, combine = {f"{recipe.name}-{member}{colon}{text}": built[member] for member in built}, recipe.combine
    kernels = tuple(Kernel(member, checked(values, f"'{spec}'")) for member, values in made.items())
    default = recipe.parameters["factor"].default if _HOMES[recipe.name] == "upsampling" else 1
    factor = int(arguments.get("factor", default))
    return Filter(safe_label(spec.strip().lower()), kernels, combine, spec, factor)


def names() -> list[str]:
    """All names that a SPEC may begin with."""
    return [*REGISTRY, *(other for recipe in REGISTRY.values() for other in (*recipe.members, *recipe.aliases))]


def _near(name: str, known: Iterable[str], n: int, cutoff: float = 0.6) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name, known, n, cutoff)


def unknown(spec: str) -> KernelError:
    """The error for a SPEC that nothing can be made of. Its remedy suggests similar names."""
    from convcli.kernels import other_names

    name = spec.partition(":")[0].strip().lower()
    if (found := other_names.remedy_for(spec)) is not None:
        return KernelError(f"kernel '{spec}'", *found)
    if (parts := other_names.joined(spec)) is not None and is_name(parts[0]):
        return KernelError(f"kernel '{spec}'", "has no colon before its arguments", f"write '{':'.join(parts)}'")
    if is_name(plain := spec.replace("_", "-")):
        return KernelError(f"kernel '{spec}'", "is not a known name", f"did you mean {plain}?")
    begun = [known for known in REGISTRY if len(name) >= 3 and known.startswith(name)]
    near = list(dict.fromkeys(begun + _near(name, names(), 3, 0.65)))[:3]
    remedy = f"did you mean {' or '.join(near)}?" if near else "'convcli kernel' lists the names"
    return KernelError(f"kernel '{spec}'", "is not a known name, a matrix literal or a file", remedy)


def sum_one(values: NDArray[Any]) -> Matrix:
    """`values` divided by their sum."""
    return np.asarray(values / values.sum(), np.float64)


def binomial_row(size: int) -> Matrix:
    """Row ``size - 1`` of Pascal's triangle, scaled to sum 1: ``(size,)``."""
    return np.array([comb(size - 1, i) / 2 ** (size - 1) for i in range(size)])


def out_of_range(value: str, allowed: str) -> KernelError:
    """The error for an argument outside its range: ``out_of_range("disk radius 9999", "0 to 2047")``."""
    return KernelError(value, "is out of range", f"use {allowed}")


def safe_label(text: str) -> str:
    """`text` for file names: everything but letters, digits, dots and minus signs is replaced by ``-``."""
    return re.sub(r"[^0-9A-Za-z.]+", "-", text).strip("-.")[:60] or "kernel"


def size_of(
    value: int, kernel: str, *, odd: bool = True, least: int = 1, most: int = MAX_SIDE, name: str = "size"
) -> int:
    """Check a kernel's side length, and return it: between `least` and `most`, and odd if it has to be.

    Raises
    ------
    KernelError
        It is not.
    """
    if not least <= value <= most or (odd and value % 2 == 0):
        kind = "an odd number" if odd else "a number"
        raise out_of_range(f"{kernel} {name} {value}", f"{kind} from {least} to {most}")
    return value


def _arguments(recipe: Recipe, text: str, spec: str) -> dict[str, float | int]:
    arguments: dict[str, float | int] = {}
    parameters = recipe.parameters
    if not parameters:
        rule = f"has arguments, but {recipe.name} takes none"
        raise KernelError(f"kernel '{spec}'", rule, f"write '{recipe.name}'")
    for position, part in enumerate(text.split(",")):
        key, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not equals:
            if position >= len(parameters):
                raise KernelError(f"kernel '{spec}'", "has too many arguments", f"write '{recipe.usage}'")
            key = list(parameters)[position]
        if key not in parameters:
            near = _near(key, parameters, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise KernelError(f"kernel '{spec}'", f"has no parameter '{key}'{hint}", f"write '{recipe.usage}'")
        if key in arguments:
            raise KernelError(f"kernel '{spec}'", f"gives {key} twice", "give it once")
        whole = "int" in str(parameters[key].annotation)
        try:
            arguments[key] = int(value) if whole else float(value)
            if not np.isfinite(float(arguments[key])):
                raise ValueError
        except (ValueError, OverflowError):
            rule = "is not a whole number" if whole else "is not a finite number"
            raise KernelError(f"kernel '{spec}': {key} '{value}'", rule, f"write '{recipe.usage}'") from None
        if abs(arguments[key]) > MAX_ARGUMENT:
            raise out_of_range(f"kernel '{spec}': {key} '{value}'", f"at most {MAX_ARGUMENT:g}")
    return arguments


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
