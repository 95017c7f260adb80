"""What a command says of itself: ``-h`` on one screen, ``--help`` in full, and what a shell's completion shows."""

import inspect
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from convcli.folding import WORDS
from convcli.options import GROUPS, TERM, Grouped, Option
from convcli.records import NamedTuple

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

WIDTH = 80
"""The columns of ``-h``, whatever the terminal has."""

PAGES = {"convcli-kernels": "--kernel", "convcli-borders": "--padding-mode"}
"""The manual's pages that are no command's, and the option that each is about."""


class Section(NamedTuple):
    """A section of a command's help and man page: a title, a paragraph, and terms with their meanings."""

    title: str
    text: str = ""
    rows: tuple[tuple[str, str], ...] = ()


_HYPHEN, _SPACE = "\u2011", "\u00a0"
"""Unicode's hyphen and space at which no line is broken. They stand for usual ones while a text is laid out."""


class _Formatter(click.HelpFormatter):
    """Lays out help. Names such as ``--padding-mode`` and short defaults stay on one line."""

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        super().write_text(_unbroken(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms with their meanings."""
        super().write_dl([(term, _unbroken(text)) for term, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        """All that was written."""
        return super().getvalue().replace(_HYPHEN, "-").replace(_SPACE, " ")


def _unbroken(text: str) -> str:
    return re.sub(r"(\[default:|\bman) (?=\S+[\].,])", rf"\1{_SPACE}", text).replace("-", _HYPHEN)


class _Context(click.Context):
    formatter_class = _Formatter


def _print_help(ctx: click.Context, option: click.Parameter, wanted: bool) -> None:
    """Print the help that the option is about, and end the command."""
    command = ctx.command
    if wanted and not ctx.resilient_parsing and isinstance(command, Documented):
        click.echo(command.get_brief(ctx) if option.opts == ["-h"] else command.get_help(ctx))
        ctx.exit()


_HELP = [
    Option([name], group="Help", help=text, is_flag=True, is_eager=True, expose_value=False, callback=_print_help)
    for name, text in (("-h", "Show the most used options."), ("--help", "Show all options."))
]


_ODD, _OPTION = "-[A-Za-z][A-Za-z=-]", "--?[A-Za-z]"
"""Words that may be options with too few dashes, and options that may be in the place of a value."""


def _is_odd(in_place_of_value: bool, word: str) -> bool:
    """Whether a word is one of those. Patterns are not asked about usual words: it takes time to compile them."""
    if not word.startswith("-"):
        return False
    odd = len(word) > 2 and word[1] != "-" and re.match(_ODD, word)
    return bool(odd or (in_place_of_value and re.match(_OPTION, word)))


class Documented(click.Command):
    """A command with two helps: ``-h`` has what is used most, ``--help`` every option in its group, sections and examples."""

    context_class = _Context

    def __init__(
        self, *args: Any, sections: tuple[Section, ...] = (), examples: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.add_help_option = False  # Click's has one text for both
        self.sections = sections
        self.examples = examples
        self.params += _HELP
        self._parser: Any = None

    def make_parser(self, ctx: click.Context) -> Any:
        """Click's parser, which finds ``-k`` at once. By itself it looks among the long options first, and for similar ones.

        That takes a millisecond for each short option. The parser of a command is made once.
        """
        if self._parser is None:
            self._parser = super().make_parser(ctx)
            self._parser._long_opt.update(self._parser._short_opt)
        self._parser.ctx = ctx
        return self._parser

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse. Every error knows the command, so that it can name its help."""
        try:
            takes = {name for param in self.params if not getattr(param, "is_flag", True) for name in param.opts}
            if any(_is_odd(last in takes, word) for last, word in pairwise(("", *args))):
                from convcli.commands import dashes

                dashes.check(self, ctx.info_name or "", args, takes)
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def get_short_help_str(self, limit: int = WIDTH) -> str:
        """The first sentence, never cut off."""
        return super().get_short_help_str(4 * WIDTH)

    def groups(self) -> dict[str, list[Grouped]]:
        """Arguments and options by their groups, in the order of the help."""
        grouped = [param for param in self.params if isinstance(param, Grouped)]
        found = {group: [param for param in grouped if param.group == group] for group in GROUPS}
        return {group: params for group, params in found.items() if params}

    def get_brief(self, ctx: click.Context) -> str:
        """The text of ``-h``: at most 40 lines of `WIDTH` columns."""
        formatter = _Formatter(width=WIDTH)
        self.format_usage(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(inspect.cleandoc(self.help or "").partition("\n\n")[0])
        formatter.write_paragraph()
        for group, params in self.groups().items():
            if rows := [(f"{param.brief_term(ctx):{TERM}}", param.brief) for param in params if param.brief]:
                formatter.write_heading(group)
                with formatter.indentation():
                    formatter.write_dl(rows)
        self._write_examples(formatter, self.examples[:3])
        self.write_more(ctx, formatter, f"All options: {ctx.command_path} --help. ")
        return formatter.getvalue().rstrip("\n")

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write nothing: arguments are in their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups of arguments and options."""
        for group, params in self.groups().items():
            with formatter.section(group):
                rows = filter(None, (param.get_help_record(ctx) for param in params))
                formatter.write_dl([(f"{term:30}", text) for term, text in rows])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, the examples, and where the rest is."""
        for title, text, rows in self.sections:
            with formatter.section(title):
                if text:
                    formatter.write_text(text)
                if rows:
                    formatter.write_dl(rows)
        self._write_examples(formatter, self.examples)
        self.write_more(ctx, formatter)

    def _write_examples(self, formatter: click.HelpFormatter, examples: tuple[str, ...]) -> None:
        with formatter.section("Examples"):
            formatter.write("".join(f"  {line}\n" for example in examples for line in example.splitlines()))

    def write_more(self, ctx: click.Context, formatter: click.HelpFormatter, more: str = "") -> None:
        """Write `more`, and where the rest is."""
        pages = self.pages()
        if "convcli-kernels" in pages and ctx.info_name != "kernel":
            more += "List of kernels: convcli kernel."
        formatter.write_paragraph()
        if more:
            formatter.write_text(more)
        manual = ", ".join(f"man {page}" for page in (ctx.command_path.replace(" ", "-"), *pages))
        formatter.write_text(f"Manual: {manual}.")

    def pages(self) -> list[str]:
        """The manual's pages about what the options of this command take."""
        spellings = {spelling for param in self.params for spelling in param.opts}
        return [page for page, spelling in PAGES.items() if spelling in spellings]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """What may follow. Options are in the order of the help, with their groups."""
        known = {name: param for params in self.groups().values() for param in params for name in param.opts}
        order = list(known)
        items = super().shell_complete(ctx, incomplete)
        for item in items:
            if param := known.get(item.value):
                item.help = f"{param.group}: {param.brief or param.first_sentence}"
        return sorted(items, key=lambda item: order.index(item.value) if item.value in known else -1)


def unknown_option(error: click.UsageError) -> str | None:
    """The message for an option that the command does not have, or for a word too many; None for any other error."""
    if error.ctx is None:
        return None
    if found := re.fullmatch(r"Got unexpected extra arguments? \((\S+)\)", error.message):
        from convcli.commands.synonyms import joined

        parted = joined(found[1], error.ctx.meta.get(WORDS, ()))
        return f"{error.message}: write {parted} if it belongs to the option" if parted else None
    if not isinstance(error, click.NoSuchOption):
        return None
    name, command = error.option_name, error.ctx.command_path
    if name in _TRANSPOSED and command.endswith(" apply"):
        return f"No such option '{name}': output padding belongs to the transposed operation; use 'convcli transpose'"
    known = [option for parameter in error.ctx.command.params for option in parameter.opts]
    if isinstance(error.ctx.command, click.Group):
        if name in ("-V", "--ver"):
            return f"No such option '{name}': use 'convcli --version'"
        return f"No such option '{name}': name a command first, as in 'convcli apply IMAGE -k SPEC'"
    if re.match(r"-[.\d]", name) and "--kernel" in known:
        words = error.ctx.meta.get(WORDS, ())
        literal = next((word for word in words if word.startswith(name)), f"{name},…")
        return f"No such option '{name}': a kernel that begins with a minus is written --kernel='{literal}'"
    from convcli.commands.synonyms import option_for

    if hint := option_for(name, command.rpartition(" ")[2], known):
        return f"No such option '{name}': {hint}"
    longer = [option for option in known if len(name) > 3 and option.startswith(name)]
    return f"No such option '{name}': did you mean {' or '.join(longer)}?" if longer else None


_TRANSPOSED = ("--op2", "--p2", "--output-padding", "--output-size")
