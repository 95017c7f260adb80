"""One value of a result taken apart: the window, the kernel, the products, the sum; and the way back from an input pixel."""
