"""All families of named kernels. Importing this module adds them to `convcli.kernels.named.REGISTRY`."""

# In the order in which the tables list them.
# isort: off
from convcli.kernels import smoothing, gaussians, lines, shapes, pillow  # noqa: F401
from convcli.kernels import edges, derivatives, laplacians, waves, upsampling  # noqa: F401
