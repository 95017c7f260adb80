"""torch on the CPU and on CUDA: a thin translation of a `Task` into torch's own calls.

``device``      which devices there are
``layer``       the operation on tensors: torch's own convolutions, and what they are handed
``transforms``  large kernels of few channels, which torch's own convolutions take many times longer for
``finish``      integers made of the results, on the device
``bus``         what crosses between the host and the device
``run``         arrays in and arrays out; timed on CUDA
"""

from convcli.backends.torch.device import check_device, cuda_missing
from convcli.backends.torch.run import correlate, correlate_transpose, timed_on_cuda

__all__ = ["check_device", "correlate", "correlate_transpose", "cuda_missing", "timed_on_cuda"]
