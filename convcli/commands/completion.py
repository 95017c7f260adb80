"""``convcli completion``: the script that makes a shell complete commands, options and kernels."""

from __future__ import annotations

import click

from convcli import options, report
from convcli.commands.help import Documented
from convcli.folding import folded
from convcli.parameters import ChoiceType
from convcli.records import NamedTuple
from convcli.system.context import current
from convcli.vocabulary import SHELLS


class CompletionOptions(NamedTuple):
    """What `completion` is asked for."""

    shell: str


@click.command(
    cls=Documented,
    examples=(
        "convcli completion bash > ~/.local/share/bash-completion/completions/convcli",
        "convcli completion zsh > ~/.zfunc/_convcli    # a folder of $fpath",
        "convcli completion fish > ~/.config/fish/completions/convcli.fish",
        'eval "$(convcli completion bash)"             # for this shell alone',
    ),
)
@options.argument(
    "Input",
    "shell",
    type=ChoiceType(SHELLS),
    metavar="bash|zsh|fish",
    brief="The shell",
    help="The shell to make it for.",
)
@folded
def completion(asked: CompletionOptions) -> None:
    """Print the completion script for a shell.

    With it, the Tab key completes commands, options and their words, kernels and files.
    """
    report.lines(script(click.get_current_context().find_root().command, asked.shell))


def script(program: click.Command, shell: str) -> str:
    """The completion script of a program for a shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # Click has these three
    text = kind(program, {}, "convcli", "_CONVCLI_COMPLETE").source().strip()
    return text.replace(
        'string split "," ', 'string split -m 1 "," '
    )  # in fish, or a text would end at its first comma


def teach_bash() -> None:
    """Let Click understand ``--option=value``, which bash passes as three words, until the command line is left."""
    from click.shell_completion import BashComplete, add_completion_class

    class Joined(BashComplete):
        """Completion without the sign between an option and its value."""

        def get_completion_args(self) -> tuple[list[str], str]:
            """The words before the one to complete, and that one."""
            args, incomplete = super().get_completion_args()
            pairs = zip(["", *args], args, strict=False)
            return [word for last, word in pairs if word != "=" or last[:2] != "--"], incomplete

    add_completion_class(Joined)
    current().at_end(add_completion_class, BashComplete)
