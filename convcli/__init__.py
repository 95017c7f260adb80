"""convcli: convolutions on images. Apply it, size it, explain it, prove it."""

__version__ = "0.1.0"
