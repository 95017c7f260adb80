"""Figures as plain data: a `Scene` of shapes and texts. `svg` writes it, `convcli.images.figures` paints it as pixels.

Standard library only. `scene` has the shapes, `colors` the colours, `grid` lays out cells with numbers, `half_blocks` makes
pictures of characters.
"""
