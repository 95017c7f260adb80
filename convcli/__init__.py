"""convcli: convolutions on images. Apply it, size it, explain it, prove it."""

__version__ = "0.2.0"
