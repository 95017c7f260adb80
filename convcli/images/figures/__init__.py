"""Figures of `convcli.drawing` as pixels."""

SOFTWARE = "convcli figure"
MARK = b"tEXtSoftware\0" + SOFTWARE.encode()
"""What every .png of a figure has in its head, so that it is not taken for a picture."""
