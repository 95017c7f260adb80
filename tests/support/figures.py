"""A figure with every kind of shape."""

from convcli.drawing.scene import Line, Pixels, Rect, Scene, Text

SVG = "{http://www.w3.org/2000/svg}"
SCENE = Scene(
    100,
    60,
    "#ffffff",
    (
        Rect(10, 10, 20, 20, fill="#ff0000"),
        Rect(40, 10, 20, 20, stroke="#0000ff", stroke_width=2, dash=3),
        Line(((70, 10), (90, 30)), "#00ff00", 2, arrow=True),
        Text(50, 45, "a < b & Σ", 10, "#000000", "middle"),
        Pixels(5, 40, 10, 10, (("#123456", "#123456"), ("#abcdef", "#000000"))),
    ),
    "shapes",
)
