"""What is done to every pixel by itself on its way to the kernel and back, on blocks of any size. NumPy only.

``lift``     before the kernel: linear light, gray, colours weighted by their opacity
``finish``   after it: a bank joined, colours and light as they were, the range policy, rounding, the cast
``ranges``   the range policies
"""
