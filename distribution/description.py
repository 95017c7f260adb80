"""The README as an index of packages can show it: pictures and links get whole addresses, or go.

An index knows no files beside the README. When a release is built, ``PROJECT_FILES`` says where those of its tag are served, such
as ``https://HOST/OWNER/convcli/raw/v0.2.0``. Without it nothing is guessed: links and pictures in tables become their texts,
other pictures are left out.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LOCAL = r"(?!https?:|mailto:|#)"


def described(text: str, address: str) -> str:
    """The README with `address` before each path in it. Without one, pictures in tables and links are their texts; others go."""
    if address:
        text = re.sub(rf'(<img[^>]* src="){LOCAL}', rf"\1{address}/", text)
        return re.sub(rf"(\]\(){LOCAL}", rf"\1{address}/", text)
    text = re.sub(rf'\| <img[^>]* src="{LOCAL}[^>]* alt="([^"]*)">', r"| \1", text)
    text = re.sub(rf'<img[^>]* src="{LOCAL}[^>]*>\n?', "", text)
    text = re.sub(rf"!\[[^\]]*\]\({LOCAL}[^)]*\)\n?", "", text)
    text = re.sub(rf"\[([^\]]*)\]\({LOCAL}[^)]*\)", r"\1", text)
    return re.sub(r"<p>\s*</p>\n*", "", text)


class Description(MetadataHookInterface):  # type: ignore[misc] # mypy does not look into it
    """Sets the description of the package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set it."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        address = os.environ.get("PROJECT_FILES", "").rstrip("/")
        metadata["readme"] = {"content-type": "text/markdown", "text": described(text, address)}
