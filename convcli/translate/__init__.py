"""The same operation written for other tools: PyTorch, SciPy, OpenCV, ImageMagick, libvips, ONNX, Keras.

A module for each tool, called ``for_TOOL``, whose `write` makes the lines of the text of a `Request`.
"""

from __future__ import annotations

from importlib import import_module

from convcli.translate.request import Request as Request


def translate(request: Request, tool: str) -> str:
    """An operation on an image as a script for one of `convcli.vocabulary.TOOLS`: in Python, or for ImageMagick and vips in shell.

    The Python scripts make an array ``result`` ``(C, H, W)`` of real values, before any range policy. The script for ONNX
    saves a model. The shell scripts write files. Lines that begin with ``# cannot be expressed:`` name what a tool cannot do,
    and what the script does instead. If it cannot do the operation at all, there are only these lines.
    """
    lines: list[str] = import_module(f"convcli.translate.for_{tool}").write(request.with_border())
    return "\n".join(lines) + "\n"
