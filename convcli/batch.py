"""Images one after the other, each with its own report; a bad one does not stop the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from convcli.errors import ConvError, ImageError
from convcli.operation import Operation
from convcli.single import Done, Writing, process


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """One image that was not."""

    source: str
    error: ConvError

    @property
    def message(self) -> str:
        """The error, and which image it belongs to where it does not say so itself."""
        text = str(self.error)
        return text if f"'{self.source}'" in text else f"'{self.source}': {text}"

    def document(self) -> dict[str, Any]:
        """The JSON of this image."""
        return {"input": self.source, "error": str(self.error)}


def run(sources: Sequence[str], targets: Sequence[str], operation: Operation, how: Writing) -> Iterator[Done | Failed]:
    """Apply one operation to every source and write each result to its target; a bad image does not stop the rest."""
    for source, target in zip(sources, targets, strict=True):
        try:
            yield process(source, target, operation, how)
        except ConvError as error:
            yield Failed(source, error)
        except MemoryError:
            yield Failed(
                source,
                ImageError(f"input '{source}' needs more memory than there is: use a smaller image, kernel or padding"),
            )
