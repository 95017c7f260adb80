"""Texts can be read on every fill."""

import numpy as np
import pytest

from convcli.drawing import colors


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_fill_has_readable_text(theme: str) -> None:
    """WCAG 2 asks for a contrast of 4.5 between text and what lies behind it."""

    def luminance(color: str) -> float:
        values = [c / 255 for c in colors.channels(color)]
        linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    theirs = colors.PALETTES[theme]
    pairs = [(theirs.ink, theirs.background), (theirs.faint, theirs.background)]
    fills = (theirs.input, theirs.window, theirs.kernel, theirs.output, theirs.current, theirs.negative)
    pairs += [(colors.readable_on(fill), fill) for fill in fills]
    for ink, behind in pairs:
        high, low = sorted((luminance(ink), luminance(behind)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, behind)
