"""torch on the CPU and on CUDA: a thin translation of a `Task` into torch's own calls.

``device``        which devices there are
``convolutions``  the operation on tensors: torch's own convolutions, and what they are handed
``transforms``    large kernels of few channels, which torch's own convolutions take many times longer for
``storing``       integers made of the results, on the device
``arrays``        arrays in and arrays out, and what crosses between the host and the device; timed on CUDA
"""

from convcli.backends.torch.arrays import run, timed_on_cuda
from convcli.backends.torch.device import check_device, cuda_missing

__all__ = ["check_device", "cuda_missing", "run", "timed_on_cuda"]
