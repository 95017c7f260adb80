"""The program: ``convcli`` and ``python -m convcli``. Imports nothing before it can be interrupted."""

import gc
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

COLLECTED = 200_000
"""The program's first objects, by number, are not searched for garbage: nearly all are modules' and stay. It saves 5 % of a small
command (measured)."""


DECODING = "apply", "transpose"
"""The commands that decode what their first words name."""


def ahead(words: list[str]) -> "AbstractContextManager[None]":
    """Decode the image that stands behind the command's name, while the rest of the program is imported."""
    if len(words) < 2 or words[0] not in DECODING or words[1].startswith("-"):
        from contextlib import nullcontext

        return nullcontext()
    from convcli.images import prefetch

    return prefetch.decoding_of(words[1])


def main() -> None:
    """Run the command line and end this process; Ctrl-C while it is imported or left ends it like any other."""
    gc.set_threshold(COLLECTED)
    try:
        try:
            from convcli import commandline

            with commandline.entered(program=True), ahead(sys.argv[1:]):
                from convcli.cli import main as command_line

                command_line(prog_name="convcli")
        except SystemExit as end:
            from convcli.system.context import leave

            leave(end.code)
            sys.exit(end.code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
