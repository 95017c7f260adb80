"""Parameter types of numbers: sizes, pairs, paddings, positions, and ``?`` for a number to solve for."""

import re
from collections.abc import Mapping
from math import inf, isfinite
from typing import Any, TypeVar

import click

from convcli.convspec import Bias
from convcli.geometry import Pads, Pair, Size
from convcli.parameters import ChoiceType, WordType
from convcli.records import NamedTuple
from convcli.vocabulary import MOST_PIXELS, PADDING_RULES, padding_mode, padding_rule

T = TypeVar("T")

MAX_NUMBER = 2**31 - 1
"""The largest size, stride or padding. A larger number is probably a mistake."""

MAX_VALUE = 1e38
"""The largest bias and limit of a range: about the largest value of float32."""


class CountType(WordType[int]):
    """A whole number from `least` to `most`."""

    def __init__(self, most: int = MAX_NUMBER, least: int = 1) -> None:
        self.most, self.least = most, least

    def _parse(self, text: str) -> int:
        number = whole(text, self.least)
        if number is None or number > self.most:
            digits = re.fullmatch(r"\s*([1-9]\d*)\s*%\s*", text)
            remedy = f": write {digits[1]}" if digits and self.least <= int(digits[1]) <= self.most else ""
            raise ValueError(f"'{text}' is not a whole number {_range(text, self.least, self.most)}{remedy}")
        return number


class IndexType(WordType[int]):
    """A position, counted from 0. Negative numbers count from the end. Whether it exists is checked later."""

    def _parse(self, text: str) -> int:
        number = whole(text, -MAX_NUMBER)
        if number is None:
            raise ValueError(f"'{text}' is not a whole number, as in 0, or -1 for the last")
        return number


class PointType(WordType[tuple[int, int]]):
    """``Y,X``: a row and a column, counted from 0. Negative numbers count from the end. Whether they exist is checked later."""

    name = "Y,X"

    def _parse(self, text: str) -> tuple[int, int]:
        numbers = _whole_numbers(text, -MAX_NUMBER)
        if len(numbers) != 2:
            raise ValueError(f"'{text}' is not Y,X with two whole numbers, row and column, as in 10,12")
        return numbers[0], numbers[1]


class PairType(WordType[Pair]):
    """``N`` or ``H,W``: rows, then columns. A single number is for both axes."""

    name = "N|H,W"

    def __init__(self, least: int) -> None:
        self.least = least

    def _parse(self, text: str) -> Pair:
        return Pair(*_pair(self, text, self.least))


class SizeType(WordType[Size]):
    """``H,W``. A single number is for both sides."""

    name = "H,W"

    def _parse(self, text: str) -> Size:
        return Size(*_pair(self, text, 1))


class KernelSizeType(PairType):
    """The size of a kernel. The error about a kernel's name says its size."""

    def _parse(self, text: str) -> Pair:
        try:
            return super()._parse(text)
        except ValueError:
            if not re.match(r"\s*[A-Za-z]", text):
                raise
            from convcli.errors import KernelError
            from convcli.kernels import parse

            try:
                height, width = parse(text).kernels[0].values.shape
            except KernelError:
                pass
            else:
                size = height if height == width else f"{height},{width}"
                raise ValueError(f"'{text}' is a kernel, and this is a size: write {size}") from None
            raise


def _pair(kind: WordType[Any], text: str, least: int) -> tuple[int, int]:
    numbers = _whole_numbers(_uncrossed(text), least)
    if len(numbers) not in (1, 2):
        form = f"{kind.name.replace('|', ' or ')} with whole numbers {_range(text, least)}"
        raise ValueError(f"'{text}' is not {form}, as in 2 or 2,1")
    return numbers[0], numbers[-1]


class PaddingType(WordType[Pads | str]):
    """``N``, ``H,W``, ``T,B,L,R`` or a rule."""

    name = "N|H,W|T,B,L,R|RULE"
    _words = dict.fromkeys(PADDING_RULES, "")

    def _parse(self, text: str) -> Pads | str:
        if (rule := padding_rule(text)) is not None:
            return rule
        if (mode := padding_mode(text)) is not None:
            raise ValueError(f"'{text}' is a padding mode: use --padding-mode {mode}, and here a number or a rule")
        numbers = _whole_numbers(_uncrossed(text), 0)
        if len(numbers) not in (1, 2, 4):
            form = f"N, H,W or T,B,L,R with whole numbers {_range(text, 0)}"
            raise ValueError(f"'{text}' is not {form}, nor one of {', '.join(PADDING_RULES)}")
        return Pads.of(numbers)


class Square(int):
    """A side that was written for both, as in ``32x32``."""


class SideType(CountType):
    """A whole number from 1, the height or the width of something; the options of both are `height` and `width`."""

    def __init__(self, height: str, width: str) -> None:
        super().__init__()
        self.height, self.width = height, width

    def _parse(self, text: str) -> int:
        both = re.fullmatch(rf"{_CROSSED}|\s*(\d+)\s*,\s*(\d+)\s*", text)
        if both is None:
            return super()._parse(text)
        rows, columns = filter(None, both.groups())
        if int(rows) != int(columns):
            rule = "is two sides" if both[3] else "may be W×H or H×W"
            other = "" if both[3] else f", else {self.height} {columns} {self.width} {rows}"
            remedy = f"for {rows} rows and {columns} columns use {self.height} {rows} {self.width} {columns}{other}"
            raise ValueError(f"'{text}' {rule}: {remedy}")
        return Square(super()._parse(rows))

    def check(self, height: object, width: object) -> None:
        """Raise a UsageError if a height was written for both sides, and another width is given."""
        if isinstance(height, Square) and width is not None and width != height:
            raise click.UsageError(
                f"{self.height} {int(height)}x{int(height)} and {self.width} {width} exclude each other: "
                f"give {self.height} {int(height)} {self.width} {width}"
            )


class PixelsType(WordType[int]):
    """A number of pixels: a whole number, or one followed by k, M or G."""

    def _parse(self, text: str) -> int:
        digits = text.strip()
        factor = {"k": 10**3, "m": 10**6, "g": 10**9}.get(digits[-1:].lower(), 1)
        number = whole(digits if factor == 1 else digits[:-1], 1)
        if number is None or number * factor > MOST_PIXELS:
            most = f"{MOST_PIXELS // 10**9}G"
            raise ValueError(f"'{text}' is not a number of pixels up to {most}: use 300000000 or 300M")
        return number * factor


class BytesType(WordType[int]):
    """An amount of memory in bytes: a whole number followed by k, M, G or T, which are powers of 1024; also KiB or KB."""

    name = "SIZE"

    def _parse(self, text: str) -> int:
        from convcli.system.memory import amount

        return amount(text)


class RealType(WordType[float]):
    """A real number from `least` to `most`."""

    def __init__(self, least: float, most: float = inf) -> None:
        self.least, self.most = least, most

    def _parse(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = inf
        if not self.least <= number <= self.most or number == inf:
            allowed = f"finite number of at least {self.least:g}, as in 1e-6"
            if self.most < inf:
                allowed = f"number from {self.least:g} to {self.most:g}"
            raise ValueError(f"'{text}' is not a {allowed}")
        return number


class BiasType(WordType[Bias]):
    """``B`` or ``B1,B2,…``: numbers in pixel units or ``N%`` of full scale."""

    name = "B[,B…]"

    def _parse(self, text: str) -> Bias:
        parts = [part.strip() for part in text.split(",")]
        for part in parts:
            if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?", part):
                raise ValueError(f"'{text}' is not B or B1,B2,… with numbers or percentages, as in 128 or 50%")
            if abs(float(part.rstrip("%"))) > MAX_VALUE:
                raise ValueError(f"'{part}' is out of range: use -{MAX_VALUE:g} to {MAX_VALUE:g}")
        return Bias(tuple(float(part.rstrip("%")) for part in parts), tuple(part.endswith("%") for part in parts))


class RangeType(ChoiceType):
    """One of a few words, or ``LO,HI``: two numbers in pixel units, the first below the second. They are returned in one form."""

    further = ("LO,HI",)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """The words, and ``LO,HI``."""
        return f"[{'|'.join((*self.choices, *self.further))}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word, or the numbers without what they do not need: ``-1.0, 1`` is ``-1,1``."""
        if not re.match(r"[-+.\s]*\d|.*,", value):
            return super().convert(value, param, ctx)
        try:
            low, high = map(float, value.split(","))
        except ValueError:
            low = high = inf
        if not -MAX_VALUE <= low < high <= MAX_VALUE:
            turned = -MAX_VALUE <= high < low <= MAX_VALUE
            remedy = f"use {_short(high)},{_short(low)}" if turned else "as in 0,255 or --range=-1,1"
            rule = f"two numbers from -{MAX_VALUE:g} to {MAX_VALUE:g}, LO below HI"
            return self.fail(f"'{value}' is not LO,HI, {rule}: {remedy}", param, ctx)
        return f"{_short(low)},{_short(high)}"


def _short(value: float) -> str:
    """A number with all its digits, and no more."""
    return repr(value + 0.0).removesuffix(".0")  # -0.0 + 0.0 is 0.0


class DivisorType(WordType[float | str]):
    """``N``, a number that is not 0; or ``sum`` or ``abs``."""

    name = "N|sum|abs"
    _words: Mapping[str, str] = {"sum": "the kernel's own sum", "abs": "the sum of its magnitudes"}

    def _parse(self, text: str) -> float | str:
        if (word := text.strip().lower()) in self._words:
            return word
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if number == 0 or not isfinite(number):
            raise ValueError(
                f"'{text}' is not a number other than 0, sum or abs: use 16, or sum for the kernel's own sum"
            )
        return number


class Asked(NamedTuple):
    """A parameter to solve for: the values for rows and columns (None: unknown), and whether both must be the same number."""

    rows: int | tuple[int, ...] | None
    columns: int | tuple[int, ...] | None
    shared: bool


def known(value: T | Asked) -> T | None:
    """The value of a parameter, or None if it is unknown."""
    return None if isinstance(value, Asked) else value


class AskedType(WordType[T | Asked]):
    """What another type takes, or ``?``: for both axes, or for one of a pair as in ``3,?``."""

    def __init__(self, inner: WordType[T]) -> None:
        self.inner = inner
        self.name = f"{inner.name}|?"

    @property
    def _words(self) -> Mapping[str, str]:
        return self.inner._words

    def _parse(self, text: str) -> T | Asked:
        if "?" not in text:
            return self.inner._parse(text)
        parts = [part.strip() for part in text.split(",")]
        if parts == ["?"]:
            return Asked(None, None, True)
        paired = isinstance(self.inner, (PairType, PaddingType))
        if len(parts) != 2 or not paired:
            raise ValueError(f"'{text}' is neither a value nor ?{' or H,? or ?,W' if paired else ''}")
        known: list[Any] = [None if part == "?" else self.inner._parse(part) for part in parts]
        if any(isinstance(one, str) for one in known):
            raise ValueError(f"'{text}' has a rule for one axis: use numbers and ?")
        rows, columns = (one[:2] if isinstance(one, Pads) else one and one[0] for one in known)  # the part for one axis
        return Asked(rows, columns, shared=False)


_CROSSED = r"\s*(\d+)\s*[xX×]\s*(\d+)\s*"
"""Two sides, as many tools write them: some write the width first, others the height."""


def _uncrossed(text: str) -> str:
    """``32x32`` as ``32``. If the sides differ, the height is not known, and a ValueError is raised."""
    found = None if text.isdigit() else re.fullmatch(_CROSSED, text)
    if found is None:
        return text
    if int(found[1]) != int(found[2]):
        remedy = f"write {found[1]},{found[2]} for {found[1]} rows and {found[2]} columns, else {found[2]},{found[1]}"
        raise ValueError(f"'{text}' may be W×H or H×W, and the order here is H,W: {remedy}")
    return found[1]


def _range(text: str, least: int, most: int = MAX_NUMBER) -> str:
    """The range of a number in an error. Its end is left out where it explains nothing."""
    return f"from {least}" + (f" to {most}" if most < MAX_NUMBER or re.search(r"\d{10}", text) else "")


def whole(text: str, least: int) -> int | None:
    """The whole number in `text`, or None if there is none in range."""
    digits = text.strip()
    digits = digits[1:] if digits[:1] in ("+", "-") else digits
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        return None
    return number if least <= (number := int(text)) <= MAX_NUMBER else None


def _whole_numbers(text: str, least: int) -> list[int]:
    """The numbers between commas. The list is empty if one of them is not a whole number in range."""
    parts = [whole(part, least) for part in text.split(",")]
    return [] if None in parts else [part for part in parts if part is not None]
