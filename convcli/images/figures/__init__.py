"""Figures of `convcli.drawing` as pixels."""
