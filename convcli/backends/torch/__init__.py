"""torch on the CPU and on CUDA: a `Task` translated into torch's own calls.

``device``        which devices there are
``convolutions``  the operation on tensors: torch's own convolutions, and their arguments
``transforms``    large kernels on few channels, for which torch's own convolutions are many times slower
``storing``       integers made of the results, on the device
``arrays``        arrays in and arrays out; copies between the host and the device; timing on CUDA
"""

from convcli.backends.torch.arrays import run, timed_on_cuda
from convcli.backends.torch.device import check_device, cuda_missing

__all__ = ["check_device", "cuda_missing", "run", "timed_on_cuda"]
