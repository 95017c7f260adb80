"""A convolution at work, step by step: what each frame shows, and how it is drawn."""
