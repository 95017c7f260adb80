"""The program: ``convcli`` and ``python -m convcli``. Imports nothing before it can be interrupted."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends it like any other."""
    try:
        from convcli.cli import main as command_line

        command_line(prog_name="convcli")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
