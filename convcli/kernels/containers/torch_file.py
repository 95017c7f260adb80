"""Tensors in files of PyTorch: state_dicts and checkpoints, whatever their name ends in.

torch reads them without executing anything (``weights_only``). Some inert types that checkpoints have beside their tensors are
added to those that it allows.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from convcli import extras
from convcli.errors import KernelError
from convcli.kernels.containers.archives import check_inflation
from convcli.kernels.containers.tensors import Tensor, from_torch, invalid, listing, name_of, source_of
from convcli.system.context import without_warnings

_ARCHIVES = b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"
"""The first bytes of torch's files: a zip archive, or a pickle of protocol 2 or later."""

DEEPEST = 100
"""The most levels of dictionaries in a checkpoint. One that holds itself has no end."""


def read(path: Path, key: str | None = None) -> Mapping[str, Tensor]:
    """The tensors of a state_dict, or of a checkpoint, whose levels are joined by points. Nothing of a file is executed.

    Raises `KernelError` if it has other things than tensors and inert values, or no tensors.
    """
    if not extras.is_installed("torch"):
        remedy = f"{extras.how_to_get('torch')}, or save them as .safetensors"
        raise KernelError(f"weights '{path}'", "need torch, which is not installed", remedy)
    import torch

    loaded = _loaded(path)
    values = {"": loaded} if isinstance(loaded, torch.Tensor) else loaded
    if isinstance(values, dict) and isinstance(values.get("state_dict"), dict):
        values = values["state_dict"]
    if not isinstance(values, dict):
        remedy = "save a tensor or a state_dict of tensors"
        raise KernelError(f"weights '{path}'", f"hold a {type(loaded).__name__}", remedy)
    values = dict(_flat(values))
    found = {name: tensor for name, tensor in values.items() if isinstance(tensor, torch.Tensor)}
    if values and not found:
        raise KernelError(f"weights '{path}'", f"hold no tensors, only {listing(list(values))}", "save a state_dict")
    whole = {name: tensor for name, tensor in found.items() if not tensor.is_nested}
    if found and not whole:
        raise _nested(path)
    return {
        name: Tensor(tuple(one.shape), name_of(one), partial(from_torch, one, source_of(path, name)))
        for name, one in whole.items()
    }


def _loaded(path: Path) -> Any:
    """What torch makes of a file."""
    import torch

    with suppress(BadZipFile, NotImplementedError, ValueError), ZipFile(path) as archive:
        check_inflation(path, archive.infolist())
    try:
        # The warnings are about files that are refused below. Of a path, torch would look at the ending.
        with path.open("rb") as stream, without_warnings(), torch.serialization.safe_globals(_inert()):
            return torch.load(stream, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # UnpicklingError, RuntimeError, EOFError, …: it depends on the damage
        said = str(error)
    if "torchscript" in said.lower():
        remedy = "save the tensors alone, torch.save(model.state_dict(), …)"
        raise KernelError(f"weights '{path}'", "are a TorchScript program", remedy)
    if "nested" in said.lower():
        raise _nested(path)
    unsafe = re.search(r"Unsupported (?:global: GLOBAL|class) ([\w.]+)", said, re.IGNORECASE)
    with path.open("rb") as stream:
        if not (unsafe or "unsupported" in said.lower()) or stream.read(2) not in _ARCHIVES:
            raise invalid(path, ".pt")
    what = f" ({unsafe[1]})" if unsafe else ""
    remedy = "save a plain array or a state_dict of tensors"
    raise KernelError(f"weights '{path}'", f"hold pickled objects, which can run code{what}", remedy)


def _inert() -> list[Any]:
    """Types whose values only hold what they are given. Some are known by the names that other versions have for them."""
    multiarray = np._core.multiarray  # type: ignore[attr-defined]
    numbers = [type(np.dtype(name)) for name in ("?", *"bhilqBHILQefdg", "U1", "S1")]
    scalar, array = multiarray.scalar, multiarray._reconstruct
    return [
        Namespace, SimpleNamespace, OrderedDict, set, dict, list, np.dtype, np.ndarray, *numbers, scalar, array,
        (scalar, "numpy.core.multiarray.scalar"), (array, "numpy.core.multiarray._reconstruct"),
        (PurePosixPath, "pathlib.PosixPath"), (PureWindowsPath, "pathlib.WindowsPath"), PurePosixPath, PureWindowsPath,
        (PurePosixPath, "pathlib._local.PosixPath"), (PureWindowsPath, "pathlib._local.WindowsPath"),
    ]  # fmt: skip


def _flat(tensors: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Nested state_dicts as one, with keys such as ``model.conv1.weight``."""
    for name, value in tensors.items():
        if isinstance(value, dict):
            if depth < DEEPEST:
                yield from _flat(value, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", value


def _nested(path: Path) -> KernelError:
    rule = "hold nested tensors, whose parts differ in size"
    return KernelError(f"weights '{path}'", rule, "save each part as a tensor")
