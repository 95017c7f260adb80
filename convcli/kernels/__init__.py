"""From a kernel SPEC (a name, a literal or a file) to arrays, and from several kernels to 4-D weights."""

from convcli.kernels.bank import Bank, Filter, Kernel
from convcli.kernels.spec import parse

__all__ = ["Bank", "Filter", "Kernel", "parse"]
