"""The errors a user can cause: each message is one line with the value, the rule and the remedy."""


class ConvError(Exception):
    """Base of every error that is the input's fault, not the program's. Ends a command with exit code 2."""


class GeometryError(ConvError):
    """Sizes, strides, paddings or groups that do not fit together."""


class KernelError(ConvError):
    """A kernel or weight array that cannot be built, read or used."""


class ImageError(ConvError):
    """A picture that cannot be read, written or represented."""


class BackendError(ConvError):
    """A backend, device or dtype that is not available here."""
