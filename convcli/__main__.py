"""The program: ``convcli`` and ``python -m convcli``. Imports nothing before it can be interrupted."""

import gc
import sys

COLLECTED = 200_000
"""The program's first objects, by number, are not searched for garbage: nearly all are modules' and stay. It saves 5 % of a small
command (measured)."""


def main() -> None:
    """Run the command line and end this process; Ctrl-C while it is imported or left ends it like any other."""
    gc.set_threshold(COLLECTED)
    try:
        try:
            from convcli import ahead, commandline

            with commandline.entered(program=True), ahead.begun(sys.argv[1:]):
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
