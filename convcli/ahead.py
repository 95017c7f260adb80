"""What begins before a command line is read: its only image is decoded. Without one, nothing more is imported."""

DECODING = "apply", "transpose"
"""The commands whose first argument is an image."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager


def begun(words: "Sequence[str]") -> "AbstractContextManager[None]":
    """Decode the image that follows a command's name, while the command line is read and what it needs is imported.

    Not if another image follows: then every image is decoded in its turn, and the memory of each is counted.
    """
    only = len(words) > 1 and not words[1].startswith("-") and (len(words) == 2 or words[2].startswith("-"))
    if not only or words[0] not in DECODING:
        from contextlib import nullcontext

        return nullcontext()
    from convcli.images import prefetch

    return prefetch.decoding_of(words[1])
