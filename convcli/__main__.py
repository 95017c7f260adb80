"""``python -m convcli``."""

from convcli.cli import main

main(prog_name="convcli")
