"""One pixel of a convolution, step by step.

`subject` is what is explained, `trace` has the formulas, `pixel` and `touched` the two questions, `illustration` the figure.
"""
