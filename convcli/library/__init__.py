"""The Python library: what ``import convcli`` offers. A module for each function or two.

``boundary``     what surrounds every call: the context that is kept, and errors that name arguments
``arguments``    numbers and words of the caller as the core's values. Standard library only
``pictures``     arrays, tensors, Pillow images and windows as batches ``(N, C, H, W)``, and results in the caller's form
``banks``        kernels and weights, parsed once
``operations``   an operation of these arguments, fitted once to images of a kind
``writing``      results into the caller's ``out``; ``pieces`` does it block by block, ``stored`` says where it is
"""
