"""Figures in a notebook: SVG within HTML, which is shown, and SVG, which stays where HTML is not kept."""

from __future__ import annotations

from collections.abc import Container


def bundle(
    svg: str, text: str, include: Container[str] | None = None, exclude: Container[str] | None = None
) -> dict[str, str]:
    """What `_repr_mimebundle_` gives Jupyter: each kind that is wanted."""
    kinds = {
        "text/plain": text,
        "image/svg+xml": svg,
        "text/html": f'<div style="overflow-x: auto">{svg}</div>',
    }
    return {
        kind: data
        for kind, data in kinds.items()
        if (include is None or kind in include) and (exclude is None or kind not in exclude)
    }
