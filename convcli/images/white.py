"""What white is where a file does not say so: what the user says, else what is usual."""

from __future__ import annotations

from convcli.errors import ImageError
from convcli.images.picture import Picture


def check_unsaid(source: str, wanted: float | None, own: float, said: bool) -> None:
    """Refuse a white that a file says itself, be it by its depth.

    Parameters
    ----------
    source : str
        For the message.
    wanted : float or None
        What the user says.
    own : float
        What the file says, if it does.
    said : bool
        Whether it does.

    Raises
    ------
    ImageError
        Both say it.
    """
    if wanted is not None and said:
        raise ImageError(
            f"--full-scale {wanted:g} is for .npy and for real numbers whose file does not say what white is, "
            f"'{source}' does, {own:g}: leave it out"
        )


def of_result(picture: Picture, container: str) -> float:
    """White of what an input becomes, in the input's units; a tensor of unknown white becomes a picture of 0 to 255."""
    guessed = picture.assumed and picture.space == "tensor" and container != "NPY"
    return 255.0 if guessed and picture.full_scale == 1 else picture.full_scale
