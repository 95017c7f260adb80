"""The same operation written for other tools: PyTorch, SciPy, OpenCV, ImageMagick, libvips, ONNX."""
