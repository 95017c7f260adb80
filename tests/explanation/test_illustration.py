"""Nothing in a figure overlaps or is cut off."""

from pathlib import Path

import numpy as np
import pytest

from convcli.convspec import ConvSpec
from convcli.drawing.colors import PALETTES
from convcli.drawing.scene import Rect, Scene, Text, text_width
from convcli.explanation import illustration, pixel, subject
from convcli.explanation.touched import touched
from convcli.geometry import Pads, Pair
from convcli.runs.operation import assemble
from support.pictures import write


def fits(scene: Scene) -> None:
    """Nothing lies beyond the page, and no two texts overlap."""
    texts = [shape for shape in scene.shapes if isinstance(shape, Text)]
    boxes = []
    for text in texts:
        left, right = text.left, text.left + text_width(text.text, text.size)
        assert left >= 0
        assert right <= scene.width
        assert text.y + text.size / 2 <= scene.height
        boxes.append((left, right, text.y - text.size / 2, text.y + text.size / 2, text.text))
    for number, (left, right, top, bottom, one) in enumerate(boxes):
        for other_left, other_right, other_top, other_bottom, other in boxes[:number]:
            apart = right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
            assert apart, (one, other)
    for rectangle in (shape for shape in scene.shapes if isinstance(shape, Rect)):
        assert rectangle.x + rectangle.width <= scene.width
        assert rectangle.y + rectangle.height <= scene.height


SPECS = [
    ConvSpec(), ConvSpec(padding="full", padding_mode="reflect"), ConvSpec(op="conv", stride=Pair(2, 1), padding=Pads(9, 0, 0, 9)),
    ConvSpec(transpose=True, stride=Pair(3, 2), output_padding=Pair(2, 0)),
]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kernel", ["sobel", "gaussian:1", "box:1", "0.0001,12345;-6e9,7", "gaussian:2", "disk:2.5"])
@pytest.mark.parametrize("spec", SPECS, ids=["plain", "reflect", "conv", "transpose"])
def test_nothing_in_a_figure_overlaps_or_is_cut(spec: ConvSpec, kernel: str, theme: str, tmp_path: Path) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (3, 14, 15), dtype=np.uint8)
    source = str(write(tmp_path / "figure.png", picture))
    for channels in ("each", "sum"):
        fitted = subject.load(source, assemble(spec, [kernel], channels=channels))
        for answer in (pixel.explain(fitted, (0, 1)), pixel.explain(fitted, (-1, -1)), touched(fitted, (2, 3))):
            drawn = illustration.draw(answer, PALETTES[theme])
            fits(drawn)
            assert any(isinstance(shape, Text) and shape.text.startswith("figure.png; ") for shape in drawn.shapes)
