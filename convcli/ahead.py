"""What begins before a command line is read: its first image is decoded. Nothing else is imported unless there is one."""

DECODING = "apply", "transpose"
"""The commands that decode what their first words name."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager


def begun(words: "Sequence[str]") -> "AbstractContextManager[None]":
    """Decode the image that stands behind a command's name, while the command line is read and what it needs is imported."""
    if len(words) < 2 or words[0] not in DECODING or words[1].startswith("-"):
        from contextlib import nullcontext

        return nullcontext()
    from convcli.images import prefetch

    return prefetch.decoding_of(words[1])
