"""Figures as plain data: a `Scene` of shapes and texts, written as SVG here, painted as pixels by `convcli.images.figures`.

Standard library only. `scene` has the shapes, `grid` lays out cells with numbers, `palette` has the colours, `svg` the
writer, `blocks` the pictures made of characters.
"""
