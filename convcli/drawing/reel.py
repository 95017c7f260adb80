"""Moving figures: frames on the same page, as data and as an animated SVG. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence

from convcli.drawing import svg
from convcli.drawing.scene import Scene, Shape
from convcli.records import NamedTuple


class FrameShapes(NamedTuple):
    """What a frame adds: shapes that stay from then on, and shapes that are drawn over them in this frame only."""

    lasting: tuple[Shape, ...]
    moving: tuple[Shape, ...]


class Reel(NamedTuple):
    """A page and the frames on it."""

    base: Scene  # what every frame shows
    frames: Sequence[FrameShapes]  # at least one
    fps: float = 2.0  # frames per second
    hold: float = 1.5  # how many seconds longer the last frame stays before the first comes again

    @property
    def seconds(self) -> float:
        """The length of one round, in seconds."""
        return len(self.frames) / self.fps + self.hold

    def still(self, number: int) -> Scene:
        """One frame as a page of its own. The first has number 0."""
        lasting = (shape for frame in self.frames[: number + 1] for shape in frame.lasting)
        return self.base.plus(lasting).plus(self.frames[number].moving)


def render(reel: Reel) -> str:
    """An SVG 1.1 document that plays in a loop by SMIL, without scripts. Viewers without SMIL show the last frame."""
    lines = svg.render(reel.base).rstrip().removesuffix("</svg>").rstrip().split("\n")
    total, count = reel.seconds, len(reel.frames)
    starts = [number / reel.fps / total for number in range(count)] + [1.0]
    for kept in (True, False):
        for number, frame in enumerate(reel.frames):
            shapes = frame.lasting if kept else frame.moving
            if not shapes:
                continue
            content = "".join(map(svg.element, shapes))
            end = 1.0 if kept else starts[number + 1]
            still = "" if kept or number == count - 1 else ' visibility="hidden"'
            lines.append(f"<g{still}>{_shown(starts[number], end, total)}{content}</g>")
    return "\n".join([*lines, "</svg>", ""])


def _shown(start: float, end: float, seconds: float) -> str:
    """The element that makes a group visible from `start` to `end`, given as shares of the whole length."""
    states = {0.0: "hidden", start: "visible"} | ({end: "hidden"} if end < 1 else {})
    if len(states) == 1:  # visible all the time
        return ""
    keys = ";".join(f"{time:.6f}".rstrip("0").rstrip(".") for time in states)
    return (
        f'<animate attributeName="visibility" calcMode="discrete" values="{";".join(states.values())}" keyTimes="{keys}" '
        f'dur="{seconds:.6g}s" repeatCount="indefinite"/>'
    )
