"""``python -m support.fuzzing TARGET SECONDS``: fuzz one target, guided by coverage, and say how many inputs ran.

Findings are written to ``crash-*`` in the current folder, as libFuzzer does, and end the run with another exit code than 0.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["convcli", "PIL"]):
    from support.fuzzing.targets import TARGETS, attempt


def main() -> None:
    """Fuzz."""
    name, seconds = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as corpus, tempfile.TemporaryDirectory() as work:
        for number, seed in enumerate(TARGETS[name].seeds()):
            (Path(corpus) / f"{number:03}").write_bytes(seed)

        def once(data: bytes) -> None:
            attempt(name, data, Path(work))

        options = [
            sys.argv[0],
            corpus,
            f"-max_total_time={seconds}",
            "-max_len=8192",
            "-rss_limit_mb=8192",
            "-timeout=60",
        ]
        atheris.Setup(options, once)
        atheris.Fuzz()


main()
