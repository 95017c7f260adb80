"""One pixel of a convolution worked out in the open: `trace` has the formulas, `subject` what is explained, `pixel` and `touched`
the two questions, `document` and `layout` the answers as JSON and as text, `figure` as a drawing.
"""
