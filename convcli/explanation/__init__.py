"""One pixel of a convolution worked out in the open.

`subject` has what is explained, `trace` the formulas, `pixel` and `touched` the two questions, `illustration` the drawing.
"""
