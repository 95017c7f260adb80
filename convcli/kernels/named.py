"""The registry of named kernels: how a name and its ARGS become a `Filter`.

Kernels are plain functions, in a module for each family (`convcli.kernels.smoothing`, `.edges`, …). The decorator `named`
registers them, and `FAMILIES` lists their names. The signature of a function is the parameter list of the kernel. The first
paragraph of its docstring is the description for users; a parameter of a command in it is written as ``bias 128`` in double
backquotes. The text of its errors begins with an argument: `build` adds the name of the kernel.

All plain names follow the same rules for signs and scales. If a kernel of the same name has other values in a library, it has
another name here (``pillow-sharpen``, ``log-unit``).
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from math import comb, isfinite
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from convcli.errors import KernelError, param
from convcli.kernels.bank import Filter, Kernel, checked
from convcli.kernels.bank import Matrix as Matrix
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

Builder = TypeVar("Builder", bound=Callable[..., Matrix | Mapping[str, Matrix]])

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
"""The modules with kernels, and the names of their kernels, in the order of the tables."""

ALIASES = {
    "unity": "identity",
    "pascal": "binomial",
    "hann": "hanning",
    **{name: f"pillow-{name}" for name in ("contour", "detail", "edge-enhance", "edge-enhance-more", "find-edges")},
    **{name: f"pillow-{name}" for name in ("smooth", "smooth-more")},
}
"""Other names of kernels."""

_HOMES = {name: family for family, names in FAMILIES.items() for name in names.split()}


class Recipe(NamedTuple):
    """A named kernel."""

    name: str
    # returns a matrix ``(kh, kw)`` in float64; or, for several kernels whose results are combined, a mapping from the
    # last part of a member's name (``x`` of ``sobel-x``) to its matrix
    build: Callable[..., Matrix | Mapping[str, Matrix]]
    scale: str  # what the values sum to
    source: str  # who defined the kernel, and which libraries have it
    members: tuple[str, ...]  # full names of the members: ``sobel-x``, ``sobel-y``
    combine: str  # how the results of the members are combined; one of `convcli.vocabulary.COMBINES`

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names of the kernel."""
        return tuple(alias for alias, name in ALIASES.items() if name == self.name)

    @property
    def about(self) -> str:
        """The description: what it is and its sign, and its other names. Parameters are as `param` marks them."""
        text = " ".join((self.build.__doc__ or "").split("\n\n")[0].split())
        text = re.sub(r"``(\w+) ([^`]+)``", lambda found: param(found[1], found[2]), text)
        return f"{text} Also: {', '.join(self.aliases)}." if self.aliases else text

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """Its parameters in order, with defaults, and with types as texts."""
        return inspect.signature(self.build).parameters

    @property
    def usage(self) -> str:
        """How to write it, as in the help: ``gaussian[:sigma=1,size]``."""
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        shown = ",".join(
            name if default in (None, inspect.Parameter.empty) else f"{name}={number(default)}"
            for name, default in defaults.items()
        )
        if not shown:
            return self.name
        required = inspect.Parameter.empty in defaults.values()
        return f"{self.name}:{shown}" if required else f"{self.name}[:{shown}]"


class _Registry(Mapping[str, Recipe]):
    """All named kernels by name, in the order of `FAMILIES`. A module is imported when one of its kernels is used."""

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


def named(scale: str, source: str, members: str = "", combine: str = "magnitude") -> Callable[[Builder], Builder]:
    """A decorator that registers a function as the named kernel of its name, ``log_unit`` as ``log-unit``.

    `scale`, `source` and `combine` are those of `Recipe`. `members` are the last parts of the members' names, with spaces
    between; empty for a single kernel.
    """

    def enter(build: Builder) -> Builder:
        name = build.__name__.replace("_", "-")
        full = tuple(f"{name}-{member}" for member in members.split())
        REGISTRY.defined[name] = Recipe(name, build, scale, source, full, combine if full else "none")
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


def build(spec: str) -> Filter | None:
    """Build the kernels of ``NAME[:ARGS]``. ARGS are separated by commas, by position or as ``name=value``.

    Returns None if there is no such kernel (see `unknown`). Raises `KernelError` if an argument is unknown or wrong.
    """
    name, colon, text = spec.partition(":")
    name = name.strip().lower()
    recipe = _recipe(name)
    if recipe is None:
        return None
    if colon and not text.strip():
        remedy = f"write '{name}' or '{recipe.usage}'"
        raise KernelError(f"kernel '{spec}'", "has a colon without arguments", remedy)
    try:
        arguments = _arguments(recipe, text, spec)
        try:
            built = recipe.build(**arguments)
        except KernelError as error:
            raise error.within(f"{recipe.name} ") from None
    except KernelError:
        from convcli.kernels import other_names

        if remedy := other_names.of_imagemagick(name, text.strip(), "sigma" in recipe.parameters):
            raise KernelError(f"kernel '{spec}'", "has arguments as ImageMagick has them", remedy) from None
        raise
    combine = "none"
    if not isinstance(built, Mapping):
        built = {spec: built}
    elif name in recipe.members:
        built = {spec: built[name.removeprefix(recipe.name + "-")]}
    else:
        built = {f"{recipe.name}-{member}{colon}{text}": values for member, values in built.items()}
        combine = recipe.combine
    kernels = tuple(Kernel(member, checked(values, f"'{spec}'")) for member, values in built.items())
    return Filter(safe_label(spec.strip().lower()), kernels, combine, spec, arguments.get("factor", 1))


def _arguments(recipe: Recipe, text: str, spec: str) -> dict[str, Any]:
    """The arguments of a kernel: those in a text, and the defaults of the other parameters."""
    parameters = recipe.parameters

    def refused(rule: str, what: str = "") -> KernelError:
        return KernelError(f"kernel '{spec}'{what}", rule, f"write '{recipe.usage}'")

    arguments: dict[str, Any] = {}
    for position, part in enumerate(text.split(",") if text.strip() else ()):
        key, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not parameters:
            raise refused(f"has arguments, but {recipe.name} takes none")
        if not equals:
            if position >= len(parameters):
                raise refused("has too many arguments")
            key = list(parameters)[position]
        if key not in parameters:
            near = _near(key, parameters, 1)
            raise refused(f"has no parameter '{key}'" + (f" (did you mean {near[0]}?)" if near else ""))
        if key in arguments:
            raise KernelError(f"kernel '{spec}'", f"gives {key} twice", "give it once")
        whole = "int" in parameters[key].annotation
        try:
            arguments[key] = int(value) if whole else float(value)
            if not isfinite(arguments[key]):
                raise ValueError
        except (ValueError, OverflowError):
            kind = "whole" if whole else "finite"
            raise refused(f"is not a {kind} number", f": {key} '{value}'") from None
        if abs(arguments[key]) > MAX_ARGUMENT:
            raise out_of_range(f"kernel '{spec}': {key} '{value}'", f"at most {MAX_ARGUMENT:g}")
    bound = {key: parameter.default for key, parameter in parameters.items()} | arguments
    missing = [key for key, value in bound.items() if value is inspect.Parameter.empty]
    if missing:
        raise refused(f"lacks {' and '.join(missing)}")
    return bound


def names() -> list[str]:
    """All names that a SPEC may begin with."""
    return [*REGISTRY, *ALIASES, *(member for recipe in REGISTRY.values() for member in recipe.members)]


def _near(name: str, known: Iterable[str], n: int, cutoff: float = 0.6) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(name, known, n, cutoff)


def unknown(spec: str) -> KernelError:
    """The error for a SPEC that is not understood. Its remedy suggests similar names."""
    from convcli.kernels import other_names

    name = spec.partition(":")[0].strip().lower()
    if (found := other_names.remedy_for(spec)) is not None:
        return KernelError(f"kernel '{spec}'", *found)
    if (parts := other_names.joined(spec)) is not None and is_name(parts[0]):
        return KernelError(f"kernel '{spec}'", "has no colon before its arguments", f"write '{':'.join(parts)}'")
    several = [part.strip() for part in re.split("[;,+]", spec)]
    if len(several) > 1 and all(map(is_name, several)):
        remedy = f"write {' '.join(param('kernel', part) for part in several)}"
        raise KernelError(f"kernel '{spec}'", "is several kernels", remedy)
    if is_name(plain := spec.replace("_", "-")):
        return KernelError(f"kernel '{spec}'", "is not a known name", f"did you mean {plain}?")
    begun = [known for known in REGISTRY if len(name) >= 3 and known.startswith(name)]
    near = list(dict.fromkeys(begun + _near(name, names(), 3, 0.65)))[:3]
    remedy = f"did you mean {' or '.join(near)}?" if near else "'convcli kernel' lists the names"
    return KernelError(f"kernel '{spec}'", "is not a known name, a matrix literal or a file", remedy)


def sum_one(values: "NDArray[Any]") -> Matrix:
    """`values` divided by their sum."""
    return np.asarray(values / values.sum(), np.float64)


def binomial_row(size: int) -> Matrix:
    """Row ``size - 1`` of Pascal's triangle, scaled to sum 1: ``(size,)``."""
    return np.array([comb(size - 1, i) / 2 ** (size - 1) for i in range(size)])


def places(size: int) -> Matrix:
    """The places of a row of pixels, counted from their middle: ``(size,)``."""
    return np.asarray(np.arange(size) - (size - 1) / 2)


def square_distances(places: Matrix) -> Matrix:
    """The squared distance of each pixel of a square from the middle. Its rows and columns have these `places`."""
    return np.asarray(places[:, None] ** 2 + places[None, :] ** 2, np.float64)


def out_of_range(value: str, allowed: str) -> KernelError:
    """The error for an argument outside its range: ``out_of_range("radius 9999", "0 to 2047")``."""
    return KernelError(value, "is out of range", f"use {allowed}")


def check_range(name: str, value: float, least: float, most: float, unit: str = "") -> None:
    """Refuse an argument that is not between `least` and `most`."""
    if not least <= value <= most:
        raise out_of_range(f"{name} {number(value)}", f"{number(least)} to {number(most)}{unit}")


def size_of(value: int, name: str = "size", *, odd: bool = True, least: int = 1, most: int = MAX_SIDE) -> int:
    """Check a kernel's side length, and return it.

    Raises `KernelError` if it is not between `least` and `most`, or not odd although it has to be.
    """
    if not least <= value <= most or (odd and value % 2 == 0):
        raise out_of_range(f"{name} {value}", f"{'an odd' if odd else 'a'} number from {least} to {most}")
    return value


def number(value: float) -> str:
    """A number as text."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def safe_label(text: str) -> str:
    """`text` for file names: everything but letters, digits, dots and minus signs is replaced by ``-``."""
    plain = text if text.isascii() and text.isalnum() else re.sub(r"[^0-9A-Za-z.]+", "-", text)
    return plain.strip("-.")[:60] or "kernel"
