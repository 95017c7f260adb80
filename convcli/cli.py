"""The command group and the one error boundary."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextvars import copy_context
from importlib import import_module
from typing import Any

import click
from click.core import ParameterSource

from convcli import __version__, ahead, commandline, report
from convcli.commandline import Answer
from convcli.commands.help import WIDTH, Documented, unknown_option
from convcli.errors import ConvError, as_options, one_line
from convcli.folding import WORDS
from convcli.options import option
from convcli.system.context import Batch

COMMANDS = ("apply", "transpose", "shape", "compare", "explain", "animate", "kernel", "batch", "doctor", "completion")


class Group(Documented, click.Group):
    """A group that imports a command when it is called for, and turns every foreseen error into one line and an exit code."""

    def get_brief(self, ctx: click.Context) -> str:
        """The text of ``-h``: all of the help, which is one screen."""
        formatter = ctx.formatter_class(width=WIDTH)
        self.format_help(ctx, formatter)
        return formatter.getvalue().rstrip("\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        super().format_options(ctx, formatter)

    def write_more(self, ctx: click.Context, formatter: click.HelpFormatter, more: str = "") -> None:
        """Write where the help of the commands is."""
        super().write_more(
            ctx, formatter, "Every command has -h for its most used options, and --help for all of them."
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name: ``convcli.commands.NAME.NAME``."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"convcli.commands.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first word names. The error about an unknown one names the nearest."""
        ctx.meta[WORDS] = tuple(args)
        if not args[0].startswith("-") and args[0] not in COMMANDS:
            from difflib import get_close_matches

            from convcli.commands.synonyms import command_for

            near = get_close_matches(args[0], COMMANDS, 1)
            line = command_for(args[0], args[1:], COMMANDS)
            remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(COMMANDS)}"
            ctx.fail(f"'{args[0]}' is not a command: " + (f"use '{line}'" if line else remedy))
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments. Options such as ``-h`` print their answer here."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError:
            raise _ClosedPipeError from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ClosedPipeError from None
        except KeyboardInterrupt as error:
            raise _InterruptedError(*error.args) from None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; `standalone_mode` off leaves exceptions to the caller.

        At its end the process is as it was before. Context variables that a command sets, such as the choice of colours, end
        with it.
        """

        def run(name: str | None) -> Any:
            if "_CONVCLI_COMPLETE" in os.environ:
                from convcli.commands.completion import teach_bash

                teach_bash()
            return super(Group, self).main(args, name, complete_var, standalone_mode=False, **extra)

        with commandline.entered():
            if not standalone_mode:
                return copy_context().run(run, prog_name)
            sys.exit(_exit_code(lambda: copy_context().run(run, prog_name or "convcli"), args))

    def answer(self, words: Sequence[str], batch: Batch) -> Answer:
        """Run one command line of a batch. It finds what a process of its own would find, and leaves as little behind.

        What ends the whole batch is raised: an interruption, and that nobody reads its output.
        """
        with commandline.nested(batch) as context:
            try:
                with ahead.begun(words):
                    code = self.main(words, "convcli", standalone_mode=False)
            except (click.Abort, BrokenPipeError, _ClosedPipeError, _InterruptedError):
                raise
            except Exception as error:
                if (message := _message(error, words)) is None:
                    return Answer(
                        1, one_line(f"internal error, {type(error).__name__}: {error}"), error, context.closed
                    )
                code = error.exit_code if isinstance(error, ConvError) else 2
                return Answer(code, report.shown(message), closed=context.closed)
            return Answer(code if isinstance(code, int) else 0, closed=context.closed)


def _exit_code(run: Callable[[], Any], args: Sequence[str] | None) -> int:
    """Run the command line, and report an error on standard error, on one line. The exception of a bug is not caught."""
    try:
        code = run()
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(main.get_brief(error.ctx), err=True)
        return 2
    except (KeyboardInterrupt, click.Abort, _InterruptedError) as error:
        if sys.stderr.isatty():  # which shows ^C
            click.echo(err=True)
        said = f": {one_line(report.shown(as_options(str(error))))}" if error.args else ""
        click.echo(f"convcli: interrupted{said}", err=True)
        return 130
    except (BrokenPipeError, _ClosedPipeError):
        commandline.give_up(sys.stdout)  # the reader has what it wanted
        return 0
    except Exception as error:
        message = _message(error, args)
        if message is None:
            raise
        return _failed(message, error.exit_code if isinstance(error, ConvError) else 2)
    return code if isinstance(code, int) else 0


def _message(error: Exception, args: Sequence[str] | None) -> str | None:
    """What an error says on one line; None if it is a bug."""
    if isinstance(error, ConvError):
        return one_line(report.shown(error.text))
    if isinstance(error, click.UsageError):
        if isinstance(error, click.BadParameter) and error.param is not None:
            error.param_hint = _hint(error.param, error.ctx)
        said = one_line(unknown_option(error) or _missing(error) or error.format_message()) + _dashed(args)
        help_ = f" (try '{error.ctx.command_path if error.ctx else 'convcli'} -h')"
        return said if said.endswith(" -h'") else said + help_
    if isinstance(error, click.ClickException):
        return one_line(error.format_message())
    if isinstance(error, MemoryError):
        return "the computation needs more memory than there is: use a smaller image, kernel or padding"
    if isinstance(error, OSError):
        from convcli.system.files import reason

        if error.filename:
            return f"'{error.filename}' cannot be read or written: {reason(error)}"
        if isinstance(error, FileNotFoundError):  # no stream raises it: the working folder was deleted
            return f"{reason(error)}"
        return f"standard output cannot be written: {reason(error)}"  # files say their names
    return None


def _missing(error: click.UsageError) -> str:
    """What is said of an option or an argument that has to be there; empty for other errors."""
    if not isinstance(error, click.MissingParameter) or error.param is None:
        return ""
    name = error.param.opts[0]
    if isinstance(error.param, click.Option):
        return f"{name} is missing: add {name} {error.param.metavar or 'N'}"
    return f"no {name} is given: name one behind the command"


class _ClosedPipeError(Exception):
    """A BrokenPipeError that Click does not see: it would end with exit code 1."""


class _InterruptedError(Exception):
    """A KeyboardInterrupt that Click does not see: it would print an empty line."""


def _hint(param: click.Parameter, context: click.Context | None) -> str:
    """The name of a parameter in an error: an option as it was typed, and its environment variable if the value is from there."""
    if context is None:
        return f"'{param.opts[-1]}'"
    words = [word.partition("=")[0] for word in context.meta.get(WORDS, ())]
    typed = next((word for word in words if word in param.opts), param.opts[-1])
    name = f"'{typed}'" + (f" ({param.opts[-1]})" if typed != param.opts[-1] else "")
    from_variable = context.get_parameter_source(param.name or "") is ParameterSource.ENVIRONMENT
    return f"{name} (environment variable {param.envvar})" if from_variable else name


def _dashed(args: Sequence[str] | None) -> str:
    """The remedy if a file's name was taken for an option."""
    words = sys.argv[1:] if args is None else args
    found = next((word for word in words if len(word) > 1 and word[0] == "-" and os.path.exists(word)), None)
    return "" if found is None else f"; the file of that name is ./{found}"


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    """Print convcli's version and those of what it is built on, none of which is imported."""
    if not wanted or context.resilient_parsing:
        return
    import platform

    from convcli import inventory

    report.lines(f"convcli {__version__}")
    packages = ((package.name, package.version or "is not installed") for package in inventory.versions())
    for name, version in (("python", platform.python_version()), *packages):
        report.lines(f"{name} {version}")
    context.exit()


def _failed(message: str, code: int = 2) -> int:
    """Report an error. Returns the exit code."""
    try:
        click.echo(f"convcli: error: {report.shown(message)}", err=True)
    except OSError:
        commandline.give_up(sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        commandline.give_up(sys.stdout)
    return code


@click.group(
    cls=Group,
    examples=(
        "convcli apply img.png --kernel sobel --stride 2     # convolve a picture",
        "convcli transpose img.png -k bilinear:2 -s 2 -p 1 \\\n"
        "  --padding-mode replicate                          # enlarge it",
        "convcli shape --hin 32 --k 3 --s 2 --op2 1          # sizes, without pixels",
        "convcli compare img.png -k gaussian:2               # backends side by side",
        "convcli explain img.png -k sobel --at 10,12         # the sum behind a pixel",
        "convcli animate --hin 5 --k 3 --s 2 -o conv.gif     # the window moves",
        "echo 'shape --hin 32 --k 3 -q' | convcli batch      # a command a line",
    ),
)
@option(
    "Help", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the versions of convcli and its packages.",
)  # fmt: skip
def main() -> None:
    """Apply and inspect convolutions on images: apply it, size it, explain it, prove it.

    Exit codes: 0 done; 1 compare found a difference, doctor found a problem, or one or more of several images or commands
    failed; 2 wrong usage or data, or shape found no solution; 130 interrupted; 129 and 143 ended by SIGHUP and SIGTERM.
    """
