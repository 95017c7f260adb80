"""The program: ``convcli`` and ``python -m convcli``. Imports nothing before it can be interrupted."""

import signal
import sys
from typing import NoReturn


def main() -> None:
    """Run the command line and end this process; Ctrl-C while it is still being imported ends it like any other."""
    try:
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # not every platform has SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores it
                signal.signal(number, _end)
        from convcli.cli import main as command_line

        command_line(prog_name="convcli")
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as end:
        from convcli.system.process import leave

        code = 128 + _received[0] if _received else end.code
        leave(code)
        sys.exit(code)


_received: list[int] = []
"""Signals that are to end the program: an exception that comes while Python calls back from C is lost, but not its exit code."""


def _end(number: int, _frame: object) -> NoReturn:
    """Exit as the shell reports a signal, by way of every `finally`: no temporary file stays."""
    _received.append(number)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
