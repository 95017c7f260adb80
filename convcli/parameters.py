"""The parameter types of the command line: how a word becomes a value, and how a shell completes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from convcli.geometry import Pads, Pair
from convcli.vocabulary import BORDERS, MOST_PIXELS, PADDING_MODES, PADDING_RULES, padding_mode, padding_rule

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

T = TypeVar("T")

MAX_NUMBER = 2**31 - 1
"""The largest size, stride or padding. A larger number is probably a mistake."""

MAX_VALUE = 1e38
"""The largest bias: about the largest value of float32."""


def _starting(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [_item(name) for name in names if name.startswith(incomplete.lower())]


def _item(value: str, **more: str) -> CompletionItem:
    from click.shell_completion import CompletionItem  # its own imports take longer than the arithmetic of sizes

    return CompletionItem(value, **more)


class PairType(click.ParamType[Pair]):
    """``N`` or ``H,W``: rows, then columns."""

    def __init__(self, least: int) -> None:
        self.least = least
        self.name = "N|H,W"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Pair:
        """Parse. A single number is for both axes."""
        if isinstance(value, tuple):
            return Pair(*value)
        numbers = _whole_numbers(_uncrossed(self, value, param, ctx), self.least)
        if len(numbers) not in (1, 2):
            self.fail(
                f"'{value}' is not {self.name.replace('|', ' or ')} with whole numbers from {self.least} to {MAX_NUMBER}, "
                "as in 2 or 2,1",
                param,
                ctx,
            )
        return Pair(numbers[0], numbers[-1])


class SizeType(PairType):
    """``H,W``."""

    def __init__(self) -> None:
        super().__init__(1)
        self.name = "H,W"


class PaddingType(click.ParamType[Pads | str]):
    """``N``, ``H,W``, ``T,B,L,R`` or a rule."""

    name = "N|H,W|T,B,L,R|RULE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Pads | str:
        """Parse into explicit pads, or keep the rule's name."""
        if isinstance(value, Pads):
            return value
        if (rule := padding_rule(str(value))) is not None:
            return rule
        if (mode := padding_mode(str(value))) is not None:
            self.fail(
                f"'{value}' says what lies beyond the border: use --padding-mode {mode} beside a number or a rule",
                param,
                ctx,
            )
        numbers = _whole_numbers(_uncrossed(self, value, param, ctx), 0)
        if len(numbers) not in (1, 2, 4):
            self.fail(
                f"'{value}' is not N, H,W or T,B,L,R with whole numbers from 0 to {MAX_NUMBER}, nor one of "
                f"{', '.join(PADDING_RULES)}",
                param,
                ctx,
            )
        return Pads.of(numbers)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The rules."""
        return _starting(PADDING_RULES, incomplete)


class IndexType(click.ParamType[int]):
    """A position, counted from 0. Negative numbers count from the end."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse. Whether there is such a position is checked later."""
        number = whole(str(value), -MAX_NUMBER)
        if number is None:
            self.fail(f"'{value}' is not a whole number, as in 0, or -1 for the last", param, ctx)
        return number


class PointType(click.ParamType[tuple[int, int]]):
    """``Y,X``: a row and a column, counted from 0. Negative numbers count from the end."""

    name = "Y,X"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Parse. Whether there is such a pixel is checked later."""
        if isinstance(value, tuple):
            return value
        numbers = _whole_numbers(value, -MAX_NUMBER)
        if len(numbers) != 2:
            self.fail(f"'{value}' is not Y,X with two whole numbers, row and column, as in 10,12", param, ctx)
        return numbers[0], numbers[1]


class CountType(click.ParamType[int]):
    """A whole number from `least` to `most`."""

    name = "N"

    def __init__(self, most: int = MAX_NUMBER, least: int = 1) -> None:
        self.most, self.least = most, least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse."""
        number = whole(str(value), self.least)
        if number is None or number > self.most:
            self.fail(f"'{value}' is not a whole number from {self.least} to {self.most}", param, ctx)
        return number


class Square(int):
    """A side that was written for both, as in ``32x32``."""


class SideType(CountType):
    """A whole number from 1, the height or the width of something; the options of both are `height` and `width`."""

    def __init__(self, height: str, width: str) -> None:
        super().__init__()
        self.height, self.width = height, width

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse. ``32x32`` is a height that is the width too."""
        both = re.fullmatch(rf"{_CROSSED.pattern}|\s*(\d+)\s*,\s*(\d+)\s*", str(value))
        if both is None:
            return super().convert(value, param, ctx)
        rows, columns = filter(None, both.groups())
        if int(rows) != int(columns):
            rule = "is two sides" if both[3] else "may be W×H or H×W, ours are H,W"
            self.fail(
                f"'{value}' {rule}: {rows},{columns} is {self.height} {rows} {self.width} {columns}, give both",
                param,
                ctx,
            )
        return Square(super().convert(rows, param, ctx))

    def check(self, height: object, width: object) -> None:
        """Refuse a height that was written for both sides beside another width."""
        if isinstance(height, Square) and width is not None and width != height:
            raise click.UsageError(
                f"{self.height} {int(height)}x{int(height)} and {self.width} {width} exclude each other: "
                f"give {self.height} {int(height)} {self.width} {width}"
            )


class RealType(click.ParamType[float]):
    """A real number from `least` to `most`."""

    name = "N"

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse."""
        try:
            number = float(value)
        except ValueError:
            number = inf
        if not self.least <= number <= self.most:
            self.fail(f"'{value}' is not a number from {self.least:g} to {self.most:g}", param, ctx)
        return number


class PixelsType(click.ParamType[int]):
    """A number of pixels: a whole number, or one followed by k, M or G."""

    name = "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse."""
        text = str(value).strip()
        factor = {"k": 10**3, "m": 10**6, "g": 10**9}.get(text[-1:].lower(), 1)
        number = whole(text if factor == 1 else text[:-1], 1)
        if number is None or number * factor > MOST_PIXELS:
            self.fail(
                f"'{value}' is no count of pixels up to {MOST_PIXELS // 10**9}G: use 300000000 or 300M", param, ctx
            )
        return number * factor


class ModeType(click.ParamType[str]):
    """A padding mode, by our name or by another library's."""

    name = "MODE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Resolve other names."""
        mode = padding_mode(str(value))
        if mode is None and (rule := padding_rule(str(value))) is not None:
            self.fail(f"'{value}' says how much padding there is: use --padding {rule}", param, ctx)
        if mode is None:
            self.fail(
                f"'{value}' is not one of {', '.join(PADDING_MODES)}, nor another library's name of one ('convcli apply --help' "
                "lists them under Borders)",
                param,
                ctx,
            )
        return mode

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Our names, each with a picture of its border."""
        return [
            _item(border.name, help=border.picture) for border in BORDERS if border.name.startswith(incomplete.lower())
        ]


class Offsets(NamedTuple):
    """Numbers of ``--bias``, and whether each is a percentage of full scale."""

    values: tuple[float, ...]
    percent: tuple[bool, ...]


class BiasType(click.ParamType[Offsets]):
    """``B`` or ``B1,B2,…``: numbers in pixel units or ``N%`` of full scale."""

    name = "B[,B…]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Offsets:
        """Parse into values and whether each is a percentage."""
        if isinstance(value, Offsets):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        pattern = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")
        for part in parts:
            if not pattern.fullmatch(part):
                self.fail(f"'{value}' is not B or B1,B2,… with numbers or percentages, as in 128 or 50%", param, ctx)
            if abs(float(part.rstrip("%"))) > MAX_VALUE:
                self.fail(f"'{part}' is out of range: use -{MAX_VALUE:g} to {MAX_VALUE:g}", param, ctx)
        return Offsets(tuple(float(part.rstrip("%")) for part in parts), tuple(part.endswith("%") for part in parts))


class Asked(NamedTuple):
    """A parameter to solve for: what is known of rows and columns (None: nothing), and whether both have to be the same number."""

    rows: int | tuple[int, ...] | None
    columns: int | tuple[int, ...] | None
    shared: bool


def known(value: T | Asked) -> T | None:
    """The value of a parameter, or None if it is to be solved for."""
    return None if isinstance(value, Asked) else value


class AskedType(click.ParamType[T | Asked]):
    """What another type takes, or ``?``: for both axes, or for one of a pair as in ``3,?``."""

    def __init__(self, inner: click.ParamType[T]) -> None:
        self.inner = inner
        self.name = f"{inner.name}|?"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T | Asked:
        """Parse ``?``. The other type parses the rest."""
        if isinstance(value, Asked):
            return value
        if "?" not in str(value):
            return self.inner.convert(value, param, ctx)
        parts = [part.strip() for part in value.split(",")]
        if parts == ["?"]:
            return Asked(None, None, True)
        if len(parts) != 2 or not isinstance(self.inner, (PairType, PaddingType)):
            pair = " or H,? or ?,W" if isinstance(self.inner, (PairType, PaddingType)) else ""
            self.fail(f"'{value}' is neither a value nor ?{pair}", param, ctx)
        known = [None if part == "?" else self.inner.convert(part, param, ctx) for part in parts]
        if any(isinstance(part, str) for part in known):
            self.fail(f"'{value}' has a rule for one axis: use numbers and ?", param, ctx)
        rows, columns = map(_of_one_axis, known)
        return Asked(rows, columns, shared=False)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The completions of the other type."""
        return self.inner.shell_complete(ctx, param, incomplete)


def _of_one_axis(known: object) -> int | tuple[int, ...] | None:
    """The part for one axis, of a pair or of pads that are the same on both axes."""
    return known[:2] if isinstance(known, Pads) else known[0] if isinstance(known, Pair) else None


class ToleranceType(click.ParamType[float]):
    """A finite number of at least 0."""

    name = "E"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse."""
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number < inf:
            self.fail(f"'{value}' is not a finite number of at least 0, as in 1e-6", param, ctx)
        return number


class DeviceType(click.ParamType[str]):
    """``cpu``, ``cuda`` or ``cuda:N``."""

    name = "DEVICE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the form. The backend checks whether there is such a device."""
        if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", str(value)):
            self.fail(f"'{value}' is not cpu, cuda or cuda:N", param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The devices of most machines."""
        return _starting(("cpu", "cuda"), incomplete)


class FileType(click.ParamType[str]):
    """A path, or a word that contains one. It is taken as it is, and completed as a file."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Change nothing. The code that opens the file reports what is wrong with it."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete files."""
        return [_item(incomplete, type="file")]


class KernelType(FileType):
    """A kernel's SPEC, parsed when it is used."""

    def __init__(self) -> None:
        super().__init__("SPEC")

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The named kernels, or files if no name begins like this."""
        from convcli.kernels import named

        return _starting(named.names(), incomplete) or super().shell_complete(ctx, param, incomplete)


_CROSSED = re.compile(r"\s*(\d+)\s*[xX×]\s*(\d+)\s*")
"""Two sides as many tools write them, one before the other in some and after it in others."""


def _uncrossed(kind: click.ParamType[Any], value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
    """``32x32`` as ``32``. Different sides are refused: which is the height, nobody knows."""
    found = _CROSSED.fullmatch(str(value))
    if found is None:
        return str(value)
    if int(found[1]) != int(found[2]):
        kind.fail(
            f"'{value}' may be W×H or H×W, ours are H,W: write {found[1]},{found[2]} for {found[1]} rows and "
            f"{found[2]} columns",
            param,
            ctx,
        )
    return found[1]


def whole(text: str, least: int) -> int | None:
    """The whole number in `text`, or None if it is none or out of range."""
    text = text.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,12}", text):
        return None
    number = int(text)
    return number if least <= number <= MAX_NUMBER else None


def _whole_numbers(value: Any, least: int) -> list[int]:
    """The numbers between the commas of `value`. The list is empty if one of them is not a whole number in range."""
    parts = [whole(part, least) for part in str(value).split(",")]
    return [] if None in parts else [part for part in parts if part is not None]
